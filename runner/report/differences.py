"""In what runs of one model were asked differently, in few words."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from runner.core.definition import VARIED
from runner.tables.runs import StoredRun

_LONGEST = 40


def told_apart(runs: Sequence[StoredRun], groups: Sequence[Hashable]) -> list[str]:
    """Say in what each run differs from others of its group, as `top_p=0.5, question=english`.

    What a sweep varied says it; where that is not enough, what the request says of the model, and
    the wording, as the record of each run has it.

    Args:
        runs: some may be there twice, with several models.
        groups: what of them is the same already, as experiment, provider and model.
    """
    alike: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        alike[group].append(place)
    said = [""] * len(runs)
    for places in alike.values():
        for facts in (_swept, _asked):
            told = [facts(runs[place]) for place in places]
            differing = [
                name
                for name in dict.fromkeys(name for one in told for name in one)
                if len({one.get(name) for one in told}) > 1
            ]
            words = [", ".join(f"{n}={one.get(n, 'null')}" for n in differing) for one in told]
            if len(set(words)) == len(places) or facts is _asked:
                break
        for place, text in zip(places, words, strict=True):
            said[place] = text
    return said


def _swept(run: StoredRun) -> dict[str, str]:
    return {name.removeprefix(VARIED): _word(cell["value"]) for name, cell in run.varied.items()}


def _asked(run: StoredRun) -> dict[str, str]:
    """Return what the record says of how the model was asked, and what a sweep varied."""
    model = run.definition.get("model") or {}
    prompt = run.definition.get("prompt") or {}
    questions = run.manifest["experiment"].get("question_set") or {}
    shuffle = run.definition.get("shuffle") or {}
    named = {
        **{f"shuffle_{what}": how for what, how in shuffle.items()},
        **dict(_flat(model.get("parameters") or {})),
        "max_output_tokens": model.get("max_output_tokens"),
        "system_role": model.get("system_role"),
        "arguments": model.get("arguments"),
        "question": questions.get("name"),
        "wording": prompt.get("first"),
    }
    return {**{name: _word(value) for name, value in named.items()}, **_swept(run)}


def _flat(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        found += _flat(value) if isinstance(value, Mapping) else [(name, value)]
    return found


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
