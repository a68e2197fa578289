"""Studies of other fields, from their public designs in words of our own, rehearsed whole."""

from pathlib import Path
from shutil import copytree

import polars as pl
import pytest

from tests.acceptance.conftest import QUICK, Desk
from tests.variants import first

PUBLIC = Path(__file__).parent / "public"
TRAITS = {"extraversion": "e", "agreeableness": "a", "conscientiousness": "c"} | {
    "stability": "s",
    "openness": "o",
}


def rehearsed(desk: Desk, name: str, *more: str) -> pl.DataFrame:
    """The answers of a study, with everything that looks at them run as well."""
    copytree(PUBLIC, desk.folder / "mine" / "experiment")
    words = ["--config-dir", "mine", f"experiment={name}", *QUICK, *more]
    assert desk.run(*words).returncode == (3 if more else 0)
    for action in ("verify", "extract", "patterns", "report"):
        said = desk.run(*words, f"action={action}")
        assert said.returncode == 0, (action, said)
    exported = desk.run(*words, "action=export", "export.format=[wide,long,xlsx]")
    assert exported.returncode in (0, 3), exported
    (folder,) = (f for f in (desk.folder / "outputs" / name).iterdir() if f.name != "report")
    (codebook,) = folder.rglob("codebook.md")
    answers = desk.answers(f"{name}/{folder.name}")
    text = codebook.read_text(encoding="utf-8")
    assert all(f"| {column} |" in text for column in answers.columns)
    return answers


@pytest.mark.long
def test_an_inventory_with_reversed_items_has_scale_scores(desk: Desk) -> None:
    answers = rehearsed(desk, "inventory", "faults.malformed=0.3", "retry.max_attempts=1")
    assert answers.height == 15
    assert answers["items_order"].n_unique() > 5
    missing = 0
    for row in answers.iter_rows(named=True):
        for trait, key in TRAITS.items():
            plain, turned = row[f"{key}1_value"], row[f"{key}2_value"]
            known = plain is not None and turned is not None
            assert row[f"scale_{trait}"] == ((plain + 8 - turned) / 2 if known else None)
            missing += not known
        check = row["check_value"]
        assert row["checks_missed"] == (None if check is None else int(check != 3))
    assert 0 < missing < 40
    tables = desk.folder / "outputs/inventory/report/tables"
    for row in pl.read_csv(tables / "scales.csv").iter_rows(named=True):
        scores = answers[f"scale_{row['scale']}"]
        assert (row["n"], row["missing"]) == (scores.count(), scores.null_count())
        assert (row["mean"], row["sd"]) == pytest.approx((scores.mean(), scores.std()), rel=1e-3)
    (row,) = pl.read_csv(tables / "checks.csv").iter_rows(named=True)
    missed = answers["checks_missed"]
    assert (row["missed"], row["unread"]) == ((missed == 1).sum(), missed.null_count())
    assert row["met"] == answers.height - row["missed"] - row["unread"]
    codebook = next(desk.folder.rglob("codebook.md")).read_text(encoding="utf-8")
    assert "- e1: I start talks with strangers.\n" in codebook
    assert (
        "| e1_value | Int64 | whole number from 1 to 7 (1 = not at all, 7 = very well) |"
        in codebook
    )
    assert "turned round: e1, e2 (reversed) |" in codebook
    assert "than expected: check (expected: 3) |" in codebook


@pytest.mark.long
def test_an_annotation_stands_beside_what_people_said(desk: Desk) -> None:
    answers = rehearsed(desk, "annotation")
    assert answers.height == 5 * 2 * 2
    assert answers["mail_people"].dtype == pl.Float64
    assert answers["polite_value"].is_between(1, 7).all()
    assert answers["act_value"].is_in(["request", "order", "complaint"]).all()
    named = answers["devices_value"].str.split("; ").explode()
    assert named.is_in(["please", "hedge", "thanks", "title", ""]).all()
    assert answers["act_order"].n_unique() > 1


@pytest.mark.long
def test_a_judge_sees_each_pair_in_both_orders(desk: Desk) -> None:
    answers = rehearsed(desk, "verdicts")
    assert answers.group_by("pair", "sequence").len()["len"].to_list() == [2] * 4
    assert answers.select("first_value", "second_value").to_series().is_between(1, 10).all()
    assert answers["verdict_value"].is_in(["first", "second", "tie"]).all()
    assert (
        answers["facts_value"]
        .str.json_decode(pl.Struct({"first": pl.List(pl.String), "second": pl.List(pl.String)}))
        .struct.field("first")
        .is_not_null()
        .all()
    )


@pytest.mark.parametrize(
    ("item", "said"),
    first(
        1,
        [
            ("{minimum: 1, maximum: 5, scale: x y}", "allowed: letters, digits and _"),
            ("{minimum: 1, maximum: 5, reverse: true}", "it has no scale:"),
            (
                "{minimum: 1, maximum: 5, scale: openness}",
                "the others of the scale openness from 1 to 7",
            ),
            ("{minimum: 1, maximum: 5, expect: 7}", "expect: '7'; allowed: 1 to 5"),
            ("{kind: choice, options: [a, b], scale: x}", "only an item of kind: number has it"),
            ("{kind: choice, options: [a, b], expect: c}", "expect: 'c'; allowed: a, b"),
            ("{}\nask: each", "a scale is over items of one request"),
            ("{}\nask: alone", "ask: 'alone'; allowed: together, each"),
            ("{}\n  items: {kind: choice, options: [a, b]}", "called like those of the tables"),
            ("{}\n  rating: {}", "rating announces a value or a reason in answers"),
            (
                "{kind: choices, options: [a, b], at_most: 0}",
                "at_most 1 or more and not below at_least",
            ),
        ],
    ),
)
def test_a_scale_that_means_nothing_is_refused(desk: Desk, item: str, said: str) -> None:
    copytree(PUBLIC, desk.folder / "mine" / "experiment")
    path = desk.folder / "mine" / "experiment" / "inventory.yaml"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"  odd: {item}\n")
    refused = desk.run("--config-dir", "mine", "experiment=inventory", "action=plan")
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr


def test_items_that_cannot_be_asked_alone_are_refused(desk: Desk) -> None:
    copytree(PUBLIC, desk.folder / "mine" / "experiment")
    words = ["--config-dir", "mine", "experiment=inventory", "ask=each", "action=plan"]
    said = desk.run(*words, "shuffle.items=false")
    assert (said.returncode, "a scale is over items of one request" in said.stderr) == (2, True)
    path = desk.folder / "mine" / "experiment" / "annotation.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "  a_b: {}\n", encoding="utf-8")
    said = desk.run("--config-dir", "mine", "experiment=annotation", "ask=each", "action=plan")
    assert (said.returncode, "the item 'a_b'; allowed: letters" in said.stderr) == (2, True)
