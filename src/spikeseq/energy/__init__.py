"""Energy: operations counted from real spikes, priced in picojoules, and the proof that nothing multiplies in secret."""

from spikeseq.energy import dense, recurrent  # noqa: F401  their rules register themselves
from spikeseq.energy.counts import Counts, LayerCount
from spikeseq.energy.registry import Call, register
from spikeseq.energy.synops import count

__all__ = ["Call", "Counts", "LayerCount", "count", "register"]
