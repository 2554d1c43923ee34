"""Sequence-length curriculum: stages, pieces that belong together, and that a resumed run cuts the same pieces."""

import pytest
import torch

from spikeseq.errors import ConfigError
from spikeseq.train.curriculum import pieces, stage
from spikeseq.train.fit import fit
from spikeseq.train.module import ClassifierModule


def test_equal_shares_of_the_epochs():
    """The published schedule: four epochs each at 100, 200, 400 and 800 frames, eight at 1000."""
    published = [stage([100, 200, 400, 800, 1000, 1000], epoch, 24) for epoch in range(24)]
    assert published == [100] * 4 + [200] * 4 + [400] * 4 + [800] * 4 + [1000] * 8
    assert [stage([1, 2, 3], epoch, 2) for epoch in range(2)] == [1, 2]
    assert stage([7], 99, 100) == 7


def test_pieces_of_frames_and_their_labels():
    torch.manual_seed(0)
    x = torch.arange(40.0).view(4, 10, 1)
    y = torch.arange(40).view(4, 10)
    lengths = torch.tensor([10, 3, 7, 4])
    starts = set()
    for _ in range(50):
        (cut, labels), short = pieces([x, y], lengths, 4)
        assert cut.shape == (4, 4, 1)
        assert torch.equal(cut.squeeze(-1).long(), labels)
        assert short.tolist() == [4, 3, 4, 4]
        first = labels[:, 0] - 10 * torch.arange(4)
        assert torch.equal(labels, labels[:, :1] + torch.arange(4))  # one piece, in order
        assert (first >= 0).all()
        assert (first + short <= lengths).all()  # nothing but what is there
        starts.add(int(first[0]))
    assert starts == set(range(7))


def test_what_is_short_enough_is_left_alone():
    x = torch.randn(2, 5, 3)
    state = torch.get_rng_state()
    (same,), lengths = pieces([x], None, 5)
    assert same is x
    assert lengths is None
    assert torch.equal(torch.get_rng_state(), state)
    (cut,), lengths = pieces([x], None, 3)
    assert (cut.shape, lengths) == ((2, 3, 3), None)


def test_training_sees_the_stages_and_validation_whole_sequences(tiny, stub_data, tmp_path, monkeypatch):
    stub_data(length=9, rows=(8, 8, 8))
    seen = {"train": [], "valid": []}
    step, check = ClassifierModule.training_step, ClassifierModule.validation_step

    def forward(self, batch, index, kind, original):
        handle = self.model.rnn.register_forward_pre_hook(lambda m, args: seen[kind].append(args[0].shape[1]))
        try:
            return original(self, batch, index)
        finally:
            handle.remove()

    monkeypatch.setattr(ClassifierModule, "training_step", lambda s, b, i: forward(s, b, i, "train", step))
    monkeypatch.setattr(ClassifierModule, "validation_step", lambda s, b, i: forward(s, b, i, "valid", check))
    recipe = tiny({"train.length_curriculum": [2, 5, 100], "train.epochs": 6, "data.batch_size": 8})
    fit(recipe, tmp_path / "run", progress=False)
    assert seen["train"] == [2, 2, 5, 5, 9, 9]
    assert set(seen["valid"]) == {9}


def test_a_resumed_run_cuts_the_same_pieces(tiny, stub_data, tmp_path, monkeypatch):
    stub_data(length=9)
    changes = {"train.length_curriculum": [3, 6], "train.schedule": "constant", "data.batch_size": 8}
    whole = fit(tiny({**changes, "train.epochs": 4}), tmp_path / "whole", progress=False).model.state_dict()
    start = ClassifierModule.on_train_epoch_start
    with monkeypatch.context() as patch:
        patch.setattr(
            ClassifierModule, "on_train_epoch_start", lambda self: 1 / 0 if self.current_epoch == 2 else start(self)
        )
        with pytest.raises(ZeroDivisionError):
            fit(tiny({**changes, "train.epochs": 4}), tmp_path / "parts", progress=False)
    resumed = fit(tiny({**changes, "train.epochs": 4}), tmp_path / "parts", resume=True, progress=False)
    history = [row["train_loss"] for row in resumed.record.metrics["history"]]
    assert len(history) == 4
    assert all(torch.equal(v, whole[n]) for n, v in resumed.model.state_dict().items())


def test_a_length_of_nothing(tiny):
    with pytest.raises(ConfigError, match=r"train.length_curriculum=\[100, 0\]: pass lengths of 1 element or more"):
        tiny({"train.length_curriculum": [100, 0]})
