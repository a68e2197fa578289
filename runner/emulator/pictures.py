"""Pictures in a request: whether they are what they say, and how many tokens the vendors count for one."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*);base64,(?P<data>.*)", re.DOTALL)
_SIGNS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4})", re.DOTALL),
    "image/gif": re.compile(rb"GIF8[79]a(.{2})(.{2})", re.DOTALL),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP(VP8[ LX]).{4}(.{10})", re.DOTALL),
}
_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf].{3}(.{2})(.{2})", re.DOTALL)
_UNKNOWN = (1024, 1024)
"""Of a picture at an address, which the emulator does not look at."""


class PictureError(Exception):
    """A picture that the service would not take; the message is what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a request."""

    digest: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a request shows."""

    digests: tuple[str, ...] = ()
    tokens: int = 0


NO_PICTURES = Pictures()


def counted(pictures: Iterator[Picture], tokens: Callable[[int, int], int]) -> Pictures:
    """Look at the pictures of a request.

    Raises:
        PictureError: at the first that is none.
    """
    found = list(pictures)
    return Pictures(
        tuple(one.digest for one in found), sum(tokens(one.width, one.height) for one in found)
    )


def in_base64(data: Any, media_type: Any, most: int | None = None) -> Picture:
    """Look at a picture.

    Raises:
        PictureError: when it is none, or none of that type, or too long.
    """
    if media_type not in _SIGNS:
        raise PictureError(f"unsupported image type {media_type!r}")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise PictureError("invalid base64 data") from None
    if most is not None and len(data) > most:
        raise PictureError(f"image exceeds 5 MB maximum: {len(data)} bytes > {most} bytes")
    head = _SIGNS[media_type].match(content)
    if head is None:
        raise PictureError(f"the image is no valid {media_type}")
    return Picture(sha256(content).hexdigest(), *_size(content, media_type, head))


def at_address(address: Any, begin: str) -> Picture:
    """Take a picture's address for it.

    Raises:
        PictureError: when it is none of this kind.
    """
    if not isinstance(address, str) or not address.startswith(begin):
        raise PictureError(f"invalid image address {str(address)[:80]!r}")
    return Picture(sha256(address.encode()).hexdigest(), *_UNKNOWN)


def in_url(url: Any) -> Picture:
    """Look at a picture that is a data URL, or take its address for it."""
    inside = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
    return in_base64(inside["data"], inside["type"]) if inside else at_address(url, "https://")


def _size(content: bytes, media_type: str, head: re.Match[bytes]) -> tuple[int, int]:
    order: Any = "little" if media_type == "image/gif" else "big"
    if media_type == "image/jpeg":
        frame = _FRAME.search(content, 3)
        if frame is None:
            raise PictureError("the image is no valid image/jpeg")
        return int.from_bytes(frame[2], "big"), int.from_bytes(frame[1], "big")
    if media_type == "image/webp":
        return _size_of_webp(head[1], head[2])
    return int.from_bytes(head[1], order), int.from_bytes(head[2], order)


def _size_of_webp(chunk: bytes, begin: bytes) -> tuple[int, int]:
    """Read the sizes of the three kinds of WebP there are."""
    if chunk == b"VP8X":
        return int.from_bytes(begin[4:7], "little") + 1, int.from_bytes(begin[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(begin[1:5], "little")
        return bits % 2**14 + 1, bits // 2**14 % 2**14 + 1
    return (
        int.from_bytes(begin[6:8], "little") % 2**14,
        int.from_bytes(begin[8:10], "little") % 2**14,
    )


def openai_tokens(width: int, height: int) -> int:
    """Count 85 and 170 for each tile of 512 pixels, of a picture scaled down to 768."""
    scale = min(1, 2048 / max(width, height))
    scale *= min(1, 768 / (min(width, height) * scale))
    tiles = -(-max(int(width * scale), 1) // 512) * -(-max(int(height * scale), 1) // 512)
    return 85 + 170 * tiles


def anthropic_tokens(width: int, height: int) -> int:
    """Count one for 750 pixels, 1,600 at most."""
    return min(max(width * height // 750, 1), 1600)


def gemini_tokens(_: int, __: int) -> int:
    """Count 1,120, as Gemini 3 does for any picture."""
    return 1120
