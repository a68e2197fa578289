"""The foreign server itself: well behaved, it is an ordinary service."""

from tests.foreign.scenarios import WELL


def test_a_study_is_answered_and_billed_once(bench):
    here = bench(WELL)
    ran = here.run()
    assert ran.code == 0, ran.out
    assert here.bill == [1, 1, 1, 1]
    assert here.answers["Q1_value"].to_list() == [80] * 4
