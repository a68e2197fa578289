"""The two pure translations: a request line out, a result line in."""

import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Reply, ReplyKind
from tests.contract.case import Case, condition_of, prompt_of
from tests.contract.kits.base import Kit, result_line
from tests.contract.parts.orders import nested

ROOT = Path(__file__).resolve().parents[3]
SLOW = {
    *("openai", "anthropic", "groq", "grpc", "google.api_core", "google.auth", "google.protobuf"),
    *("google.cloud.aiplatform_v1", "google.cloud.storage", "google.cloud.bigquery"),
    *("botocore", "urllib3"),
    *("httpx", "httpx2", "requests", "pydantic", "anyio", "ssl", "polars"),
}
"""What only a call may import: --help and a preview have to be quick."""


class Lines:
    """What holds for encode and decode."""

    def test_a_line_is_its_frame_around_the_custom_id(self, case: Case, kit: Kit) -> None:
        client = case.offline()
        for text in ("", "\x00", '"\\u0000"', "\u2028\n\r", "𠮷野家", '{"custom_id": "x"}'):
            frame = client.encode(condition_of(), prompt_of(text))
            line = frame.before + b"p1_t1-9" + frame.after
            assert len(frame) + 7 == len(line)
            assert line[-1:] == b"\n"
            assert line.count(b"\n") == 1
            assert kit.id_in(line) == f"{case.tag}p1_t1-9"
            assert text in kit.texts_in(line)

    def test_no_temperature_is_sent_unless_one_is_asked_for(self, case: Case) -> None:
        client = case.offline()
        frames = {t: client.encode(condition_of(t), prompt_of()) for t in (None, "0", "0.7")}
        assert b"temperature" not in frames[None].before + frames[None].after
        assert len({f.before + f.after for f in frames.values()}) == 3

    def test_what_is_asked_decides_the_proof_and_nothing_else(self, case: Case) -> None:
        client = case.offline()
        prompts = [prompt_of(), prompt_of(), prompt_of("x")]
        proofs = [client.encode(condition_of(), prompt).proof for prompt in prompts]
        assert proofs[0] == proofs[1]
        assert proofs == [None] * 3 or proofs[0] != proofs[2]

    def test_decode_raises_nothing_but_unreadable(self, kit: Kit) -> None:
        client = kit.provider(None, kit.model)

        @settings(max_examples=80, deadline=None)
        @given(line=st.binary(max_size=200) | _spoiled(kit.answer("x", "Q1. 80")))
        def decodes(line: bytes) -> None:
            try:
                decoded = client.decode(line)
            except ProviderReplyUnreadable:
                return
            _check(decoded)

        decodes()

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"\x00",
            b"\xff\xfe",
            b"null",
            b"NaN",
            b'"x"',
            b"[]",
            b"{}",
            nested(100_000),
            b'{"a":' * 100_000,
            b"1" * 5000,
            b"1e999",
        ],
        ids=lambda line: line[:8].decode("latin-1"),
    )
    def test_what_is_no_result_line_is_unreadable(self, kit: Kit, line: bytes) -> None:
        with pytest.raises(ProviderReplyUnreadable):
            kit.provider(None, kit.model).decode(line)

    def test_what_is_nearly_a_result_line_is_unreadable(
        self, kit: Kit, subtests: pytest.Subtests
    ) -> None:
        whole = result_line(kit.answer("x", "Q1. 80"))
        for line in (*kit.no_results(), whole[:-2], whole[: len(whole) // 2], whole + whole):
            with subtests.test(line), pytest.raises(ProviderReplyUnreadable):
                kit.provider(None, kit.model).decode(line)

    def test_whatever_stands_under_a_custom_id_is_an_outcome(
        self, kit: Kit, subtests: pytest.Subtests
    ) -> None:
        for line in kit.no_outcomes():
            with subtests.test(line):
                reply = kit.provider(None, kit.model).decode(line)
                assert reply.kind in (ReplyKind.ERRORED, ReplyKind.UNREADABLE, ReplyKind.ANSWER)
                assert reply.error if reply.kind is not ReplyKind.ANSWER else reply.text

    def test_nothing_but_a_call_imports_the_sdk(self, case: Case, kit: Kit) -> None:
        target, model = kit.yaml["_target_"].rpartition("."), kit.model
        service = kit.service("https://127.0.0.1", "k", 1)
        code = f"""
import sys
from decimal import Decimal
from runner.core.model import Condition, Model, Prompt, Sampling
from runner.providers.base import Secret, Service
from {target[0]} import {target[2]} as Client
service = Service(base_url={service.base_url!r}, key_variable="K", key=Secret("k"),
                  timeout_seconds=1, options=Client.Options(**{vars(service.options)!r}))
model = Model(provider={model.provider!r}, name={model.name!r}, system_role={model.system_role!r},
              temperature_min=Decimal(0), temperature_max=Decimal(2), max_output_tokens=9,
              expected_output_tokens=9, parameters={dict(model.parameters)!r})
client = Client(service, model, {case.tag!r})
client.encode(Condition(stem="s", levels=("p", "t"), temperature=Decimal("0.7")),
              Prompt(system="s", user="u"))
client.decode({result_line(kit.answer(case.tag + "x", "80"))!r})
repr(client), repr(service), Client.missing(service), client.close()
print(*sorted({SLOW!r} & set(sys.modules)))
"""
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.stdout.strip(), ended.stderr, ended.returncode) == ("", "", 0)


def _check(decoded: Reply) -> None:
    assert isinstance(decoded.custom_id, str)
    assert isinstance(decoded.text, str)
    for tokens in () if decoded.usage is None else astuple(decoded.usage):
        assert 0 <= tokens < 2**53
    if decoded.answered_at is not None:
        assert abs(decoded.answered_at) < float("inf")
    for word in (decoded.finish_reason, decoded.model, decoded.request_id, decoded.error):
        assert word is None or isinstance(word, str)


_odd = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 200, 400, 500, 2**53, 2**64, 10**400, -(10**400)),
        *(float("nan"), float("inf"), -0.0, 1e308, "", "x", "\x00", "\ud83d", "\u2028", "1736"),
        *("1e999", "nan", "{", "Bad Request: {", [], {}, [[]], [{}], [None], {"error": []}),
    ]
)
_json = st.recursive(
    _odd | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "code", "content", "type", "text"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container inside a row, with every key or index in it."""
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    else:
        return []
    here = [(value, key) for key, _ in inside]
    return here + [place for _, part in inside for place in _places(part)]


@st.composite
def _spoiled(draw: st.DrawFn, good: Any) -> bytes:
    """Draw a result line with something odd, or nothing, in one to three places."""
    row = [deepcopy(good)]
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(_places(row)))
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = deepcopy(draw(_json))  # what is sampled is shared
    text = json.dumps(row[0], ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", "surrogatepass")
