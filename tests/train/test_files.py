"""Model files and runs that go wrong: nothing foreign is trusted, nothing is written by half."""

import builtins
import errno
import os
import tempfile
from pathlib import Path

import pytest
import torch

from spikeseq.errors import CheckpointError
from spikeseq.nn.checkpoint import FORMAT, ModelSettings, check_sums, load_model, read_content, save_model
from spikeseq.train.fit import fit


@pytest.fixture
def model_file(tmp_path):
    torch.manual_seed(0)
    settings = ModelSettings("spiking_lstm", 4, options={"time_steps": 4, "max_packet": 1})
    model = settings.build(3, 5)
    return save_model(tmp_path / "model.pt", model, settings, (3, 5), {"recipe": {"name": "x"}}), model, settings


def test_round_trip(model_file):
    path, model, settings = model_file
    again, found, notes = load_model(path)
    assert (found, notes) == (settings, {"recipe": {"name": "x"}})
    assert not again.training
    assert (again.rnn.kind.time_steps, again.rnn.kind.max_packet) == (4, 1)
    x = torch.rand(2, 6, 3)
    assert torch.equal(again(x), model.eval()(x))


def refused(path, *words):
    with pytest.raises(CheckpointError, match="(?s)" + ".*".join(words)) as caught:
        load_model(path)
    assert repr(str(path)) in str(caught.value)


def test_missing_and_damaged_files(model_file, tmp_path):
    path = model_file[0]
    content = path.read_bytes()
    refused(tmp_path / "missing.pt", "does not exist", "runs/X/model.pt")
    refused(tmp_path, "cannot be read")
    for damaged in (content[: len(content) // 2], content[:-30], content[:4], b"", b"text", b"PK\x03\x04"):
        path.write_bytes(damaged)
        refused(path, "cannot be read", "damaged or no model file")


def test_foreign_files(model_file, tmp_path):
    path = model_file[0]
    for content in ({"a": 1}, [1], {"format": "spikeseq-model/99"}, torch.zeros(3), torch.nn.Linear(2, 2).state_dict()):
        torch.save(content, path)
        refused(path, f"is not a {FORMAT} file", "runs/X/model.pt")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.pop("settings"),
        lambda c: c.pop("state"),
        lambda c: c.pop("sizes"),
        lambda c: c.pop("notes"),
        lambda c: c["settings"].update(colour="red"),
        lambda c: c["settings"].update(cell="lsdm"),
        lambda c: c["settings"]["options"].update(time_steps=3),
        lambda c: c["settings"]["options"].update(steps=3),
        lambda c: c.update(sizes=[3]),
        lambda c: c.update(sizes=[3, 6]),
        lambda c: c["settings"].update(hidden_size=5),
        lambda c: c["state"].pop("rnn.weight_hh_l0"),
        lambda c: c["state"].update(more=torch.zeros(1)),
    ],
)
def test_files_whose_content_does_not_fit(model_file, spoil):
    path = model_file[0]
    content = torch.load(path, weights_only=True)
    spoil(content)
    torch.save(content, path)
    refused(path)


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_code_in_a_file_is_not_run(model_file, tmp_path, tiny, stub_data):
    stub_data()
    crater = tmp_path / "crater"
    content = torch.load(model_file[0], weights_only=True)
    torch.save({**content, "notes": Bomb(crater)}, tmp_path / "bomb.pt")
    refused(tmp_path / "bomb.pt", "cannot be read")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_content(tmp_path / "bomb.pt")
    for key in ("train.start_from", "train.teacher"):
        with pytest.raises(CheckpointError, match="cannot be read"):
            fit(tiny({key: "bomb.pt"}), "run", progress=False)
    Path("run").mkdir(exist_ok=True)
    torch.save({"spikeseq": Bomb(crater), "epoch": 0}, "run/last.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit(tiny(), "run", resume=True, progress=False)
    assert not crater.exists()
    torch.load(tmp_path / "bomb.pt", weights_only=False)
    assert crater.exists()  # the bomb was live


def full_disk(monkeypatch, name: str):
    """Writing a file called ``name`` (or its temporary twin) fails half-way."""

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    def opening(path, mode="r", *args, **kwargs):
        file = builtins.open(path, mode, *args, **kwargs)  # noqa: SIM115
        return Full(file) if name in Path(path).name and "r" not in mode else file

    monkeypatch.setattr("spikeseq.report.atomic.open", opening, raising=False)


def no_replace(monkeypatch, name: str):
    """The last step, putting the file in place, fails."""
    replace = os.replace

    def refusing(source, target, **kwargs):
        if Path(target).name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target, **kwargs)

    monkeypatch.setattr(os, "replace", refusing)


@pytest.mark.parametrize("fault", [full_disk, no_replace])
def test_a_model_file_is_written_whole_or_not_at_all(model_file, monkeypatch, fault):
    path, model, settings = model_file
    before = path.read_bytes()
    fault(monkeypatch, "model.pt")
    with torch.no_grad():
        model.readout.bias.add_(1)
    with pytest.raises(OSError, match=r"No space left|Permission denied"):
        save_model(path, model, settings, (3, 5), {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.pt"]


@pytest.mark.parametrize("fault", [full_disk, no_replace])
@pytest.mark.parametrize("name", ["model.pt", "record.json"])
def test_a_run_on_a_full_disk(tiny, stub_data, monkeypatch, fault, name):
    """No half of a file; and when there is room again, --resume ends the run without training anew."""
    stub_data()
    with monkeypatch.context() as patch:
        fault(patch, name)
        with pytest.raises(OSError, match=r"No space left|Permission denied"):
            fit(tiny(), "run", progress=False)
    assert not Path("run", name).exists()
    assert not Path("run/record.json").exists()  # the record is last: where it is, the run is done
    assert not list(Path("run").rglob("*.tmp"))
    run = fit(tiny(), "run", resume=True, progress=False)
    assert run.record.metrics["epochs"] == 2
    load_model("run/model.pt")


@pytest.mark.parametrize("fault", [full_disk, no_replace])
def test_a_checkpoint_is_written_whole_or_not_at_all(tiny, stub_data, monkeypatch, fault):
    """The last good one stays where the disk fills up, and the run goes on from it; nothing goes through TMPDIR."""
    stub_data()
    monkeypatch.setattr(tempfile, "mkstemp", lambda *args, **kwargs: 1 / 0)
    fit(tiny(), "run", progress=False)
    before = Path("run/last.ckpt").read_bytes()
    check_sums("run/last.ckpt")
    more = tiny({"train.epochs": 3})
    with monkeypatch.context() as patch:
        fault(patch, "last.ckpt")
        with pytest.raises(OSError, match=r"No space left|Permission denied"):
            fit(more, "run", resume=True, progress=False)
    assert Path("run/last.ckpt").read_bytes() == before
    assert not list(Path("run").rglob("*.tmp"))
    assert fit(more, "run", resume=True, progress=False).record.metrics["epochs"] == 3


def test_a_folder_that_cannot_be_made(tiny, stub_data):
    stub_data()
    Path("file").write_text("in the way")
    with pytest.raises(OSError, match=r"file"):
        fit(tiny(), "file/run", progress=False)
    assert Path("file").read_text() == "in the way"
