"""Pictures that messages show: what their first bytes say, and how many tokens vendors count for one.

Pure. Each formula is the vendor's own where it has published one for the model; where it has not, or
where two pages differ, the larger count is taken, since money is reserved by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from runner.core.model import Image, Model

KINDS: Final = ("png", "jpeg", "gif", "webp")
_FRAMES_OF_JPEG: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE_IN_JPEG: Final = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers of a JPEG that nothing belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """Which pictures a dialect carries."""

    kinds: tuple[str, ...]
    most_bytes: int
    """Of one file, as it is on disk."""
    most_bytes_together: int
    """Of all files of a request."""
    most: int
    """How many a request may have."""
    most_pixels: int | None
    """Of the longer side."""
    addresses: tuple[str, ...]
    """How an address begins that may stand for a file."""
    tokens: Callable[[Model, Image], int]
    """The most that are counted for one; of an address, the most for any picture."""
    source: str
    """Who says so, and when it was looked up."""


def header(data: bytes) -> tuple[str, int, int] | None:
    """Return kind, width and height of a picture by its first bytes; None when it is none of `KINDS`."""
    found = _png(data) or _gif(data) or _webp(data) or _jpeg(data)
    return found if found and found[1] and found[2] else None


def _number(data: bytes, at: int, length: int, order: str = "little") -> int:
    return int.from_bytes(data[at : at + length], "big" if order == "big" else "little")


def _png(data: bytes) -> tuple[str, int, int] | None:
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    return "png", _number(data, 16, 4, "big"), _number(data, 20, 4, "big")


def _gif(data: bytes) -> tuple[str, int, int] | None:
    if len(data) < 10 or data[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return "gif", _number(data, 6, 2), _number(data, 8, 2)


def _webp(data: bytes) -> tuple[str, int, int] | None:
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        return "webp", _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
    if data[12:16] == b"VP8L" and data[20] == 0x2F:
        bits = _number(data, 21, 4)
        return "webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return "webp", _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    return None


def _jpeg(data: bytes) -> tuple[str, int, int] | None:
    """Look for the segment that has the size; others stand before it, as a camera's notes."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES_OF_JPEG:
            return "jpeg", _number(data, at + 7, 2, "big"), _number(data, at + 5, 2, "big")
        if marker == 0xFF:  # a filler
            at += 1
        elif marker in _ALONE_IN_JPEG:
            at += 2
        else:
            at += 2 + max(_number(data, at + 2, 2, "big"), 2)
    return None


def described(image: Image) -> str:
    """Say what a picture is, as [image photos/a.png, 640x480 png, 80 kB]."""
    if not image.kind:
        return f"[image {image.name}]"
    return f"[image {image.name}, {facts(image.kind, image.width, image.height, image.bytes)}]"


def facts(kind: str, width: int, height: int, size: int) -> str:
    """Say kind and size of a picture, as 640x480 png, 80 kB."""
    weight = f"{-(-size // 1000):,} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
    return f"{width}x{height} {kind}, {weight}"


# -- tokens


def _pieces(width: int, height: int, side: int) -> int:
    """Return how many squares cover a picture."""
    return -(-width // side) * -(-height // side)


_TILED: Final = (
    ("*gpt-4o-mini*", 2833, 5667),
    ("*gpt-4o*", 85, 170),
    ("*gpt-4.1*", 85, 170),
    ("*gpt-4.5*", 85, 170),
    ("gpt-4-*", 85, 170),
    ("o1*", 75, 150),
    ("o3*", 75, 150),
    ("gpt-5-chat*", 70, 140),
)
"""Of models that see tiles of 512 pixels: what is counted for a picture, and for each tile of it."""
_PATCHED: Final = (
    ("*gpt-4.1-mini*", 1536, 162),
    ("*gpt-4.1-nano*", 1536, 246),
    ("o4-mini*", 1536, 172),
    ("gpt-5-mini*", 1536, 162),
    ("gpt-5-nano*", 1536, 246),
    ("gpt-5.4-mini*", 1536, 162),
    ("gpt-5.4-nano*", 1536, 246),
)
"""Of models that see patches of 32 pixels: the most of them, and what a hundred are counted as."""
_ANY_PATCHES: Final = (30_000, 246)
"""Of other models: GPT-5.6 and 6 refuse a picture of more patches; the dearest published factor."""
_ANY_TILES: Final = (85, 170)
_MOST_TILES: Final = 8
"""Of a picture within 2048 by 2048 whose shorter side is 768."""


def openai_tokens(model: Model, image: Image) -> int:
    """Return the most that OpenAI counts for a picture with `detail` left out.

    developers.openai.com/api/docs/guides/images-vision, 2026-09: tiles or patches, by the model. That
    small pictures are not enlarged to 768 pixels is not said plainly: they are taken to be.
    """
    for match, most, factor in _PATCHED:
        if fnmatchcase(model.name, match):
            return _in_patches(image, most, factor)
    for match, base, tile in _TILED:
        if fnmatchcase(model.name, match):
            return _in_tiles(image, base, tile)
    return max(_in_patches(image, *_ANY_PATCHES), _in_tiles(image, *_ANY_TILES))


def _in_patches(image: Image, most: int, factor: int) -> int:
    patches = min(_pieces(image.width, image.height, 32), most) if image.kind else most
    return -(-patches * factor // 100)


def _in_tiles(image: Image, base: int, tile: int) -> int:
    return base + tile * (_tiles(image) if image.kind else _MOST_TILES)


def _tiles(image: Image) -> int:
    """Scale to a shorter side of 768, the longer one at most 2048, and count squares of 512."""
    short, long = sorted((image.width, image.height))
    return _pieces(768, min(-(-long * 768 // short), 2048), 512)


_MOST_OF_ANTHROPIC: Final = 4784


def anthropic_tokens(_: Model, image: Image) -> int:
    """Return the most that Anthropic counts for a picture.

    platform.claude.com/docs/en/build-with-claude/vision, 2026-09: width * height / 750 or, of later
    models, a token for each 28 by 28 pixels, of a picture scaled down to 4,784 at most.
    """
    if not image.kind:
        return _MOST_OF_ANTHROPIC
    by_area = -(-image.width * image.height // 750)
    return min(max(by_area, _pieces(image.width, image.height, 28)), _MOST_OF_ANTHROPIC)


_IN_TILES: Final = ("gemini-1*", "gemini-2*")
_A_TILE, _MOST_OF_GEMINI_TILES = 258, 24
_OF_ONE, _OF_ONE_IN_DETAIL = 1120, 2304


def gemini_tokens(model: Model, image: Image) -> int:
    """Return the most that Gemini counts for a picture.

    ai.google.dev/gemini-api/docs/tokens and /media-resolution, 2026-09. Up to 2.5: 258 for each tile
    of two thirds of the shorter side, of 256 to 768 pixels, within 3072 by 3072, and one more for the
    whole. From 3 on 1,120. Twice that, if it is more, where a `mediaResolution` is asked for.
    """
    least = _OF_ONE_IN_DETAIL if "mediaResolution" in repr(model.parameters) else 0
    if not any(fnmatchcase(model.name, match) for match in _IN_TILES):
        return max(least, _OF_ONE)
    tiles = _MOST_OF_GEMINI_TILES
    if image.kind:
        side = min(max(min(image.width, image.height) * 2 // 3, 256), 768)
        tiles = min(_pieces(image.width, image.height, side), tiles)
    return max(least, _A_TILE * (tiles + 1))
