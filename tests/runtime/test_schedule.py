"""The schedule of a program: T and layers are its own, the order what its state allows."""

import numpy as np
import pytest

import spikeseq.nn as snn
from spikeseq import runtime
from spikeseq.ops.schedule import Schedule
from spikeseq.runtime.arrays import LayerArrays, Settings


@pytest.mark.parametrize("kind", [snn.SpikingLSTM, snn.StreamLSTM])
def test_lstm(kind):
    assert runtime.compile(kind(3, 4, 2, time_steps=4)).schedule(9) == Schedule(9, 4, 2, "wavefront")


@pytest.mark.parametrize("time_steps", [1, 4])
def test_membranes_that_are_carried_chain_the_time_steps(time_steps):
    """What is left at the last time step of an element makes the next one spike at its first."""
    one = np.ones(1, np.float32)
    program = runtime.Program(
        Settings(time_steps, 0, 0.5, kind="lif"), [LayerArrays(one[:, None], None, None, one, None)]
    )
    assert program.schedule(9) == Schedule(9, time_steps, 1, "chained")
    stream = program.stream()
    stream.step([0.25 / time_steps])
    assert stream.state()["c"].ravel()[0] == 0.25
    stream.step([0.75])
    assert stream.state()["h"].ravel()[0] == 1
