"""How different reasons are: TF-IDF over characters against values worked out by hand."""

from math import log, sqrt
from sys import modules

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from runner.report.data import read
from runner.report.diversity import distances, diversity, tf_idf
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run


def test_the_weights_of_two_texts_worked_out_by_hand():
    # ab: ab | abc: ab bc abc
    both, one = log(3 / 3) + 1, log(3 / 2) + 1
    found = tf_idf(["ab", "abc"]).toarray()
    assert found.shape == (2, 3)
    norm = sqrt(both**2 + 2 * one**2)
    assert sorted(found[0]) == pytest.approx([0, 0, 1])
    assert sorted(found[1]) == pytest.approx(sorted([both / norm, one / norm, one / norm]))
    n, distance = distances(tf_idf(["ab", "abc"]), np.array([0, 0]))
    assert (n[0], distance[0]) == (2, pytest.approx(1 - both / norm))


def test_a_sequence_that_comes_twice_counts_twice():
    # aaa: aa aa aaa | aa: aa
    both, one = log(3 / 3) + 1, log(3 / 2) + 1
    _, distance = distances(tf_idf(["aaa", "aa"]), np.array([0, 0]))
    assert distance[0] == pytest.approx(1 - 2 * both / sqrt((2 * both) ** 2 + one**2))


def test_the_same_texts_have_no_distance_and_those_without_a_sequence_in_common_the_largest():
    texts = ["とても面白い", "とても面白い", "悲しかった", "zzz", "", "x", "A  b", "a\nb"]
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    n, distance = distances(tf_idf(texts), groups)
    assert n.tolist() == [2, 2, 0, 2]  # a text of fewer than two characters has no sequence
    assert distance[[0, 1, 3]] == pytest.approx([0, 1, 0], abs=1e-12)
    assert np.isnan(distance[2])


def test_the_mean_over_all_pairs_is_that_of_the_pairs_one_by_one():
    texts = ["静かな語り口が印象に残る", "静かな結末に驚いた", "語り口に驚いた", "何も感じない"]
    vectors = tf_idf(texts)
    cosine = (vectors @ vectors.T).toarray()
    pairs = [1 - cosine[i, j] for i in range(4) for j in range(4) if i != j]
    n, distance = distances(vectors, np.zeros(4, dtype=np.intp))
    assert (n[0], distance[0]) == (4, pytest.approx(np.mean(pairs)))


def test_texts_run_into_no_other_text():
    assert tf_idf(["ab", "cd"]).shape == (2, 2)


def test_a_sample_is_drawn_and_answers_without_a_reason_count_nowhere(tmp_path, monkeypatch):
    run = stored_run(tmp_path, small_study())
    answers = pl.read_parquet(run / "answers.parquet").filter(pl.col("status") != "open")
    data = read(selected(tmp_path, ["study"], rehearsals=False)).asked
    whole = diversity(data, ["persona"])
    assert whole["run"]["n"].to_list() == [answers[f"{q}_reason"].count() for q in ("Q1", "Q2")]
    assert whole["run"]["diversity"].to_list() == [0, 0]  # all alike
    assert whole["persona"]["raters"].to_list() == [1, 1, 1, 1]
    monkeypatch.setattr(modules[diversity.__module__], "MOST", 4)
    drawn = diversity(data, ["persona"])
    assert drawn["run"]["n"].to_list() == [4, 4]
    assert_frame_equal(drawn["persona"], diversity(data, ["persona"])["persona"])
