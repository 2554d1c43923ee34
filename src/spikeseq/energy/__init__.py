"""Energy: operations counted from real spikes, priced in picojoules, and the proof that nothing multiplies in secret."""

from spikeseq.energy import currents, dense, recurrent, spiking, translation  # noqa: F401  their rules register themselves
from spikeseq.energy.audit import Audit, Finding, assert_accumulate_only, audit
from spikeseq.energy.compare import Comparison, compare
from spikeseq.energy.cost import Price, PriceTable, price, read_table
from spikeseq.energy.counts import Counts, LayerCount
from spikeseq.energy.multiplications import multiplications
from spikeseq.energy.neurobench import neurobench
from spikeseq.energy.registry import Call, register
from spikeseq.energy.synops import count

__all__ = [
    "Audit",
    "Call",
    "Comparison",
    "Counts",
    "Finding",
    "LayerCount",
    "Price",
    "PriceTable",
    "assert_accumulate_only",
    "audit",
    "compare",
    "count",
    "multiplications",
    "neurobench",
    "price",
    "read_table",
    "register",
]
