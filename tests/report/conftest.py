"""A small study on disk, and reports of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.report import ReportFiles, write_report
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run
from tests.report.sketches import figures, rendered, sketch
from tests.shared import copy_of, made_once


@pytest.fixture(scope="package", autouse=True)
def sketches() -> Iterator[None]:
    """Render no figures, but where a test asks for it."""
    with figures(sketch):
        yield


@pytest.fixture(scope="session")
def outputs(tmp_path_factory) -> Path:
    """Two models of one study, and a rehearsal of a third."""

    def filled(outputs: Path) -> None:
        stored_run(outputs, small_study())
        other = [r | {"Q1_value": v and v + 5} for r in small_study() for v in [r["Q1_value"]]]
        stored_run(outputs, other, "study/groq_llama-y", cost_usd=None)
        stored_run(outputs, small_study(), "study/openai_gpt-z", rehearsal=True)

    return copy_of(tmp_path_factory, "outputs", filled)


@pytest.fixture(scope="session")
def report(outputs, tmp_path_factory) -> ReportFiles:
    """The study's report in English; not to be changed."""
    selection = selected(outputs, ["study"], rehearsals=False)
    with figures(rendered):
        return made_once(
            tmp_path_factory, "en", lambda folder: write_report(selection, folder, language="en")
        )


@pytest.fixture(scope="session")
def rehearsed(outputs, tmp_path_factory) -> ReportFiles:
    """A report of a rehearsal alone, in Japanese; not to be changed."""
    selection = selected(outputs, ["study/openai_gpt-z"], rehearsals=False)
    with figures(rendered):
        return made_once(
            tmp_path_factory, "ja", lambda folder: write_report(selection, folder, language="ja")
        )
