"""Factors that are varied between: one level for each combination of the others, for good."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.factors import design_of
from runner.core.definition import define, differences
from runner.core.errors import ConfigError
from runner.core.expand import checked_conditions
from runner.core.model import Design, Experiment, Factor, Level
from runner.core.outline import Use, longest, shares, together, uses
from tests.unit.composing import fill, head, only
from tests.variants import first


def study(
    experiment: Experiment,
    rows: list[str],
    levels: list[str],
    tones: tuple[str, ...] = ("warm", "cold"),
    **design,
) -> Experiment:
    ids = {"row": rows, "wording": levels, "tone": tones}
    return replace(
        experiment,
        factors={
            name: Factor(name=name, levels={id_: Level(id=id_) for id_ in some})
            for name, some in ids.items()
        },
        calculated=False,
        temperatures=None,
        design=Design(**{"between": ("wording",), **design}),
    )


def assignments(experiment: Experiment) -> dict[tuple[str, str], str]:
    conditions = checked_conditions(experiment)
    found = {(row, tone): wording for row, wording, tone in (c.levels for c in conditions)}
    assert len(found) == len(conditions)  # one level each
    return found


ROWS = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=8, unique=True)
LEVELS = st.lists(st.sampled_from(["a", "b", "c", "日", "a b"]), min_size=1, unique=True)


@given(rows=ROWS, levels=LEVELS)
def test_each_combination_of_the_others_gets_exactly_one_level(experiment, rows, levels):
    found = assignments(study(experiment, rows, levels))
    assert set(found) == {(row, tone) for row in rows for tone in ("warm", "cold")}
    assert set(found.values()) <= set(levels)


@given(rows=ROWS, levels=LEVELS, data=st.data())
def test_no_assignment_moves_when_rows_are_added_moved_or_removed(experiment, rows, levels, data):
    before = assignments(study(experiment, rows, levels))
    kept = data.draw(st.lists(st.sampled_from(rows), min_size=1, unique=True))
    new = data.draw(ROWS.map(lambda some: [row for row in some if row not in rows]))
    both = data.draw(st.permutations([*kept, *new]))
    tones = data.draw(st.permutations(["warm", "cold", "third"]))
    moved = data.draw(st.permutations(levels))
    after = assignments(study(experiment, both, moved, tuple(tones)))
    shared = before.keys() & after.keys()
    assert len(shared) == 2 * len(kept)
    assert {key: after[key] for key in shared} == {key: before[key] for key in shared}


@pytest.mark.parametrize(
    "levels", first(3, [["a", "b"], ["a", "b", "c"], [f"w{n}" for n in range(7)]])
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_levels_are_balanced_as_fair_draws_are(experiment, levels, seed):
    rows = [f"r{n}" for n in range(3_000)]
    one = study(experiment, rows, levels, seed=seed)
    counts = Counter(assignments(one).values())
    share = 6_000 / len(levels)
    sd = (share * (1 - 1 / len(levels))) ** 0.5
    assert [id_ for id_ in levels if abs(counts[id_] - share) > 4 * sd] == []
    assert shares(one, checked_conditions(one)) == {"wording": {i: counts[i] for i in levels}}


def test_another_seed_is_another_draw(experiment):
    rows = [f"r{n}" for n in range(200)]
    one, other = (assignments(study(experiment, rows, ["a", "b"], seed=s)) for s in (1, 2))
    assert 120 < sum(one[key] != other[key] for key in one) < 280


def test_two_factors_between_are_drawn_apart(experiment):
    rows = [f"r{n}" for n in range(2_000)]
    one = study(experiment, rows, ["a", "b"], ("a", "b"), between=("wording", "tone"))
    conditions = checked_conditions(one)
    assert len(conditions) == 2_000
    cells = Counter(c.levels[1:] for c in conditions)
    assert len(cells) == 4
    assert [n for n in cells.values() if abs(n - 500) > 80] == []


def test_a_factor_paired_with_one_between_follows_it(experiment):
    one = study(experiment, [f"r{n}" for n in range(9)], ["a", "b"], paired={"tone": "wording"})
    pairs = {c.levels[1:] for c in checked_conditions(one)}
    assert pairs == {("a", "warm"), ("b", "cold")}


# -- the record


def defined(experiment: Experiment) -> dict:
    return define(experiment, checked_conditions(experiment))


def test_rows_may_come_and_levels_may_move_but_the_draw_stays(experiment):
    one = defined(study(experiment, ["r1"], ["a", "b"]))
    assert differences(one, defined(study(experiment, ["r2", "r1"], ["b", "a"]))) == []
    for other in (
        study(experiment, ["r1"], ["a", "b"], seed=2),
        study(experiment, ["r1"], ["a", "b", "c"]),
        study(experiment, ["r1"], ["a", "b"], between=()),
    ):
        assert "design.between.wording" in "; ".join(differences(one, defined(other)))


def test_the_bundled_study_between_its_personas_has_it_on_record(experiment):
    one = replace(experiment, design=Design(between=("persona",)))
    conditions = checked_conditions(one)
    assert [c.levels[1] for c in conditions] == list(one.factors["text"].levels)
    assert differences(defined(experiment), defined(one)) != []


# -- what is said and refused


def test_a_plan_says_who_gets_what(experiment):
    assert together(study(experiment, ["r"], ["a"]))["wording"].startswith("between")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"between": ["wordign"]}, ["'wordign' is no factor", "did you mean wording?"]),
        ({"between": ["row", "row"]}, ["'row' stands twice"]),
        ({"between": ["row", "wording", "tone"]}, ["no other factor is left"]),
        ({"between": ["wording"], "with": {"wording": "tone"}}, ["wording goes along with tone"]),
        ({"between": ["wording"], "cross": ["row", "wording"]}, ["design.cross", "row, tone"]),
        ({"seed": "2"}, ["design.seed", "leave it out"]),
        ({"between": ["wording"], "seed": "x"}, ["design.seed: 'x'"]),
        ({"between": {"a": "b"}}, ["design.between: write a list of words"]),
        ({"only": "t.csv", "between": ["tone"]}, ["only: stands alone", "leave between: out"]),
        ({"only": "t.csv", "with": {"tone": "row"}, "seed": "1"}, ["leave with:, seed: out"]),
        ({"only": "t.csv", "cross": ["row"]}, ["leave cross: out"]),
        ({"betwen": ["tone"]}, ["design.betwen: no such key", "did you mean between?"]),
    ],
)
def test_what_is_no_design_is_said_in_one_line(experiment, said, words):
    factors = study(experiment, ["r1", "r2"], ["a", "b"]).factors
    with pytest.raises(ConfigError) as caught:
        design_of(said, factors, [])
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_design_between_is_what_was_said(experiment):
    factors = study(experiment, ["r1", "r2"], ["a", "b"]).factors
    found = design_of({"between": ["tone"], "seed": "7", "cross": ["row", "wording"]}, factors, [])
    assert found == Design(between=("tone",), seed=7)


EACH = """
name: each
ask: each
factors:
  row: {levels: {r1: "One.", r2: "Two.", r3: "Three.", r4: "Four."}}
  tone: {levels: {warm: "Please.", cold: "Now."}}
design: DESIGN
trials: 1
temperatures: null
messages:
  - {role: user, content: "{row} {tone} {items}"}
items:
  short: {minimum: 1, maximum: 7}
  long: {ask: "How much do you agree with all of that, on the whole?", minimum: 1, maximum: 7}
"""


def each(folder, design: str) -> Experiment:
    body = head("_global_", EACH.replace("DESIGN", design))
    return only([*fill(folder, {"experiment/each.yaml": body}), "experiment=each"]).experiment


def test_all_items_of_a_combination_are_asked_at_its_level(tmp_path):
    one = each(tmp_path, "{between: [tone]}")
    conditions = checked_conditions(one)
    tones = {(row, item): tone for row, tone, item in (c.levels for c in conditions)}
    assert len(conditions) == len(tones) == 8
    assert [
        row for row in one.factors["row"].levels if tones[row, "short"] != tones[row, "long"]
    ] == []


def test_an_item_is_in_every_design_and_no_column_of_a_table_of_conditions(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "d.csv").write_text("row,tone\nr1,cold\nr3,warm\n")
    conditions = checked_conditions(each(tmp_path, "{only: d.csv}"))
    assert [c.levels for c in conditions] == [
        ("r1", "cold", "short"),
        ("r1", "cold", "long"),
        ("r3", "warm", "short"),
        ("r3", "warm", "long"),
    ]


def test_the_longest_prompt_is_that_of_the_longest_item(tmp_path):
    one = each(tmp_path, "{}")
    found = longest(one, checked_conditions(one))
    assert found.levels == ("r3", "warm", "long")
    assert uses(one)["item"] == [Use(where="messages[0] (user)", names=("items",))]
