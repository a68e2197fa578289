"""Ends that contradict themselves: waited out, billed once, and held with the reason if they stay so."""

import time

import pytest

from tests.foreign import scenarios as s
from tests.foreign.conftest import SETTLE
from tests.foreign.server import Scenario
from tests.variants import always, first

DROPPED = Scenario(answer=s.dropped)
DROPPED_COUNTED = s.both(s.counting({"completed": 4}), DROPPED)
REFUSED = Scenario(answer=s.refused_third)

AS_TEXT = {"total": "4", "completed": "4", "failed": "0"}
ZERO = {"total": 0, "completed": 0, "failed": 0}

PATIENT = "provider.settle_seconds=8"
"""For what comes in the end: longer than a busy machine needs for all the looks it takes."""

IN_THE_END = {
    "file ids one poll late": s.late(1),
    "file ids three polls late": s.late(3),
    "another word for completed": s.said(
        lambda shown, _: shown | {"status": shown["status"].replace("completed", "succeeded")}
    ),
    "an empty text for the error file": s.said(lambda shown, _: shown | {"error_file_id": ""}),
    "counts one short for a while": s.counting({"completed": 3}, 2),
    "counts one too many for a while": s.counting({"completed": 5}, 2),
    "counts null": s.counting(None),
    "counts absent": s.without_counts(),
    "counts zero": s.counting(ZERO),
    "counts as text": s.counting(AS_TEXT),
    "counts are a word": s.counting("many"),
    "counts as text, files late": s.late(2, request_counts=AS_TEXT),
    "counts null, files late": s.late(2, request_counts=None),
    "counts zero, files late": s.late(2, request_counts=ZERO),
    "empty once": s.cut(1, s.nothing),
    "empty three times": s.cut(3, s.nothing),
    "cut at a line's end three times the same way": s.cut(3, s.lines(2)),
    "cut in mid-line three times the same way": s.cut(3, s.in_mid_line),
    "cut in mid-line, no counts": s.both(s.counting(None), s.cut(3, s.in_mid_line)),
    "not found twice": s.cut(2, s.not_found),
    "going on after it was completed": s.going_on_after(1, 2),
    "gone for two polls": s.gone(listed=False, polls=2),
}
MOST_UNLIKE = (
    "empty three times",
    "cut in mid-line, no counts",
)


@pytest.mark.parametrize("name", always(MOST_UNLIKE, IN_THE_END))
def test_what_comes_later_is_waited_for_and_billed_once(bench, name):
    here = bench(IN_THE_END[name])
    ran = here.run(PATIENT)
    assert ran.code == 0, ran.out
    assert here.bill == [1, 1, 1, 1]
    assert here.answers["Q1_value"].to_list() == [80] * 4
    assert not list(here.folder.glob("raw/*.kept"))


def test_an_error_file_that_comes_later_is_waited_for(bench):
    here = bench(s.both(s.late(2, "error_file_id"), REFUSED))
    ran = here.run(PATIENT)
    assert here.bill == [1, 1, 1, 1], ran.out
    assert sorted(here.answers["outcome"].to_list()) == ["refused", "valid", "valid", "valid"]


HELD = {
    "one line lost": (DROPPED_COUNTED, r"counts 4 answered, its files hold 3"),
    "no file, ever": (s.late(s.EVER), r"counts 4 answered, it names no result file"),
    "no file, ever, and no counts": (
        s.late(s.EVER, request_counts=None),
        r"says completed of 4 requests, it names no result file",
    ),
    "no error file, ever": (
        s.both(s.late(s.EVER, "error_file_id"), REFUSED),
        r"counts 3 answered and 1 failed, its files hold 3",
    ),
    "always empty": (s.cut(s.EVER, s.nothing), r"counts 4 answered, its files hold none"),
    "always empty, no counts": (
        s.both(s.counting(None), s.cut(s.EVER, s.nothing)),
        r"says completed of 4 requests, its files hold none",
    ),
    "always cut at a line's end": (s.cut(s.EVER, s.lines(2)), r"4 answered, its files hold 2"),
    "always cut in mid-line": (s.cut(s.EVER, s.in_mid_line), r"and 1 line that cannot be read"),
    "always cut in mid-line, no counts": (
        s.both(s.counting(None), s.cut(s.EVER, s.in_mid_line)),
        r"1 line that cannot be read",
    ),
    "files cannot be fetched": (s.cut(s.EVER, s.not_found), r"cannot be fetched .*404"),
    "gone, not listed": (s.gone(listed=False), r"does not know batch-1 any more .*404"),
    "gone, but listed": (s.gone(listed=True), r"does not know batch-1 any more .*404"),
    "completed, then failed": (
        s.said(lambda b, n: b | dict.fromkeys(s.FILES) | ({"status": "failed"} if n > 1 else {})),
        r"had ended, and now the provider says failed",
    ),
}


@pytest.mark.parametrize("name", first(1, HELD))
def test_what_never_agrees_is_held_and_said_in_one_line(bench, name):
    scenario, reason = HELD[name]
    here = bench(scenario)
    began = time.monotonic()
    ran = here.run()
    assert time.monotonic() - began >= SETTLE
    assert here.bill == [1, 1, 1, 1]
    assert ran.code == 3
    said = ran.line(rf"^! b0001: .*{reason}")
    assert "run again to look again, or give it up with action=abandon batch=b0001" in said
    told = [line for line in ran.out.splitlines() if "looking again" in line]
    assert len(told) <= 2, "once for each reason, not at every look"
    assert sum(here.server.downloads.values()) <= 8
    again = here.run()
    assert (again.code, here.bill) == (3, [1, 1, 1, 1])
    assert again.line(r"^! b0001: ")
    status = here.run("action=status")
    assert "held" in status.line(r"^  b0001")


def test_what_is_held_is_collected_by_the_run_that_finds_it_whole(bench):
    here = bench(DROPPED_COUNTED)
    assert here.run().code == 3
    here.server.scenario = s.WELL
    (name,) = [one for one in here.server.files if one.startswith("output")]
    line = here.server.files[name].splitlines()[0]
    known = sorted(here.server.bill)
    here.server.files[name] += line.replace(known[0].encode(), known[3].encode()) + b"\n"
    ran = here.run()
    assert (ran.code, here.bill) == (0, [1, 1, 1, 1])


@pytest.mark.long
def test_giving_it_up_keeps_the_answers_that_are_here_and_asks_only_the_others_again(bench):
    here = bench(DROPPED_COUNTED)
    assert here.run().code == 3
    here.server.files.clear()  # what is here is all there will ever be
    given_up = here.run("action=abandon", "batch=b0001")
    assert given_up.line(r"the 3 answered here stay; 1 requests are asked again")
    ran = here.run()
    assert (ran.code, here.bill) == (0, [1, 1, 1, 2])
    assert here.answers["Q1_value"].to_list() == [80] * 4
    assert here.run("action=verify").code == 0


def test_the_fullest_download_is_what_stays(bench):
    here = bench(Scenario(download=lambda _, content, nth: s.lines(3 if nth == 0 else 1)(content)))
    assert here.run().code == 3
    here.run("action=abandon", "batch=b0001")
    ran = here.run()
    assert (ran.code, here.bill) == (0, [1, 1, 1, 2])


def test_giving_up_a_batch_that_brought_nothing_asks_all_of_it_again(bench):
    here = bench(s.late(s.EVER))
    assert here.run().code == 3
    given_up = here.run("action=abandon", "batch=b0001")
    assert given_up.line(r"its 4 requests are asked again|4 requests are asked again")
    ran = here.run()
    assert (ran.code, here.bill) == (0, [2, 2, 2, 2])


UNCOUNTED = {
    "null": s.counting(None),
    "absent": s.without_counts(),
    "zero": s.counting(ZERO),
    "smaller than the files": s.counting({"completed": 1}),
    "honest about one too few": s.WELL,
}


@pytest.mark.parametrize("scenario", first(1, UNCOUNTED.values()), ids=UNCOUNTED)
def test_without_counts_a_line_is_lost_only_when_nothing_has_come_over_the_settle_time(
    bench, scenario
):
    here = bench(s.both(scenario, DROPPED))
    began = time.monotonic()
    ran = here.run()
    assert time.monotonic() - began >= SETTLE
    assert (ran.code, here.bill) == (0, [1, 1, 1, 2]), ran.out
    assert ran.line("b0001 .*looking again - the provider says completed of 4 requests|its files")


@pytest.mark.parametrize(
    ("status", "outcome"), [("expired", "expired"), ("cancelled", "cancelled")]
)
def test_what_never_ran_is_asked_again_at_once_where_the_counts_agree(bench, status, outcome):
    here = bench(s.both(s.said(lambda shown, _: shown | {"status": status}), DROPPED))
    ran = here.run()
    assert (ran.code, here.bill) == (0, [1, 1, 1, 2])
    assert "looking again" not in ran.out
    assert ran.line(rf"b0001 collected: 3 valid, 1 {outcome}")


def test_the_rest_of_the_run_goes_on(bench):
    here = bench(s.late(s.EVER))
    here.more = ("provider.limits.requests=2", "provider.limits.margin=0")
    ran = here.run()
    assert ran.code == 3
    assert here.bill == [1, 1, 1, 1]
    assert here.answers["status"].to_list().count("success") == 2


def test_collect_looks_once_and_says_why(bench):
    here = bench(s.late(2))
    here.run("wait=false")
    ran = here.run("action=collect")
    assert ran.code == 3
    assert ran.line("^! b0001: the provider counts 4 answered, it names no result file")
    assert [here.run("action=collect").code for _ in range(2)][-1] == 0
    assert here.bill == [1, 1, 1, 1]


# --- result files that are gone here, and still there ------------------------------------------


@pytest.mark.long
def test_result_files_that_are_gone_are_fetched_again_and_nothing_is_ordered(bench):
    here = bench(REFUSED)
    assert here.run().code == 3
    raw = here.folder / "raw"
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    assert sorted(before) == ["b0001.error.jsonl", "b0001.output.jsonl"]
    for path in raw.iterdir():
        path.unlink()
    assert "fetch it again with action=collect" in here.run("action=export").out
    assert here.run("action=collect").line("b0001 its result files were gone and are fetched again")
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before
    assert here.run("action=verify").code == 0
    assert here.bill == [1, 1, 1, 1]


def test_what_the_provider_throws_away_or_changes_is_said_and_not_taken(bench):
    here = bench(s.WELL)
    assert here.run().code == 0
    (file,) = (here.folder / "raw").iterdir()
    original = file.read_bytes()
    file.unlink()
    here.server.scenario = s.cut(s.EVER, s.lines(2))
    assert here.run("action=collect").line("b0001 .*could not be fetched again - .*is not")
    here.server.scenario = s.cut(s.EVER, s.not_found)
    assert here.run("action=collect").line("b0001 .*could not be fetched again - .*404")
    assert not file.exists()
    file.write_bytes(original)
    assert here.run("action=verify").code == 0
    assert here.bill == [1, 1, 1, 1]
