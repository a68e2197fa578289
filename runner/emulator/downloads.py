"""Sending a file in big chunks, or only its beginning."""

from collections.abc import Iterator
from pathlib import Path

from runner.emulator.dice import Dice

_CHUNK = 2**20


def chunks_of(path: Path, seed: int, key: str, *, cut: bool) -> Iterator[bytes]:
    """Yield a file's bytes; a cut one ends early, in mid-line or at a line's end."""
    with path.open("rb") as source:
        left = _cut_at(path, seed, key) if cut else path.stat().st_size
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def _cut_at(path: Path, seed: int, key: str) -> int:
    dice = Dice(seed, f"cut\x1f{key}")
    place = path.stat().st_size * (20 + dice.roll(60)) // 100
    if dice.roll(2):
        return place
    with path.open("rb") as source:
        source.seek(max(0, place - _CHUNK))
        before = source.read(min(place, _CHUNK))
    return place - (len(before) - before.rfind(b"\n") - 1)
