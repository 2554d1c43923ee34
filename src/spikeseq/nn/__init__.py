"""Layers: parameters and state around the pure steps of spikeseq.ops."""

from spikeseq.nn.cell import GRUCell, HardLSTMCell, LSTMCell, QuantizedLSTMCell, SpikingLSTMCell, StreamLSTMCell
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.lstm import GRU, LSTM, HardLSTM, QuantizedLSTM, RunResult, SpikingLSTM, StreamLSTM
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.replicas import SpikingLSTMState
from spikeseq.ops.cells.gru import GRUState
from spikeseq.ops.cells.lstm import LSTMState

__all__ = [
    "GRU",
    "LSTM",
    "GRUCell",
    "GRUState",
    "HardLSTM",
    "HardLSTMCell",
    "LSTMCell",
    "LSTMState",
    "QuantizedLSTM",
    "QuantizedLSTMCell",
    "RunResult",
    "Seen",
    "SequenceClassifier",
    "SpikingLSTM",
    "SpikingLSTMCell",
    "SpikingLSTMState",
    "StreamLSTM",
    "StreamLSTMCell",
    "observing",
]
