"""What a kill, a damaged file or another runtime does: counted, into one record.

Trainings are killed (SIGKILL) at random moments and resumed until they are done; the result must be that of an unbroken
run, bit for bit. Workers of a sweep are killed; no finished trial may be lost. Conversions and exports are killed: what stands
where they write is nothing, what stood there before, or the whole. A file of each format that is read (parsers.py) is
damaged at random: each copy must give an error of spikeseq's own or what was written or, where the format has no checksum,
something sound. Networks run in ONNX Runtime and through NIR.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import spikeseq.nn as snn
from common import Column, finish, positive, show
from damage import damaged
from kills import checked, command, kill_at, start_worker, train
from parity import parity_rows, summary
from parsers import fuzz
from spikeseq import runtime
from spikeseq.nn.checkpoint import load_model, read_content, save_model
from spikeseq.nn.layers_file import save_layers
from spikeseq.report.record import read_record
from spikeseq.runtime.library import library_path
from spikeseq.train.fit import fit
from spikeseq.train.recipe import Recipe, make_recipe
from spikeseq.train.sweep.result import trial_rows
from spikeseq.train.sweep.space import make_space
from spikeseq.train.sweep.study import Sweep, open_study

COMMANDS = {  # a name: words of the command line, which models it takes
    "conversion": (["convert"], "classifier"),
    "export c": (["export", "c"], "classifier"),
    "export onnx": (["export", "onnx"], "classifier"),
    "export nir": (["export", "nir"], "LIF network"),
}
COLUMNS = (Column("what"), Column("tried", digits=0), Column("good", "as it must be", digits=0), Column("detail"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="reliability", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/reliability"), help="folder for the record")
    parser.add_argument("--kills", type=positive, default=20, help="of trainings")
    parser.add_argument("--workers", type=positive, default=5, help="workers of a sweep that are killed")
    parser.add_argument("--files", type=positive, default=200, help="damaged copies of each file")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the damage")
    parser.add_argument("--threads", type=positive, default=1, help="threads of PyTorch")
    parser.add_argument(
        "--quick", action="store_true", help="one kill of each, five copies: shows that the script runs"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.kills, options.workers, options.files = 1, 1, 5
    torch.set_num_threads(options.threads)
    began, chance = time.perf_counter(), random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = [kills_of_training(folder, options.kills, chance)]
        rows.append(kills_of_workers(folder, options.workers, chance, rows[0].pop("seconds")))
        names = [name for name in COMMANDS if name != "export c" or library_path() is not None]
        rows += [kills_of_command(folder, name, options.kills, chance) for name in names]
        rows += damaged_files(folder, options.files, chance)
        rows += fuzz(folder / "formats", options.files, chance)
        parity = parity_rows(folder, *((60, 8) if options.quick else (150, 200)))
        rows.append(summary(parity))
    good = all(row["tried"] == row["good"] for row in rows)
    metrics: dict[str, Any] = {"rows": rows, "parity": parity, "all_good": good}
    show(rows, COLUMNS, "reliability")
    finish("reliability", options, began, metrics)
    return 0 if good else 1


def recipe(**changes: Any) -> Recipe:
    """A training of about a second, with everything that has a memory."""
    content: dict[str, Any] = {
        "name": "digits/killed", "data": {"name": "digits", "batch_size": 64, "shift_augmentation": 1},
        "model": {"cell": "quantized_lstm", "hidden_size": 8, "dropout": 0.1, "options": {"time_steps": 2}},
        "train": {"epochs": 6, "weight_average": 0.9, "target_spike_rate": 0.2, "compile": "never", **changes},
    }  # fmt: skip
    return make_recipe(content)


def kills_of_training(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """Train with kills at random moments, over and over until there were enough; compare each end with the unbroken one."""
    plan, done, runs, equal, torn, early = recipe(), 0, 0, 0, 0, 0
    began = time.perf_counter()
    whole = fit(plan, folder / "whole", progress=False)
    seconds = time.perf_counter() - began
    while done < kills:
        run = folder / f"run{runs}"
        while True:
            ended = kill_at(chance.uniform(0.1, 1.2) * seconds if done < kills else None, train, plan, run)
            torn += not checked(run)
            if ended:
                break
            done, early = done + 1, early + (not (run / "last.ckpt").exists())
        same = load_model(run / "model.pt")[0].state_dict()
        metrics = {k: v for k, v in read_record(run / "record.json").metrics.items() if k != "train_seconds"}
        wanted = {k: v for k, v in whole.record.metrics.items() if k != "train_seconds"}
        weights = all(torch.equal(same[name], value) for name, value in whole.model.state_dict().items())
        equal, runs = equal + (weights and metrics == wanted), runs + 1
    return {
        "what": "trainings killed at random moments, then resumed: same weights and metrics as unbroken", "tried": runs,
        "good": equal if not torn else 0, "kills": done, "seconds": seconds,
        "detail": f"{done} kills, {early} before the first checkpoint; {torn} torn files",
    }  # fmt: skip


def kills_of_workers(folder: Path, workers: int, chance: random.Random, seconds: float) -> dict[str, Any]:
    """Kill workers of one sweep at random moments; finished trials before each kill must be there unchanged at the end.

    seconds  of a training three times as long as a trial
    """
    plan = recipe(epochs=2)
    space = make_space({"train.learning_rate": {"low": 1e-3, "high": 0.1, "log": True}}, plan)
    sweep, known = Sweep(plan, space, folder / "sweep", trials=workers + 2, heartbeat=1), {}
    kills = 0
    while kills < workers:
        if kill_at(chance.uniform(0.5, 3.0) * seconds, start_worker, sweep):
            sweep = Sweep(plan, space, folder / "sweep", trials=sweep.trials + 2, heartbeat=1)  # it was done before
        else:
            kills += 1
        known |= finished(sweep)
    kill_at(None, start_worker, sweep)
    found = finished(sweep)
    kept = sum(found.get(number) == row for number, row in known.items())
    return {
        "what": "finished trials of a sweep whose workers were killed: kept as they were", "tried": len(known), "good": kept,
        "kills": kills, "detail": f"{kills} workers killed; {len(found)} trials finished in the end of {sweep.trials} wanted",
    }  # fmt: skip


def models_of(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Two models each: the trained classifier and one with other weights; two networks of LIF neurons."""
    classifier, other = folder / "whole" / "model.pt", folder / "other.pt"
    model, settings, notes = load_model(classifier)
    with torch.no_grad():
        model.readout.bias.add_(0.25)
    save_model(other, model, settings, read_content(classifier)["sizes"], notes)
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(
            save_layers(folder / f"lif{seed}.pt", snn.Sequential(nn.Linear(8, 8), snn.LIF(8)), element_shape=(8,))
        )
    return {"classifier": (other, classifier), "LIF network": (networks[0], networks[1])}


def kills_of_command(folder: Path, name: str, kills: int, chance: random.Random) -> dict[str, Any]:
    """Kill a command at random moments, every other time over what the same command made of another model."""
    words, models = COMMANDS[name]
    place, good, done, cut = folder / name.replace(" ", "_"), 0, 0, 0
    place.mkdir()
    old, new = ([*words, str(model), "--out"] for model in models_of(folder)[models])
    kill_at(None, command, [*new, str(place / "warm")])  # the fork server has imported everything then
    began = time.perf_counter()
    kill_at(None, command, [*new, str(place / "whole")])
    seconds, whole = time.perf_counter() - began, files_of(place / "whole")
    while cut < kills:
        target = place / f"target{done}"
        if done % 2:
            kill_at(None, command, [*old, str(target)])
        before = files_of(target)
        cut += not kill_at(chance.uniform(0.02, 1.0) * seconds, command, [*new, str(target)])
        left = files_of(target)
        kill_at(None, command, [*new, str(target)])
        good += left in (before, whole) and files_of(target) == whole
        done += 1
    return {
        "what": f"{name}, killed at random moments: nothing, the earlier files or all new ones; again: the same",
        "tried": done, "good": good, "kills": cut, "detail": f"{cut} kills, {done - cut} ended before",
    }  # fmt: skip


def files_of(path: Path) -> dict[str, bytes]:
    """What stands at a path: a file or the files of a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def finished(sweep: Sweep) -> dict[int, dict[str, Any]]:
    """Complete trials by their number."""
    with open_study(sweep) as study:
        return {row["number"]: row for row in trial_rows(study, sweep) if row["state"] == "complete"}


def damaged_files(folder: Path, copies: int, chance: random.Random) -> list[dict[str, Any]]:
    """Damage each kind of file, read it, and sort what happens."""
    run = folder / "whole"
    readers: dict[str, tuple[Path, Callable[[Path], Any]]] = {
        "model file": (run / "model.pt", lambda path: load_model(path)[0].state_dict()),
        "record": (run / "record.json", read_record),
        "checkpoint to resume from": (run / "last.ckpt", lambda path: resumed(path, folder)),
    }
    if library_path() is not None:
        program = runtime.compile(load_model(run / "model.pt")[0]).save(folder / "program.bin")
        readers["program of the runtime"] = (program, lambda path: runtime.Program.load(path).save(path).read_bytes())
    return [damaged(name, path, read, copies, chance) for name, (path, read) in readers.items()]


def resumed(path: Path, folder: Path) -> Any:
    """The weights of a training that goes on from a checkpoint of its last epoch."""
    run = folder / "resumed"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    shutil.copy(folder / "whole" / "best.ckpt", run / "best.ckpt")
    shutil.copy(path, run / "last.ckpt")
    return fit(recipe(), run, resume=True, progress=False, test=False).model.state_dict()


if __name__ == "__main__":
    sys.exit(main())
