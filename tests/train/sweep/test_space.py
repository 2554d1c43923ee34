"""The space of a sweep: what is read, drawn and refused."""

from pathlib import Path

import pytest

from spikeseq.errors import ConfigError
from spikeseq.train.sweep.space import Choice, Range, make_space, read_space, with_key

QUANTIZED = {"model.cell": "quantized_lstm", "model.options": {"time_steps": 2}}


class Trial:
    """Notes down what is asked for, and returns the highest or the last."""

    def __init__(self):
        self.asked = {}

    def suggest_int(self, name, low, high, *, step=1, log=False):
        self.asked[name] = ("int", low, high, step, log)
        return high

    def suggest_float(self, name, low, high, *, step=None, log=False):
        self.asked[name] = ("float", low, high, step, log)
        return high

    def suggest_categorical(self, name, choices):
        self.asked[name] = tuple(choices)
        return choices[-1]


def test_what_is_drawn(tiny):
    space = make_space(
        {
            "model.options.time_steps": [1, 2, 4],
            "model.hidden_size": {"low": 8, "high": 64, "log": True},
            "train.epochs": {"low": 2, "high": 6, "step": 2},
            "train.learning_rate": {"low": "1e-4", "high": 1, "log": True},  # as YAML reads 1e-4 and 1
            "train.target_spike_rate": {"low": 0.05, "high": 0.4},
            "train.progressive_time_steps": [[], [8, 4]],
            "train.schedule": ["cosine", "constant"],
        },
        tiny(QUANTIZED),
    )
    trial = Trial()
    drawn = {key: own.suggest(trial, key) for key, own in space.items()}
    assert trial.asked == {
        "model.options.time_steps": (1, 2, 4),
        "model.hidden_size": ("int", 8, 64, 1, True),
        "train.epochs": ("int", 2, 6, 2, False),
        "train.learning_rate": ("float", 1e-4, 1.0, None, True),
        "train.target_spike_rate": ("float", 0.05, 0.4, None, False),
        "train.progressive_time_steps": ("[]", "[8, 4]"),
        "train.schedule": ("cosine", "constant"),
    }
    assert isinstance(space["train.learning_rate"].high, float)
    assert drawn["train.progressive_time_steps"] == [8, 4]
    assert drawn["model.options.time_steps"] == 4


def test_a_file(tiny):
    Path("space.yaml").write_text("model.hidden_size: {low: 4, high: 8}\ntrain.schedule: [cosine]\n")
    space = read_space("space.yaml", tiny())
    assert space == {"model.hidden_size": Range(4, 8), "train.schedule": Choice(("cosine",))}


def test_a_key_is_set_in_a_copy():
    content = {"a": {"b": 1}, "c": 2}
    assert with_key(content, "a.b", 3) == {"a": {"b": 3}, "c": 2}
    assert content["a"]["b"] == 1
    with pytest.raises(ConfigError, match="'c' is a value"):
        with_key(content, "c.d", 3)


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("train.learning_rat", {"low": 0.1, "high": 1}, r"train\.learning_rat'; did you mean 'learning_rate'"),
        ("trian.epochs", [1], r"unknown recipe key 'trian'; did you mean 'train'"),
        ("model.options.time_stps", [1], "time_stps.*did you mean 'time_steps'"),
        ("model.options.time_steps", [2, 3], r"model\.options\.time_steps=3"),
        ("model.cell", ["lstmm"], "did you mean 'lstm'"),
        ("train.epochs", {"low": 0, "high": 3}, r"train\.epochs=0: .*pass 1 or more"),
        ("train.epochs", {"low": 1.5, "high": 3}, r"train\.epochs: low=1\.5: this key takes whole numbers"),
        ("train.schedule", {"low": 1, "high": 3}, r"train\.schedule: low=1: this key takes a list of values"),
        ("train.schedule", ["cosin"], r"train\.schedule='cosin'"),
        ("train.epochs", {"low": 3, "high": 1}, "low=3, high=1"),
        ("train.epochs", {"low": 3}, r"train\.epochs: high missing"),
        ("train.epochs", {"lo": 3, "high": 4}, "no setting 'lo' of a range; did you mean 'low'"),
        ("train.epochs", {"low": "few", "high": 4}, "low='few' is no number"),
        ("data.name", ["digits", "mnits"], r"data: unknown data set 'mnits'; did you mean 'mnist'"),
        ("data.options.ordr", ["rows"], r"data: data set 'digits' has no option 'ordr'; did you mean 'order'"),
        ("train.learning_rate", {"low": 0, "high": 1, "log": True}, r"train\.learning_rate: log: true needs low above 0"),
        ("train.learning_rate", {"low": 0.1, "high": 1, "step": -1}, "step=-1"),
        ("train.learning_rate", 0.1, r"train\.learning_rate: 0\.1: write a list of values"),
        ("train.schedule", [], "name at least one value"),
        ("train.epochs.more", [1], r"train\.epochs\.more: 'epochs' is a value"),
        ("trainer.devices", [1, 2], r"trainer\.devices: a sweep keeps it"),
    ],
)  # fmt: skip
def test_refused(tiny, key, given, words):
    with pytest.raises(ConfigError, match=words):
        make_space({key: given}, tiny(QUANTIZED))


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "does not exist"), ("a: [", "not valid YAML"), ("[1]", "holds no mapping"), ("{}", "no recipe key")],
)
def test_files_that_cannot_be_read(tiny, text, words):
    if text is not None:
        Path("space.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_space("space.yaml", tiny())


def test_an_option_of_one_of_several_data_sets(tiny):
    space = make_space({"data.name": ["digits", "mnist"], "data.options.side": [14, 28]}, tiny())
    assert list(space) == ["data.name", "data.options.side"]
