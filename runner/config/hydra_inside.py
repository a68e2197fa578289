"""What is used and replaced inside Hydra, which has no public place for it; tried with one version.

Its reader of files is ours, for good. While a command line is composed, its launcher method is
replaced on the plugins' object, so that every job of a sweep is prepared by this process, whatever is
to run it; and its look-up of hydra.mode, which composes everything twice.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.core_plugins.file_config_source import FileConfigSource as _FileConfigSource
from hydra._internal.hydra import Hydra
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigSource
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

SWEEP_DIR = "hydra.sweep.dir="
FileReader = _FileConfigSource
"""Hydra's own reader of files, to make one's own of."""


def read_with(source: type[FileReader]) -> None:
    """Let Hydra read files with a reader of ours, in place of its own."""
    SourcesRegistry.instance().types[source.scheme()] = source


def header_of(text: str) -> dict[str, str | None]:
    """Return what the first lines of a file say of its package, as Hydra reads them.

    Raises:
        ValueError: they say what Hydra does not know.
    """
    return ConfigSource._get_header_dict(text[:512])  # noqa: SLF001 - nothing public reads it


class RemoteLauncher(BasicLauncher):
    """Stands for the launcher that was asked for: prepares every job here, and starts it later."""

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        """Keep what the real one needs."""
        super().__init__()
        self._context = context
        self._composed = config
        self._jobs: list[list[str]] = []

    @property
    def name(self) -> str:
        """The launcher's name, as submitit_slurm."""
        return str(self._composed.hydra.runtime.choices["hydra/launcher"])

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Any:
        """Prepare every job here."""
        self._jobs = [list(words) for words in job_overrides]
        return super().launch(job_overrides, initial_job_idx)

    def start(self, jobs: Sequence[int], task: Callable[[DictConfig], Any], folder: Path) -> None:
        """Run a task for some of the jobs where the launcher runs them, and wait for its results.

        Args:
            jobs: their numbers, in the order of the sweep.
            task: called there with the job's configuration; `hydra.job.num` counts through `jobs`.
            folder: for what the launcher and its jobs write.
        """
        config = copy.deepcopy(self._composed)
        words = [w for w in config.hydra.overrides.hydra if not w.startswith(SWEEP_DIR)]
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra = [*words, f"{SWEEP_DIR}'{quoted}'"]
        HydraConfig.instance().set_config(config)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=task, config=config
        )
        launcher.launch([self._jobs[number] for number in jobs], 0)


@contextmanager
def preparing_here() -> Iterator[list[RemoteLauncher]]:
    """Let jobs be prepared by this process, whatever is to run them; it is filled when they are."""
    plugins = Plugins.instance()
    found: list[RemoteLauncher] = []

    def instead(*, hydra_context: Any, task_function: Any, config: DictConfig) -> Any:
        if config.hydra.launcher._target_ == f"{BasicLauncher.__module__}.{BasicLauncher.__name__}":
            here: BasicLauncher = BasicLauncher()
        else:
            found[:] = [here := RemoteLauncher(hydra_context, config)]
        here.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        return here

    plugins.instantiate_launcher = instead  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        del plugins.instantiate_launcher


@contextmanager
def sweeping(jobs: Sequence[Sequence[str]]) -> Iterator[None]:
    """Let a sweep run these jobs for each combination of the command line's own words."""
    name = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"
    sweeper: Any = Plugins.instance().class_name_to_class[name]  # loaded by it, and another object
    split = sweeper.split_arguments

    def instead(overrides: Any, max_batch_size: int | None) -> list[list[list[str]]]:
        combinations = [words for batch in split(overrides, max_batch_size) for words in batch]
        return [[[*job, *words] for words in combinations for job in jobs]]

    sweeper.split_arguments = staticmethod(instead)
    try:
        yield
    finally:
        sweeper.split_arguments = staticmethod(split)


@contextmanager
def composing_once(arguments: list[str]) -> Iterator[None]:
    """Spare Hydra composing everything once more only to look up hydra.mode.

    No file of a user's may say it (runner.config.files) and the shipped ones do not, so that it is
    unset unless the command line speaks of Hydra.
    """
    if any(word.lstrip("+~").startswith("hydra") for word in arguments):
        yield
        return
    looked_up = Hydra.get_mode
    Hydra.get_mode = _unset  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = looked_up  # type: ignore[method-assign]


def _unset(*_: object, **__: object) -> None:
    """Say what `Hydra.get_mode` says of a configuration without a hydra.mode."""
