"""Expressions that are compiled at their first use."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

from runner.core import extract
from runner.core.extract.regex import _Waiting, regex


def held() -> Iterator[tuple[str, _Waiting]]:
    """Yield every expression that a module of the reader holds, alone or in a list."""
    for module in pkgutil.iter_modules(extract.__path__):
        for name, value in vars(
            importlib.import_module(f"runner.core.extract.{module.name}")
        ).items():
            for one in value if isinstance(value, tuple | list) else (value,):
                if isinstance(one, _Waiting):
                    yield f"{module.name}.{name}", one


def test_each_one_that_a_module_holds_compiles() -> None:
    found = dict(held())
    assert len(found) > 100
    for one in found.values():
        assert one.groups >= 0  # type: ignore[attr-defined] - found by the expression behind it


def test_it_does_what_the_compiled_one_does() -> None:
    waiting, compiled = regex("(a)|b", re.IGNORECASE), re.compile("(a)|b", re.IGNORECASE)
    assert waiting.pattern == compiled.pattern
    assert waiting.findall("xAb") == compiled.findall("xAb")
    assert waiting.sub("-", "xAb", 1) == "x-b"
    assert [m.span() for m in waiting.finditer("xAb")] == [(1, 2), (2, 3)]
    assert waiting.flags == compiled.flags


def test_a_mistake_in_one_is_said_at_its_first_use() -> None:
    broken = regex("(")
    with pytest.raises(re.error):
        broken.search("")
