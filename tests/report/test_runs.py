"""Which runs are found, chosen and left out."""

import pytest

from runner.core.errors import ConfigError
from runner.tables.runs import Kind, selected
from tests.report.made import request, stored_run

ROWS = [request(Q1=(10, "r", None))]


def names(selection):
    return [run.name for run in selection.runs]


def test_an_experiment_a_run_or_everything(tmp_path):
    for name in ("one/openai_a", "one/openai_b", "two/groq_c"):
        stored_run(tmp_path, ROWS, name)
    for over, expected in (
        (["one"], ["one/openai_a", "one/openai_b"]),
        (["two/groq_c", "one/openai_b"], ["one/openai_b", "two/groq_c"]),
        (["all"], ["one/openai_a", "one/openai_b", "two/groq_c"]),
    ):
        assert names(selected(tmp_path, over, rehearsals=False)) == expected


def test_rehearsals_stay_out_beside_live_answers_unless_they_are_asked_for(tmp_path):
    stored_run(tmp_path, ROWS, "one/openai_a")
    stored_run(tmp_path, ROWS, "one/openai_b", rehearsal=True)
    chosen = selected(tmp_path, ["one"], rehearsals=False)
    assert names(chosen) == ["one/openai_a"]
    assert [run.name for run in chosen.rehearsals_left_out] == ["one/openai_b"]
    chosen = selected(tmp_path, ["one"], rehearsals=True)
    assert chosen.kinds == {Kind.LIVE, Kind.REHEARSAL}


@pytest.mark.parametrize("name", ["answers.parquet", "attempts.parquet"])
def test_a_damaged_table_is_named_and_read_by_nothing(tmp_path, name):
    whole = stored_run(tmp_path, ROWS, "one/openai_a") / name
    whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=f"{name} is damaged .*: run its experiment again"):
        selected(tmp_path, ["one"], rehearsals=False)


def test_rehearsals_alone_are_what_there_is(tmp_path):
    stored_run(tmp_path, ROWS, "one/openai_b", rehearsal=True)
    assert selected(tmp_path, ["one"], rehearsals=False).kinds == {Kind.REHEARSAL}


def test_a_run_without_tables_is_named_and_left_out(tmp_path):
    stored_run(tmp_path, ROWS, "one/openai_a")
    begun = tmp_path / "one" / "openai_b"
    begun.mkdir()
    (begun / "cache.db").touch()
    assert selected(tmp_path, ["all"], rehearsals=False).without_tables == ("one/openai_b",)
    with pytest.raises(ConfigError, match="no table yet"):
        selected(tmp_path, ["one/openai_b"], rehearsals=False)


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    stored_run(tmp_path, ROWS, "literary/openai_a")
    with pytest.raises(ConfigError, match="did you mean literary"):
        selected(tmp_path, ["litterary"], rehearsals=False)
    with pytest.raises(ConfigError, match="holds no run yet"):
        selected(tmp_path / "nowhere", ["literary"], rehearsals=False)


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_run_without_its_manifest_is_refused(tmp_path, content):
    folder = stored_run(tmp_path, ROWS)
    if content is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(content)
    with pytest.raises(ConfigError, match=r"manifest.json.*action=export writes it"):
        selected(tmp_path, ["all"], rehearsals=False)
