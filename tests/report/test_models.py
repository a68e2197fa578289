"""How much models disagree, and what those of each vendor give, worked out by hand."""

import polars as pl
import pytest

from runner.config.vendors import vendor_of
from runner.report import models

ROWS = [
    # run, text, values of the trials; None is missing
    ("a", "t1", [10, 20]),  # mean 15
    ("b", "t1", [25, None]),  # 25
    ("c", "t1", [None, None]),
    ("a", "t2", [40]),
    ("b", "t2", [60]),
    ("c", "t2", [80]),
    ("a", "t3", [50]),
]


def readings():
    rows = [("Q1", "", run, text, value) for run, text, values in ROWS for value in values]
    names = ["question", "block", "run", "text"]
    schema = {**dict.fromkeys(names, pl.String), "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_models_disagree_by_the_sd_of_their_means_and_a_missing_one_counts_nowhere():
    cells = models.spread(readings(), ["text"])
    assert cells.select("text", "raters", "mean", "lowest", "highest").rows() == [
        ("t1", 2, 20, 15, 25),
        ("t2", 3, 60, 40, 80),
    ]
    assert cells["sd"].to_list() == pytest.approx([50**0.5, 20])
    by_level = models.spread_by(cells.with_columns(kind=pl.lit("x")), "kind")
    (row,) = by_level.iter_rows(named=True)
    assert (row["cells"], row["largest_sd"]) == (2, 20)
    assert row["pooled_sd"] == pytest.approx(((50 + 400) / 2) ** 0.5)


def test_a_vendor_is_the_mean_of_its_models_means():
    table = models.by_vendor(readings(), {"a": "A", "c": "A"})
    (row,) = table.iter_rows(named=True)
    assert (row["vendor"], row["raters"]) == ("A", 2)
    assert row["mean"] == pytest.approx(((10 + 20 + 40 + 50) / 4 + 80) / 2)


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("gpt-6-luna", "OpenAI"),
        ("openai/gpt-oss-120b", "OpenAI"),
        ("o3-mini", "OpenAI"),
        ("us.anthropic.claude-sonnet-4", "Anthropic"),
        ("deepseek-r1-distill-llama-70b", "DeepSeek"),
        ("meta-llama/Llama-3.3-70B", "Meta"),
        ("Qwen2.5-7B-Instruct", "Alibaba"),
        ("novita-something", None),
        ("my-deployment", None),
        ("model-o1x", None),
    ],
)
def test_who_made_a_model_stands_in_its_name(model, vendor):
    assert vendor_of(model) == vendor
