"""Pictures on the wire: the bytes that go out in each dialect, and what the emulator makes of them."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from runner.core.model import Condition, Image, Message, Model, Prompt, Stem
from runner.emulator.anthropic_rows import ParamsError, asked_in
from runner.emulator.openai_rows import OpenAIRows
from runner.emulator.vertex_rows import refusal
from runner.providers import _anthropic_lines, _chat, _vertex_lines
from runner.providers.base import PICTURES, Frame, is_echo
from tests.pictures import picture

CONDITION = Condition(stem=Stem("a"), levels=("a",), temperature=None)
SHOWN = {
    "a.png": Image(name="a.png", kind="png", data="iVBORw=="),
    "b.jpg": Image(name="b.jpg", kind="jpeg", data="/9j/"),
    "https://x.org/c.webp": Image(name="https://x.org/c.webp"),
    "gs://x/c.JPG": Image(name="gs://x/c.JPG"),
}


def model(name: str) -> Model:
    return Model(
        provider="any",
        name=name,
        system_role=True,
        temperature_min=Decimal(0),
        temperature_max=Decimal(1),
        max_output_tokens=100,
        expected_output_tokens=10,
    )


def prompt(last: str) -> Prompt:
    return Prompt(
        system="s",
        earlier=(
            Message(role="user", content="first", images=("a.png",)),
            Message(role="assistant", content="4"),
        ),
        user="last",
        images=("b.jpg", last),
        shown=SHOWN,
    )


def line(frame: Frame) -> bytes:
    return frame.before + b"a_n01" + frame.after


def test_in_a_chat_completion():
    sent = line(_chat.request_frame(model("gpt-4o"), CONDITION, prompt("https://x.org/c.webp")))
    assert sent == (
        b'{"custom_id":"a_n01","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o",'
        b'"messages":[{"role":"system","content":"s"},'
        b'{"role":"user","content":[{"type":"image_url","image_url":{"url":'
        b'"data:image/png;base64,iVBORw=="}},{"type":"text","text":"first"}]},'
        b'{"role":"assistant","content":"4"},'
        b'{"role":"user","content":[{"type":"image_url","image_url":{"url":'
        b'"data:image/jpeg;base64,/9j/"}},{"type":"image_url","image_url":{"url":'
        b'"https://x.org/c.webp"}},{"type":"text","text":"last"}]}],"max_completion_tokens":100}}\n'
    )


def test_in_a_message():
    frame = _anthropic_lines.request_frame(
        model("claude-haiku-4-5"), CONDITION, prompt("https://x.org/c.webp"), "c1-"
    )
    assert line(frame) == (
        b'{"custom_id":"c1-a_n01","params":{"model":"claude-haiku-4-5","max_tokens":100,"system":"s",'
        b'"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64",'
        b'"media_type":"image/png","data":"iVBORw=="}},{"type":"text","text":"first"}]},'
        b'{"role":"assistant","content":"4"},'
        b'{"role":"user","content":[{"type":"image","source":{"type":"base64",'
        b'"media_type":"image/jpeg","data":"/9j/"}},{"type":"image","source":{"type":"url",'
        b'"url":"https://x.org/c.webp"}},{"type":"text","text":"last"}]}]}}\n'
    )


def vertex() -> Frame:
    return _vertex_lines.request_frame(model("gemini-3"), CONDITION, prompt("gs://x/c.JPG"), "c1-")


def test_in_contents():
    assert line(vertex()) == (
        b'{"custom_id":"c1-a_n01","request":{"systemInstruction":{"parts":[{"text":"s"}]},'
        b'"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png",'
        b'"data":"iVBORw=="}},{"text":"first"}]},{"role":"model","parts":[{"text":"4"}]},'
        b'{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"/9j/"}},'
        b'{"fileData":{"mimeType":"image/jpeg","fileUri":"gs://x/c.JPG"}},{"text":"last"}]}],'
        b'"generationConfig":{"maxOutputTokens":100}}}\n'
    )


# -- an echo of pictures


def request() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line(vertex()))["request"]
    return found


def parts(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for turn in of["contents"] for part in turn["parts"]]


def test_an_echo_in_another_spelling_is_one():
    proof, echo = vertex().proof, request()
    for part in parts(echo):
        part.setdefault("text", None)
        if inline := part.pop("inlineData", None):
            data = inline["data"].replace("/", "_").rstrip("=")
            part["inline_data"] = {"data": data, "mime_type": inline["mimeType"]}
        if file := part.pop("fileData", None):
            part["file_data"] = {"file_uri": file["fileUri"]}
    assert is_echo(_vertex_lines.digest(echo) or "", proof or "")


def test_an_echo_that_leaves_pictures_out_proves_the_words_alone():
    proof, echo = vertex().proof, request()
    for turn in echo["contents"]:
        turn["parts"] = [part for part in turn["parts"] if "text" in part]
    assert is_echo(_vertex_lines.digest(echo) or "", proof or "")
    echo["contents"][0]["parts"][0]["text"] = "another"
    assert not is_echo(_vertex_lines.digest(echo) or "", proof or "")


@pytest.mark.parametrize("place", [0, 3, 4])
def test_an_echo_of_another_picture_is_none(place):
    proof, echo = vertex().proof, request()
    part = parts(echo)[place]
    inside = part.get("inlineData") or part["fileData"]
    inside["data" if "data" in inside else "fileUri"] += "abcd"
    assert not is_echo(_vertex_lines.digest(echo) or "", proof or "")


def test_a_prompt_without_pictures_is_proved_as_before():
    asked = Prompt(system="s", user="u")
    proof = _vertex_lines.request_frame(model("gemini-3"), CONDITION, asked, "").proof or ""
    assert PICTURES not in proof
    assert len(proof) == 16
    assert is_echo(proof, proof)
    assert not is_echo(proof[:-1], proof)


# -- what the emulator takes


PNG = base64.b64encode(picture("png", 640, 480)).decode()
WEBP = base64.b64encode(picture("webp", 640, 480)).decode()
GIF = base64.b64encode(picture("gif")).decode()
BAD: Mapping[str, tuple[str, str]] = {
    "no base64": ("image/png", "%%%"),
    "another type": ("image/jpeg", PNG),
    "no picture": ("image/png", base64.b64encode(b"text").decode()),
    "an unknown type": ("image/bmp", PNG),
    "nothing": ("image/png", ""),
}


def chat_refusal(url: Any, role: str = "user") -> Any:
    said = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]
    return OpenAIRows().refusal("gpt-4o", {"messages": [{"role": role, "content": said}]})


def claude(source: Any) -> Any:
    said = [{"type": "image", "source": source}, {"type": "text", "text": "?"}]
    params = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": said}],
    }
    return asked_in(params, "a", "2023-06-01")


def gemini_refusal(part: Any) -> Any:
    return refusal({"contents": [{"role": "user", "parts": [part, {"text": "?"}]}]})


@pytest.mark.parametrize(("kind", "data"), BAD.values(), ids=BAD)
def test_the_emulator_refuses_what_is_no_picture(kind, data):
    assert chat_refusal(f"data:{kind};base64,{data}")["code"] == "invalid_image"
    with pytest.raises(ParamsError, match="image"):
        claude({"type": "base64", "media_type": kind, "data": data})
    assert gemini_refusal({"inlineData": {"mimeType": kind, "data": data}})["error"]["code"] == 400


def test_the_emulator_takes_pictures_and_counts_them():
    body = {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{WEBP}"}},
                    {"type": "text", "text": "?"},
                ],
            }
        ]
    }
    assert OpenAIRows().refusal("gpt-4o", body) is None
    asked = OpenAIRows().asked("gpt-4o", "a", body)
    assert (asked.user, asked.pictures.tokens) == ("?", 85 + 2 * 170)
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert claude(source).pictures.tokens == 640 * 480 // 750
    assert gemini_refusal({"inlineData": {"mimeType": "image/png", "data": PNG}}) is None


def test_the_emulator_takes_addresses_where_the_service_does():
    assert chat_refusal("https://x.org/a.png") is None
    assert chat_refusal("http://x.org/a.png")
    assert chat_refusal("https://x.org/a.png", "assistant")
    assert claude({"type": "url", "url": "https://x.org/a.png"}).pictures.digests
    file = {"mimeType": "image/png", "fileUri": "gs://x/a.png"}
    assert gemini_refusal({"fileData": file}) is None
    assert gemini_refusal({"fileData": {**file, "fileUri": "https://x.org/a.png"}})
    assert gemini_refusal({"inlineData": {"mimeType": "image/gif", "data": GIF}})


def test_the_emulator_refuses_what_anthropic_finds_too_large():
    data = base64.b64encode(picture("png") + b"\0" * 3_932_160).decode()
    with pytest.raises(ParamsError, match="exceeds 5 MB maximum"):
        claude({"type": "base64", "media_type": "image/png", "data": data})
