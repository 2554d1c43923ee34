"""The examples run as a person runs them, and print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """A function: name of an example -> what it prints; warnings are errors, and it may write no file."""

    def run(name: str) -> str:
        folder = tmp_path_factory.mktemp(name)
        done = subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / name)],
            cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert list(folder.iterdir()) == []
        return done.stdout

    return run


def test_every_example_is_tested():
    tested = {"audit_and_price.py", "convert_own_lstm.py", "register_a_layer.py", "stream_with_state.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == tested


def test_convert_own_lstm(printed):
    text = printed("convert_own_lstm.py")
    assert "lstm: nn.LSTM -> SpikingLSTM\n  spikes: i, f, o, h; analog, never transmitted: g, c\n" in text
    before = float(re.search(r"float LSTM: +(0\.\d{4})", text).group(1))
    after = float(re.search(r"spiking LSTM: +(0\.\d{4})", text).group(1))
    assert before > 0.9
    assert before - 0.1 < after <= before + 0.01


def test_audit_and_price(printed):
    text = printed("audit_and_price.py")
    gains = {code: float(gain) for code, gain in re.findall(r"(\w+) +input: .* int32 (\d+\.\d)", text)}
    assert gains["direct"] < min(gains["int8"], gains["delta"])
    assert gains["direct"] > 4
    assert "not accumulate-only: 3 findings" in text
    assert re.search(r"audit_and_price.py:\d+: return self.readout\(self.lstm\(x\)\[0\]\)", text)


def test_register_a_layer(printed):
    text = printed("register_a_layer.py")
    errors = [float(e) for e in re.findall(r"T = +\d+: relative error (0\.\d{3})", text)]
    assert len(errors) == 5
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4 * errors[-1]
    assert re.search(r"1: Sigmoid -> SpikingSigmoid of width \d\.\d\n  spikes: output", text)


def test_stream_with_state(printed):
    text = printed("stream_with_state.py")
    assert text.count("7 elements, mean |h| 0.") == 7
    assert "mean |h| 0.000" not in text
    assert text.endswith("outputs equal: True\nlast states equal: True\n")
