"""What the runtime's benchmarks measure: invented times, spikes that are really sent, weights that are really read."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import spikeseq.nn as snn
from spikeseq import data
from spikeseq.errors import SpikeseqError
from spikeseq.nn import observing
from spikeseq.nn.checkpoint import ModelSettings, save_model

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import runtime_accuracy
import runtime_bandwidth
import runtime_memory
import runtime_models
import runtime_ours
import runtime_plot
import runtime_size
import runtime_targets
import runtime_timing

sys.path.pop(0)
from spikeseq.runtime.library import library_path

built = pytest.mark.skipif(library_path() is None, reason="the runtime's library was not built: make lib")
Block = runtime_timing.Block


def test_speed_is_the_median_of_the_rounds_own_ratios():
    # the machine is 10x slower in the second round; one element and one cold start of the third are disturbed
    kept = {
        "base": [Block(6, (2, 2, 2)), Block(60, (20, 20, 20)), Block(6, (2, 2, 2))],
        "other": [Block(2, (1, 1, 1)), Block(20, (10, 10, 10)), Block(90, (1, 1, 70))],
    }
    found = runtime_timing.compare(kept, "base")
    assert found["base"][3:] == (1, 1, 1, 1, 1)
    assert found["other"] == (1e6, 1e6, 20e6, 2, 2, 2, 2, 3)


def test_blocks_are_interleaved_and_the_first_elements_kept_apart(monkeypatch):
    clock, log = [0.0], []
    monkeypatch.setattr(runtime_timing.time, "perf_counter", lambda: clock[0])

    def contender(name, cost):
        def step(x):
            log.append((name, x))
            clock[0] += cost * (100 if len(log) > 1 and log[-2][0] != name else 1)

        return runtime_timing.Contender(step, ["p", "q", "r"])

    def between():
        log.append(("between", None))
        clock[0] += 1e6  # never inside a time

    contenders = {"a": contender("a", 1.0), "b": contender("b", 2.0)}
    kept = runtime_timing.play(contenders, 2, 14, between)
    assert kept == {
        "a": [Block(100, (1.0,) * 3)] * 2,
        "b": [Block(200, (2.0,) * 3)] * 2,
    }  # 10 elements behind the first are in neither
    order = [name for name, _ in log]
    turns = [name for name, before in zip(order, ["", *order], strict=False) if name != before]
    blocks = ["b", "a", "a", "b", "b", "a"]  # the first two are the warm-up
    assert turns == [name for block in blocks for name in ("between", block)]
    assert [x for name, x in log if name == "a"] == [("p", "q", "r")[n % 3] for n in range(42)]


@built
@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("density", [0.1, 0.5])
def test_set_spikes_are_sent(weights, density):
    inputs, hidden, elements = 7, 40, 30
    one = runtime_ours.with_density(weights, inputs, hidden, density)
    runtime_timing.run_block(one.contender, elements)
    stream, sent, rows = one.program.stream(), 0, 0
    patterns = set()
    for n in range(elements):
        h = stream.state()["h"][0, 0]
        if n:
            assert (np.abs(h).sum(1) == round(density * hidden)).all()
            assert h.min() == -1
            assert h.max() == 1
            patterns.add(h.tobytes())
        sent, rows = sent + np.abs(h).sum(), rows + (h != 0).any(0).sum()
        stream.step(one.contender.inputs[n % inputs])
    assert len(patterns) == inputs
    assert not any((x == 0).any() for x in one.contender.inputs)
    assert stream.counters()["l0"]["acs"] == 4 * hidden * (sent + 2 * elements)  # W x + b at each time step, too
    work, row = one.work(), 4 * hidden * {"float32": 4, "int8": 1}[weights]
    assert work["density"] == pytest.approx(sent / elements / hidden / 2)
    assert work["spike_bytes"] == pytest.approx(rows / elements * row)
    assert work["input_bytes"] == inputs * row


@built
def test_trained_model_runs_on_its_test_data(model_file):
    trained = runtime_ours.load_trained(str(model_file))
    assert trained.name == "digits/untrained seed 3"
    x = data.load("digits").test.x
    assert np.array_equal(trained.x, x.numpy())
    one = runtime_ours.on_test_data("float32", trained, 3)
    length = x.shape[1]
    runtime_timing.run_block(one.contender, 2 * length)
    model = snn.checkpoint.load_model(model_file)[0]
    chosen = torch.from_numpy(np.stack(one.contender.inputs)).reshape(3, length, -1)[:2]
    with torch.no_grad(), observing() as seen:
        snn.spiking.as_spiking(model)(chosen)
    before = torch.cat([torch.zeros_like(seen[0].output[:1]), seen[0].output[:-1]])  # h of the element before
    assert one.work()["density"] == pytest.approx(float(before.abs().mean()))
    assert float(before.abs().mean()) > 0.05
    rows = float((before != 0).any(1).sum()) / (2 * length)
    assert one.work()["spike_bytes"] == pytest.approx(rows * 4 * 16 * 4)


def test_a_reader_reads_every_word(monkeypatch):
    reader = runtime_bandwidth.Reader(1 << 16)
    library = runtime_bandwidth._compiled()
    if library is not None:
        words = reader.buffer.view(np.int32)
        words[:] = np.random.default_rng(0).integers(-1000, 1000, len(words))
        for ways in runtime_bandwidth.WAYS:
            assert library.read_words(words.ctypes.data, 4096, ways, 1) == words[:4096].sum()
            assert library.read_words(words.ctypes.data, 4096, ways, 3) == 3 * words[:4096].sum()
    monkeypatch.setattr(runtime_bandwidth, "PIECE", 1 << 14)
    places: dict = {way: [] for way in reader.ways}
    reader.ways = {
        way: lambda place, count, times, way=way, read=read: (
            places[way].append((place, count)),
            read(place, count, times),
        )
        for way, read in reader.ways.items()
    }
    for _ in range(len(reader.ways)):
        reader.sweep()
    for seen in places.values():  # every float once
        assert seen == [(place, 4096) for place in range(0, 1 << 14, 4096)]
    reader.repeat(4096)
    assert set(reader.kept) == {(size, way) for size in (runtime_bandwidth.MEMORY, 4096) for way in reader.ways}
    rate, way = reader.rate(4096)
    assert rate == np.median(reader.kept[4096, way])
    assert all(np.median(reader.kept[4096, other]) <= rate for other in reader.ways)
    assert runtime_bandwidth.cache_bytes() >= 1 << 18


def test_bounds_by_hand():
    timing = runtime_timing.Timing(10.0, 8.0, 20.0, 1, 1, 1, 1, 1)
    work = {"density": 0.1, "spike_bytes": 3e4, "input_bytes": 1e4}
    found = runtime_size.bounds_of(work, timing, memory=1e10, cached=4e10)
    assert found["bound_us"] == pytest.approx(3)
    assert (found["share"], found["share_with_input"], found["share_cached"]) == pytest.approx((0.3, 0.4, 0.1))


def row(hidden, contender, speed, setting="set 10%", **more):
    speeds = dict.fromkeys(runtime_targets.SPEEDS, speed)
    return {"hidden": hidden, "contender": contender, "setting": setting, **speeds, **more}


def test_targets():
    times = {"bound_us": 6.0, "median_us": 9.0, "best_us": 5.0, "cold_us": 24.0}
    rows = [
        row(512, "spikeseq float32", 5.0), row(512, "spikeseq int8", 9.9), row(512, "spikeseq int8", 99, "set 5%"),
        row(1024, "spikeseq float32", 12.0, **times), row(1024, "spikeseq int8", 30.0, **times),
        {**row(1024, "ONNX Runtime LSTM int8", 20.0), "setting": None}, row(128, "spikeseq int8", 1.0),
    ]  # fmt: skip
    found = {(t["what"], t["hidden"]): t for t in runtime_targets.check(rows)}
    met = {key: t["met"] for key, t in found.items()}
    assert met == {
        ("float32: speed / torch.nn.LSTMCell", 512): True, ("int8: speed / torch.nn.LSTMCell", 512): False,
        ("float32: speed / torch.nn.LSTMCell", 1024): True, ("int8: speed / torch.nn.LSTMCell", 1024): True,
        ("float32: speed / ONNX Runtime int8", 1024): False, ("int8: speed / ONNX Runtime int8", 1024): True,
        ("float32: share of the memory bound", 1024): True, ("int8: share of the memory bound", 1024): True,
    }  # fmt: skip
    share = found["int8: share of the memory bound", 1024]
    assert (share["value"], share["best"], share["cold"]) == pytest.approx((6 / 9, 6 / 5, 6 / 24))


def test_plot_has_a_line_for_everybody():
    rows = [row(8, "cell", 1.0, None, density=None, median_us=9.0)]
    rows += [row(8, "ours", 1.0, density=d, median_us=10 * d) for d in (0.1, 0.2)] + [row(4, "small", 1.0)]
    rows += [row(8, "ours", 1.0, "a trained model", density=0.15, median_us=3.0)]
    axis = runtime_plot.draw(rows, 8).axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axis.lines}
    assert lines == {"cell": [[10, 9], [20, 9]], "ours": [[10, 1], [20, 2]]}


def test_the_baseline_is_there_and_the_others_say_why_not():
    found, absent = runtime_models.installed()
    assert {*found, *absent} == set(runtime_models.PEERS)
    assert {runtime_models.BASELINE, "torch.nn.LSTM, L = 1"} <= set(found)
    assert all("Error" in reason for reason in absent.values())


def test_steps_carry_their_state():
    states = []

    def step(element, state):
        states.append(state)
        return state + float(element.sum())

    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = runtime_models._carried("torch", step, 0.0, x)
    for element in made.contender.inputs:
        made.contender.step(element)
    assert states == [0.0, 1.0, 6.0]
    assert made.version == f"torch {torch.__version__}"


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_onnx_runtime_runs_the_same_lstm(precision):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import runtime_onnx
    import runtime_onnx_step as steps

    sys.path.pop(0)
    torch.manual_seed(0)
    cell = torch.nn.LSTMCell(5, 12)
    model = runtime_onnx.lstm_model(cell)
    if precision == "int8":
        model = runtime_onnx.quantized(model, steps.QuantType.QInt8)
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    for make in (steps._run, steps._bound):
        step, state = make(steps._session(model), 12)
        expected = (torch.zeros(1, 12),) * 2
        for element in x:
            step(element[None, None])
            expected = cell(torch.from_numpy(element)[None], expected)
        for found, wanted in zip(state(), expected, strict=True):
            assert np.abs(found[0] - wanted.detach().numpy()).max() < (1e-5 if precision == "fp32" else 0.3)


@built
def test_accuracy_and_flips_by_another_way(model_file):
    options = argparse.Namespace(batch=16, quick=True)
    found = runtime_accuracy.measure(str(model_file), options)
    assert (found["model"], found["seed"], found["sequences"]) == ("digits/untrained", 3, 40)
    x, y = (part[:40] for part in data.load("digits").test)
    spiking = snn.spiking.as_spiking(snn.checkpoint.load_model(model_file)[0])
    with torch.no_grad(), observing() as seen:
        labels = spiking(x).argmax(-1)
    assert found["torch"] == pytest.approx(100 * float((labels == y).float().mean()))
    h = seen[0].output.numpy()  # [L, T, B, H]
    assert found["rate"] == pytest.approx(np.abs(h).mean())
    for weights in ("float32", "int8"):
        program, flips, same = runtime_ours.load_trained(str(model_file)).programs[weights], 0, 0
        first = 0
        whole = snn.checkpoint.load_model(model_file)[0]
        for b in range(40):
            stream = program.stream()
            for n, element in enumerate(x[b].numpy()):
                stream.step(element)
                differ = (stream.state()["h"][0, 0] != h[n, :, b]).sum()
                flips, first = flips + differ, first + (differ if n < 4 else 0)
            logits = runtime_accuracy.runtime.compile(whole, weights).stream().run(x[b].numpy())
            same += int(logits.argmax() == labels[b])
        assert found[f"{weights}_flips"] == pytest.approx(100 * flips / h.size)
        assert found[f"{weights}_first"] == pytest.approx(100 * first / h[:4].size)
        assert found[f"{weights}_labels"] == 40 - same
    assert found["float32_flips"] < 0.1
    assert 0 < found["int8_flips"] < 50


def test_a_model_without_spikes_is_refused(tmp_path):
    settings = ModelSettings("torch_lstm", 4)
    path = save_model(tmp_path / "m.pt", settings.build(8, 10), settings, (8, 10), {"recipe": {}})
    with pytest.raises(SpikeseqError, match="no spiking network"):
        runtime_accuracy.measure(str(path), None)


def test_largest_difference_counts_both_signs():
    rows = [
        {"model": model, "seed": seed, "float32_points": one, "int8_points": eight}
        for model, seed, one, eight in (("a", 0, 0.05, -0.4), ("a", 1, -0.1, 0.2), ("b", 0, 0.0, 0.2))
    ]
    found = [(t["model"], pytest.approx(t["value"]), t["met"]) for t in runtime_accuracy.targets(rows)]
    assert found == [
        ("a, n = 2", 0.025, True),
        ("a seed 1", 0.1, True),
        ("b, n = 1", 0.2, True),
        ("a seed 0", 0.4, False),
    ]
    assert runtime_accuracy.targets([]) == []


def test_growth_sees_what_stays():
    size = 40 << 20
    made, grown = runtime_memory.growth(lambda: np.zeros(size, np.uint8), lambda array: array.fill(1))
    assert size <= grown < 1.2 * size
    assert len(made) == size
    assert runtime_memory.growth(lambda: None, lambda _: np.ones(size, np.uint8))[1] < size / 4


def test_a_leak_misses_the_target():
    leak = {"late_kib": 100.0, "elements": 10_000}
    flat = {"late_kib": 4.0, "elements": 10_000_000}
    assert runtime_memory.flat_target([flat])["met"]
    assert not runtime_memory.flat_target([flat, leak])["met"]
