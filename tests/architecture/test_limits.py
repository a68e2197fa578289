"""What is long is cut: functions, classes and constructors have a size that can be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES = 60
CLASS_LINES = 300
CONSTRUCTOR_ARGUMENTS = 8
EXEMPT = {"runner/config/settings.py"}
"""Files that are still to be cut."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_large(source: str) -> Iterator[str]:
    """Name what is beyond a limit, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function) and height(node) > FUNCTION_LINES:
            yield f"{node.lineno} {node.name}: {height(node)} lines"
        if isinstance(node, ast.ClassDef) and height(node) > CLASS_LINES:
            yield f"{node.lineno} {node.name}: {height(node)} lines"
        if isinstance(node, Function) and node.name == "__init__":
            taken = arguments(node)
            if taken > CONSTRUCTOR_ARGUMENTS:
                yield f"{node.lineno} __init__: {taken} arguments"


def height(node: Function | ast.ClassDef) -> int:
    """Lines from `def` or `class` to the end."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def arguments(node: Function) -> int:
    """How many a caller can give."""
    given = node.args
    return len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - 1


def test_no_function_class_or_constructor_is_too_large() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for folder in ("runner", "tui")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in EXEMPT
        for what in too_large(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_each_limit_is_seen_one_line_or_argument_beyond_it() -> None:
    def function(lines: int) -> str:
        return "def f():\n" + "    0\n" * (lines - 1)

    def class_(lines: int) -> str:
        return "class C:\n" + "    x = 0\n" * (lines - 1)

    def constructor(count: int) -> str:
        names = ", ".join(f"a{n}" for n in range(count - 2))
        return f"class C:\n    def __init__(self, b, /, {names}, *, c): ...\n"

    for make, limit in (
        (function, FUNCTION_LINES),
        (class_, CLASS_LINES),
        (constructor, CONSTRUCTOR_ARGUMENTS),
    ):
        assert list(too_large(make(limit))) == []
        assert len(list(too_large(make(limit + 1)))) == 1
