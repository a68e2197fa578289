"""The lines of a Gemini batch and the jobs around them: pure, and robust against anything."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Condition, Model, Progress, Prompt, Reply, ReplyKind, Stem, Usage
from runner.providers._vertex_jobs import (
    JOB_NAME,
    bucket_fits,
    dataset_fits,
    job_of,
    output_of,
    progress_of,
    rank,
    shard_of,
    table_of,
)
from runner.providers._vertex_lines import digest, json_line, read_line, request_frame
from runner.providers._vertex_preflight import Preflight
from runner.providers.base import Frame, Secret

TAG = "c1a2b3c4d-"
NAME = "projects/123456789012/locations/us-central1/batchPredictionJobs/4711"


def model_of(**parameters: Any) -> Model:
    return Model(
        provider="gemini",
        name="gemini-2.5-flash",
        system_role=True,
        temperature_min=Decimal(0),
        temperature_max=Decimal(2),
        max_output_tokens=1500,
        expected_output_tokens=450,
        parameters=parameters,
    )


def frame_of(
    temperature: str | None = "0.7",
    system: str | None = None,
    user: str = "『懐中時計』を読んで。",
    **parameters: Any,
) -> Frame:
    condition = Condition(
        stem=Stem("p1_t1"),
        levels=("p1", "t1"),
        temperature=None if temperature is None else Decimal(temperature),
    )
    prompt = Prompt(system=system, user=user)
    return request_frame(model_of(**parameters), condition, prompt, TAG)


def line_of(frame: Frame, custom_id: str = "q-1") -> bytes:
    return frame.before + custom_id.encode() + frame.after


def request_of(frame: Frame) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(line_of(frame))["request"]
    return request


# Out


def test_a_request_is_written_as_google_documents_it() -> None:
    frame = frame_of(system="あなたは詩人です。")
    assert json.loads(line_of(frame)) == {
        "custom_id": "c1a2b3c4d-q-1",
        "request": {
            "systemInstruction": {"parts": [{"text": "あなたは詩人です。"}]},
            "contents": [{"role": "user", "parts": [{"text": "『懐中時計』を読んで。"}]}],
            "generationConfig": {"maxOutputTokens": 1500, "temperature": 0.7},
        },
    }
    assert frame.before == b'{"custom_id":"c1a2b3c4d-'
    assert "systemInstruction" not in request_of(frame_of())


@pytest.mark.parametrize(("given", "written"), [("0", "0.0"), ("1", "1.0"), ("2.00", "2.0")])
def test_a_temperature_is_always_written_as_a_float(given: str, written: str) -> None:
    assert f'"temperature":{written}'.encode() in frame_of(given).after


def test_parameters_are_laid_over_the_request() -> None:
    request = request_of(
        frame_of(
            generationConfig={"thinkingConfig": {"thinkingBudget": 0}, "topP": 0.9},
            safetySettings=[{"category": "X", "threshold": "OFF"}],
        )
    )
    assert request["generationConfig"] == {
        "maxOutputTokens": 1500,
        "temperature": 0.7,
        "thinkingConfig": {"thinkingBudget": 0},
        "topP": 0.9,
    }
    assert request["safetySettings"] == [{"category": "X", "threshold": "OFF"}]


@pytest.mark.parametrize("nothing", [None, {}, [], {"a": {}}, {"a": None}, {"a": [{}, None]}])
def test_nothing_empty_is_ever_written(nothing: Any) -> None:
    request = request_of(
        frame_of(
            generationConfig={"thinkingConfig": nothing, "stopSequences": nothing}, tools=nothing
        )
    )
    assert request == request_of(frame_of())


# The digest of an echo


def echoed(value: Any, name: str = "") -> Any:
    """Spell a request as Vertex AI echoes it."""
    if isinstance(value, dict):
        nulls: dict[str, Any] = {"fileData": None} if name == "parts" else {"topP": None}
        spelled = {key: echoed(inside, key) for key, inside in (nulls | value).items()}
        return dict(sorted(spelled.items()))
    if isinstance(value, list):
        return [echoed(inside, name) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def snake(value: Any) -> Any:
    if isinstance(value, dict):
        words = {"systemInstruction": "system_instruction", "generationConfig": "generation_config"}
        return {words.get(key, key): snake(inside) for key, inside in value.items()}
    return [snake(inside) for inside in value] if isinstance(value, list) else value


@pytest.mark.parametrize("temperature", [None, "0", "0.7", "1", "1.15", "2"])
@pytest.mark.parametrize("system", [None, "あなたは\r\n詩人です。 "])
def test_a_faithful_echo_has_the_proof_of_its_request(
    temperature: str | None, system: str | None
) -> None:
    frame = frame_of(temperature, system, user="か\u3099 \u2028\n『懐中時計』\u00a0を\t読んで。\n")
    request = request_of(frame)
    assert frame.proof is not None
    assert digest(request) == frame.proof
    assert digest(echoed(request)) == frame.proof
    assert digest(snake(echoed(request))) == frame.proof
    spaced = json.loads(json.dumps(request).replace("\\n", "\\r\\n").replace("\\t", "  "))
    assert digest(spaced) == frame.proof
    request["contents"] = request["contents"][0] | {"parts": request["contents"][0]["parts"][0]}
    assert digest(request) == frame.proof


def test_a_temperature_may_come_back_as_its_nearest_32_bit_float() -> None:
    frame = frame_of("0.7")
    request = request_of(frame)
    request["generationConfig"]["temperature"] = 0.699999988079071
    assert digest(request) == frame.proof


def test_a_temperature_of_nothing_may_come_back_as_nothing() -> None:
    request = request_of(frame_of("0"))
    del request["generationConfig"]["temperature"]
    assert digest(request) == frame_of("0").proof


def test_what_is_asked_and_how_warmly_makes_another_digest() -> None:
    frames = [
        frame_of(),
        frame_of("0.71"),
        frame_of(user="『懐中時計』を読んで！"),
        frame_of(system="あなたは詩人です。"),
        frame_of(user="あなたは詩人です。『懐中時計』を読んで。"),
    ]
    assert len({frame.proof for frame in frames}) == len(frames)
    assert frame_of(generationConfig={"topP": 0.9}).proof == frame_of().proof


def test_turns_do_not_run_into_one_another() -> None:
    def turns(*parts: tuple[str, str]) -> str | None:
        return digest({"contents": [{"role": r, "parts": [{"text": t}]} for r, t in parts]})

    assert turns(("user", "ab"), ("model", "c")) != turns(("user", "a"), ("model", "bc"))
    assert turns(("user", "a"), ("user", "b")) != turns(("user", "a b"))


@pytest.mark.parametrize(
    "request_",
    [
        *(None, 7, "x", [], {}, {"contents": None}, {"contents": []}, {"contents": [{}]}),
        {"contents": [{"parts": [{"fileData": {}}]}]},
        {"systemInstruction": {"parts": []}},
    ],
)
def test_what_has_no_text_proves_nothing(request_: Any) -> None:
    assert digest(request_) is None


# Preflight


def refusal(*lines: bytes) -> str:
    preflight = Preflight()
    for line in lines[:-1]:
        preflight.check(line)
    with pytest.raises(ProviderRefused) as caught:
        preflight.check(lines[-1])
    return str(caught.value)


def spoiled(**request: Any) -> bytes:
    row = {"custom_id": "c-1", "request": request_of(frame_of()) | request}
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_what_encode_writes_passes() -> None:
    preflight = Preflight()
    for frame in (frame_of(), frame_of("0"), frame_of("1"), frame_of(user="x\u2028y\x00")):
        for n in range(3):
            preflight.check(line_of(frame, f"q-{n}"))
    assert preflight.lines == 12


def test_lines_that_hold_pictures_are_remembered_by_a_digest() -> None:
    preflight, long = Preflight(), frame_of(user="x" * 200_000)
    for n in range(3):
        preflight.check(line_of(long, f"q-{n}"))
    preflight.check(line_of(frame_of()))
    assert sorted(map(len, preflight._known)) == [32, len(frame_of().after.partition(b'":')[2])]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{\n", "not JSON"),
        (b"[]\n", "not an object"),
        (b'{"custom_id":"c-1"}\n', "not an object of custom_id and request"),
        (b'{"custom_id":"c-1","request":{"a":"b"},"status":"x"}\n', "and nothing else"),
        (
            line_of(Frame(before=b'{"custom_id":"', after=frame_of().after), "7"),
            "begin with a letter",
        ),
        (line_of(Frame(before=b'{"custom_id":"', after=frame_of().after), "e x"), "begin with a"),
        (b'{"custom_id":7,"request":{"a":"b"}}\n', "begin with a letter"),
        (spoiled(tools=[{"googleSearch": {}}]), "tools[].googleSearch: an empty object"),
        (spoiled(generationConfig=None), "generationConfig: null"),
        (spoiled(labels={"my key": "x"}), "labels.my key: no name for a column"),
        (spoiled(schema={"$ref": "x"}), "schema.$ref: no name for a column"),
        (spoiled(a=json.loads('{"a":' * 15 + "1" + "}" * 15)), "nested deeper than 15"),
        (spoiled(stop=[["x"]]), "an array within an array"),
    ],
)
def test_a_breach_is_named_with_its_line(line: bytes, says: str) -> None:
    message = refusal(line_of(frame_of()), line)
    assert message.startswith("line 2 of the request file: ")
    assert says in message


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (spoiled(generationConfig={"maxOutputTokens": 1500, "temperature": 1}), "a whole number"),
        (spoiled(contents={"role": "user", "parts": [{"text": "x"}]}), "object, and array"),
        (spoiled(contents=[{"role": "user", "parts": {"text": "x"}}]), "parts: object, and array"),
        (spoiled(contents=[{"role": True, "parts": [{"text": "x"}]}]), "true or false, and text"),
    ],
)
def test_a_field_has_one_type_over_the_whole_file(other: bytes, says: str) -> None:
    assert says in refusal(line_of(frame_of()), other)


def test_the_same_prompt_is_looked_at_once_but_every_custom_id() -> None:
    frame = frame_of()
    bare = Frame(before=b'{"custom_id":"', after=frame.after)
    assert "begin with a letter" in refusal(line_of(bare, "c-1"), line_of(bare, "1"))
    odd = b'{"custom_id":"x\\u0022","request":' + frame.after.partition(b'"request":')[2]
    assert "begin with a letter" in refusal(line_of(bare, "c-1"), odd)


# In


def row(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "custom_id": f"{TAG}q-1",
        "status": "",
        "processed_time": "2024-11-01T18:13:16.826+00:00",
        "request": echoed(request_of(frame_of())),
        "response": {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "Q1. 80"}]},
                    "finishReason": "STOP",
                    "avgLogprobs": -0.57,
                }
            ],
            "modelVersion": "gemini-2.5-flash@default",
            "responseId": "r-1",
            "usageMetadata": {
                "promptTokenCount": 9,
                "candidatesTokenCount": 10,
                "thoughtsTokenCount": 5,
                "totalTokenCount": 24,
            },
        },
    }
    return known | changes


def read(**changes: Any) -> Reply:
    return read_line(json_line(row(**changes)), TAG)


def answer(**response: Any) -> Reply:
    return read(response=row()["response"] | response)


def candidate(content: Any, finish: Any = "STOP") -> Reply:
    return answer(candidates=[{"content": content, "finishReason": finish}])


def test_an_answer_is_read() -> None:
    assert read() == Reply(
        custom_id="q-1",
        kind=ReplyKind.ANSWER,
        text="Q1. 80",
        finish_reason="stop",
        model="gemini-2.5-flash@default",
        usage=Usage(input_tokens=9, output_tokens=15),
        request_id="r-1",
        answered_at=1730484796.826,
        echo=frame_of().proof,
    )


def test_a_tables_row_may_hold_its_json_as_text() -> None:
    known = row()
    texts = {name: json.dumps(known[name]) for name in ("request", "response")}
    assert read(**texts) == read()
    assert read(request="no JSON").echo is None
    assert read(request="[1]").echo is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"parts": [{"text": "a"}, {"text": "b"}]}, "ab"),
        ({"parts": [{"text": "hm", "thought": True}, {"text": "a"}]}, "a"),
        ({"parts": [{"text": "a", "thought": False}, {"text": None}, {"inlineData": {}}]}, "a"),
        ({"parts": {"text": "a"}}, "a"),
        ({"parts": [{"text": "a\u2028b\u0085c\x1c"}]}, "a\u2028b\u0085c\x1c"),
        ({"parts": [{"text": "\x00\ud83d"}]}, "\x00\ud83d"),
        ({"parts": []}, ""),
        ({"role": "model"}, ""),
        ({"parts": [7, None, "x"]}, ""),
        ({"parts": 7}, ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_text_is_what_was_said_and_not_thought(content: Any, expected: str) -> None:
    assert candidate(content).text == expected


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("LANGUAGE", "language"),
        ("OTHER", "other"),
        ("MALFORMED_RESPONSE", "malformed_response"),
        ("NEW_REASON", "new_reason"),
        (None, None),
        (3, None),
        ([], None),
    ],
)
def test_every_reason_to_stop_has_a_word(finish: Any, expected: str | None) -> None:
    reply = candidate({"parts": [{"text": "a"}]}, finish)
    assert (reply.kind, reply.finish_reason) == (ReplyKind.ANSWER, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": None, "promptFeedback": {"blockReason": "JAILBREAK"}},
        {"candidates": [], "promptFeedback": {}},
        {"candidates": []},
    ],
)
def test_a_blocked_prompt_is_an_answer_that_was_withheld_and_paid_for(changes: Any) -> None:
    reply = answer(**changes)
    assert (reply.kind, reply.finish_reason, reply.text) == (
        ReplyKind.ANSWER,
        "content_filter",
        "",
    )
    assert reply.usage.input_tokens == 9


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ([], None),
        ({}, None),
        ({"candidatesTokenCount": 4}, None),
        ({"promptTokenCount": 9}, (9, 0, 0)),
        ({"promptTokenCount": 9.0, "candidatesTokenCount": 4.0}, (9, 4, 0)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 4}, (9, 4, 0)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 20}, (9, 11, 0)),
        (
            {
                "promptTokenCount": 9,
                "cachedContentTokenCount": 7,
                "toolUsePromptTokenCount": 5,
                "candidatesTokenCount": 2,
                "thoughtsTokenCount": 3,
                "totalTokenCount": 19,
            },
            (14, 5, 7),
        ),
        ({"promptTokenCount": "9", "candidatesTokenCount": True}, None),
        ({"promptTokenCount": -1, "candidatesTokenCount": 2**53}, None),
        ({"promptTokenCount": 9, "candidatesTokenCount": 2**53 - 1, "thoughtsTokenCount": 1}, None),
        ({"promptTokenCount": 9, "candidatesTokenCount": 1.5, "thoughtsTokenCount": 2}, None),
    ],
)
def test_usage_is_all_of_it_or_unknown(usage: Any, expected: tuple[int, int, int] | None) -> None:
    assert tokens_of(answer(usageMetadata=usage).usage) == expected


def tokens_of(usage: Usage | None) -> tuple[int, int, int] | None:
    if usage is None:
        return None
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens


def said(code: Any, message: Any = "No.", status: str | None = None) -> str:
    error = {"code": code, "message": message, "status": status}
    return json.dumps({"error": error})


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (f"Bad Request: {said(400)}", ReplyKind.REFUSED, "400: No."),
        (f"Not Found: {said(404)}", ReplyKind.DENIED, "404: No."),
        (f"Too Many Requests: {said(429)}", ReplyKind.ERRORED, "429: No."),
        (f"Request Timeout: {said(408)}", ReplyKind.ERRORED, "408: No."),
        (f"Client Closed Request: {said(499)}", ReplyKind.ERRORED, "499: No."),
        (f"Internal Server Error: {said(500)}", ReplyKind.ERRORED, "500: No."),
        (f"Service Unavailable: {said(503)}", ReplyKind.ERRORED, "503: No."),
        (f"Bad Request: {said(None, status='INVALID_ARGUMENT')}", ReplyKind.REFUSED, "400: No."),
        (f"Odd: {said(None, status='RESOURCE_EXHAUSTED')}", ReplyKind.ERRORED, "429: No."),
        (f"Odd: {said(None)}", ReplyKind.ERRORED, "error: No."),
        ('Odd: {"code": 3, "message": "No."}', ReplyKind.REFUSED, "3: No."),
        ('Odd: {"code": 8, "message": "No."}', ReplyKind.ERRORED, "8: No."),
        ("Bad Request: no JSON", ReplyKind.REFUSED, "400: Bad Request: no JSON"),
        ("Something\n\x1b[2J broke", ReplyKind.ERRORED, "error: Something [2J broke"),
        ("Bad Request: {", ReplyKind.REFUSED, "400: Bad Request: {"),
        (f"Bad Request: {said(400, ['deep'])}", ReplyKind.REFUSED, "400: no reason given"),
        ({"code": 3, "message": "No."}, ReplyKind.REFUSED, "3: No."),
        ({"code": 13, "message": "No."}, ReplyKind.ERRORED, "13: No."),
    ],
)
@pytest.mark.parametrize("response", [{}, None, "{}", "null", ""])
def test_a_failed_row_says_whether_to_ask_again(
    status: Any, kind: ReplyKind, error: str, response: Any
) -> None:
    reply = read(status=status, response=response)
    assert (reply.kind, reply.error, reply.text) == (kind, error, "")
    assert reply.usage is None
    assert reply.echo == frame_of().proof


def test_a_failed_row_may_have_no_response_at_all() -> None:
    known = row(status=f"Internal Server Error: {said(500)}")
    del known["response"]
    assert read_line(json_line(known), TAG).kind == ReplyKind.ERRORED


def test_a_row_without_any_outcome_is_asked_again() -> None:
    reply = read(response={})
    assert (reply.kind, reply.error) == (ReplyKind.ERRORED, "no response, and no reason given")


def test_a_paid_answer_is_taken_whatever_the_status_says() -> None:
    assert read(status="OK").text == "Q1. 80"


def test_an_error_in_the_place_of_a_response_is_an_error() -> None:
    reply = read(response={"error": {"code": 429, "message": "Slow."}})
    assert (reply.kind, reply.error) == (ReplyKind.ERRORED, "429: Slow.")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-11-01T18:13:16.826+00:00", 1730484796.826),
        ("2024-11-01T18:13:16.826Z", 1730484796.826),
        ("2024-11-01T19:13:16.826+01:00", 1730484796.826),
        ("2024-11-01 18:13:16.826 UTC", 1730484796.826),
        ("2024-11-01T18:13:16.826", 1730484796.826),
        ("soon", None),
        ("", None),
        (None, None),
        (1730484796, None),
        ({}, None),
    ],
)
def test_a_time_is_read_as_either_place_writes_it(time: Any, expected: float | None) -> None:
    assert read(processed_time=time).answered_at == expected


def test_a_strangers_row_keeps_its_name() -> None:
    assert read(custom_id="q-1").custom_id == "?q-1"
    assert read(custom_id="").custom_id == "?"


@pytest.mark.parametrize("custom_id", [0, None, True, ["x"], {}])
def test_a_row_without_a_name_is_unreadable(custom_id: Any) -> None:
    with pytest.raises(ProviderReplyUnreadable):
        read(custom_id=custom_id)


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside),
    max_leaves=8,
)


@given(
    request=_anything,
    response=_anything,
    status=_anything,
    feedback=_anything,
    candidates=st.lists(_anything, max_size=2) | _anything,
    usage=_anything,
)
def test_nothing_but_unreadable_is_ever_raised(
    request: Any, response: Any, status: Any, feedback: Any, candidates: Any, usage: Any
) -> None:
    odd = {"promptFeedback": feedback, "candidates": candidates, "usageMetadata": usage}
    for answered in (response, odd, json.dumps(odd)):
        line = json.dumps(row(request=request, response=answered, status=status))
        try:
            reply = read_line(line.encode("utf-8", "surrogatepass"), TAG)
        except ProviderReplyUnreadable:
            continue
        assert reply.custom_id == "q-1"
        assert reply.usage is None or 0 <= reply.usage.output_tokens < 2**53
        assert reply.echo is None or len(reply.echo) == 16


def test_a_line_is_written_whatever_is_in_it() -> None:
    for value in ("\ud83d", 2**70, "x\u2028", {"a": None}):
        line = json_line({"x": value})
        assert json.loads(line) == {"x": value}
        assert line.count(b"\n") == 1


# Jobs


HANDLE = {
    "input": "gs://b/chorus/e1-b0001-1-ab.jsonl",
    "generation": "7",
    "shard": "ab12",
    "output": "gs://b/chorus/e1-b0001-1-ab",
}
LABELS = {"experiment": "3F2a-9c", "name": "文学 study", "batch": "b0001-1"}


def test_a_job_is_written_as_google_documents_it() -> None:
    assert job_of(HANDLE, "gemini-2.5-flash", LABELS, 0) == {
        "displayName": "chorus 3F2a-9c 文学 study b0001-1",
        "model": "publishers/google/models/gemini-2.5-flash",
        "labels": {
            "app": "chorus",
            "experiment": "3f2a-9c",
            "name": "---study",
            "batch": "b0001-1",
            "shard": "ab12",
        },
        "inputConfig": {
            "instancesFormat": "jsonl",
            "gcsSource": {"uris": ["gs://b/chorus/e1-b0001-1-ab.jsonl"]},
        },
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://b/chorus/e1-b0001-1-ab"},
        },
    }


def test_a_job_reads_and_writes_tables_of_its_own() -> None:
    handle = {"input": "bq://p.d.t", "output": "bq://p.d.t_results", "shard": "ab12"}
    job = job_of(handle, "projects/p/locations/l/models/7", LABELS, 2)
    assert job["inputConfig"]["bigquerySource"] == {"inputUri": "bq://p.d.t"}
    assert job["outputConfig"]["bigqueryDestination"] == {"outputUri": "bq://p.d.t_results_3"}
    assert job["model"] == "projects/p/locations/l/models/7"


def test_names_follow_from_the_request_files() -> None:
    assert table_of("e1-b0001-1-ab.jsonl") == "chorus_e1_b0001_1_ab"
    assert shard_of("e1-b0001-1-ab.jsonl") == shard_of("e1-b0001-1-ab")
    assert shard_of("e1-b0001-2-ab.jsonl") != shard_of("e1-b0001-1-ab.jsonl")
    assert len(shard_of("x")) == 40
    long = job_of(HANDLE, "m", {"name": "x" * 200}, 0)
    assert len(long["displayName"]) == 128
    assert len(long["labels"]["name"]) == 63


@pytest.mark.parametrize(
    ("place", "parts", "job", "expected"),
    [
        ("US-CENTRAL1", (), "us-central1", True),
        ("US-EAST1", (), "us-central1", False),
        ("EUROPE-WEST4", (), "us-central1", False),
        ("US", (), "us-central1", True),
        ("EU", (), "us-central1", False),
        ("EU", (), "europe-west4", True),
        ("ASIA", (), "asia-northeast1", True),
        ("US", (), "australia-southeast1", False),
        ("NAM4", (), "us-central1", True),
        ("NAM4", (), "us-west1", False),
        ("EUR4", (), "europe-west4", True),
        ("US", ("US-EAST1", "US-WEST1"), "us-central1", False),
        ("US", ("US-EAST1", "US-CENTRAL1"), "us-central1", True),
        ("ASIA-EAST1", (), "global", True),
    ],
)
def test_a_bucket_fits_where_its_regions_include_the_jobs(
    place: str, parts: tuple[str, ...], job: str, expected: bool
) -> None:
    assert bucket_fits(place, parts, job) is expected


def test_a_dataset_fits_only_in_the_jobs_own_region() -> None:
    assert dataset_fits("us-central1", "us-central1")
    assert dataset_fits("US", "global")
    assert not dataset_fits("US", "us-central1")
    assert not dataset_fits("europe-west4", "us-central1")


def progress(state: Any, files: dict[str, str] | None = None, **job: Any) -> Progress:
    return progress_of({"name": NAME, "state": state, **job}, files or {}, Secret("KEY-CANARY"))


FILES = {"output": "gs://b/o/predictions.jsonl#1"}


@pytest.mark.parametrize(
    ("state", "event", "rest"),
    [
        ("JOB_STATE_SUCCEEDED", "end", "missing"),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", "end", "missing"),
        ("JOB_STATE_FAILED", "end", "errored"),
        ("JOB_STATE_CANCELLED", "end", "cancelled"),
        ("JOB_STATE_EXPIRED", "end", "expired"),
        ("JOB_STATE_PENDING", "progress", "missing"),
        ("JOB_STATE_PAUSED", "progress", "missing"),
        ("JOB_STATE_BRAND_NEW", "progress", "missing"),
        (12, "progress", "missing"),
    ],
)
def test_a_state_is_an_event_and_says_what_became_of_the_rest(
    state: Any, event: str, rest: str
) -> None:
    found = progress(state, FILES if event == "end" else {})
    assert (found.event, found.rest, found.files) == (event, rest, FILES if event == "end" else {})
    assert found.state == str(state).removeprefix("JOB_STATE_").lower()
    assert ("unknown state" in (found.message or "")) is (state in ("JOB_STATE_BRAND_NEW", 12))


@pytest.mark.parametrize("state", ["JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"])
def test_a_success_without_any_output_ends_without_files_and_with_its_counts(state: str) -> None:
    """What then contradicts itself is waited out, and never paid for once more."""
    found = progress(state, completionStats={"successfulCount": "3"})
    assert (found.event, found.files, found.completed) == ("end", {}, 3)
    assert (progress(state).event, progress(state).files) == ("end", {})
    assert progress(state, completionStats={"successfulCount": "-1"}).completed is None
    assert progress(state, completionStats={"failedCount": "3"}).event == "end"


@pytest.mark.parametrize(
    ("error", "event"),
    [
        ({"code": 3, "message": "Failed to import data."}, "refused"),
        ({"code": 5, "message": "Not found."}, "refused"),
        ({"code": 7, "message": "Denied."}, "refused"),
        ({"code": 9, "message": "Failed to get GCS bucket location."}, "refused"),
        ({"code": 8, "message": "No."}, "deferred"),
        ({"code": 13, "message": "Quota exceeded."}, "deferred"),
        ({"code": 14, "message": "Resource exhausted."}, "deferred"),
        ({"message": "got 429 Too Many Requests"}, "deferred"),
        ({"code": 13, "message": "Failed to export data."}, "end"),
        ({"code": 4, "message": "Too late."}, "end"),
        ({"code": "3", "message": ["odd"]}, "end"),
        ({}, "end"),
        (None, "end"),
        ("odd", "end"),
    ],
)
def test_a_failed_job_says_whether_it_may_be_sent_again(error: Any, event: str) -> None:
    found = progress("JOB_STATE_FAILED", error=error)
    assert found.event == event
    assert progress("JOB_STATE_FAILED", FILES, error=error).event == "end"
    ran = {"successfulCount": "1"}
    assert progress("JOB_STATE_FAILED", error=error, completionStats=ran).event == "end"


def test_a_lack_of_rights_names_who_lacks_them() -> None:
    message = progress("JOB_STATE_FAILED", error={"code": 7, "message": "x"}).message or ""
    assert "service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com" in message
    assert "roles/storage.objectUser" in message
    by_name = NAME.replace("123456789012", "my-project")
    message = progress("JOB_STATE_FAILED", error={"code": 7, "message": "x"}, name=by_name).message
    assert "service-PROJECT_NUMBER@" in (message or "")


def test_no_message_shows_the_key_or_moves_the_cursor() -> None:
    error = {"code": 13, "message": "for KEY-CANARY\n\x1b[2J"}
    message = progress("JOB_STATE_FAILED", error=error).message
    assert message == "13: for **** [2J"


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ({"successfulCount": "3", "failedCount": "1", "incompleteCount": "2"}, (6, 3, 1)),
        ({"successfulCount": "3"}, (3, 3, 0)),
        ({"successfulCount": 3, "failedCount": "-1"}, (None, 3, None)),
        ({"successfulCount": "many", "failedCount": "1.5"}, (None, None, None)),
        ({}, (0, 0, 0)),
        (None, (None, None, None)),
        ("odd", (None, None, None)),
    ],
)
def test_counts_are_texts_and_may_be_unknown(stats: Any, expected: Any) -> None:
    found = progress("JOB_STATE_RUNNING", completionStats=stats)
    assert (found.total, found.completed, found.failed) == expected


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ({"outputInfo": {"gcsOutputDirectory": "gs://b/o/x"}}, "gs://b/o/x"),
        ({"outputInfo": {"bigqueryOutputTable": "bq://p.d.t"}}, "bq://p.d.t"),
        (
            {"outputInfo": {"bigqueryOutputDataset": "bq://p.d", "bigqueryOutputTable": "t"}},
            "bq://p.d.t",
        ),
        (
            {"outputInfo": {"bigqueryOutputDataset": "bq://p.d", "bigqueryOutputTable": "p.d.t"}},
            "bq://p.d.t",
        ),
        ({"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://b/o"}}}, "gs://b/o"),
        ({"outputConfig": {"bigqueryDestination": {"outputUri": "bq://p.d.t"}}}, "bq://p.d.t"),
        ({"outputInfo": {}, "outputConfig": 7}, None),
        ({}, None),
    ],
)
def test_the_output_is_where_the_job_says_or_where_we_asked_for_it(job: Any, expected: Any) -> None:
    assert output_of(job) == expected


def test_the_furthest_job_ranks_first_and_a_failed_one_last() -> None:
    order = [
        *("SUCCEEDED", "PARTIALLY_SUCCEEDED", "RUNNING", "UPDATING", "PAUSED", "QUEUED", "PENDING"),
        *("CANCELLING", "EXPIRED", "CANCELLED", "NEVER_HEARD_OF", "FAILED"),
    ]
    jobs = [{"state": f"JOB_STATE_{word}", "createTime": "2026"} for word in order]
    backwards = jobs[::-1]
    assert sorted(backwards, key=rank) == jobs
    twins = [{"state": "JOB_STATE_PENDING", "createTime": day} for day in ("2026-02", "2026-01")]
    assert min(twins, key=rank)["createTime"] == "2026-01"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (NAME, True),
        ("projects/my-project/locations/global/batchPredictionJobs/1", True),
        ("projects/google.com:p/locations/us-central1/batchPredictionJobs/1", True),
        ("batchPredictionJobs/1", False),
        (f"{NAME}/../x", False),
        ("projects/p/locations/us-central1/customJobs/1", False),
        ("", False),
    ],
)
def test_a_jobs_name_has_its_shape(name: str, expected: bool) -> None:
    assert (JOB_NAME.fullmatch(name) is not None) is expected
