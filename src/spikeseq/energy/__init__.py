"""Energy: operations counted from real spikes."""

from spikeseq.energy.synops import Counts, LayerCount, count

__all__ = ["Counts", "LayerCount", "count"]
