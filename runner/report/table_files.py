"""The report's tables as files: CSV for spreadsheets, LaTeX (booktabs) and Markdown for a paper."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from runner.report.page import Table, cell
from runner.report.words import visible
from runner.tables.export import guarded

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "[": "{[}",  # after the end of a row it would begin an option of it, as * would
        "*": "{*}",
        "`": "{`}",
        "'": "{'}",
        "−": "$-$",  # from here on, what pdfLaTeX has no letter for
        "√": r"$\surd$",
        "α": r"$\alpha$",
        "δ": r"$\delta$",
        "κ": r"$\kappa$",
        "ρ": r"$\rho$",
        "σ": r"$\sigma$",
        "Σ": r"$\Sigma$",
        "ᵢ": "$_i$",
        "ₑ": "$_e$",
        "ₒ": "$_o$",
        "₀": "$_0$",
        **{character: f"\\{character}" for character in "$&#_%"},
    }
)
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|~$#&^"})
HEAD = "% needs \\usepackage{booktabs}; Japanese text: LuaLaTeX with \\usepackage{luatexja}"


def table_files(table: Table, mark: str, formats: Sequence[str]) -> Mapping[str, bytes]:
    """Return a table's files by their endings: the numbers as they are, or, for a paper, as on the page.

    Args:
        table: all its rows go into each file.
        mark: what stands before the title; empty, or REHEARSAL.
        formats: among csv, tex and md.
    """
    return {ending: _MAKERS[ending](table, mark) for ending in formats}


def _csv(table: Table, _: str) -> bytes:
    """Return a table as CSV for spreadsheets; an empty cell is what is not defined or not known."""
    plain = table.frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))
    rounded = plain.with_columns(pl.col(pl.Float64).round(6))
    return b"\xef\xbb\xbf" + guarded(rounded).collect().write_csv().encode()


def _tex(table: Table, mark: str) -> bytes:
    sides = "".join("r" if kind.is_numeric() else "l" for kind in table.frame.dtypes)
    head, *rows = (" & ".join(map(latex, row)) + r" \\" for row in _rows(table))
    lines = [
        HEAD,
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(mark + table.title)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {latex(note)}\par}}" for note in table.notes),
        r"\end{table}",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _md(table: Table, mark: str) -> bytes:
    sides = ("--:" if kind.is_numeric() else ":--" for kind in table.frame.dtypes)
    head, *rows = (f"| {' | '.join(map(markdown, row))} |" for row in _rows(table))
    notes = (line for note in table.notes for line in ("", markdown(note)))
    title = markdown(mark + table.title)
    lines = [f"**{title}**", "", head, f"|{'|'.join(sides)}|", *rows, *notes]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _rows(table: Table) -> list[list[str]]:
    """Return the heading and the rows, as the page shows them; of numbers with a true minus."""
    names, numeric = table.frame.columns, [kind.is_numeric() for kind in table.frame.dtypes]
    shown = (
        [cell(v, n, table) for v, n in zip(row, names, strict=True)]
        for row in table.frame.iter_rows()
    )
    return [
        [table.headers.get(name, name) for name in names],
        *(
            [
                c.replace("-", "−") if is_number else c
                for c, is_number in zip(r, numeric, strict=True)
            ]
            for r in shown
        ),
    ]


def latex(text: str) -> str:
    """Return text of one line in which LaTeX takes no character for a command, or for another."""
    escaped = visible(" ".join(text.split())).translate(_LATEX)
    return escaped.replace("--", "-{}-").replace("--", "-{}-")


def markdown(text: str) -> str:
    """Return text of one line in which Markdown takes no character for a mark."""
    return visible(" ".join(text.split())).translate(_MARKDOWN)


_MAKERS: Mapping[str, Callable[[Table, str], bytes]] = {"csv": _csv, "tex": _tex, "md": _md}
