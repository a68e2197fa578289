"""What pictures say of themselves, and how many tokens are counted for them."""

import io
from decimal import Decimal

import pytest
from PIL import Image as Pillow

from runner.core.images import (
    KINDS,
    anthropic_tokens,
    described,
    gemini_tokens,
    header,
    openai_tokens,
)
from runner.core.model import Image, Model
from runner.emulator import pictures as emulated
from tests.pictures import picture
from tests.variants import first

SIZES = ((1, 1), (7, 300), (255, 256), (640, 480), (1024, 1024), (3000, 2000))


@pytest.mark.parametrize("kind", first(2, KINDS))
@pytest.mark.parametrize("size", SIZES)
def test_kind_and_size_stand_in_the_first_bytes(kind, size):
    assert header(picture(kind, *size)) == (kind, *size)


HOWS = {
    "webp, lossless": ("webp", {"lossless": True}),
    "webp, with notes": ("webp", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
    "jpeg, progressive": ("jpeg", {"progressive": True}),
    "jpeg, with a long comment": ("jpeg", {"comment": b"\xff\xc0" + b"c" * 60_000}),
    "png, interlaced": ("png", {"optimize": True}),
}


@pytest.mark.parametrize(("kind", "how"), HOWS.values(), ids=HOWS)
def test_other_ways_to_write_a_picture(kind, how):
    assert header(picture(kind, 321, 123, **how)) == (kind, 321, 123)


def test_grey_and_clear_pictures():
    for mode in ("L", "P", "RGBA", "1"):
        into = io.BytesIO()
        Pillow.new(mode, (33, 44)).save(into, "PNG")
        assert header(into.getvalue()) == ("png", 33, 44)


NO_PICTURES = {
    "nothing": b"",
    "text": b"photos/a.png",
    "html": b"<!doctype html><html></html>" * 9,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "bmp": b"BM" + b"\0" * 60,
    "pdf": b"%PDF-1.7" + b"\0" * 60,
    "the sign of a png only": b"\x89PNG\r\n\x1a\n",
    "a png of no width": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 8 + b"\x08\x02\0\0\0",
    "a jpeg that ends": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a jpeg without a frame": b"\xff\xd8\xff\xe0\x00\x04ab" + b"\xff\xd9" * 9,
    "a jpeg of empty segments": b"\xff\xd8" + b"\xff\xe0\x00\x00" * 40,
    "a wave file": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 40,
    "an unknown webp": b"RIFF\x24\0\0\0WEBPVP8?" + b"\0" * 40,
}


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture(data):
    assert header(data) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_anywhere_is_read_or_is_none(kind):
    whole = picture(kind, 300, 200)
    for end in range(len(whole)):
        assert header(whole[:end]) in (None, (kind, 300, 200))


def test_how_a_picture_is_shown():
    one = Image(name="photos/a.png", kind="png", width=640, height=480, bytes=80_000)
    assert described(one) == "[image photos/a.png, 640x480 png, 80 kB]"
    assert described(Image(name="https://x.org/a.png")) == "[image https://x.org/a.png]"


# -- tokens


def model(name: str, **parameters: object) -> Model:
    return Model(
        provider="any",
        name=name,
        system_role=True,
        temperature_min=Decimal(0),
        temperature_max=Decimal(1),
        max_output_tokens=100,
        expected_output_tokens=10,
        parameters=parameters,
    )


def image(width: int, height: int) -> Image:
    return Image(name="a.png", kind="png", width=width, height=height, bytes=1)


PUBLISHED = [  # the vendors' own examples, and their tables
    (openai_tokens, "gpt-4o", (1024, 1024), 765),
    (openai_tokens, "gpt-4o", (2048, 4096), 1105),
    (openai_tokens, "ft:gpt-4o-mini:me", (1024, 1024), 2833 + 4 * 5667),
    (openai_tokens, "gpt-4.1-mini", (1024, 1024), 1659),
    (openai_tokens, "o4-mini", (4000, 4000), 2642),
    (openai_tokens, "gpt-4.1", (512, 512), 765),
    (openai_tokens, "gpt-6-luna", (1024, 1024), 2520),
    (openai_tokens, "gpt-6-luna", (9000, 9000), 73_800),
    (anthropic_tokens, "claude-haiku-4-5", (1000, 1000), 1334),
    (anthropic_tokens, "claude-haiku-4-5", (200, 200), 64),
    (anthropic_tokens, "claude-opus-5", (8000, 8000), 4784),
    (gemini_tokens, "gemini-2.5-flash", (384, 384), 258 * 5),
    (gemini_tokens, "gemini-2.5-flash", (960, 540), 258 * 7),
    (gemini_tokens, "gemini-3.1-flash-lite", (4000, 3000), 1120),
]


@pytest.mark.parametrize(("tokens", "name", "size", "expected"), PUBLISHED)
def test_tokens_by_the_published_formulas(tokens, name, size, expected):
    assert tokens(model(name), image(*size)) == expected


def test_a_resolution_that_is_asked_for_counts_for_more():
    asked = model("gemini-3.1-flash-lite", generationConfig={"mediaResolution": "HIGH"})
    assert gemini_tokens(asked, image(100, 100)) == 2304


EVERY = [
    (openai_tokens, emulated.openai_tokens, ("gpt-4o", "gpt-4.1", "gpt-6-luna", "any")),
    (anthropic_tokens, emulated.anthropic_tokens, ("claude-haiku-4-5", "claude-opus-5")),
    (gemini_tokens, emulated.gemini_tokens, ("gemini-3.1-flash-lite", "gemini-4-argon")),
]


@pytest.mark.parametrize(("most", "counted", "names"), EVERY)
def test_never_less_than_is_counted_and_never_more_for_a_file_than_for_an_address(
    most, counted, names
):
    sides = (1, 27, 28, 31, 33, 200, 384, 511, 513, 768, 769, 1568, 2048, 2049, 4100, 8000)
    for name in names:
        anywhere = most(model(name), Image(name="https://x.org/a.png"))
        for width in sides:
            for height in sides:
                of_file = most(model(name), image(width, height))
                assert of_file <= anywhere
                assert of_file >= counted(width, height), (name, width, height)
