"""Tables: mean and deviation on hand numbers, cells that cannot break out, the page made from records only."""

import io
import math
import subprocess
import sys

import pytest
import rich.console

from spikeseq.errors import DataError
from spikeseq.report.bench import table_of
from spikeseq.report.record import write_record
from spikeseq.report.results import result_tables
from spikeseq.report.table import Column, Spread, cell_text, main, markdown_table, results_page, rich_table, summarise


def post_hoc(make, seed, *entries):
    listed = [dict(zip(("time_steps", "shift", "accuracy"), entry, strict=True)) for entry in entries]
    return make("mnist_rows/hard_lstm", "convert", seed, post_hoc=listed)


def test_mean_and_sample_deviation_by_hand(three):
    (row,) = summarise(three, ["test_accuracy", "epochs"])
    found = row["test_accuracy"]
    assert found.mean == pytest.approx(0.9)
    assert found.std == pytest.approx(0.1)  # sqrt((0 + 0.01 + 0.01) / (3 - 1)); the population form gives 0.0816
    assert (found.n, found.of, row["n"], row["epochs"]) == (3, 3, 3, None)
    assert (row["data"], row["model"], row["time_steps"]) == ("mnist_rows", "spiking_t2", 2)


def test_groups_are_name_and_kind_in_natural_order(make):
    records = [make("d/t16"), make("d/t2"), make("d/t2", kind="evaluate"), make("d/t2", seed=1)]
    rows = summarise(records, [])
    assert [(r["model"], r["n"]) for r in rows] == [("t2 (evaluate)", 1), ("t2", 2), ("t16", 1)]


def test_one_seed_twice_is_refused(make):
    with pytest.raises(DataError, match=r"several records of one seed \(seeds \[0, 0\]\)"):
        summarise([make(), make()], [])


def test_a_metric_without_a_mean_is_refused_and_equal_text_is_kept(make):
    assert summarise([make(note="a"), make(seed=1, note="a")], ["note"])[0]["note"] == "a"
    with pytest.raises(DataError, match="'note'"):
        summarise([make(note="a"), make(seed=1, note="b")], ["note"])


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (None, Column("x"), "-"),
        (0, Column("x"), "0"),
        (0.0, Column("x", scale=100), "0.00"),
        (True, Column("x"), "yes"),
        (1234567, Column("x"), "1,234,567"),
        (0.12345, Column("x", digits=3), "0.123"),
        (Spread(0.9864, 0.0005, 3, 3), Column("x", scale=100, show_n=True), "98.64 ± 0.05 (n = 3)"),
        (Spread(0.9864, None, 1, 1), Column("x", scale=100, show_n=True), "98.64 (n = 1)"),
        (Spread(0.9, 0.0, 2, 2), Column("x", scale=100, show_n=True), "90.00 ± 0.00 (n = 2)"),
        (Spread(12.0, 0.0, 3, 3), Column("x", digits=1), "12"),
        (Spread(12.0, 1.0, 3, 3), Column("x", digits=1), "12.0 ± 1.0"),
        (Spread(0.5, 0.1, 2, 3), Column("x"), "0.50 ± 0.10 (n = 2)"),
    ],
)
def test_cell_text(value, column, text):
    assert cell_text(value, column) == text


def test_markdown_cells_cannot_break_the_table():
    table = markdown_table([{"a": "x | y\nz <script>", "b": 1.5}, {"b": None}], ["a", Column("b", "B, %")])
    assert table == "| a | B, % |\n| --- | ---: |\n| x \\| y z &lt;script&gt; | 1.50 |\n| - | - |\n"


def test_rich_table_says_the_same_and_keeps_brackets():
    console = rich.console.Console(file=io.StringIO(), width=100)
    console.print(rich_table([{"a": "[red]x[/red]", "b": Spread(1.5, 0.5, 2, 2)}], ["a", "b"], title="t [B]"))
    for text in ("[red]x[/red]", "1.50 ± 0.50", "t [B]"):
        assert text in console.file.getvalue()


def test_rich_table_loses_no_digits_in_a_narrow_terminal():
    console = rich.console.Console(file=io.StringIO(), width=30)
    console.print(rich_table([{str(i): 1234567 + i for i in range(5)}], list("01234")))
    digits = [line.replace("│", "|").split("|") for line in console.file.getvalue().splitlines()]
    columns = zip(*(line[1:-1] for line in digits if len(line) == 7), strict=True)
    found = ["".join(part.strip() for part in column) for column in columns]
    assert found == [f"{1234567 + i:,}" for i in range(5)]


def test_page_has_a_table_per_data_set_and_dashes_for_what_is_missing(make, three):
    page = results_page([*three, make("har/lstm", test_accuracy=0.5, parameters=67_000, spike_rate=1 / 3)])
    assert page.index("## har") < page.index("## mnist_rows") < page.index("## Where the numbers come from")
    assert "| spiking_t2 | 2 | 90.00 ± 10.00 (n = 3) | - | - | - | - | - | - | - | - | - |" in page
    assert "| lstm | 2 | 50.00 (n = 1) | - | - | - | - | 0.333 | - | - | - | - | - | 67,000 | - |" in page
    assert "E1: python 3.11, torch 2.13" in page
    assert "spikeseq train har/lstm" in page
    assert "No records yet" in results_page([])


def test_columns_of_speech_stand_only_where_a_run_has_them(make):
    frames = {
        "test_accuracy": 0.5, "test_per": 0.4, "energy_int32_pj": 1234.6, "multiplications_published": 300.0,
        "fewer_multiplications_published": 10.13, "multiplications_corrected": 320.0,
        "fewer_multiplications_corrected": 8.8,
    }  # fmt: skip
    page = results_page([make("timit_sample/v2", **frames), make("mnist_rows/lstm", test_accuracy=0.9)])
    speech, plain = page.index("## timit_sample"), page.index("## mnist_rows")
    assert plain < speech
    head, _, row = page[speech:].splitlines()[2:5]
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert (cells["test PER, %"], cells["energy, int32, pJ / element"]) == ("40.00", "1,235")
    assert cells["multiplications / element, published count"] == "300"
    assert (cells["times fewer than GRU, published count"], cells["times fewer than GRU, corrected count"]) == (
        "10.13",
        "8.80",
    )
    assert "WER" not in head
    table = page[plain:speech]
    assert not any(word in table for word in ("PER", "multiplications", "pJ"))


def test_page_does_not_depend_on_the_order_of_records(make, three):
    records = [*three, make("har/lstm"), post_hoc(make, 0, (2, True, 0.5))]
    assert results_page(records) == results_page(records[::-1])


def test_footnote_shows_runs_that_differ_in_more_than_the_seed(make, three):
    assert "differ in more than the seed" not in results_page(three)
    other = make(seed=9, config={"model": {"time_steps": 4}, "data": {"name": "mnist_rows"}}, test_accuracy=0.5)
    page = results_page([*three, other])
    assert "differ in more than the seed" in page
    assert "| spiking_t2 | 2 / 4 |" in page


def test_post_hoc_table_has_t_across_and_the_shift_down(make):
    first = post_hoc(make, 0, (10, True, 0.9), (2, True, 0.8), (2, False, 0.1))
    page = results_page([first, post_hoc(make, 1, (2, True, 0.6))])
    assert "| model | conversion | T = 2, % | T = 10, % |" in page
    assert "| hard_lstm | with shift | 70.00 ± 14.14 (n = 2) | 90.00 (n = 1) |" in page
    assert "| hard_lstm | without shift | 10.00 (n = 1) | - |" in page
    assert "| model | T |" not in page  # nothing but post-hoc numbers: no row of dashes


def test_post_hoc_variants_have_their_own_rows(make):
    entry = {"time_steps": 2, "shift": True, "accuracy": 0.5}
    page = results_page([make(kind="convert", post_hoc=[entry, entry | {"variant": "unit spikes", "accuracy": 0.25}])])
    assert "with shift, unit spikes | 25.00" in page


@pytest.mark.parametrize(
    ("entries", "words"), [([{"shift": True}], "lacks"), ([{"time_steps": 2, "shift": True, "accuracy": 0}] * 2, "two")]
)
def test_bad_post_hoc_list_is_refused(entries, words, make):
    with pytest.raises(DataError, match=words):
        results_page([make(kind="convert", post_hoc=entries)])


def test_benchmarks_are_listed(make):
    page = results_page([make("lstm/B128", kind="bench", forward_ms=12.5, series=[1, 2])])
    assert "| lstm/B128 | forward_ms | 12.5000 (n = 1) |" in page
    assert "series" not in page


def test_benchmarks_have_tables_of_their_own(make):
    asked = table_of("rows", [Column("us", "µs", digits=1), "what"], "times", "A note.")
    records = [
        make("runtime", kind="bench", rows=[{"us": 1.25, "what": "a|b"}, {"what": "c"}], tables=[asked], speed=2.5),
        make("plain", kind="bench", seed=1, value=3.5),
        make("no_bench", kind="train", rows=[{"us": 7.5}], tables=[asked]),
    ]
    page = results_page(records)
    table = "### runtime: times\n\n| µs | what |\n| ---: | --- |\n| 1.2 | a\\|b |\n| - | c |\n\nA note.\n\n## Where"
    assert table in page
    assert "| runtime | speed | 2.5000 (n = 1) |\n\n### runtime" in page
    assert "7.5" not in page
    # a benchmark that has nothing but a table
    assert "## Benchmarks\n\n### alone: times" in results_page([make("alone", kind="bench", rows=[], tables=[asked])])
    for wrong in ({**asked, "rows": "others"}, {**asked, "columns": [{"key": "us", "colour": 1}]}, {"rows": "rows"}, 3):
        with pytest.raises(DataError, match="runtime: a table"):
            results_page([make("runtime", kind="bench", rows=[], tables=[wrong])])


def test_check_finds_a_typed_number(tmp_path, capsys, three):
    page = tmp_path / "docs" / "results.md"
    for record in three:
        write_record(record, tmp_path / "results" / f"{record.seed}.json")
    arguments = [str(tmp_path / "results"), str(page)]
    assert main([*arguments, "--check"]) == 1  # no page yet; and none is written
    assert not page.exists()
    assert main(arguments) == 0
    assert main([*arguments, "--check"]) == 0
    page.write_text(page.read_text().replace("90.00", "91.00"))
    assert main([*arguments, "--check"]) == 1
    assert "make results-table" in capsys.readouterr().err


def test_broken_record_exits_2_and_leaves_the_page(tmp_path, capsys):
    (tmp_path / "r.json").write_text("{")
    (tmp_path / "page.md").write_text("old")
    assert main([str(tmp_path), str(tmp_path / "page.md")]) == 2
    assert "r.json" in capsys.readouterr().err
    assert (tmp_path / "page.md").read_text() == "old"


def test_command_line_shows_tables_without_a_warning(tmp_path, make):
    write_record(make(test_accuracy=math.sqrt(0.25)), tmp_path / "r.json")
    command = [sys.executable, "-W", "error", "-m", "spikeseq.report.table", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "spiking_t2" in done.stdout


def test_an_evaluation_completes_the_row_of_its_training(make):
    """It fills what was not measured, or for fewer seeds; what training measured stays, and an evaluation alone has its row."""
    records = [
        make("d/a", test_accuracy=0.5, spike_rate=0.25), make("d/a", seed=1, test_accuracy=0.7),
        make("d/a", "evaluate", test_accuracy=0.9, spike_rate=0.5, macs_per_element=10),
        make("d/a", "evaluate", seed=1, test_accuracy=0.9, spike_rate=0.5, macs_per_element=20),
        make("d/b", "evaluate", test_accuracy=0.3),
    ]  # fmt: skip
    ((_, rows, _),) = result_tables(records)
    assert [row["model"] for row in rows] == ["a", "b (evaluate)"]
    assert rows[0]["test_accuracy"].mean == pytest.approx(0.6)
    assert (rows[0]["spike_rate"].mean, rows[0]["macs_per_element"].mean) == (0.5, 15)
