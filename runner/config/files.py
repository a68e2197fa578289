"""The YAML files of a configuration: what they may say, and what it means.

A folder may be a stranger's. Every file is checked as it is read, before Hydra makes anything of it:
none can name a class, call a resolver, change Hydra, or give the word that only a command line may.
"""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra.plugins.config_source import ConfigLoadError, ConfigResult
from omegaconf import OmegaConf

from runner.config import hydra_inside
from runner.config.options import learn
from runner.config.problems import ALLOWED_IDS, IDENTIFIER, did_you_mean
from runner.config.schema import GROUPS
from runner.config.shipped import SHIPPED
from runner.config.typed import (
    LISTED,
    NAMED,
    NOTHING,
    ROOT,
    SINGLE,
    at,
    example_of,
    inner,
    meant,
    shape_of,
)
from runner.core.errors import ConfigError

MAX_YAML_BYTES = 1 << 20
MAX_YAML_NODES = 5_000
"""What Hydra composes in about a second; a few aliases (*name) can unfold to billions."""
MAX_YAML_DEPTH = 50
_HEADED = ("persona", "text")
"""Groups whose files say in their first line under which id they are known."""

_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
}
_MERGE = "tag:yaml.org,2002:merge"
_SCHEMA = "schema.yaml"
"""Hydra would read such a file in place of runner.config.schema."""
_HYDRAS_KEY = re.compile(r"_[a-z]+_")
_MAKES = "provider._target_"
_COMMAND_LINE_ONLY = ("provider.trust", "data")
_OWN_VALUE = re.compile(r"\$\{([a-z_]+)(\.[A-Za-z0-9_]+)*\}")
_CHOICE = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*")
_PACKAGE = re.compile(r"[a-z_]+(\.[A-Za-z0-9_-]+)*")
_HYDRAS_GROUPS = {
    "hydra/launcher": ("basic", "submitit_local", "submitit_slurm"),
    "hydra/job_logging": ("disabled", "none"),
    "hydra/hydra_logging": ("disabled", "none"),
}
"""What a file may choose of Hydra's own."""
_LAUNCHER = frozenset(
    (
        *("timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes"),
        *("name", "partition", "qos", "account", "constraint", "exclude", "gres", "comment"),
        *("cpus_per_gpu", "gpus_per_task", "mem_per_gpu", "mem_per_cpu"),
        *("signal_delay_s", "max_num_timeout", "array_parallelism"),
    )
)
"""What a file may say of a launcher: sbatch's own words, and no command."""
_SBATCH_WORD = re.compile(r"[A-Za-z0-9_.,:=+&|*@/-]*")
_HELP = frozenset({"app_name", "header", "footer"})


class FileConfigSource(hydra_inside.FileReader):
    """Reads the files of a configuration for Hydra, in place of its own reader.

    It bears that one's name: Hydra, in a process that a launcher started, leaves a reader of that
    name where it finds it, and takes any other for a mistake.
    """

    def __init__(self, provider: str, path: str) -> None:
        """Learn what the folder's providers can be told; in another process nothing else does."""
        super().__init__(provider, path)
        learn(Path(self.path))

    def load_config(self, config_path: str) -> ConfigResult:
        """Read and check one file.

        Raises:
            ConfigError: naming the file, and the line when there is one.
        """
        path = Path(self.path, self._normalize_file_name(config_path))
        if not path.exists():
            raise ConfigLoadError(f"Config not found : {path}")
        header, content = _READ.get(path) or _read(path, Path(self.path))
        return ConfigResult(
            config=OmegaConf.create(content),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header=dict(header),
        )


_Read = tuple[dict[str, str | None], dict[str, Any]]
_READ: dict[Path, _Read] = {}
"""What `check_files` has read: what was checked is what is composed."""


def register() -> None:
    """Let Hydra read files in this way."""
    hydra_inside.read_with(FileConfigSource)


def check_files(*folders: Path) -> None:
    """Refuse files that Hydra would stumble over or that say too much, before it reads any.

    Of the shipped folder, only what is composed is read, and checked then.

    Raises:
        ConfigError: naming the file, and the line when there is one.
    """
    _READ.clear()
    for folder in dict.fromkeys(folders):
        for group in ("", *GROUPS):
            if folder != SHIPPED:
                for path in sorted((folder / group).glob("*.yaml")):
                    _READ[path] = _read(path, folder)
            for path in (folder / group).glob("*.yml"):
                name = f"{group}/{path.name}".lstrip("/")
                raise ConfigError(f"{name}: is not read; rename it to {path.stem}.yaml")


def plain_yaml(path: Path, folder: Path) -> dict[str, Any]:
    """Return what a file says that is not composed, read and checked as the others are.

    Raises:
        ConfigError: naming the file, and the line when there is one.
    """
    return _read(path, folder, composed=False)[1]


def _read(path: Path, folder: Path, *, composed: bool = True) -> _Read:
    """Return a file's header and content, checked; one that is not composed says no package."""
    name = path.relative_to(folder).as_posix()
    foreign = not folder.samefile(SHIPPED)
    if foreign and not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{name}: {path} is a link that leaves the folder; copy the file")
    if foreign and name == _SCHEMA:
        raise ConfigError(f"{name}: that name is taken; rename it")
    text = _text(path, name)
    group, _, file = name.rpartition("/")
    stem = file.removesuffix(".yaml")
    if group in _HEADED and not IDENTIFIER.fullmatch(stem):
        raise ConfigError(f"{name}: id {stem!r}; {ALLOWED_IDS}")
    try:
        header = hydra_inside.header_of(text)
    except ValueError as error:
        raise ConfigError(f"{name}: its first line: {error}") from None
    if group in _HEADED:
        _check_header(stem, group, header.get("package"))
    package = _package(header.get("package"), group, stem, name) if composed else ""
    try:
        if _unfolded(text, name) > MAX_YAML_NODES:
            raise ConfigError(f"{name}: unfolds to more than {MAX_YAML_NODES:,} values")
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(broken_yaml(error, name)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: {' '.join(str(error).split())}") from None
    if root is None:
        return header, {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name}: has to hold settings, as key: value")
    return header, _File(name, foreign=foreign).content(root, package)


def _text(path: Path, name: str) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{name}: {path} is no file")
        if status.st_size > MAX_YAML_BYTES:
            raise ConfigError(f"{name}: {path} is larger than {MAX_YAML_BYTES:,} bytes")
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: {path} is not UTF-8 text ({error.reason})") from None
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read ({error.strerror})") from None


def _unfolded(text: str, name: str) -> float:
    """Return how many values a YAML text unfolds to; endless when one holds itself."""
    anchors: dict[str, float] = {}
    open_nodes: list[tuple[str | None, float]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > MAX_YAML_DEPTH:
                raise ConfigError(f"{name}: nested too deeply")
            continue
        if isinstance(event, yaml.AliasEvent):
            anchor, size = None, anchors.get(event.anchor, float("inf"))
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        else:
            continue
        if anchor is not None:
            anchors[anchor] = size
        open_nodes[-1] = (open_nodes[-1][0], open_nodes[-1][1] + size)
    return open_nodes[0][1]


def _check_header(stem: str, group: str, package: str | None) -> None:
    name = f"{group}/{stem}.yaml"
    if package != f"{group}.{stem}":
        raise ConfigError(
            f"{name}: its first line has to be '# @package {group}.{stem}', "
            f"so that it is known as {stem}"
        )


def _package(said: str | None, group: str, stem: str, name: str) -> str:
    """Return where in the configuration a file's content goes; empty: at its root."""
    package = group.replace("/", ".") if said is None else said
    package = package.replace("_group_", group.replace("/", ".")).replace("_name_", stem)
    if package in ("", "_global_"):
        return ""
    if package.split(".")[0] not in ROOT:
        hint = f"no such section as {package}; {did_you_mean(package, ROOT)}"
        if said is None:
            hint = "the first line of the file has to be '# @package _global_'"
        raise ConfigError(f"{name}: {hint}")
    return package


def broken_yaml(error: yaml.MarkedYAMLError, name: str = "") -> str:
    """Return what is wrong with a YAML file, and in which line."""
    mark = error.problem_mark or error.context_mark
    where = "" if mark is None else f", line {mark.line + 1}"
    return f"{name or (mark.name if mark else 'YAML')}{where}: {error.problem or error.context}"


class _File:
    """Makes plain data of one file's nodes."""

    def __init__(self, name: str, *, foreign: bool) -> None:
        self._name = name
        self._foreign = foreign

    def content(self, root: yaml.MappingNode, package: str) -> dict[str, Any]:
        """Return the whole file."""
        self._check_tag(root)
        found: dict[str, Any] = {}
        for key, node in self._pairs(root).items():
            if key == "defaults":
                found[key] = self._defaults(node)
            elif key == "hydra" and not package:
                found[key] = self._hydra(node)
            else:
                path = self._checked(f"{package}.{key}".lstrip("."), node)
                found[key] = self._value(node, inner(at(package), key), path)
        return found

    def _value(self, node: yaml.Node, kind: Any, path: str) -> Any:
        self._check_tag(node)
        self._check_shape(node, kind, path)
        if isinstance(node, yaml.MappingNode):
            return {
                key: self._value(value, inner(kind, key), self._checked(f"{path}.{key}", value))
                for key, value in self._pairs(node).items()
            }
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [self._value(item, inner(kind, ""), f"{path}[{n}]") for n, item in items]
        where = f"{self._name}: {path}"
        self._check_interpolation(node.value, where)
        return meant(node.value, kind, where, quoted=bool(node.style))

    def _pairs(self, node: yaml.MappingNode) -> dict[str, yaml.Node]:
        """Return the keys of a mapping, as they stand there, with their nodes; << is taken in."""
        own: dict[str, yaml.Node] = {}
        merged: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{self._at(key)}: a key has to be a word")
            if key.tag == _MERGE:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(part, yaml.MappingNode):
                        raise ConfigError(f"{self._at(part)}: << takes settings, as *name")
                    merged = self._pairs(part) | merged
            elif key.value in own:
                raise ConfigError(f"{self._at(key)}: found duplicate key {key.value}")
            else:
                own[key.value] = value
        return merged | own

    def _checked(self, path: str, node: yaml.Node) -> str:
        """Refuse keys by which a file would act."""
        key = path.rpartition(".")[2]
        if path in _COMMAND_LINE_ONLY:
            raise ConfigError(
                f"{self._at(node)}: {path} is for the person who starts the run to say: it is taken from "
                "the command line only"
            )
        if _HYDRAS_KEY.fullmatch(key) and path != _MAKES:
            raise ConfigError(f"{self._at(node)}: {path}: a file names no class; leave {key} out")
        return path

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _TAGS:
            raise ConfigError(f"{self._at(node)}: the tag {node.tag} is not allowed")

    def _check_shape(self, node: yaml.Node, kind: Any, path: str) -> None:
        """Refuse a list where names with values are wanted, and the like; Hydra would not say where."""
        said = {yaml.MappingNode: NAMED, yaml.SequenceNode: LISTED}.get(type(node), SINGLE)
        wanted = shape_of(kind)
        if wanted in (None, said) or (said == SINGLE and node.value in (*NOTHING, "???")):
            return
        if said == SINGLE and "${" in node.value:
            return
        raise ConfigError(
            f"{self._at(node)}: {path} is {said}; allowed: {wanted}, as {example_of(kind, path)}"
        )

    def _check_interpolation(self, text: str, where: str) -> None:
        if not self._foreign or "${" not in text:
            return
        rest = _OWN_VALUE.sub(lambda m: "" if m[1] in ROOT else m[0], text)
        if "${" in rest:
            raise ConfigError(
                f"{where}: ${{…}} may name another setting, as ${{provider.name}}, and nothing of "
                "this machine: it is not allowed to read the environment or to call anything"
            )

    def _at(self, node: yaml.Node) -> str:
        return f"{self._name}, line {node.start_mark.line + 1}"

    # -- what is about Hydra

    def _defaults(self, node: yaml.Node) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise ConfigError(f"{self._at(node)}: defaults has to be a list")
        return [self._default(item) for item in node.value]

    def _default(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self._check_choice(node)
            return node.value
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{self._at(node)}: not understood; write group: file")
        found: dict[str, Any] = {}
        for key, value in self._pairs(node).items():
            group = key.removeprefix("optional ").removeprefix("override ").strip()
            group, at_sign, package = group.removeprefix("/").partition("@")
            choices = value.value if isinstance(value, yaml.SequenceNode) else [value]
            self._check_group(group, choices, node)
            if at_sign:
                self._check_package(package, node)
            none = isinstance(value, yaml.ScalarNode) and not value.style and value.value in NOTHING
            for choice in [] if none else choices:
                self._check_choice(choice)
            chosen = [choice.value for choice in choices]
            single = None if none else chosen[0] if chosen else None
            found[key] = chosen if isinstance(value, yaml.SequenceNode) else single
        return found

    def _check_choice(self, node: yaml.Node) -> None:
        if not self._foreign:
            return
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        name, at_sign, package = text.removeprefix("/").partition("@")
        if not _CHOICE.fullmatch(name) or name.startswith("hydra"):
            raise ConfigError(
                f"{self._at(node)}: defaults: {text!r} is not taken; allowed: the name of a file in "
                "the folder"
            )
        if at_sign:
            self._check_package(package, node)

    def _check_package(self, package: str, node: yaml.Node) -> None:
        known = package.split(".", maxsplit=1)[0] in ROOT
        if self._foreign and not (_PACKAGE.fullmatch(package) and known):
            raise ConfigError(
                f"{self._at(node)}: defaults: '@{package}': {did_you_mean(package, GROUPS)}"
            )

    def _check_group(self, group: str, choices: list[yaml.Node], node: yaml.Node) -> None:
        if not self._foreign:
            return
        if group.split("/", maxsplit=1)[0] in GROUPS and _CHOICE.fullmatch(group):
            return
        allowed = _HYDRAS_GROUPS.get(group, ())
        for choice in choices:
            if choice.value not in allowed:
                word, known = str(choice.value), allowed
                if not allowed:
                    word, known = group, (*GROUPS, *_HYDRAS_GROUPS)
                raise ConfigError(
                    f"{self._at(node)}: defaults: {group}: {choice.value} is not taken from a file; "
                    f"{did_you_mean(word, known)}"
                )

    def _hydra(self, node: yaml.Node) -> Any:
        """Return what a file says of Hydra: settings of a launcher, or what the shipped file says."""
        plain = self._value(node, Any, "hydra")
        if self._foreign:
            for path, value in _leaves(plain, "hydra"):
                self._check_hydra(path, value, node)
        return plain

    def _check_hydra(self, path: str, value: Any, node: yaml.Node) -> None:
        section, _, key = path.removeprefix("hydra.").partition(".")
        text = "" if value is None else str(value)
        if section == "launcher" and key in _LAUNCHER and _SBATCH_WORD.fullmatch(text):
            return
        if section == "help" and key in _HELP and "${" not in text:
            return
        shipped = _read(SHIPPED / "config.yaml", SHIPPED)[1]["hydra"]
        if dict(_leaves(shipped, "hydra")).get(path, ...) == value:
            return
        raise ConfigError(
            f"{self._at(node)}: {path} is not taken from a file; allowed there: "
            "hydra.launcher.timeout_min and its like, in plain words"
        )


def _leaves(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [leaf for key, part in value.items() for leaf in _leaves(part, f"{path}.{key}")]
    return [(path, value)]
