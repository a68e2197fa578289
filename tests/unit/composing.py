"""Compositions for tests: for real, from a user's folder, or changed from one that is made once."""

import pickle
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from runner.config.compose import _arguments, compose
from runner.config.schema import GROUPS
from runner.config.settings import Settings, settings
from runner.config.shipped import SHIPPED
from runner.core.errors import ConfigError


def head(package: str, body: str) -> str:
    return f"# @package {package}\n{body}"


def fill(folder: Path, files: dict[str, str | bytes]) -> list[str]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ["--config-dir", str(folder)]


def only(argv: list[str]) -> Settings:
    (found,) = composed(argv)
    return found


def mistake(argv: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a user gets."""
    with pytest.raises(ConfigError) as caught:
        compose(argv)
    message = str(caught.value)
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")  # Hydra says nothing of its own
    return message


@cache
def _base(choices: tuple[str, ...]) -> bytes:
    """What Hydra composes from such choices, before anything is checked; made once, and pickled.

    A copy by way of pickle takes a sixth of the time of a deep one.
    """
    composed: list[DictConfig] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("runner.config.compose.settings_of", composed.append)
        compose(list(choices))
    return pickle.dumps(composed[0])


@cache
def changed(*words: str) -> Settings:
    """The settings for words of a command line, composed as `composed` does; not to be changed."""
    (found,) = composed(list(words))
    return found


def composed(argv: list[str]) -> list[Settings]:
    """What `compose` returns, without all of Hydra for words that only change a value.

    What chooses a file (provider=openai) is composed, once for all tests; the other words are read
    and laid over that by Hydra's own functions, and checked by the program as always. A folder of
    the user's own, a launcher, and what Hydra refuses are composed.
    """
    words, home = _arguments(argv)
    sweeps, words = words[:1] == ["-m"], words[1:] if words[:1] == ["-m"] else words
    if home != SHIPPED or not all(map(_SETS.match, words)):
        return compose(argv)
    try:
        jobs = _jobs(words) if sweeps else [words]
        return [_laid_over(job) for job in jobs]
    except ConfigError:
        if sweeps:  # all jobs are looked at before one is told of
            return compose(argv)
        raise
    except (HydraException, OmegaConfBaseException, ValueError):
        return compose(argv)  # it says so in the user's words


def _jobs(words: list[str]) -> list[list[str]]:
    """The words of each job of a sweep."""
    (jobs,) = BasicSweeper.split_arguments(_READER.parse_overrides(words), None)
    return jobs


def _laid_over(words: list[str]) -> Settings:
    """Lay words over what their choices of files are composed to."""
    choices = tuple(w for w in words if w.lstrip("+").partition("=")[0] in GROUPS)
    values = _READER.parse_overrides([w for w in words if w not in choices])
    if any(value.is_sweep_override() for value in values):
        raise ValueError(words)
    tree = pickle.loads(_base(choices))
    ConfigLoaderImpl._apply_overrides_to_config(values, tree)
    return replace(settings(tree, [SHIPPED]), overrides=tuple(words))


_SETS = re.compile(r"\+{0,2}(?!hydra\b)\w[\w.-]*=")
"""A word that sets something that is not Hydra's own."""
_READER = OverridesParser.create()
