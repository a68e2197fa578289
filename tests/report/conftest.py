"""A small study on disk, and reports of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.report import ReportFiles, write_report
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run
from tests.report.sketches import figures, rendered, sketch


@pytest.fixture(scope="package", autouse=True)
def sketches() -> Iterator[None]:
    """Render no figures, but where a test asks for it."""
    with figures(sketch):
        yield


@pytest.fixture(scope="session")
def outputs(tmp_path_factory) -> Path:
    """Two models of one study, and a rehearsal of a third."""
    outputs = tmp_path_factory.mktemp("outputs")
    stored_run(outputs, small_study())
    other = [row | {"Q1_value": v and v + 5} for row in small_study() for v in [row["Q1_value"]]]
    stored_run(outputs, other, "study/groq_llama-y", cost_usd=None)
    stored_run(outputs, small_study(), "study/openai_gpt-z", rehearsal=True)
    return outputs


@pytest.fixture(scope="session")
def report(outputs, tmp_path_factory) -> ReportFiles:
    """The study's report in English."""
    selection = selected(outputs, ["study"], rehearsals=False)
    with figures(rendered):
        return write_report(selection, tmp_path_factory.mktemp("en"), language="en")


@pytest.fixture(scope="session")
def rehearsed(outputs, tmp_path_factory) -> ReportFiles:
    """A report of a rehearsal alone, in Japanese."""
    selection = selected(outputs, ["study/openai_gpt-z"], rehearsals=False)
    with figures(rendered):
        return write_report(selection, tmp_path_factory.mktemp("ja"), language="ja")
