"""What the dashboard knows of the requests that were sent is what the runner's own tables say."""

import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.run import assemble
from runner.storage.ledger import Ledger
from runner.storage.reader import LedgerReader
from runner.tables.export import derived
from tests.tui import made
from tui.answers import STATE_WORDS, Answers, Places, Store, _with_attempts, signature
from tui.conditions import Conditions
from tui.model import Job
from tui.source import ExperimentSource
from tui.words import Words, _levels, hint, parse, select

PROVIDERS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}


def jobs_of(folder: Path) -> tuple[Job, ...]:
    with closing(ExperimentSource(folder)) as source:
        return source.read(made.NOW)[0].jobs


def answers_of(folder: Path) -> Answers:
    return Store().read(jobs_of(folder))


@pytest.fixture(scope="module")
def middle(outputs) -> Answers:
    return answers_of(outputs / "literary")


@pytest.fixture
def copied(outputs, tmp_path) -> Path:
    """A finished experiment that may be changed."""
    shutil.copytree(outputs / "done", tmp_path / "done")
    return tmp_path / "done"


def giving_up_at_once(folder: Path) -> None:
    """Make the first unreadable answer the last one, in every job of an experiment."""
    for job in folder.iterdir():
        with Ledger.open(job) as ledger:
            plan = ledger._store._cache.get("plan")
            assert plan is not None
            ledger.write_plan({"retry": {"max_attempts": 1, "max_lost": 5}})


def table_of(one) -> pl.DataFrame:
    return one.table.with_columns(
        status=pl.col("state").replace_strict(
            list(range(4)), list(STATE_WORDS), return_dtype=pl.String
        ),
        outcome=one.column("outcome").cast(pl.String),
        counted=one.column("batch").cast(pl.String),
        **{
            f"{q.id}_{part}": one.column(f"{q.id}_{part}").cast(
                pl.Int64 if part == "value" else pl.String
            )
            for q in one.questions
            for part in ("value", "pattern", "cause")
        },
    )


def runners_table(folder: Path, name: str, trials: int) -> pl.DataFrame:
    """What action=export writes as answers.parquet."""
    provider = folder.name.partition("_")[0]
    run = made._run(str(folder.parent.parent), name, provider, made.MIDDLE[provider][0], trials)
    with Ledger.open(folder) as ledger:
        return derived(assemble.exported_run(run, ledger, run.standing(ledger)))[0]


@pytest.mark.parametrize(("name", "trials"), [("done", 10), ("literary", 25)])
def test_states_counters_and_values_are_those_of_the_runners_own_table(
    outputs, tmp_path, name, trials
):
    shutil.copytree(outputs / name, tmp_path / name)
    answers = answers_of(tmp_path / name)
    assert answers.notes == ()
    for one in answers.jobs:
        theirs = runners_table(one.job.folder, name, trials)
        ours = table_of(one)
        same = ["custom_id", "trial", "status", "attempts", "lost", "outcome"]
        same += [c for c in ours.columns if c.startswith("Q")]
        sent = theirs.filter(pl.col("custom_id").is_in(ours["custom_id"].implode()))
        assert [f"{n} {ours[n].to_list()}" for n in same] == [
            f"{n} {sent[n].to_list()}" for n in same
        ]
        assert ours["counted"].to_list() == sent["batch"].to_list()
        never = theirs.filter(~pl.col("custom_id").is_in(ours["custom_id"].implode()))
        assert set(never["status"]) <= {"open"}
        places = [one.conditions[n] for n in ours["condition"]]
        assert [f.levels["persona"].id for f in places] == sent["persona"].to_list()
        assert [f.levels["text"].label for f in places] == sent["title"].to_list()
        assert [f.temperature for f in places] == sent["temperature"].to_list()


def test_a_request_that_went_into_no_batch_is_not_listed_and_the_rest_is_counted_as_in_the_ledger(
    middle,
):
    for one in middle.jobs:
        tally = dict(one.table["state"].value_counts().iter_rows())
        told = one.job.summary
        assert [tally.get(n, 0) for n in (1, 2, 3)] == [
            told[w] for w in ("success", "retry_success", "failed")
        ]
        members = {
            f"{span.stem}_n{trial:02d}"
            for batch in one.batches
            if batch.state.value != "dropped"
            for span in one.members[batch.key]
            for trial in range(span.first, span.last + 1)
        }
        assert set(one.table["custom_id"]) == members


def test_the_policy_of_the_plan_decides_what_has_failed(tmp_path):
    two = (made.Made(made.S.COLLECTED), made.Made(made.S.COLLECTED))
    made.job(tmp_path, "strict", "openai", "gpt-4o-mini", two)
    (one,) = answers_of(tmp_path / "strict").jobs
    assert set(table_of(one)["status"]) == {"success", "open"}
    giving_up_at_once(tmp_path / "strict")
    (one,) = answers_of(tmp_path / "strict").jobs
    assert table_of(one).filter(status="failed")["custom_id"].to_list() == [
        "p1_t2_n16",
        "p1_t3_n12",
        "p2_t1_n02",
    ]
    assert set(table_of(one).filter(outcome="invalid")["status"]) == {"failed"}


OUTCOMES = st.sampled_from(["valid", "invalid", "errored", "expired", "missing"])


@given(st.lists(st.tuples(st.sampled_from("abc"), OUTCOMES), max_size=12))
def test_the_attempt_that_counts_is_the_first_valid_else_the_last_answered_else_the_last(rows):
    attempts = pl.DataFrame(
        rows, schema={"custom_id": pl.String, "outcome": pl.Categorical}, orient="row"
    )
    table = _with_attempts(pl.DataFrame({"custom_id": ["a", "b", "c"]}), attempts)
    for id_, at in table.iter_rows():
        mine = [(n, outcome) for n, (name, outcome) in enumerate(rows) if name == id_]
        valid = [n for n, outcome in mine if outcome == "valid"]
        answered = [n for n, outcome in mine if outcome == "invalid"]
        others = [n for n, _ in mine]
        assert at == (valid[:1] or answered[-1:] or others[-1:] or [None])[0]


def test_a_part_that_has_not_changed_is_not_read_again(copied):
    store = Store()
    (job,) = jobs_of(copied)
    before = store.read((job,))
    part = before.jobs[0].parts[0].path
    kept = part.stat()
    with part.open("r+b") as file:
        file.write(b"\x00" * kept.st_size)
    os.utime(part, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    after = store.read((replace(job, opened=job.opened + 1),))
    assert after.jobs[0] is not before.jobs[0]
    assert after.notes == ()
    assert after.jobs[0].attempts.equals(before.jobs[0].attempts)
    fresh = Store().read((job,))
    assert fresh.notes != ()


def test_nothing_is_read_again_for_a_heartbeat(copied):
    store = Store()
    (job,) = jobs_of(copied)
    beaten = replace(job, heartbeat={**job.heartbeat, "at": made.NOW}, rev=job.rev + 1)
    assert signature((job,)) == signature((beaten,))
    assert store.read((beaten,)).jobs[0] is store.read((job,)).jobs[0]


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def older(path: Path) -> None:
    pl.read_parquet(path).drop("Q2_cause", "Q4_pattern").write_parquet(path)


def newer(path: Path) -> None:
    pl.read_parquet(path).with_columns(Q1_written=pl.lit("80, 87")).write_parquet(path)


def foreign(path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(path)


@pytest.mark.parametrize(
    ("damage", "says", "left"),
    [
        (half, "b0002-0000.parquet cannot be read", 78),
        (Path.unlink, "b0002 has 0 of 40 attempts", 78),
        (foreign, "it has no column custom_id or outcome", 78),
        (older, "older layout, without Q2_cause, Q4_pattern", 118),
        (newer, None, 118),
    ],
)
def test_a_part_that_is_gone_half_written_or_old_is_told_and_the_rest_is_there(
    copied, damage, says, left
):
    (job,) = jobs_of(copied)
    damage(job.folder / "attempts" / "b0002-0000.parquet")
    answers = Store().read((job,))
    (one,) = answers.jobs
    assert len(answers) == 120
    here = one.table.filter(one.table["at"].is_not_null(), pl.col("attempts") == 1)
    assert here.height == left
    if says is None:
        assert answers.notes == ()
    else:
        assert says in answers.notes[0]
        assert "\n" not in "".join(answers.notes)
    if says and left < 100:
        assert any(
            "40 requests were answered well, and their values are not here" in note
            for note in answers.notes
        )


def test_a_ledger_that_cannot_be_read_keeps_what_was_read_before(copied):
    store = Store()
    (job,) = jobs_of(copied)
    before = store.read((job,))
    (job.folder / "cache.db").write_bytes(b"nothing of ours")
    later = replace(job, opened=job.opened + 1)
    after = store.read((later,))
    assert after.jobs == before.jobs
    assert "these answers are older" in after.notes[0]
    assert "cannot be read" in Store().read((later,)).notes[0]


def test_counters_that_differ_from_the_ledgers_are_told(copied):
    (job,) = jobs_of(copied)
    with Ledger.open(job.folder) as ledger:
        ledger.summarise({**job.summary, "success": 119})
    (job,) = jobs_of(copied)
    (note,) = Store().read((job,)).notes
    assert "! success: 118 counted here, 119 in the ledger's summary" in note


def test_what_was_read_is_let_go_when_another_experiment_is_opened(outputs):
    store = Store()
    store.read(jobs_of(outputs / "literary"))
    store.read(jobs_of(outputs / "done"))
    assert [folder.parent.name for folder in store._jobs] == ["done"]


# -- filter words


def chosen(answers: Answers, line: str, *, problems: bool = False) -> list[str]:
    words = parse(line, questions=made.LABELS)
    assert isinstance(words, Words), words
    rows = tuple(select(one, words, problems=problems) for one in answers.jobs)
    places = Places(answers, rows)
    return [places.key(n) for n in range(len(places))]


def expected(answers: Answers, holds) -> list[str]:
    return [
        f"{one.name}/{row['custom_id']}"
        for one in answers.jobs
        for row in table_of(one).iter_rows(named=True)
        if holds(one, row | {"f": one.conditions[row["condition"]]})
    ]


def any_cause(row, cause, questions=("Q1", "Q2", "Q3", "Q4")) -> bool:
    return any(row[f"{q}_cause"] == cause for q in questions)


def levels_of(row) -> tuple[str, ...]:
    return tuple(level.id for level in row["f"].levels.values())


def value_of(row, question="Q1") -> float:
    found = row[f"{question}_value"]
    return float("nan") if found is None else found


MEANINGS = {
    "Q1>70": lambda one, r: value_of(r) > 70,
    "q1<=70": lambda one, r: value_of(r) <= 70,
    "Q1>=20 Q1<30": lambda one, r: 20 <= value_of(r) < 30,
    "Q2=0,100": lambda one, r: value_of(r, "Q2") in (0, 100),
    "Q3>200": lambda one, r: False,
    "trial>20": lambda one, r: r["trial"] > 20,
    "persona=p1 model=gpt": lambda one, r: levels_of(r)[0] == "p1" and one.job.model[:3] == "gpt",
    "お答えできません": lambda one, r: any_cause(r, "refused"),
    '"深い悲しみ"': lambda one, r: any_cause(r, "missing", ("Q3",)),
    "": lambda one, r: True,
    "state:success": lambda one, r: r["status"] == "success",
    "state:open,failed": lambda one, r: r["status"] in ("open", "failed"),
    "cause:missing": lambda one, r: any_cause(r, "missing"),
    "cause:missing q:Q3": lambda one, r: any_cause(r, "missing", ("Q3",)),
    "cause:missing q:Q1": lambda one, r: any_cause(r, "missing", ("Q1",)),
    "cause:refused,missing": lambda one, r: any_cause(r, "missing") or any_cause(r, "refused"),
    "q:q3": lambda one, r: r["outcome"] is not None and r["Q3_value"] is None,
    "outcome:invalid": lambda one, r: r["outcome"] == "invalid",
    "persona:p1 text:t2": lambda one, r: levels_of(r) == ("p1", "t2"),
    "persona:研究者": lambda one, r: levels_of(r)[0] == "p2",
    "text:懐中": lambda one, r: levels_of(r)[1] == "t1",
    "temperature:0.7": lambda one, r: r["f"].temperature == 0.7,
    "temperature:<0.7": lambda one, r: r["f"].temperature < 0.7,
    "attempts:>=1": lambda one, r: r["attempts"] >= 1,
    "attempts:0": lambda one, r: r["attempts"] == 0,
    "trial:3": lambda one, r: r["trial"] == 3,
    "model:gpt": lambda one, r: one.job.model == "gpt-4o-mini",
    "provider:GROQ": lambda one, r: one.job.provider == "groq",
    "job:anthropic": lambda one, r: one.name.startswith("anthropic"),
    "p1_t1_n0": lambda one, r: r["custom_id"].startswith("p1_t1_n0"),
    "pattern:none": lambda one, r: (
        r["outcome"] is not None
        and any(r[f"{q}_pattern"] is None for q in ("Q1", "Q2", "Q3", "Q4"))
    ),
    "pattern:form": lambda one, r: any(
        r[f"{q}_pattern"] == "form" for q in ("Q1", "Q2", "Q3", "Q4")
    ),
    "batch:b0003": lambda one, r: any(
        span.stem == r["f"].stem and span.first <= r["trial"] <= span.last
        for span in one.members["b0003"]
    ),
    "answer:お答えできません": lambda one, r: any_cause(r, "refused"),
    "answer:(理由)": lambda one, r: r["outcome"] is not None and not any_cause(r, "refused"),
}


@pytest.mark.parametrize("line", MEANINGS)
def test_a_filter_shows_what_it_says_and_nothing_else(middle, line):
    assert chosen(middle, line) == expected(middle, MEANINGS[line])


def test_the_filters_are_not_all_empty(middle):
    empty = [line for line in MEANINGS if not chosen(middle, line)]
    assert empty == ["Q3>200", "cause:missing q:Q1"]


def test_problems_are_what_failed_and_what_cannot_be_used(middle):
    found = chosen(middle, "", problems=True)
    assert found == expected(
        middle, lambda one, r: r["status"] == "failed" or r["outcome"] not in (None, "valid")
    )
    assert 0 < len(found) < len(middle)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("status:failed", "status: is no filter word; there are state, cause, "),
        ("state:bad", "there are open, success, retry_success, failed"),
        ("cause:", "cause: needs a value, as cause:out_of_range"),
        ("attempts:many", "attempts:many: a number, as attempts:>1"),
        ("Q9>70", "q9: is no filter word; there are state, cause, "),
        ("Q1>high", "Q1>high: a number after >, as Q1>70"),
        ("trial>many", "trial:>many: a number, as trial:3"),
    ],
)
def test_a_word_that_is_not_known_says_in_one_line_which_are(line, says):
    found = parse(line, questions=["Q1"])
    assert isinstance(found, str)
    assert says in found
    assert "\n" not in found


def test_a_factor_of_numbers_is_compared_like_any_number():
    definition = {
        "conditions": {f"c{n}": {"length": f"{n}"} for n in (5, 50, 500)},
        "design": {"factors": "length"},
    }
    conditions = Conditions(definition, list(definition["conditions"]))
    assert conditions.names == ("length",)
    assert _levels(conditions, "length", (">=50",)).to_list() == [False, True, True]
    assert _levels(conditions, "length", ("50",)).to_list() == [False, True, False]


def test_what_can_be_typed_is_said_with_examples_of_what_is_there():
    said = hint({"review": "r 3", "wording": "leading"}, ["joy", "fear"])
    assert said.startswith('words of an answer  review:"r 3"  wording:leading  joy>70  state:')
    for example in said.split("  ")[1:]:
        assert isinstance(parse(example, {"review": "r 3", "wording": ""}, ["joy"]), Words)


KEYS = str(parse("unknown:x")).partition("there are ")[2].split(", ")
LINES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from([*(k for k in KEYS if k != "answer"), "Q1>7", "Q2="]),
            st.one_of(
                st.text(max_size=6), st.sampled_from(["none", ">1", "Q2", "p1,p2", "failed"])
            ),
        ).map(":".join),
        st.text(max_size=8),
    ),
    max_size=4,
).map(" ".join)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(line=LINES, problems=st.booleans())
def test_no_line_of_words_raises_and_what_fits_stands_in_order(middle, line, problems):
    words = parse(line, questions=["Q1", "Q2"])
    if isinstance(words, str):
        assert "\n" not in words
        return
    rows = [select(one, words, problems=problems) for one in middle.jobs]
    for one, found in zip(middle.jobs, rows, strict=True):
        assert found is not None
        assert found.to_list() == sorted(set(found))
        assert all(0 <= row < one.table.height for row in found)


@settings(deadline=None, max_examples=30)
@given(text=st.text(min_size=1, max_size=6).filter(lambda t: t.split() == [t]))
def test_a_text_is_searched_in_raw_answers_as_it_stands(middle, text):
    words = parse(f"answer:{text}")
    one = middle.jobs[0]
    found = select(one, words)
    assert found is not None
    folder = one.job.folder / "attempts"
    raw = dict(pl.read_parquet(folder)["custom_id", "raw_answer"].iter_rows())
    here = [one.table["custom_id"][row] for row in found]
    if text.isascii():
        assert here == [
            id_ for id_ in one.table["custom_id"] if text.lower() in (raw.get(id_) or "").lower()
        ]
    else:
        assert {id_ for id_, said in raw.items() if said and text in said} <= set(here)


def test_a_search_stops_when_nobody_wants_it(middle):
    told = []
    words = parse("answer:80")
    assert select(middle.jobs[0], words, progress=lambda n, of: bool(told.append((n, of)))) is None
    assert told == [(0, len(middle.jobs[0].parts))]


def test_every_place_is_found_again_by_its_key(middle):
    some = tuple(select(one, parse("text:t1")) for one in middle.jobs)
    for places in (Places(middle), Places(middle, some)):
        assert [places.find(places.key(n)) for n in range(len(places))] == list(range(len(places)))
    hidden = next(k for n in range(len(middle)) if "_t2_" in (k := Places(middle).key(n)))
    assert Places(middle, some).find(hidden) is None
    assert Places(middle).find("nobody/p1_t1_n01") is None
    assert Places(middle).find("") is None


def test_an_answer_belongs_to_the_job_whose_name_stands_before_it(middle):
    places = Places(middle)
    for number, one in enumerate(middle.jobs):
        first = sum(other.table.height for other in middle.jobs[:number])
        assert places.at(first) == (one, 0)


def test_the_ledger_is_only_read(outputs):
    before = {p: p.stat().st_mtime_ns for p in (outputs / "done").rglob("*") if p.is_file()}
    answers_of(outputs / "done")
    after = {p: p.stat().st_mtime_ns for p in (outputs / "done").rglob("*") if p.is_file()}
    assert before == after


def test_a_ledger_of_an_older_version_has_the_runners_usual_policy(copied):
    (job,) = jobs_of(copied)
    with Ledger.open(job.folder) as ledger:
        ledger._store._cache.delete("plan")
    with closing(LedgerReader(job.folder)) as reader:
        assert reader.get("plan") is None
    (one,) = answers_of(copied).jobs
    assert one.notes == ()
