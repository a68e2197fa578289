"""With LaTeX itself: every table of a report is typeset by the program that most people have."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PDFLATEX = shutil.which("pdflatex")
PREAMBLE = r"""
\documentclass{article}
\usepackage[margin=1cm,paperwidth=60cm,paperheight=60cm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
"""
pytestmark = pytest.mark.outside


def chorus(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "runner", f"outputs={folder / 'outputs'}", *words]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


@pytest.mark.skipif(not PDFLATEX, reason="needs pdflatex, with booktabs and geometry")
@pytest.mark.parametrize("experiment", ["labels", "rating", "survey"])
def test_every_table_is_typeset(experiment: str, tmp_path: Path) -> None:
    for model in ("gpt-4.1", "gpt-4.1-mini"):
        words = ("service=emulated", "provider=openai", f"provider.model={model}")
        chorus(tmp_path, f"experiment={experiment}", *words)
    words = (f"experiment={experiment}", "lang=en", "report.table_format=[tex]")
    chorus(tmp_path, *words, "action=report")
    tables = sorted(tmp_path.glob("outputs/*/report/tables/*.tex"))
    assert len(tables) > 8
    paper = tmp_path / "paper.tex"
    typeset = [rf"\input{{{path}}}\clearpage" for path in tables]
    paper.write_text(PREAMBLE + "\n".join([*typeset, r"\end{document}", ""]))
    command = [str(PDFLATEX), "-interaction=nonstopmode", paper.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert [line for line in done.stdout.splitlines() if line.startswith("!")] == []
    assert done.returncode == 0
    assert f"({len(tables)} page" in done.stdout
