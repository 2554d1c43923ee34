"""Schedules against a simulation that knows only which node must wait for which."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeseq.errors import ConfigError
from spikeseq.ops.schedule import ORDERS, Schedule

sizes = st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 4))
orders = st.sampled_from(ORDERS)


def waits_for(node, size, order):
    """What must be done before a node starts."""
    (n, t, l), (seq_len, steps, layers) = node, size
    if order == "serial":  # one machine: the node before
        place = ((n - 1) * steps + t - 1) * layers + l - 1
        return [(*divmod((place - 1) // layers, steps), (place - 1) % layers)] if place else []
    if order == "layer":
        place = ((l - 1) * seq_len + n - 1) * steps + t - 1
        l, rest = divmod(place - 1, seq_len * steps)
        return [(*divmod(rest, steps), l)] if place else []
    if order == "chained":  # a membrane goes through all T steps of an element, then on to the next element
        before = [(n, t - 1, l) if t > 1 else (n - 1, steps, l), (n, t, l - 1)]
    elif order == "element":  # all T steps of an element behind one another, then the next element and the next layer
        before = [(n - 1, steps, l), (n, steps, l - 1)] if t == 1 else [(n, t - 1, l)]
    else:
        before = [(n - 1, t, l), (n, t - 1, l), (n, t, l - 1)]
    return [(a - 1, b - 1, c - 1) for a, b, c in before if 0 not in (a, b, c)]


def simulated(size, order):
    """Each node in the first cycle in which nothing it waits for is left: an event after another, no formula."""
    waiting = {
        node: waits_for(tuple(k + 1 for k in node), size, order) for node in itertools.product(*map(range, size))
    }
    done, cycle = {}, 0
    while len(done) < len(waiting):
        cycle += 1
        done.update(dict.fromkeys([w for w in waiting if w not in done and all(b in done for b in waiting[w])], cycle))
    return done


@given(sizes, orders)
def test_every_node_runs_as_soon_as_it_may(size, order):
    schedule, found = Schedule(*size, order), simulated(size, order)
    assert {(n, t, l): schedule.cycle(n + 1, t + 1, l + 1) for n, t, l in found} == found
    assert schedule.cycles == max(found.values())
    seq_len, steps, layers = size
    arrival = [found[n, 0, 0] - 1 for n in range(seq_len)]  # just before its first node
    complete = [found[n, steps - 1, layers - 1] for n in range(seq_len)]
    assert {b - a for a, b in zip(arrival, complete, strict=True)} == {schedule.delay}
    assert {b - a for a, b in itertools.pairwise(arrival)} <= {schedule.interval}
    busy = list(found.values())
    assert schedule.units == max(busy.count(cycle) for cycle in set(busy))


@given(sizes, orders)
def test_fronts_hold_every_node_once_behind_what_every_order_must_respect(size, order):
    schedule, done = Schedule(*size, order), set()
    for cycle, front in enumerate(schedule.fronts(), 1):
        assert all(schedule.cycle(*node) == cycle for node in front)
        for n, t, l in front:
            for needed in ((n - 1, t, l), (n, t - 1, l), (n, t, l - 1)):
                assert 0 in needed or needed in done
        assert not done & set(front)
        assert len(front) == len(set(front)) <= schedule.units
        done |= set(front)
    assert len(done) == size[0] * size[1] * size[2]


@given(sizes)
def test_the_formulas_of_the_design(size):
    seq_len, steps, layers = size
    cycles = {order: Schedule(*size, order).cycles for order in ORDERS}
    assert cycles["serial"] == cycles["layer"] == seq_len * steps * layers
    assert cycles["element"] == (seq_len + layers - 1) * steps
    assert cycles["chained"] == seq_len * steps + layers - 1
    assert cycles["wavefront"] == seq_len + steps + layers - 2
    delays = {order: Schedule(*size, order).delay for order in ORDERS}
    assert (delays["serial"], delays["element"]) == (steps * layers, steps * layers)
    assert delays["wavefront"] == delays["chained"] == steps + layers - 1


@pytest.mark.parametrize(
    ("size", "found"),
    [((100, 2, 2), (400, 202, 201, 102)), ((784, 4, 2), (6272, 3140, 3137, 788)), ((15, 4, 3), (180, 68, 62, 20))],
)
def test_the_table_of_the_design_study(size, found):
    assert tuple(Schedule(*size, o).cycles for o in ("serial", "element", "chained", "wavefront")) == found
    assert Schedule(*size).units == size[1] * size[2]


def test_layer_and_serial_nest_their_loops_as_named():
    assert [f[0] for f in Schedule(2, 1, 2, "serial").fronts()] == [(1, 1, 1), (1, 1, 2), (2, 1, 1), (2, 1, 2)]
    assert [f[0] for f in Schedule(2, 1, 2, "layer").fronts()] == [(1, 1, 1), (2, 1, 1), (1, 1, 2), (2, 1, 2)]


def test_the_chart():
    assert str(Schedule(3, 2, 2)).split("\n") == [
        "cycle        1 2 3 4 5",
        "layer 1 t=1  1 2 3 . .",
        "layer 1 t=2  . 1 2 3 .",
        "layer 2 t=1  . 1 2 3 .",
        "layer 2 t=2  . . 1 2 3",
    ]
    cut = Schedule(1000, 2, 1).text(40).split("\n")
    assert cut == [
        "cycle         1  2  3  4  5  6  7  8 ..",
        "layer 1 t=1   1  2  3  4  5  6  7  8 ..",
        "layer 1 t=2   .  1  2  3  4  5  6  7 ..",
    ]
    assert max(map(len, Schedule(1000, 16, 12, "serial").text(60).split("\n"))) <= 60


@given(sizes, orders, st.integers(1, 40))
def test_rows_say_who_works_on_what(size, order, first):
    schedule = Schedule(*size, order)
    rows = schedule.rows()
    assert list(rows) == [f"layer {l} t={t}" for l in range(1, size[2] + 1) for t in range(1, size[1] + 1)]
    for n, t, l in itertools.product(*(range(1, k + 1) for k in size)):
        assert rows[f"layer {l} t={t}"][schedule.cycle(n, t, l) - 1] == n
    assert all(len(row) == schedule.cycles and sum(map(bool, row)) == size[0] for row in rows.values())
    assert schedule.rows(first) == {label: row[:first] for label, row in rows.items()}


@pytest.mark.parametrize(
    ("order", "remedy"),
    [("wavefrnt", "did you mean 'wavefront'"), ("Layers", "did you mean 'layer'"), ("xyz", "valid: ")],
)
def test_a_misspelt_order(order, remedy):
    with pytest.raises(ConfigError, match=f"order='{order}': .*{remedy}.*layer, serial, wavefront"):
        Schedule(2, 2, 1, order)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_sizes_that_cannot_be(place, value):
    size = [2, 2, 2]
    size[place] = value
    with pytest.raises(ConfigError, match=("seq_len", "time_steps", "layers")[place]):
        Schedule(*size)
