"""Amazon Bedrock's own ground: orders that may be repeated, S3, and what botocore says of all of it."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderBusy,
    ProviderReplyUnreadable,
    ProviderSilent,
    ProviderUndecided,
)
from runner.core.model import Image, Prompt, RemoteId, ReplyKind, Usage
from runner.providers import _aws
from runner.providers._bedrock_jobs import is_of, name_of, progress_of, start_of, token_of
from runner.providers._bedrock_lines import OURS, THEIRS, call_of
from runner.providers.base import Secret
from runner.providers.bedrock import BedrockBatch, BedrockOptions
from tests.contract import spoiled as spoil
from tests.contract.case import CANARY, LABELS, Case, batch_of, condition_of, staged, until_ended
from tests.contract.conftest import Start
from tests.contract.kits.bedrock import KITS
from tests.contract.spoiled import Call, Spoiled, afterwards, instead, reply
from tests.contract.test_wire_golden import Http, Jsonl, three_lines_of

Serve = Callable[..., Spoiled]
(KIT,) = KITS
PUT = ("PUT", "/bedrock/s3/.*")
NAME = "0123456789abcdef-01234567-b0001-1-0123456789abcdef.jsonl"
pytestmark = pytest.mark.parametrize("kit", KITS, ids=repr)


def shown(call: Call) -> bytes:
    """Show a request without what differs from one version, run or minute to the next."""
    assert f"Credential={CANARY}/" in call.headers["authorization"]
    volatile = ("host", "user-agent", "content-length", "authorization", "x-amz-date", "amz-sdk-")
    rows = sorted(f"{n}: {v}" for n, v in call.headers.items() if not n.startswith(volatile))
    query = f"?{call.query}" if call.query else ""
    text = "\n".join([f"{call.method} {call.path}{query}", *rows]).encode() + b"\n\n" + call.body
    return re.sub(rb"1[0-9a-f]{11}(?![0-9a-f])", b"JOB", text)


def test_request_lines_are_pinned(kit: Any, snapshot: SnapshotAssertion) -> None:
    client = kit.provider(None, kit.model)
    assert snapshot(extension_class=Jsonl) == three_lines_of(client)


def test_calls_are_pinned(
    kit: Any, case: Case, server: Serve, emulator: Start, snapshot: SnapshotAssertion
) -> None:
    front = server(emulator().url)
    client = case.client(front)
    batch = staged(client, case.folder, NAME)
    remote = client.submit(batch, case.path, LABELS)
    progress = until_ended(client, remote)
    client.download(progress.files["output"], io.BytesIO())
    client.find(batch, case.path, ())
    client.cancel(remote)
    client.fence(batch)
    client.stage(case.path, f"none-such-{NAME}", look_first=True)
    with case.path.open("rb") as requests:
        client.ask(requests.readline())
    calls = dict.fromkeys(map(shown, front.calls))
    assert snapshot(extension_class=Http) == b"\n".join(calls)


def test_what_is_uploaded_are_the_request_files_lines_with_a_record_id(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    path = case.write(40)
    case.client(spoiled).stage(path, NAME, look_first=False)
    (call,) = spoiled.asked(PUT)
    ours = [json.loads(line) for line in path.read_bytes().splitlines()]
    theirs = [json.loads(line) for line in call.body.splitlines()]
    assert [{"recordId": row.pop("custom_id"), **row} for row in ours] == theirs
    assert "expect" not in call.headers, "it would wait a second for an answer that never comes"


# --- an order that is repeated ------------------------------------------------------------------


def test_an_order_that_is_repeated_is_the_same_job(kit: Any, case: Case, well: Any) -> None:
    client = case.client(well)
    batch, before = case.staged(client), well.batches()
    first = case.submit(client, batch)
    assert case.submit(case.client(well), batch) == first
    assert well.batches() == before + 1
    after_a_death = replace(batch, dead=(str(first),))
    assert case.submit(client, after_a_death) != first
    assert until_ended(client, first).event == "end"


@pytest.mark.parametrize("how", [spoil.lost, afterwards(reply(500, b"{}"))], ids=["lost", "500"])
def test_a_lost_reply_is_made_up_for_by_the_next_order(
    kit: Any, case: Case, spoiled: Spoiled, well: Any, how: spoil.Spoil
) -> None:
    batch, before = case.staged(case.client(spoiled)), well.batches()
    spoiled.spoil(kit.create, how)
    with pytest.raises(ProviderSilent):
        case.submit(case.client(spoiled), batch)
    remote = case.submit(case.client(well), batch)
    assert well.batches() == before + 1
    assert until_ended(case.client(well), remote).event == "end"
    assert case.billed(well) == dict.fromkeys(case.ids, 1)


def test_the_same_token_with_other_parameters_is_a_doubt_and_not_a_refusal(
    kit: Any, case: Case, well: Any
) -> None:
    client = case.client(well)
    batch, before = case.staged(client), well.batches()
    remote = case.submit(client, batch)
    client._service = replace(
        client._service, options=replace(client._service.options, timeout_hours=48)
    )
    with pytest.raises(ProviderUndecided, match="looked for") as caught:
        case.submit(client, batch)
    assert caught.value.candidates == ()
    assert (well.batches(), case.find(client, batch)) == (before + 1, remote)


def test_an_order_whose_input_is_not_known_any_more_is_looked_for_by_what_is_in_it(
    kit: Any, case: Case, well: Any
) -> None:
    """As after action=recover, which knows the run, the batch and the request file."""
    client, path = case.client(well), case.write()
    name = f"run-{case.digest[:8]}-b0001-3-{batch_of(path, {}).sha256[:16]}.jsonl"
    batch = batch_of(path, client.stage(path, name, look_first=False), send=3)
    remote = case.submit(client, batch)
    known = replace(batch, send=1, handle={"experiment": f"run-{case.digest[:8]}"})
    with pytest.raises(ProviderUndecided, match="not known"):
        client.submit(known, path, LABELS)
    with pytest.raises(ProviderUndecided, match="not known"):
        client.fence(known)
    assert case.find(client, known) == remote
    assert case.find(client, replace(known, sha256="f" * 64)) is None
    assert case.find(client, replace(known, handle={"experiment": "run"})) is None


def test_names_and_tokens_are_what_botocore_says_that_they_have_to_be(kit: Any) -> None:
    shapes = _aws.session().get_service_model("bedrock")
    names = ["a" * 16 + "-" + "b" * 8, "x_y", "日本", "long" * 30]
    stems = [f"{name}-b{n:04d}-{n}-{'c' * 16}" for name in names for n in (1, 99_999)]
    made = [name_of(stem, sendings) for stem in stems for sendings in (0, 1, 9999)]
    assert len(set(made)) == len(made)
    for name in made:
        assert fits(shapes.shape_for("ModelInvocationJobName"), name), name
    batch = batch_of(Path(__file__), {"name": NAME})
    tokens = {token_of(batch, stem) for stem in stems}
    tokens |= {token_of(replace(batch, dead=("x",)), stems[0])}
    tokens |= {token_of(replace(batch, sha256="0"), stems[0])}
    assert len(tokens) == len(stems) + 2
    assert all(fits(shapes.shape_for("ModelInvocationIdempotencyToken"), t) for t in tokens)
    for one, other in pairwise(sorted(stems)):
        job = {"jobName": name_of(one, 3)}
        assert is_of(job, replace(batch, handle={"name": f"{one}.jsonl"}))
        assert not is_of(job, replace(batch, handle={"name": f"{other}.jsonl"}))
    assert not is_of({"jobName": start_of("x")}, replace(batch, handle={"name": "x.jsonl"}))


# --- what botocore says of what is sent and what comes ------------------------------------------


def fits(shape: Any, value: str) -> bool:
    """Tell whether a text is as its shape says; botocore itself looks at neither."""
    pattern, most = shape.metadata.get("pattern"), shape.metadata.get("max", len(value))
    return len(value) <= most and (pattern is None or re.fullmatch(pattern, value) is not None)


def misfits(shape: Any, value: Any, where: str = "") -> Iterator[str]:
    """Yield what is wrong with a value, level by level: names, kinds, patterns and bounds."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        if not isinstance(value, Mapping):
            yield f"{where}: no object"
            return
        yield from (f"{where}.{n}: not known" for n in value.keys() - shape.members.keys())
        yield from (f"{where}.{n}: missing" for n in shape.required_members if n not in value)
        for name in value.keys() & shape.members.keys():
            yield from misfits(shape.members[name], value[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for row in value:
            yield from misfits(shape.member, row, f"{where}[]")
    elif shape.type_name == "string":
        enum = getattr(shape, "enum", None)
        if not isinstance(value, str) or (enum and value not in enum) or not fits(shape, value):
            yield f"{where}: {value!r}"
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min", value), shape.metadata.get("max", value)
        if isinstance(value, bool) or not low <= value <= high:
            yield f"{where}: {value!r}"


def operations(name: str) -> Any:
    return _aws.session().get_service_model(name)


def test_what_is_sent_and_what_the_emulator_answers_is_what_botocore_describes(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    replies: list[tuple[str, Any]] = []

    def kept(name: str) -> spoil.Spoil:
        def spoil_it(deed: Any) -> None:
            raw = deed.forward()
            replies.append((name, json.loads(raw.partition(b"\r\n\r\n")[2])))
            deed.caller.sendall(raw)

        return spoil_it

    wire = {
        "CreateModelInvocationJob": kit.create,
        "ListModelInvocationJobs": kit.find,
        "GetModelInvocationJob": kit.poll,
        "Converse": kit.ask,
    }
    for name, route in wire.items():
        spoiled.spoil(route, kept(name))
    client = case.client(spoiled)
    batch = case.staged(client)
    remote = case.submit(client, batch)
    until_ended(client, remote)
    client.find(batch, case.path, ())
    client.ask(case.path.read_bytes().splitlines(keepends=True)[0])
    for name, found in replies:
        model = operations("bedrock-runtime" if name == "Converse" else "bedrock")
        shape = model.operation_model(name).output_shape
        assert list(misfits(shape, found)) == [], name
    assert {name for name, _ in replies} == set(wire)
    order = json.loads(spoiled.asked(kit.create)[0].body)
    create = operations("bedrock").operation_model("CreateModelInvocationJob").input_shape
    assert list(misfits(create, order)) == []


def test_the_check_finds_what_is_wrong(kit: Any) -> None:
    shape = operations("bedrock").operation_model("CreateModelInvocationJob").input_shape
    wrong = {
        "jobName": "x" * 64,
        "roleArn": "arn:aws:iam::1:user/x",
        "modelId": "x",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "gs://b/x", "s3InputFormat": "CSV"}},
        "timeoutDurationInHours": 12,
        "surprise": 1,
    }
    found = sorted(misfits(shape, wrong))
    assert [line.partition(":")[0] for line in found] == [
        ".inputDataConfig.s3InputDataConfig.s3InputFormat",
        ".inputDataConfig.s3InputDataConfig.s3Uri",
        ".jobName",
        ".outputDataConfig",
        ".roleArn",
        ".surprise",
        ".timeoutDurationInHours",
    ]


def test_a_line_with_pictures_thinking_and_a_schema_is_a_call_of_converse(kit: Any) -> None:
    image = Image(name="a.png", kind="png", data="iVBORw0KGgo=")
    prompt = Prompt(system="s", user="u", images=("a.png",), shown={"a.png": image})
    more = {
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "outputConfig": {
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}
        },
    }
    client = kit.provider(None, replace(kit.model, parameters=more))
    frame = client.encode(condition_of(None), prompt)
    call = call_of(frame.before + b"p1" + frame.after)
    assert call["messages"][0]["content"][0]["image"]["source"]["bytes"].startswith(b"\x89PNG")
    shape = operations("bedrock-runtime").operation_model("Converse").input_shape
    assert list(misfits(shape, {"modelId": kit.model.name, **call})) == []


# --- refusals in AWS's own words ----------------------------------------------------------------


def said_by(kind: str, message: str = "No.") -> bytes:
    return reply(400, {"message": message}, x_amzn_errortype=f"{kind}:http://x.amazon.com/")


@pytest.mark.parametrize("kind", ["ServiceQuotaExceededException", "ThrottlingException"])
def test_a_quota_is_not_now_whatever_its_status(
    kit: Any, case: Case, server: Serve, kind: str
) -> None:
    stub = server()
    stub.spoil(kit.create, instead(said_by(kind)))
    with pytest.raises(ProviderBusy, match=r"No\."):
        case.every_verb(case.client(stub))["submit"]()


def test_s3_says_what_it_says_in_xml(kit: Any, case: Case, server: Serve) -> None:
    stub = server()
    error = b"<?xml version='1.0'?><Error><Code>%b</Code><Message>Please wait.</Message></Error>"
    stub.spoil(PUT, instead(reply(503, error % b"SlowDown")))
    with pytest.raises(ProviderBusy, match=r"Please wait\."):
        case.every_verb(case.client(stub))["stage"]()
    stub.spoil(PUT, instead(reply(503, error % b"Odd")))
    with pytest.raises(ProviderSilent, match=r"Please wait\."):
        case.every_verb(case.client(stub))["stage"]()


def test_a_bucket_in_another_region_is_said_and_nobody_is_asked_for_it(
    kit: Any, case: Case, server: Serve
) -> None:
    stub = server()
    moved = b"<Error><Code>PermanentRedirect</Code><Message>Use another endpoint.</Message></Error>"
    for route in kit.routes:
        stub.spoil(route, instead(reply(301, moved, x_amz_bucket_region="eu-west-1")))
    with pytest.raises(Exception, match=r"Use another endpoint\."):
        case.every_verb(case.client(stub))["stage"]()
    assert len(stub.calls) == 1


def test_a_job_below_the_quota_fails_and_says_why(kit: Any, case: Case, behaving: Any) -> None:
    strict = behaving(min_requests=100)
    client = case.client(strict)
    failed = until_ended(client, case.submit(client, case.staged(client, 99)))
    assert (failed.event, failed.state) == ("refused", "failed")
    assert "less records (99) than the required minimum of: 100" in failed.message
    assert until_ended(client, case.submit(client, case.staged(client, 100))).event == "end"


def test_a_failed_job_that_has_answered_something_is_over_and_nothing_of_it_free(kit: Any) -> None:
    job = kit.batch_object("failed", message="Internal error", processedRecordCount=7)
    assert progress_of(job, (), None).event == "end"
    ended = progress_of(kit.batch_object("failed"), ("s3://b/x.jsonl.out",), None)
    assert (ended.event, ended.rest) == ("end", "errored")
    full = kit.batch_object("failed", message="You have exceeded the quota of jobs in progress.")
    assert progress_of(full, (), None).event == "deferred"
    assert progress_of(kit.batch_object("failed"), (), None).event == "refused"


def test_a_job_that_is_complete_and_left_nothing_says_where_to_look(kit: Any) -> None:
    found = progress_of(kit.batch_object("completed"), (), None)
    assert found.message == (
        "there is no result in s3://emulated-bucket/chorus/results/1unknown0000/: put it back if "
        "it was deleted"
    )


def test_the_manifest_is_no_file_of_results(kit: Any, case: Case, well: Any) -> None:
    client = case.client(well)
    progress = until_ended(client, case.submit(client, case.staged(client)))
    (uri,) = progress.files.values()
    assert uri.endswith(f"/{case.file_name}.out")
    sink = io.BytesIO()
    client.download(f"{uri.rpartition('/')[0]}/manifest.json.out", sink)
    assert json.loads(sink.getvalue())["successRecordCount"] == len(case.ids)


def test_a_download_that_does_not_say_how_long_it_is_is_none(
    kit: Any, case: Case, spoiled: Spoiled
) -> None:
    client = case.client(spoiled)
    progress = until_ended(client, case.submit(client, case.staged(client)))
    spoiled.spoil(kit.download, spoil.cut(len, spoil.unsized, spoil.nothing_more))
    with pytest.raises(ProviderReplyUnreadable, match="how long"):
        client.download(progress.files["output"], io.BytesIO())


# --- lines --------------------------------------------------------------------------------------


def decoded(kit: Any, **row: Any) -> Any:
    line = json.dumps({"recordId": "x", **row}).encode()
    return kit.provider(None, kit.model).decode(line)


def answer_of(*content: Any, stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": stop,
        "usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12, **usage},
    }


THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Q1: 3?", "signature": "x"}}}
ANSWERS = [
    (answer_of({"text": "Q1: 80"}), ("Q1: 80", "stop")),
    (answer_of(THOUGHT, {"text": "Q1: "}, {"text": "80"}), ("Q1: 80", "stop")),
    (answer_of(THOUGHT, stop="max_tokens"), ("", "length")),
    (answer_of(stop="content_filtered"), ("", "content_filter")),
    (answer_of({"text": "No."}, stop="guardrail_intervened"), ("No.", "content_filter")),
    (answer_of({"text": "x"}, stop="model_context_window_exceeded"), ("x", "length")),
    (answer_of({"text": "x"}, stop="malformed_model_output"), ("x", "malformed_model_output")),
    (answer_of(THOUGHT), ("", "stop")),
]


@pytest.mark.parametrize(("output", "expected"), ANSWERS)
def test_an_answer_is_its_text_without_its_thoughts(
    kit: Any, output: dict[str, Any], expected: tuple[str, str]
) -> None:
    found = decoded(kit, modelOutput=output)
    assert (found.kind, found.text, found.finish_reason) == (ReplyKind.ANSWER, *expected)


def test_what_is_answered_with_a_call_of_a_tool_is_unreadable_and_kept(kit: Any) -> None:
    found = decoded(kit, modelOutput=answer_of({"toolUse": {"name": "x", "input": {"q": "1"}}}))
    assert found.kind is ReplyKind.UNREADABLE


def test_all_that_is_paid_for_is_counted(kit: Any) -> None:
    details = [{"ttl": "5m", "inputTokens": 4}, {"ttl": "1h", "inputTokens": 2}]
    cached = {"cacheReadInputTokens": 5, "cacheWriteInputTokens": 6, "cacheDetails": details}
    assert decoded(kit, modelOutput=answer_of({"text": "x"}, **cached)).usage == Usage(
        input_tokens=20,
        output_tokens=3,
        cache_read_tokens=5,
        cache_write_tokens=4,
        cache_write_1h_tokens=2,
    )
    assert decoded(kit, modelOutput=answer_of({"text": "x"}, inputTokens="9")).usage is None


ERRORS = [
    (400, "bad request", ReplyKind.REFUSED),
    (400, "The content was blocked by a guardrail.", ReplyKind.REFUSED),
    (403, "You don't have access to the model with the specified model ID.", ReplyKind.DENIED),
    (404, "The model is not found.", ReplyKind.DENIED),
    (429, "Too many requests, please wait before trying again.", ReplyKind.ERRORED),
    (500, "Internal server error", ReplyKind.ERRORED),
    ("424", "Model error", ReplyKind.REFUSED),
    ("ThrottledException", "slow", ReplyKind.ERRORED),
]


@pytest.mark.parametrize(("code", "message", "kind"), ERRORS)
def test_an_error_says_whether_to_ask_again(
    kit: Any, code: Any, message: str, kind: ReplyKind
) -> None:
    found = decoded(kit, error={"errorCode": code, "errorMessage": message}, modelInput={})
    assert (found.kind, found.error) == (kind, f"{code}: {message}")


@settings(deadline=None)
@given(
    lines=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=30), max_size=9),
    cuts=st.lists(st.integers(1, 50), max_size=30),
)
def test_a_file_that_is_read_in_pieces_is_renamed_as_a_whole(
    kit: Any, tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "renamed.jsonl"
    rows = [OURS + json.dumps(text).encode() + b',"x":"{\\"custom_id\\":"}\n' for text in lines]
    path.write_bytes(b"".join(rows))
    wanted = b"".join(THEIRS + row.removeprefix(OURS) for row in rows)
    with path.open("rb") as source:
        renamed = _aws.Renamed(source, OURS, THEIRS)
        found = b"".join(renamed.read(size) for size in cuts)
        assert wanted.startswith(found)
        assert found + renamed.read() == wanted
        renamed.seek(3)
        assert renamed.read() == wanted[3:]
        assert (renamed.seek(0, io.SEEK_END), renamed.read(5)) == (len(wanted), b"")


# --- whose credentials, and where to --------------------------------------------------------------


def test_credentials_of_the_environment_go_with_their_id_and_token(
    kit: Any, case: Case, spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-id")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    case.staged(case.client(spoiled))
    (call,) = spoiled.calls
    assert "Credential=test-id/" in call.headers["authorization"]
    assert call.headers["x-amz-security-token"] == "a-token"
    assert CANARY.encode() not in call.head


def test_a_stand_in_never_sees_what_the_environment_has(
    kit: Any, case: Case, spoiled: Spoiled, server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = server()
    for name in ("", "_S3", "_BEDROCK", "_BEDROCK_RUNTIME"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL{name}", stranger.url)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "REAL-BEARER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "REAL-SECRET")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL-ID")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "REAL-TOKEN")
    client = case.client(spoiled)
    case.submit(client, case.staged(client))
    client.ask(case.path.read_bytes().splitlines(keepends=True)[0])
    assert len(spoiled.calls) == 3
    assert stranger.calls == []
    assert not [call for call in spoiled.calls if b"REAL" in call.head]


def test_each_service_has_its_own_address(kit: Any) -> None:
    def addresses(base: str, **options: Any) -> list[str | None]:
        service = kit.service("http://127.0.0.1:9", CANARY, 1)
        told = replace(service.options, **options)
        client = BedrockBatch(replace(service, base_url=base, options=told), kit.model)
        return [client._address(name) for name in ("bedrock", "bedrock-runtime", "s3")]

    assert addresses(BedrockBatch.default_base_url) == [None, None, None]
    assert addresses("https://vpce.example/") == ["https://vpce.example", None, None]
    here = "http://127.0.0.1:9/bedrock"
    assert addresses(here) == [here, here, f"{here}/s3"]
    own = {"storage_url": "https://s3.example", "runtime_url": "https://run.example"}
    assert addresses(here, **own) == [here, "https://run.example", "https://s3.example"]


def test_what_is_missing_is_said_at_once(
    kit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    service = replace(kit.service("https://x", "k", 1), key=None, options=BedrockOptions())
    said = BedrockBatch.missing(service) or ""
    for word in ("AWS_REGION", "provider.bucket", "provider.role", "aws sso login"):
        assert word in said
    assert "\n" not in said
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    named = replace(service, options=replace(KIT.service("", "k", 1).options, region=None))
    assert BedrockBatch.missing(named) is None
    assert BedrockBatch.missing(replace(named, key=Secret("k"))) is None
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install '.[bedrock]'" in (BedrockBatch.missing(named) or "")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"bucket": "gs://x"}, "bucket"),
        ({"bucket": "s3://a-bucket/ü"}, "bucket"),
        ({"role": "arn:aws:iam::1:role/x"}, "role"),
        ({"timeout_hours": 12}, "timeout_hours"),
        ({"storage_url": "http://example.com"}, "storage_url"),
        ({"runtime_url": "http://example.com"}, "runtime_url"),
        ({"bucket": "s3://a-bucket/some/prefix", "timeout_hours": 168}, None),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    kit: Any, wrong: dict[str, Any], where: str | None
) -> None:
    assert [name for name, _ in BedrockOptions(**wrong).problems()] == ([where] if where else [])


def test_a_prefix_is_kept_in_front_of_everything(kit: Any, case: Case, well: Any) -> None:
    client = case.client(well)
    told = replace(client._service.options, bucket="s3://emulated-bucket/studies/mine/")
    client._service = replace(client._service, options=told)
    batch = case.staged(client)
    assert batch.handle["input"].startswith("s3://emulated-bucket/studies/mine/chorus/")
    progress, replies = case.collected(client, case.submit(client, batch))
    assert len(replies) == len(case.ids)
    assert progress.files["output"].startswith("s3://emulated-bucket/studies/mine/chorus/results/")


def test_a_reply_of_converse_that_quotes_the_key_does_not_show_it(
    kit: Any, case: Case, server: Serve
) -> None:
    stub = server()
    stub.spoil(kit.ask, instead(reply(200, answer_of({"text": f"it is {CANARY}"}))))
    line = case.write(1).read_bytes()
    assert CANARY.encode() not in case.client(stub).ask(line)


def test_the_sdk_logs_nothing_below_info(kit: Any, case: Case, well: Any) -> None:
    case.staged(case.client(well))
    for name in ("botocore.endpoint", "botocore.parsers", "botocore.auth", "botocore.hooks"):
        record = logging.LogRecord(name, logging.DEBUG, "", 0, "x", None, None)
        assert not logging.getLogger(name).filter(record)


def test_a_job_is_told_by_its_arn_and_by_nothing_else(kit: Any, case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(kit.create, instead(reply(200, {"jobArn": "arn:aws:bedrock:x:1:model/x"})))
    with pytest.raises(ProviderReplyUnreadable):
        case.every_verb(case.client(stub))["submit"]()
    assert RemoteId(str(kit.unknown)) == kit.unknown
