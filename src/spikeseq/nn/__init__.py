"""Layers: parameters and state around the pure steps of spikeseq.ops."""

from spikeseq.nn.adlif import AdLIF
from spikeseq.nn.cell import GRUCell, HardLSTMCell, LSTMCell, QuantizedLSTMCell, SpikingLSTMCell, StreamLSTMCell
from spikeseq.nn.classifier import SequenceClassifier
from spikeseq.nn.conv import SpikingConv1d, SpikingConv1dState, SpikingConv2d
from spikeseq.nn.cuba import CubaLIF
from spikeseq.nn.current_cell import (
    AdLIFCell,
    GatedCurrentCell,
    HardGatedCurrentCell,
    LeakyCurrentCell,
    SpikingGatedCurrentCell,
)
from spikeseq.nn.current_kinds import CodedCurrentState
from spikeseq.nn.dropout import DropoutState, SequenceDropout
from spikeseq.nn.frames import FrameClassifier
from spikeseq.nn.gated_current import GatedCurrent, HardGatedCurrent, LeakyCurrent, SpikingGatedCurrent
from spikeseq.nn.graded_lif import GradedLIF, GradedLIFCell
from spikeseq.nn.lif import IF, LIF, IFCell, LIFCell
from spikeseq.nn.lstm import GRU, LSTM, HardLSTM, QuantizedLSTM, RunResult, SpikingLSTM, StreamLSTM
from spikeseq.nn.observe import Seen, observing
from spikeseq.nn.pictures import PictureClassifier
from spikeseq.nn.readout import Integrator, IntegratorState, Last
from spikeseq.nn.replicas import SpikingLSTMState
from spikeseq.nn.rnn import RNN
from spikeseq.nn.sequential import Sequential
from spikeseq.nn.text import TextClassifier
from spikeseq.ops.cells.adlif import AdLIFState
from spikeseq.ops.cells.cuba_lif import CubaState
from spikeseq.ops.cells.current import CurrentState
from spikeseq.ops.cells.gated_current import HardGatedState
from spikeseq.ops.cells.gru import GRUState
from spikeseq.ops.cells.lstm import LSTMState
from spikeseq.ops.cells.rnn import RNNState
from spikeseq.ops.neuron import LIFParams, LIFState

__all__ = [
    "GRU",
    "IF",
    "LIF",
    "LSTM",
    "RNN",
    "AdLIF",
    "AdLIFCell",
    "AdLIFState",
    "CodedCurrentState",
    "CubaLIF",
    "CubaState",
    "CurrentState",
    "DropoutState",
    "FrameClassifier",
    "GRUCell",
    "GRUState",
    "GatedCurrent",
    "GatedCurrentCell",
    "GradedLIF",
    "GradedLIFCell",
    "HardGatedCurrent",
    "HardGatedCurrentCell",
    "HardGatedState",
    "HardLSTM",
    "HardLSTMCell",
    "IFCell",
    "Integrator",
    "IntegratorState",
    "LIFCell",
    "LIFParams",
    "LIFState",
    "LSTMCell",
    "LSTMState",
    "Last",
    "LeakyCurrent",
    "LeakyCurrentCell",
    "PictureClassifier",
    "QuantizedLSTM",
    "QuantizedLSTMCell",
    "RNNState",
    "RunResult",
    "Seen",
    "SequenceClassifier",
    "SequenceDropout",
    "Sequential",
    "SpikingConv1d",
    "SpikingConv1dState",
    "SpikingConv2d",
    "SpikingGatedCurrent",
    "SpikingGatedCurrentCell",
    "SpikingLSTM",
    "SpikingLSTMCell",
    "SpikingLSTMState",
    "StreamLSTM",
    "StreamLSTMCell",
    "TextClassifier",
    "observing",
]
