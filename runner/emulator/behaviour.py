"""How the pretend service behaves: how fast, how badly, and with which seed."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from runner.emulator.dice import chance


class BehaviourError(ValueError):
    """The behaviour file says something the emulator does not know; one line says what."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Every knob; shares are between 0 and 1, and the same seed gives the same faults."""

    seed: int = 1
    validating_seconds: float = 0.3
    in_progress_seconds: float = 1.0
    finalizing_seconds: float = 0.2
    malformed: float = 0.08
    malformed_enhanced: float = 0.02
    http_429: float = 0.0
    http_500: float = 0.0
    lost_create_reply: float = 0.0
    failed_create_reply: float = 0.0
    late_list_seconds: float = 0.0
    shuffle: bool = False
    missing_lines: float = 0.0
    duplicate_lines: float = 0.0
    unknown_lines: float = 0.0
    failed_lines: float = 0.0
    half_expired: float = 0.0
    token_limit: float = 0.0
    truncated_downloads: float = 0.0
    enqueued_token_limit: int | None = None
    all_failed: bool = False
    min_requests: int | None = None
    """The fewest requests that a batch may have, at services that have such a quota."""

    def happens(self, fault: str, key: str) -> bool:
        """Say whether this fault strikes what the key names."""
        share: float = getattr(self, fault)
        return share > 0 and (share >= 1 or chance(self.seed, fault, key) < share)


def load_behaviour(path: Path | None) -> Behaviour:
    """Read a behaviour file; without one, the service behaves well."""
    if path is None:
        return Behaviour()
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BehaviourError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BehaviourError(f"{path}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise BehaviourError(f"{path}: must hold one JSON object")
    try:
        return parse_behaviour(given)
    except BehaviourError as error:
        raise BehaviourError(f"{path}: {error}") from error


def parse_behaviour(given: dict[str, Any]) -> Behaviour:
    """Turn a JSON object into a Behaviour, naming the first key that is wrong."""
    known = {field.name: field.type for field in fields(Behaviour)}
    for key, value in given.items():
        if key not in known:
            raise BehaviourError(f"unknown key {key!r}; known keys: {', '.join(known)}")
        if complaint := _complaint(key, known[key], value):
            raise BehaviourError(f"{key}: {complaint}, not {value!r}")
    return Behaviour(**given)


def _complaint(key: str, kind: object, value: object) -> str | None:
    if kind is bool:
        return None if isinstance(value, bool) else "must be true or false"
    if isinstance(value, bool):
        return "must be a number"
    if kind is int:
        return None if isinstance(value, int) else "must be a whole number"
    if kind is not float:
        sound = value is None or (isinstance(value, int) and value >= 0)
        return None if sound else "must be null or a whole number from 0"
    if not isinstance(value, int | float):
        return "must be a number"
    if key.endswith("_seconds"):
        return None if 0 <= value < float("inf") else "must be seconds from 0"
    return None if 0 <= value <= 1 else "must be a share between 0 and 1"
