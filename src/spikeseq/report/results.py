"""The page docs/results.md: every number in it comes from a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikeseq.report.bench import own_tables
from spikeseq.report.columns import Column, markdown_table
from spikeseq.report.post_hoc import post_hoc_table
from spikeseq.report.record import Record
from spikeseq.report.sources import footnotes
from spikeseq.report.summary import Spread, data_name, groups, natural, spread, summarise

RATES = tuple(
    Column(f"test_{rate}{suffix}", f"test {rate.upper()}{', beam' if suffix else ''}, %", scale=100)
    for rate in ("per", "wer", "cer")
    for suffix in ("", "_beam")
)
MULTIPLICATIONS = (
    *(
        Column(f"{key}multiplications_{how}", f"{heading}, {how} count", digits=digits)
        for how in ("published", "corrected")
        for key, heading, digits in (("", "multiplications / element", 0), ("fewer_", "times fewer than GRU", 2))
    ),
    Column("accumulate_only", "behind the input only additions"),
)
TRANSLATION = (
    Column("test_bleu", "test BLEU, beam", show_n=True),
    Column("test_bleu_greedy", "test BLEU, greedy"),
    Column("test_token_accuracy", "test accuracy of tokens, %", scale=100),
    Column("macs_per_sentence", "MACs / sentence", digits=0),
    Column("attention_macs_per_sentence", "of attention", digits=0),
    Column("acs_per_sentence", "ACs / sentence", digits=0),
    Column("energy_fp32_per_sentence_pj", "energy, fp32, pJ / sentence", digits=0),
    Column("energy_int32_per_sentence_pj", "energy, int32, pJ / sentence", digits=0),
)
METRICS = (
    Column("test_accuracy", "test accuracy, %", scale=100, show_n=True),
    *RATES,
    *TRANSLATION,
    Column("unit_spike_accuracy", "strict unit spikes, %", scale=100),
    Column("valid_accuracy", "valid accuracy, %", scale=100),
    Column("epochs", "epochs", digits=1),
    Column("best_epoch", "best epoch", digits=1),
    Column("spike_rate", "spike rate", digits=3),
    Column("macs_per_element", "MACs / element", digits=0),
    Column("acs_per_element", "ACs / element", digits=0),
    Column("energy_fp32_pj", "energy, fp32, pJ / element", digits=0),
    Column("energy_int32_pj", "energy, int32, pJ / element", digits=0),
    Column("gain_fp32", "energy gain, fp32"),
    Column("gain_int32", "energy gain, int32"),
    Column("gain_int32_sram", "gain with memory, int32"),
    *MULTIPLICATIONS,
    Column("parameters", "parameters", digits=0),
    Column("train_seconds", "training, s", digits=0),
)
MODEL_COLUMNS = (Column("model"), Column("time_steps", "T"), *METRICS)
# left out of the tables of data sets where no run has them
OPTIONAL = {c.key for c in (*RATES, *TRANSLATION, *MULTIPLICATIONS)} | {"energy_fp32_pj", "energy_int32_pj"}
BENCH_COLUMNS = (Column("name", "benchmark"), Column("metric"), Column("value", digits=4, show_n=True))

HEADER = """# Results

Made by `make results-table` from the records in `results/`; do not edit it. A number is the mean over n seeds ± the
sample standard deviation; "-" means not measured. Test accuracy is computed once, from the checkpoint that is best on
the validation data. MACs and ACs are counted per sequence element. An energy gain is that of a float LSTM of the same sizes
over the network's own energy (docs/energy.md): arithmetic only, and with access to SRAM. Energies without a word on memory are
arithmetic only. PER and WER: errors over the labels of the reference. On speech, multiplications for each element, the readout
included, stand beside those of a GRU of the same sizes: as S3 counts them, and corrected (energy/published.py); whether there
are none behind the input layer is what the audit of one sequence says (energy/audit.py). Of translation, cases are not told
apart; a sentence is one of the test split and its reference, read and written once (translation.md).
"""


def results_page(records: Sequence[Record]) -> str:
    """Render the whole page as Markdown; equal records give an equal page, whatever their order.

    Raises:
        DataError: two records of a run share a seed, or a metric has no mean over seeds.
    """
    records = sorted(records, key=lambda r: (natural(r.name), r.kind, -1 if r.seed is None else r.seed, r.started))
    if not records:
        return HEADER + "\nNo records yet.\n"
    sections = [_data_section(name, rows, post_hoc) for name, rows, post_hoc in result_tables(records)]
    return "\n".join([HEADER, *sections, *_bench_section(records), footnotes(records)])


def result_tables(
    records: Sequence[Record],
) -> list[tuple[str, list[dict[str, Any]], tuple[list[dict[str, Any]], list[Column]]]]:
    """Return per data set its name, the rows for MODEL_COLUMNS, and rows and columns of the post-hoc table."""
    tables = []
    for name in sorted({data_name(record) for record in records if record.kind != "bench"}, key=natural):
        own = [record for record in records if record.kind != "bench" and data_name(record) == name]
        rows = summarise(own, [column.key for column in METRICS])
        # a record that holds nothing but a post-hoc list has its own table
        rows = [row for row in rows if row["kind"] == "train" or any(row[column.key] is not None for column in METRICS)]
        tables.append((name, _completed(rows), post_hoc_table(own)))
    return tables


def _completed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for a trained model: what its training did not measure, or for fewer seeds, is taken from its evaluation."""
    trained = {row["name"]: dict(row) for row in rows if row["kind"] == "train"}
    left = []
    for row in rows:
        if row["kind"] == "train":
            left.append(trained[row["name"]])
        elif row["kind"] == "evaluate" and row["name"] in trained:
            target = trained[row["name"]]
            more = [c.key for c in METRICS if _runs(target[c.key]) < _runs(row[c.key]) <= target["n"]]
            target.update({key: row[key] for key in more})
        else:
            left.append(row)
    return left


def _runs(value: Any) -> int:
    """How many runs have a metric."""
    return value.n if isinstance(value, Spread) else int(value is not None)


def _data_section(name: str, rows: list[dict[str, Any]], post_hoc: tuple[list[dict[str, Any]], list[Column]]) -> str:
    text = f"## {name}\n"
    if rows:
        shown = [c for c in MODEL_COLUMNS if c.key not in OPTIONAL or any(row[c.key] is not None for row in rows)]
        text += "\n" + markdown_table(rows, shown)
    if post_hoc[0]:
        text += "\nTest accuracy after conversion, without further training:\n\n" + markdown_table(*post_hoc)
    return text


def _bench_section(records: Sequence[Record]) -> list[str]:
    """Render the scalar metrics of benchmark records, one row each, then their own tables; no section without any."""
    rows = []
    for (name, _), runs in groups(record for record in records if record.kind == "bench").items():
        for key in dict.fromkeys(key for run in runs for key in run.metrics):
            values = [run.metrics[key] for run in runs if isinstance(run.metrics.get(key), int | float)]
            if values:
                rows.append({"name": name, "metric": key, "value": spread(values, len(runs))})
    parts = [markdown_table(rows, BENCH_COLUMNS)] if rows else []
    parts += own_tables(records)
    return ["## Benchmarks\n\n" + "\n".join(parts)] if parts else []
