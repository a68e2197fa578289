"""Seeded dice: the same seed and the same key always fall the same way."""

from hashlib import blake2b


def fingerprint(seed: int, kind: str, key: str) -> str:
    """Return 96 hex digits that belong to this seed, kind and key alone."""
    return blake2b(f"{seed}\x1f{kind}\x1f{key}".encode(), digest_size=48).hexdigest()


def chance(seed: int, kind: str, key: str) -> float:
    """Return a number in [0, 1) that belongs to this seed, kind and key alone."""
    digest = blake2b(f"{seed}\x1f{kind}\x1f{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class Dice:
    """Many small draws out of one hash: a tenth of the price of `random.Random` per answer."""

    __slots__ = ("_bits", "_key")

    def __init__(self, seed: int, key: str) -> None:
        """Start a sequence that belongs to this seed and key alone."""
        self._key = blake2b(f"{seed}\x1f{key}".encode()).digest()
        self._bits = int.from_bytes(self._key, "big")

    def roll(self, sides: int) -> int:
        """Return the next number in [0, sides)."""
        if self._bits < 2**40:
            self._key = blake2b(self._key).digest()
            self._bits = int.from_bytes(self._key, "big")
        self._bits, face = divmod(self._bits, sides)
        return face

    def share(self) -> float:
        """Return the next number in [0, 1)."""
        return self.roll(2**20) / 2**20

    def bell(self) -> float:
        """Return the next number of a rough bell curve: mean 0, spread 1, never beyond 3.5."""
        return (self.roll(256) + self.roll(256) + self.roll(256) + self.roll(256) - 510) / 147.8
