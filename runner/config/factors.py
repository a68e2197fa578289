"""What is varied: the section `factors`, its design and the messages, translated into runner.core's nouns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from runner.config.columns import OF_ANSWERS, OF_REPORTS
from runner.config.problems import IDENTIFIER, did_you_mean
from runner.config.schema import MessageConfig
from runner.config.sent import setting_of
from runner.core.errors import ConfigError
from runner.core.model import Design, Factor, Level, Message
from runner.core.near_misses import near_misses
from runner.core.prompt import ASKED, SHORT_FORMS, placeholders

ROLES = ("system", "user", "assistant")
FACTOR_KEYS = (
    *("file", "from", "id", "where", "sample", "keep", "missing", "levels", "select", "sends"),
)
SAMPLE_KEYS = ("rows", "seed", "by")
DESIGN_KEYS = ("cross", "with", "only", "between", "seed")
FACTOR_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
TAKEN = frozenset((*ASKED, *SHORT_FORMS, "temperatures", "trials")) | OF_ANSWERS | OF_REPORTS
"""Names that stand for something else, in a message or as a column of the tables."""
_LONGEST_HINT = 300
_TEMPERATURES = ("temperature", "temperature_modifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the levels of factors are found."""

    folders: Sequence[Path]
    """The configuration's, the first one first."""
    outputs: Path
    """The folder of all experiments' answers."""
    name: str
    """Of the experiment that asks."""
    rehearsal: bool
    """Whether it is a rehearsal, which may take rehearsed answers."""


def messages_of(rows: Iterable[MessageConfig]) -> tuple[Message, ...]:
    """Return the messages, checked but for their placeholders.

    Raises:
        ConfigError: naming the message.
    """
    messages = tuple(
        Message(role=row.role, content=row.content, images=tuple(row.images)) for row in rows
    )
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if message.role not in ROLES:
            raise ConfigError(
                f"{where}: role {message.role!r}; {did_you_mean(message.role, ROLES)}"
            )
        if not message.content.strip():
            raise ConfigError(f"{where}: content is empty")
        if message.images and message.role != "user":
            raise ConfigError(
                f"{where}.images: role {message.role!r} has none; allowed: pictures beside what the "
                "user says"
            )
        if message.role == "system" and any(m.role != "system" for m in messages[:place]):
            raise ConfigError(f"{where}: a system message stands before all others")
    if messages and messages[-1].role != "user":
        raise ConfigError("messages: the last one is the user's: it is what the model answers")
    return messages


def named_in(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return which factors some texts name, and which fields of each."""
    named: dict[str, set[str]] = {}
    for text in texts:
        for placeholder in placeholders(text):
            factor, dot, name = placeholder.partition(".")
            named.setdefault(factor, set()).update([name] if dot else [])
    return named


def factors_of(
    section: Mapping[str, Any],
    named: Mapping[str, set[str]],
    data: Mapping[str, str],
    places: Places,
    *,
    texts: Sequence[str] = (),
) -> dict[str, Factor]:
    """Return the factors of the section `factors`, in its order.

    Args:
        section: as composed; every word in it is text.
        named: which of them the prompt names, and which fields of each.
        data: files that the command line puts in the place of others, by factor.
        places: where files and answers are found.
        texts: what is sent, looked through for what nearly names a factor.

    Raises:
        ConfigError: naming the factor, and the row where it is one.
    """
    for name in data:
        if name not in section:
            raise ConfigError(
                f"data.{name}: there is no such factor; {did_you_mean(name, section)}"
            )
    found = {}
    for name, said in section.items():
        where = f"factors.{name}"
        if not FACTOR_NAME.fullmatch(name):
            raise ConfigError(f"{where}: allowed: a small letter, then small letters, digits and _")
        if name in TAKEN:
            raise ConfigError(f"{where}: {name} means something else already; choose another name")
        if said is None:  # left out on the command line
            continue
        sends = said.get("sends") if isinstance(said, Mapping) else None
        if name not in named and sends is None:
            nearly = next((found for text in texts for found, _ in near_misses(text, [name])), None)
            hint = f" ({nearly} is none: write {{{name}}} or {{{name}.FIELD}})" if nearly else ""
            raise ConfigError(
                f"{where}: no message names {{{name}}} or one of its fields{hint}, so that all its levels "
                "would be asked the same; name it, or say with sends: which setting its levels are"
            )
        factor = _factor(name, said, named.get(name, set()), data.get(name), places)
        if isinstance(said, Mapping) and said.get("select") is not None:
            factor = _selected(factor, _list(said["select"], f"{where}.select"))
        if sends is not None:
            factor = replace(factor, sends=setting_of(sends, where))
        if not factor.levels:
            raise ConfigError(f"{where}: has no levels")
        found[name] = factor
    return found


def _factor(name: str, said: Any, sent: set[str], other_file: str | None, places: Places) -> Factor:
    where = f"factors.{name}"
    if isinstance(said, list):
        said = {"levels": said}
    if not isinstance(said, Mapping):
        raise ConfigError(
            f"{where}: {said!r}; allowed: a list of words, levels: by id, or file: with a table"
        )
    _check_keys(said, FACTOR_KEYS, where)
    chosen = [key for key in ("levels", "file", "from") if key in said]
    if len(chosen) != 1 and (chosen or other_file is None):
        raise ConfigError(f"{where}: either levels: or file: or from: says what its levels are")
    if "levels" in said and other_file is None:
        return _inline(name, said["levels"], sent)
    if "from" in said:
        path = _answers_of(str(said["from"]), places, where)
    else:
        path = found(said.get("file"), other_file, places.folders, where)
    from runner.config.level_files import ANSWER, LevelFile, read_levels

    sample = said.get("sample") or {}
    if not isinstance(sample, Mapping):
        raise ConfigError(f"{where}.sample: write {{rows: 100}}")
    _check_keys(sample, SAMPLE_KEYS, f"{where}.sample")
    rows = sample.get("rows")
    levels, main = read_levels(
        LevelFile(
            where=where,
            path=path,
            rehearsal=places.rehearsal,
            id=said.get("id", ANSWER if path.is_dir() else None),
            rows_where=said.get("where"),
            sample_rows=None if rows is None else _whole(rows, 1, f"{where}.sample.rows"),
            sample_seed=_whole(sample.get("seed", "1"), 0, f"{where}.sample.seed"),
            sample_by=sample.get("by"),
            keep=None if said.get("keep") is None else tuple(_list(said["keep"], f"{where}.keep")),
            missing=said.get("missing"),
        ),
        sent,
    )
    return Factor(name=name, levels=levels, main=main if not sent else None)


def _selected(factor: Factor, ids: Sequence[str]) -> Factor:
    for id_ in ids:
        if id_ not in factor.levels:
            raise ConfigError(
                f"factors.{factor.name}.select: {id_!r} is no level; "
                f"{did_you_mean(id_, factor.levels)[:_LONGEST_HINT]}"
            )
    return replace(factor, levels={k: v for k, v in factor.levels.items() if k in set(ids)})


def _inline(name: str, said: Any, sent: set[str]) -> Factor:
    """Return a factor whose levels stand in the YAML: words, or words with fields."""
    where = f"factors.{name}"
    if isinstance(said, list):
        _check_distinct(said, where)
        said = dict.fromkeys(_list(said, where))
    if not isinstance(said, Mapping):
        raise ConfigError(f"{where}.levels: write a list of words, or each level with its fields")
    rows = {str(id_): _fields(row, f"{where}.levels.{id_}") for id_, row in said.items()}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    words = [key for key in columns if key not in _TEMPERATURES]
    for id_, row in rows.items():
        for key in (*sent, *(words if len(words) == 1 else ())):
            if key not in row:
                raise ConfigError(
                    f"{where}.levels.{id_}: has no {key!r}, which a message names; "
                    f"{did_you_mean(key, row)}"
                )
    return Factor(
        name=name,
        levels={
            id_: Level(
                id=id_,
                fields={key: row[key] for key in words},
                temperature=_temperature(row, f"{where}.levels.{id_}"),
            )
            for id_, row in rows.items()
        },
        main=words[0] if len(words) == 1 else None,
    )


def _fields(row: Any, where: str) -> dict[str, str]:
    if row is None or row == {}:
        return {}
    if isinstance(row, str):
        return {"text": row.rstrip("\n")}
    if not isinstance(row, Mapping) or not all(isinstance(value, str) for value in row.values()):
        raise ConfigError(f"{where}: write a text, or fields as {{text: …}}")
    return {str(key): value.rstrip("\n") for key, value in row.items()}


def _temperature(row: Mapping[str, str], where: str) -> Decimal:
    total = Decimal(0)
    for key in _TEMPERATURES:
        try:
            number = Decimal(row.get(key, "0"))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not -5 <= number <= 5:
            raise ConfigError(f"{where}.{key}: {row[key]!r}; allowed: -5 to 5")
        total += number.normalize() + 0
    return total


def _answers_of(experiment: str, places: Places, where: str) -> Path:
    """Return the folder of another experiment, whose answers are the levels."""
    if not IDENTIFIER.fullmatch(experiment):
        raise ConfigError(f"{where}.from: {experiment!r}; allowed: the name of an experiment")
    if experiment == places.name:
        raise ConfigError(f"{where}.from: an experiment asks about another one's answers")
    folder = places.outputs / experiment
    if not folder.is_dir():
        there = [path.name for path in places.outputs.glob("*") if path.is_dir()]
        raise ConfigError(
            f"{where}.from: {folder} does not exist; {did_you_mean(experiment, there)}"
        )
    return folder


def found(said: str | None, other: str | None, folders: Sequence[Path], where: str) -> Path:
    """Return the path of a factor's file: one that the command line names may be anywhere."""
    if other is not None:
        return Path(other).expanduser()
    assert said is not None
    return beside(said, folders, f"{where}.file")


def beside(said: str, folders: Sequence[Path], where: str) -> Path:
    """Return the path of a file beside the experiment's own; it need not be there.

    Raises:
        ConfigError: it is, or links, outside of the configuration's folders.
    """
    if not said or Path(said).is_absolute() or ".." in Path(said).parts:
        raise ConfigError(f"{where}: {said!r}; allowed: a file beside the experiment's own")
    places = [folder / part / said for folder in folders for part in ("experiment", "")]
    path = next((place for place in places if place.is_file()), places[0])
    folder = next(folder for folder in folders if path.is_relative_to(folder))
    if path.is_file() and not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{where}: {path} is a link that leaves its folder: copy the file")
    return path


# -- the design


def design_of(
    said: Mapping[str, Any], factors: Mapping[str, Factor], folders: Sequence[Path]
) -> Design:
    """Return which levels come together.

    Raises:
        ConfigError: naming the factor or the row.
    """
    _check_keys(said, DESIGN_KEYS, "design")
    if said.get("only") is not None:
        beside = [key for key in DESIGN_KEYS if key != "only" and said.get(key) is not None]
        if beside:
            raise ConfigError(
                f"design: only: stands alone, since it says every combination itself: leave "
                f"{', '.join(f'{key}:' for key in beside)} out"
            )
        return Design(only=_only(said["only"], factors, folders))
    paired = said.get("with") or {}
    if not isinstance(paired, Mapping):
        raise ConfigError("design.with: write a factor and the one it goes along with, as {a: b}")
    for name, other in paired.items():
        for one in (name, other):
            if one not in factors:
                raise ConfigError(
                    f"design.with: {one!r} is no factor; {did_you_mean(one, factors)}"
                )
        if other in paired:
            raise ConfigError(f"design.with.{name}: {other} goes along with another one itself")
        counts = len(factors[name].levels), len(factors[other].levels)
        if counts[0] != counts[1]:
            raise ConfigError(
                f"design.with: {name} has {counts[0]:,} levels and {other} has {counts[1]:,}: a pair "
                "needs as many of the one as of the other"
            )
    between = _between(said, factors, paired)
    cross = _list(said["cross"], "design.cross") if said.get("cross") is not None else None
    wanted = [name for name in factors if name not in (*paired, *between)]
    if cross is not None and sorted(cross) != sorted(wanted):
        raise ConfigError(
            f"design.cross: {', '.join(cross)}; it names every factor that is in no pair and not "
            f"between, each once: {', '.join(wanted)}"
        )
    return Design(
        paired={str(k): str(v) for k, v in paired.items()},
        between=between,
        seed=_whole(said.get("seed") or "1", 0, "design.seed"),
    )


def _between(
    said: Mapping[str, Any], factors: Mapping[str, Factor], paired: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the factors of which each combination of the others gets one level."""
    if said.get("between") is None:
        if said.get("seed") is not None:
            raise ConfigError("design.seed: only between: draws anything; leave it out")
        return ()
    between = _list(said["between"], "design.between")
    _check_distinct(between, "design.between")
    for name in between:
        if name not in factors:
            raise ConfigError(
                f"design.between: {name!r} is no factor; {did_you_mean(name, factors)}"
            )
        if name in paired:
            raise ConfigError(
                f"design.between: {name} goes along with {paired[name]}, which decides its level: "
                f"name {paired[name]} here, or take {name} out of with:"
            )
    if not [name for name in factors if name not in (*paired, *between)]:
        raise ConfigError(
            "design.between: no other factor is left whose combinations could get a level each"
        )
    return tuple(between)


def _only(
    said: str, factors: Mapping[str, Factor], folders: Sequence[Path]
) -> tuple[tuple[str, ...], ...]:
    from runner.config.level_files import rows_in

    path = found(said, None, folders, "design.only")
    rows = rows_in(path, "design.only")
    for name in factors:
        if name not in rows[0]:
            raise ConfigError(
                f"design.only: {path.name} has no column {name!r}; {did_you_mean(name, rows[0])}"
            )
    seen: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows, 1):
        for name, factor in factors.items():
            if row[name] not in factor.levels:
                raise ConfigError(
                    f"design.only: {path.name}, row {number}: {row[name]!r} is no level of {name}"
                )
        twin = seen.setdefault(tuple(str(row[name]) for name in factors), number)
        if twin != number:
            raise ConfigError(f"design.only: {path.name}: rows {twin} and {number} are the same")
    return tuple(seen)


# -- small checks


def _check_keys(said: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in said:
        if key not in known:
            raise ConfigError(f"{where}.{key}: no such key; {did_you_mean(str(key), known)}")


def _list(said: Any, where: str) -> list[str]:
    if isinstance(said, str):
        return [said]
    if not isinstance(said, list) or not all(isinstance(word, str) for word in said):
        raise ConfigError(f"{where}: write a list of words, as [a, b]")
    return said


def _check_distinct(said: list[Any], where: str) -> None:
    for word in said:
        if said.count(word) > 1:
            raise ConfigError(f"{where}: {word!r} stands twice")


def _whole(said: Any, low: int, where: str) -> int:
    if not isinstance(said, str) or not said.isascii() or not said.isdigit() or int(said) < low:
        raise ConfigError(f"{where}: {said!r}; allowed: a whole number from {low}")
    return int(said)
