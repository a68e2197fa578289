"""Gemini's own ground: four ways in and out, regions, load jobs, terminal states, whole downloads."""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from syrupy.assertion import SnapshotAssertion

from runner.core.errors import (
    ProviderBusy,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderSilent,
)
from runner.core.model import Batch, Progress, RemoteId, ReplyKind
from runner.providers.base import Secret, Service
from runner.providers.gemini import GeminiBatch, GeminiOptions
from tests.contract import spoiled as spoil
from tests.contract.case import CANARY, LABELS, Case, batch_of, condition_of, prompt_of, until_ended
from tests.contract.conftest import Emulator, Start
from tests.contract.kits.base import taken_of
from tests.contract.kits.gemini import GeminiKit, TablesKit
from tests.contract.spoiled import Spoiled, instead, reply
from tests.contract.test_wire_golden import Http, Json, Jsonl

Serve = Callable[..., Spoiled]
OBJECTS = GeminiKit("gemini", "objects")
TABLES = TablesKit("gemini", "tables", source="bigquery", sink="bigquery")
WAYS = [
    OBJECTS,
    TABLES,
    GeminiKit("gemini", "into a table", sink="bigquery"),
    TablesKit("gemini", "out of a table", source="bigquery", sink="gcs"),
]
BUCKET = ("GET", "/storage/v1/b/[^/]+")
UPLOAD = ("POST", "/upload/storage/v1/.*")
PIECE = ("PUT", "/upload/storage/v1/.*")
OBJECT = ("GET", "/storage/v1/b/[^/]+/o/.+")
LISTING = ("GET", "/storage/v1/b/[^/]+/o")
LOAD = ("POST", "/upload/bigquery/v2/.*")
DATASET = ("GET", "/bigquery/v2/projects/[^/]+/datasets/[^/]+")
ROWS = ("GET", "/bigquery/v2/.*/data")


def each(kits: list[Any]) -> Any:
    return pytest.mark.parametrize("kit", kits, ids=lambda kit: kit.variant)


objects = each([OBJECTS])
tables = each([TABLES])
both = each([OBJECTS, TABLES])


def write(case: Case, texts: list[str]) -> Path:
    """Write a request file that asks each of these."""
    client = case.offline()
    frames = {text: client.encode(case.asked[0], prompt_of(text)) for text in set(texts)}
    case.ids = [f"q-{n:06d}" for n in range(len(texts))]
    lines = zip((frames[text] for text in texts), case.ids, strict=True)
    case.path.write_bytes(b"".join(f.before + name.encode() + f.after for f, name in lines))
    return case.path


def job(**changes: Any) -> dict[str, Any]:
    return OBJECTS.batch_object(changes.pop("state", "running"), **changes)


# The whole way


@each(WAYS)
def test_requests_go_in_and_answers_come_out_four_ways(case: Case, behaving: Start) -> None:
    rough = behaving(shuffle=True, duplicate_lines=0.2)
    client = case.client(rough)
    batch = case.staged(client, 20)
    remote = case.submit(client, batch)
    assert re.fullmatch(r"projects/\d+/locations/us-central1/batchPredictionJobs/\d+", remote)
    progress, replies = case.collected(client, remote)
    assert (progress.state, progress.event, progress.rest) == ("succeeded", "end", "missing")
    assert (progress.total, progress.completed, progress.failed) == (20, 20, 0)
    answers = {r.custom_id: r for r in replies}
    assert sorted(answers) == case.ids
    proof = client.encode(*case.asked).proof
    assert {r.echo for r in answers.values()} == {proof}
    assert case.billed(rough) == dict.fromkeys(case.ids, 1)


@each(WAYS)
def test_a_kill_at_any_step_leaves_one_job(case: Case, well: Emulator) -> None:
    """As after a kill: each step is done by a client that knows the record and the file only."""
    path, before = case.write(5), well.batches()
    first = case.client(well).stage(path, case.file_name, look_first=False)
    again = case.client(well).stage(path, case.file_name, look_first=True)
    once_more = case.client(well).stage(path, case.file_name, look_first=False)
    assert first == again == once_more
    batch = batch_of(path, again)
    assert case.client(well).find(batch, path, ()) is None
    remote = case.submit(case.client(well), batch)
    assert taken_of(case.client(well).find(batch, path, ())) == remote
    progress, replies = case.collected(case.client(well), remote)
    assert [r.custom_id for r in replies] == case.ids
    case.client(well).cancel(remote)
    assert case.client(well).poll(remote) == progress
    assert well.batches() == before + 1
    assert case.billed(well) == dict.fromkeys(case.ids, 1)


@both
def test_an_upload_whose_reply_was_lost_is_adopted(
    case: Case, well: Emulator, server: Serve
) -> None:
    front = server(well.url)
    path = case.write(5)
    for route in (UPLOAD, LOAD):
        front.spoil(route, spoil.lost)
    with pytest.raises(ProviderSilent):
        case.client(front).stage(path, case.file_name, look_first=False)
    before = well.files()
    handle = case.client(well).stage(path, case.file_name, look_first=True)
    assert well.files() == before
    client = case.client(well)
    _, replies = case.collected(client, case.submit(client, batch_of(path, handle)))
    assert [r.custom_id for r in replies] == case.ids


@both
def test_a_deferred_batch_is_sent_again_from_the_same_input(case: Case, behaving: Start) -> None:
    full = behaving(token_limit=1.0)
    client = case.client(full)
    batch = case.staged(client, 3)
    first = case.submit(client, batch)
    deferred = until_ended(client, first)
    assert (deferred.event, deferred.files) == ("deferred", {})
    assert "Quota exceeded" in (deferred.message or "")
    batch = replace(batch, dead=(str(first),))
    assert client.find(batch, case.path, ()) is None
    second = case.submit(client, batch)
    assert taken_of(client.find(batch, case.path, ())) == second
    progress, replies = case.collected(client, second)
    assert case.kit is OBJECTS or progress.files["output"].endswith("_results_2")
    assert [r.custom_id for r in replies] == case.ids


@both
def test_many_threads_may_begin_at_once(case: Case, well: Emulator) -> None:
    client, path = case.client(well), case.write(3)
    broken: list[Exception] = []

    def work(n: int) -> None:
        try:
            handle = client.stage(path, f"{case.digest}-{n}.jsonl", look_first=False)
            case.collected(client, client.submit(batch_of(path, handle), path, LABELS))
            client.ask(path.read_bytes().split(b"\n")[0])
        except Exception as error:  # noqa: BLE001
            broken.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []


# Places


def elsewhere(kit: type[GeminiKit], **options: str) -> Any:
    return kit("gemini", "elsewhere", **options)


@pytest.mark.parametrize(
    ("kit", "says"),
    [
        (
            elsewhere(GeminiKit, bucket="emulated-europe-west4"),
            "gs://emulated-europe-west4 is in europe-west4, and the job in us-central1",
        ),
        (
            elsewhere(GeminiKit, location="europe-west4"),
            "gs://emulated-us-central1 is in us-central1, and the job in europe-west4",
        ),
        (
            elsewhere(GeminiKit, sink="bigquery", dataset="emulated_europe_west4"),
            "emulated.emulated_europe_west4 is in europe-west4, and the job in us-central1",
        ),
        (
            elsewhere(TablesKit, source="bigquery", sink="bigquery", dataset="emulated_global"),
            "emulated.emulated_global is in US, and the job in us-central1",
        ),
        (
            elsewhere(GeminiKit, bucket="mine"),
            "gcloud storage buckets create gs://mine --location=us-central1",
        ),
        (
            elsewhere(TablesKit, source="bigquery", sink="bigquery", dataset="mine"),
            "bq --location=us-central1 mk --dataset emulated:mine",
        ),
    ],
)
def test_a_place_that_does_not_fit_is_refused_before_anything_is_uploaded(
    case: Case, kit: Any, well: Emulator, says: str
) -> None:
    before = well.files()
    with pytest.raises(ProviderRefused, match=re.escape(says)):
        case.client(well).stage(case.write(2), case.file_name, look_first=False)
    assert well.files() == before


@each(
    [
        GeminiKit("gemini", "global", location="global"),
        GeminiKit("gemini", "wide", bucket="emulated-us"),
        GeminiKit(
            "gemini", "as copied", bucket="gs://emulated-us-central1/", location="US-CENTRAL1"
        ),
        GeminiKit("gemini", "europe", location="europe-west4", bucket="emulated-europe-west4"),
        TablesKit(
            "gemini",
            "another project's",
            source="bigquery",
            sink="bigquery",
            dataset="other:emulated_us_central1",
        ),
    ]
)
def test_a_place_that_includes_the_jobs_region_fits(case: Case, well: Emulator) -> None:
    client = case.client(well)
    _, replies = case.collected(client, case.submit(client, case.staged(client, 2)))
    assert [r.custom_id for r in replies] == case.ids


@both
def test_who_may_not_look_at_places_may_still_use_one(
    case: Case, kit: Any, well: Emulator, server: Serve
) -> None:
    front = server(well.url)
    for route in (BUCKET, DATASET):
        front.spoil(route, instead(reply(403, kit.error("No buckets.get.", 403))))
    client = case.client(front)
    _, replies = case.collected(client, case.submit(client, case.staged(client, 2)))
    assert [r.custom_id for r in replies] == case.ids


@objects
def test_a_bucket_of_two_regions_is_looked_at_closely(case: Case, server: Serve) -> None:
    stub = server()
    found = {"name": "b", "location": "US", "locationType": "dual-region"}
    placed = {"customPlacementConfig": {"dataLocations": ["US-EAST1", "US-WEST1"]}}
    stub.spoil(BUCKET, instead(reply(200, found | placed)))
    with pytest.raises(ProviderRefused, match="the job in us-central1"):
        case.client(stub).stage(case.write(2), case.file_name, look_first=False)
    assert len(stub.calls) == 1


# Preflight


@both
def test_a_line_the_importer_would_refuse_is_never_uploaded(case: Case, well: Emulator) -> None:
    path, before = case.write(3), well.files()
    path.write_bytes(path.read_bytes() + b'{"custom_id":"c-1","request":{"tools":[{"x":{}}]}}\n')
    with pytest.raises(ProviderRefused, match=r"line 4 of the request file: .*an empty object"):
        case.client(well).stage(path, case.file_name, look_first=False)
    assert well.files() == before


@both
def test_what_encode_writes_the_importer_takes(case: Case, well: Emulator) -> None:
    """With every model's parameters, and prompts that hold anything."""
    client = case.client(well)
    write(case, ['\u2028\x00\\ "$schema" {} [] 𠮷\r\n', "", "x"])
    handle = client.stage(case.path, case.file_name, look_first=False)
    progress, replies = case.collected(client, case.submit(client, batch_of(case.path, handle)))
    assert progress.event == "end"
    assert [r.custom_id for r in replies] == case.ids


# Uploads


def grown(case: Case, size: int) -> Path:
    """Write a request file that is sent in pieces."""
    return write(case, ["『懐中時計』" * 400] * (size // 7400 + 1))


@pytest.mark.long
@objects
def test_a_piece_of_a_long_upload_is_sent_again(case: Case, well: Emulator, server: Serve) -> None:
    front, path = server(well.url), grown(case, 17 << 20)
    trouble = iter(
        [
            instead(reply(503, OBJECTS.error("Busy.", 503))),
            None,
            spoil.reset,
            spoil.lost,
        ]
    )

    def now_and_then(deed: spoil.Deed) -> None:
        how = next(trouble, None)
        how(deed) if how else deed.caller.sendall(deed.forward())

    front.spoil(PIECE, now_and_then)
    handle = case.client(front, timeout=30).stage(path, case.file_name, look_first=False)
    assert len(front.asked(PIECE)) == 3 + 3
    assert case.client(well).stage(path, case.file_name, look_first=True) == handle
    before = well.files()
    assert case.client(well).stage(path, case.file_name, look_first=False) == handle
    assert well.files() == before


@objects
def test_a_long_upload_is_not_tried_for_ever(case: Case, well: Emulator, server: Serve) -> None:
    front, path = server(well.url), grown(case, 9 << 20)
    front.spoil(PIECE, instead(reply(503, OBJECTS.error("Busy.", 503))))
    began = time.monotonic()
    with pytest.raises(ProviderSilent, match=r"Busy\.|[Tt]imeout"):
        case.client(front, timeout=2).stage(path, case.file_name, look_first=False)
    assert time.monotonic() - began < 10


@objects
def test_another_object_under_our_name_is_not_adopted(case: Case, well: Emulator) -> None:
    client, path = case.client(well), case.write(3)
    client.stage(path, case.file_name, look_first=False)
    case.write(4)
    for look_first in (True, False):
        with pytest.raises(ProviderRefused, match="holds something else than the request file"):
            client.stage(path, case.file_name, look_first=look_first)


@objects
def test_a_reply_to_an_upload_that_says_nothing_is_unreadable(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(BUCKET, instead(reply(200, {"name": "b", "location": "US-CENTRAL1"})))
    stub.spoil(UPLOAD, instead(reply(200, {"name": "x"})))
    with pytest.raises(ProviderReplyUnreadable):
        case.client(stub).stage(case.write(2), case.file_name, look_first=False)


# Load jobs


@tables
def test_a_large_file_is_loaded_in_pieces(case: Case, well: Emulator, server: Serve) -> None:
    front, path = server(well.url), grown(case, 17 << 20)
    handle = case.client(front, timeout=30).stage(path, case.file_name, look_first=False)
    pieces = front.asked(("PUT", "/upload/bigquery/v2/.*"))
    assert [len(call.body) >> 20 for call in pieces] == [8, 8, 1]
    assert case.client(well).stage(path, case.file_name, look_first=True) == handle


@tables
def test_a_load_that_takes_its_time_is_waited_for_and_not_started_again(
    case: Case, behaving: Start
) -> None:
    slow = behaving(validating_seconds=0.8)
    path = case.write(3)
    with pytest.raises(ProviderSilent, match="not done yet"):
        case.client(slow, timeout=0.3).stage(path, case.file_name, look_first=False)
    before = slow.files()
    handle = case.client(slow).stage(path, case.file_name, look_first=True)
    assert slow.files() == before
    assert handle["input"].startswith("bq://emulated.emulated_us_central1.chorus_")


def load_job(state: str = "DONE", rows: int = 3, **error: Any) -> dict[str, Any]:
    status = {"state": state, **({"errorResult": error, "errors": [error]} if error else {})}
    return {
        "jobReference": {"projectId": "emulated", "jobId": "x", "location": "us-central1"},
        "configuration": {
            "jobType": "LOAD",
            "load": {"destinationTable": {"projectId": "p", "datasetId": "d", "tableId": "t"}},
        },
        "status": status,
        "statistics": {"load": {"outputRows": str(rows)}},
    }


@tables
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("invalid", ProviderRefused),
        ("accessDenied", ProviderRefused),
        ("backendError", ProviderBusy),
        ("quotaExceeded", ProviderBusy),
    ],
)
def test_a_load_that_fails_says_whether_to_load_again(
    case: Case, server: Serve, reason: str, expected: type[Exception]
) -> None:
    stub = server()
    stub.spoil(DATASET, instead(reply(200, dataset())))
    stub.spoil(LOAD, instead(reply(200, load_job(reason=reason, message="Why."))))
    with pytest.raises(expected, match=rf"{reason}: Why\."):
        case.client(stub).stage(case.write(3), case.file_name, look_first=False)


def dataset() -> dict[str, Any]:
    reference = {"projectId": "emulated", "datasetId": "emulated_us_central1"}
    return {"datasetReference": reference, "location": "us-central1"}


@tables
def test_after_a_load_that_failed_the_next_one_has_another_name(case: Case, server: Serve) -> None:
    stub, path = server(), case.write(3)
    stub.spoil(DATASET, instead(reply(200, dataset())))
    stub.spoil(LOAD, instead(reply(409, TABLES.error("Already Exists", 409))))
    first, second = (
        ("GET", rf"/bigquery/v2/projects/emulated/jobs/chorus-[\w-]+-{case.digest[-16:]}{tail}")
        for tail in ("", "-2")
    )
    stub.spoil(second, instead(reply(200, load_job())))
    failed = load_job(reason="backendError", message="x")
    stub.spoil(first, instead(reply(200, failed)))
    case.client(stub).stage(path, case.file_name, look_first=False)
    assert len(stub.asked(first)) == 1
    assert len(stub.asked(second)) == 1


@tables
def test_a_table_with_other_rows_is_not_adopted(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(DATASET, instead(reply(200, dataset())))
    stub.spoil(LOAD, instead(reply(200, load_job(rows=2))))
    with pytest.raises(ProviderRefused, match="has 2 rows, and the request file 3"):
        case.client(stub).stage(case.write(3), case.file_name, look_first=False)


# Every end


@each(WAYS)
@pytest.mark.parametrize(
    ("behaviour", "state", "event", "rest", "answers"),
    [
        ({}, "succeeded", "end", "missing", 6),
        ({"half_expired": 1.0}, "expired", "end", "expired", 3),
        ({"all_failed": True}, "succeeded", "end", "missing", 0),
    ],
)
def test_a_job_ends_and_its_answers_are_there(
    case: Case,
    behaving: Start,
    behaviour: dict[str, Any],
    state: str,
    event: str,
    rest: str,
    answers: int,
) -> None:
    rough = behaving(**behaviour)
    client = case.client(rough)
    progress, replies = case.collected(client, case.submit(client, case.staged(client, 6)))
    assert (progress.state, progress.event, progress.rest) == (state, event, rest)
    assert case.tally(replies)["answer"] == answers
    assert list(progress.files) == ["output"]


@both
def test_some_jobs_succeed_partially(case: Case, behaving: Start) -> None:
    rough = behaving(failed_lines=0.5)
    client, states = case.client(rough), set()
    for n in range(10):
        path = write(case, [f"{n}-{m}" for m in range(8)])
        handle = client.stage(path, f"{case.digest[:8]}-{n}.jsonl", look_first=False)
        progress, replies = case.collected(client, client.submit(batch_of(path, handle), path, {}))
        states.add(progress.state)
        assert progress.event == "end"
        assert case.tally(replies).total() == 8
    assert states == {"succeeded", "partially_succeeded"}


@objects
def test_a_job_that_is_cancelled_before_it_ran_has_no_files(case: Case, behaving: Start) -> None:
    slow = behaving(validating_seconds=60)
    client = case.client(slow)
    remote = case.submit(client, case.staged(client, 3))
    client.cancel(remote)
    progress = until_ended(client, remote)
    assert (progress.state, progress.event, progress.rest) == ("cancelled", "end", "cancelled")
    assert progress.files == {}
    assert case.billed(slow) == {}


def polled(case: Case, server: Serve, found: dict[str, Any], **routes: Any) -> Progress:
    stub = server()
    stub.spoil(OBJECTS.poll, instead(reply(200, found)))
    stub.spoil(LISTING, instead(routes.get("listing", reply(200, {"kind": "storage#objects"}))))
    stub.spoil(TABLES.listing, instead(routes.get("table", reply(404, OBJECTS.error("No.", 404)))))
    progress: Progress = case.client(stub).poll(OBJECTS.unknown)
    return progress


def listing(*names: str, token: str | None = None) -> bytes:
    items = [{"name": name, "generation": str(n), "bucket": "b"} for n, name in enumerate(names, 1)]
    return reply(200, {"items": items, **({"nextPageToken": token} if token else {})})


FOLDER = "chorus/unknown/prediction-model-2026-09-02T20:06:30.166279Z"


@objects
@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_a_job_that_ended_early_may_have_output_all_the_same(
    case: Case, server: Serve, state: str
) -> None:
    error = {"code": 3, "message": "Failed to import data."}
    found = polled(
        case, server, job(state=state, error=error), listing=listing(f"{FOLDER}/predictions.jsonl")
    )
    uri = f"gs://emulated-us-central1/{FOLDER}/predictions.jsonl#1"
    assert (found.event, found.files) == ("end", {"output": uri})


@objects
def test_every_result_file_is_taken_and_nothing_else(case: Case, server: Serve) -> None:
    found = polled(
        case,
        server,
        job(state="succeeded", outputInfo={"gcsOutputDirectory": f"gs://b/{FOLDER}"}),
        listing=listing(
            f"{FOLDER}/predictions_0002.jsonl",
            f"{FOLDER}/predictions_0001.jsonl",
            f"{FOLDER}/errors.stats",
        ),
    )
    assert found.files == {
        "output": f"gs://b/{FOLDER}/predictions_0001.jsonl#2",
        "output-2": f"gs://b/{FOLDER}/predictions_0002.jsonl#1",
    }


@objects
def test_another_jobs_folder_below_the_same_prefix_is_left_alone(case: Case, server: Serve) -> None:
    other = FOLDER.replace("20:06:30", "19:00:00")
    found = polled(
        case,
        server,
        job(state="succeeded"),
        listing=listing(f"{other}/predictions.jsonl", f"{FOLDER}/predictions.jsonl"),
    )
    assert found.files == {"output": f"gs://emulated-us-central1/{FOLDER}/predictions.jsonl#2"}


@objects
def test_a_listing_is_read_to_its_end(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(OBJECTS.poll, instead(reply(200, job(state="succeeded"))))
    pages = iter([listing(f"{FOLDER}/a.jsonl", token="t"), listing(f"{FOLDER}/b.jsonl")])
    stub.spoil(LISTING, lambda deed: deed.caller.sendall(next(pages)))
    assert len(case.client(stub).poll(OBJECTS.unknown).files) == 2
    stub.spoil(LISTING, instead(reply(500, OBJECTS.error("No.", 500))))
    with pytest.raises(ProviderSilent):
        case.client(stub).poll(OBJECTS.unknown)


@both
def test_a_success_without_output_says_where_it_should_be(
    case: Case, kit: Any, server: Serve
) -> None:
    found = kit.batch_object("succeeded", completionStats={"successfulCount": "3"})
    progress = polled(case, server, found)
    assert (progress.event, progress.completed, progress.files) == ("end", 3, {})
    assert "there is no result in" in str(progress.message)


@objects
def test_a_state_without_a_name_yet_is_progress(case: Case, server: Serve) -> None:
    found = polled(case, server, job(state="running") | {"state": 12})
    assert (found.event, found.state) == ("progress", "12")
    assert found.message == "unknown state '12'"


@objects
def test_numbers_for_states_are_understood(case: Case, server: Serve) -> None:
    assert polled(case, server, job() | {"state": 3}).state == "running"
    assert polled(case, server, job() | {"state": 8}).state == "paused"


# Finding


def found_of(case: Case, stub: Spoiled, **changes: Any) -> RemoteId | None:
    batch = batch_of(case.write(3), OBJECTS.unknown_handle, **changes)
    return taken_of(case.client(stub).find(batch, case.path, ()))


def name_of(n: int, project: str = "123") -> str:
    return f"projects/{project}/locations/us-central1/batchPredictionJobs/{n}"


@objects
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["failed", "pending"], 1),
        (["pending", "running"], 1),
        (["succeeded", "running"], 0),
        (["cancelled", "pending"], 1),
        (["failed", "expired"], 1),
        (["failed", "never_heard_of"], 1),
        (["failed"], 0),
        (["pending", "pending"], 1),
        (["dead", "failed"], 1),
        (["dead"], None),
        ([], None),
    ],
)
def test_the_furthest_job_is_found_and_a_dead_one_never(
    case: Case, server: Serve, states: list[str], expected: int | None
) -> None:
    rows = [
        job(state="succeeded" if s == "dead" else s, name=name_of(n))
        | {"createTime": f"2026-09-02T20:06:{30 - n}Z"}
        for n, s in enumerate(states)
    ]
    strangers = [job(name=name_of(8)) | {"labels": {"shard": "other"}}, job(name=name_of(9))]
    del strangers[1]["labels"]
    stub = server()
    stub.spoil(OBJECTS.find, instead(reply(200, OBJECTS.page(rows + strangers))))
    dead = tuple(name_of(n, "by-name") for n, s in enumerate(states) if s == "dead")
    found = found_of(case, stub, dead=dead)
    assert found == (None if expected is None else name_of(expected))


@objects
@pytest.mark.parametrize(
    "second",
    [
        reply(200, []),
        reply(200, b"<html>"),
        reply(500, OBJECTS.error("No.", 500)),
        reply(200, OBJECTS.error("No.", 500)),
        reply(200, OBJECTS.page([], more=True)),
    ],
)
def test_half_a_list_proves_nothing(case: Case, server: Serve, second: bytes) -> None:
    stub = server()
    pages = iter([reply(200, OBJECTS.page([], more=True)), second])
    stub.spoil(OBJECTS.find, lambda deed: deed.caller.sendall(next(pages)))
    with pytest.raises((ProviderSilent, ProviderReplyUnreadable)):
        found_of(case, stub)


@objects
def test_an_empty_page_in_the_middle_of_a_list_is_passed_over(case: Case, server: Serve) -> None:
    stub = server()
    pages = iter(
        [
            reply(200, {"nextPageToken": "a"}),
            reply(200, {"nextPageToken": "b"}),
            reply(200, OBJECTS.page([job(name=name_of(1))])),
        ]
    )
    stub.spoil(OBJECTS.find, lambda deed: deed.caller.sendall(next(pages)))
    assert found_of(case, stub) == name_of(1)


# The fence


@both
@pytest.mark.parametrize(
    "raw",
    [
        reply(404, b"<html>"),
        reply(404, b""),
        reply(200, b"<html>"),
        reply(200, {"error": {"code": 404}}),
        reply(412, OBJECTS.error("Another generation.", 412)),
        reply(500, OBJECTS.error("No.", 500)),
        reply(403, OBJECTS.error("No.", 403)),
    ],
)
def test_a_fence_stands_only_when_the_service_says_so(
    case: Case, kit: Any, server: Serve, raw: bytes
) -> None:
    stub = server()
    stub.spoil(("DELETE", "/.*"), instead(raw))
    batch = batch_of(case.write(2), kit.unknown_handle)
    with pytest.raises((ProviderSilent, ProviderRefused, ProviderReplyUnreadable)):
        case.client(stub).fence(batch)


@objects
def test_a_fence_takes_away_our_generation_only(case: Case, spoiled: Spoiled) -> None:
    client = case.client(spoiled)
    batch = case.staged(client, 2)
    other = replace(batch, handle={**batch.handle, "generation": "7"})
    with pytest.raises(ProviderRefused):
        client.fence(other)
    assert client.stage(case.path, case.file_name, look_first=True)["generation"] != "7"


# Downloads


def stored(content: bytes, **headers: str) -> bytes:
    checksum = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
    hashes = f"crc32c={checksum}"
    return reply(200, content, **{"x_goog_hash": hashes, **headers})


def fetched(case: Case, stub: Spoiled) -> bytes:
    sink = io.BytesIO()
    case.client(stub).download(OBJECTS.unknown_file, sink)
    return sink.getvalue()


WHOLE = b'{"custom_id":"c-1","text":"a\xe2\x80\xa8b"}\n' * 100


@objects
@pytest.mark.parametrize("content", [WHOLE, b"", b"\xef\xbb\xbf\r\n " + WHOLE, WHOLE[:-9]])
def test_a_whole_object_is_stored_byte_for_byte(case: Case, server: Serve, content: bytes) -> None:
    stub = server()
    stub.spoil(OBJECTS.download, instead(stored(content)))
    assert fetched(case, stub) == content
    assert len(stub.calls) == 1
    assert "generation=1" in stub.calls[0].query


@objects
@pytest.mark.parametrize(
    "raw",
    [
        stored(WHOLE, x_goog_hash="crc32c=AAAAAA=="),
        stored(WHOLE).replace(b"a\xe2\x80\xa8b", b"a\xe2\x80\xa9b", 1),
        stored(WHOLE)[:-50],
        stored(WHOLE, x_goog_hash="crc32c=nonsense"),
    ],
    ids=["another checksum", "another byte", "short", "no checksum"],
)
def test_a_corrupted_download_is_noticed(case: Case, server: Serve, raw: bytes) -> None:
    stub = server()
    stub.spoil(OBJECTS.download, instead(raw))
    with pytest.raises(ProviderSilent):
        fetched(case, stub)


@objects
def test_a_download_without_a_checksum_is_compared_with_the_objects(
    case: Case, server: Serve
) -> None:
    """A proxy may have taken the header away."""
    stub = server()
    stub.spoil(OBJECT, instead(reply(200, {"name": "x", "crc32c": "AAAAAA=="})))
    stub.spoil(OBJECTS.download, instead(reply(200, WHOLE)))
    with pytest.raises(ProviderSilent):
        fetched(case, stub)
    assert len(stub.asked(OBJECT)) == 1
    stub.spoil(OBJECTS.download, instead(reply(200, b"")))
    assert fetched(case, stub) == b""


@objects
@pytest.mark.parametrize("raw", [b"<html>", b"[]", b"upstream timeout\x1b[2J\n"])
def test_a_page_in_place_of_results_is_not_stored(case: Case, server: Serve, raw: bytes) -> None:
    stub = server()
    stub.spoil(OBJECTS.download, instead(stored(raw)))
    sink = io.BytesIO()
    with pytest.raises(ProviderSilent, match="not a result file") as caught:
        case.client(stub).download(OBJECTS.unknown_file, sink)
    assert sink.getvalue() == b""
    assert "\x1b" not in str(caught.value)


@tables
def test_a_table_that_was_cut_is_noticed(case: Case, behaving: Start) -> None:
    rough = behaving(truncated_downloads=1.0)
    client = case.client(rough)
    progress = until_ended(client, case.submit(client, case.staged(client, 9)))
    with pytest.raises(ProviderSilent, match="4 rows, where there should be"):
        case.downloaded(client, progress)
    assert len(case.downloaded(client, progress)) == 9 + 1


@tables
def test_a_table_is_read_page_by_page(case: Case, spoiled: Spoiled) -> None:
    client = case.client(spoiled)
    progress = until_ended(client, case.submit(client, case.staged(client, 9)))
    spoiled.spoil(ROWS, spoil.asking("maxResults", "2"))
    lines = case.downloaded(client, progress)
    assert sorted(client.decode(line).custom_id for line in lines[:-1]) == case.ids
    assert len(spoiled.asked(ROWS)) == 5
    pages = 0

    def breaks_at_the_third(deed: spoil.Deed) -> None:
        nonlocal pages
        pages += 1
        if pages == 3:
            spoil.reset(deed)
        else:
            spoil.asking("maxResults", "2")(deed)

    spoiled.spoil(ROWS, breaks_at_the_third)
    with pytest.raises(ProviderSilent):
        case.downloaded(client, progress)


@tables
def test_a_row_that_cannot_be_read_stops_the_download_and_nothing_else(
    case: Case, server: Serve
) -> None:
    stub = server()
    for raw in (b'{"rows": [{"f": 7}]}', b'{"rows": [{"f": [{"v": "{"}]}], "totalRows": "1"}'):
        schema = {"fields": [{"name": "response", "type": "JSON"}]}
        found = json.loads(
            TABLES.poll_replies("succeeded")[TABLES.listing].partition(b"\r\n\r\n")[2]
        )
        stub.spoil(TABLES.listing, instead(reply(200, found | {"schema": schema})))
        stub.spoil(ROWS, instead(reply(200, raw, content_type="application/json")))
        with pytest.raises(ProviderReplyUnreadable):
            case.client(stub).download(TABLES.unknown_file, io.BytesIO())


@both
def test_answers_under_swapped_keys_do_not_have_their_requests_proof(
    case: Case, well: Emulator
) -> None:
    """Two prompts in one file, and their answers come back under each other's key."""
    client = case.client(well)
    texts = ["『懐中時計』", "『砂時計』"]
    path = write(case, texts)
    handle = client.stage(path, case.file_name, look_first=False)
    progress = until_ended(client, case.submit(client, batch_of(path, handle)))
    lines = case.downloaded(client, progress)[:-1]
    first, second = case.ids
    frames = [client.encode(case.asked[0], prompt_of(text)) for text in texts]
    proofs = dict(zip(case.ids, (frame.proof for frame in frames), strict=True))
    for line in lines:
        fair = client.decode(line)
        assert fair.echo == proofs[fair.custom_id]
        other = second if fair.custom_id == first else first
        swapped = line.replace(fair.custom_id.encode(), other.encode())
        foul = client.decode(swapped)
        assert foul.custom_id == other
        assert foul.echo != proofs[foul.custom_id]


# One request


@objects
def test_a_refusal_that_concerns_every_request_is_one(case: Case, server: Serve) -> None:
    stub = server()
    body = OBJECTS.error("Billing is off.")
    body["error"]["status"] = "FAILED_PRECONDITION"
    stub.spoil(OBJECTS.ask, instead(reply(400, body)))
    with pytest.raises(ProviderRefused, match=r"Billing is off\."):
        case.client(stub).ask(case.write(1).read_bytes())


@objects
def test_what_is_withheld_from_one_request_is_an_answer(case: Case, server: Serve) -> None:
    stub = server()
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}}
    stub.spoil(OBJECTS.ask, instead(reply(200, body)))
    client = case.client(stub)
    answer = client.decode(client.ask(case.write(1).read_bytes()))
    assert (answer.kind, answer.finish_reason) == (ReplyKind.ANSWER, "content_filter")
    assert answer.usage.input_tokens == 7


@objects
def test_a_key_in_an_answer_is_not_kept(case: Case, server: Serve) -> None:
    stub = server()
    stub.spoil(OBJECTS.ask, instead(reply(400, OBJECTS.error(f"for {CANARY}"))))
    assert CANARY.encode() not in case.client(stub).ask(case.write(1).read_bytes())


# Who asks, and where


def service_of(**changes: Any) -> Service:
    known: dict[str, Any] = {
        "project": "p",
        "location": "us-central1",
        "bucket": "b",
        "dataset": None,
        "source": "gcs",
        "sink": "gcs",
    }
    return Service(
        base_url=changes.pop("url", GeminiBatch.default_base_url),
        key_variable="GOOGLE_OAUTH_ACCESS_TOKEN",
        key=changes.pop("key", Secret("k")),
        timeout_seconds=1,
        options=GeminiOptions(**known | changes),
    )


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, ()),
        ({"project": None}, ("provider.project", "GOOGLE_CLOUD_PROJECT")),
        ({"location": None}, ("provider.location",)),
        ({"bucket": None}, ("provider.bucket",)),
        ({"bucket": None, "source": "bigquery"}, ("provider.bucket", "provider.dataset")),
        ({"bucket": None, "source": "bigquery", "sink": "bigquery"}, ("provider.dataset",)),
        ({"bucket": None, "source": "bigquery", "sink": "bigquery", "dataset": "d"}, ()),
        (
            {"project": None, "bucket": None, "key": None},
            ("provider.project", "provider.bucket", "application-default login"),
        ),
        ({"key": None}, ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")),
    ],
)
def test_one_line_says_what_is_missing_in_the_order_it_is_met(
    changes: dict[str, Any],
    wanted: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    missing = GeminiBatch.missing(service_of(**changes))
    if not wanted:
        assert missing is None
        return
    assert missing is not None
    assert "\n" not in missing
    places = [missing.index(word) for word in wanted]
    assert places == sorted(places)


def test_a_project_and_credentials_of_the_environment_are_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "mine")
    assert GeminiBatch.missing(service_of(project=None)) is None
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert GeminiBatch.missing(service_of(key=None)) is None
    (tmp_path / "application_default_credentials.json").unlink()
    assert GeminiBatch.missing(service_of(key=None)) is not None
    monkeypatch.delenv("NO_GCE_CHECK")
    monkeypatch.setenv("K_SERVICE", "a-service-on-cloud-run")
    assert GeminiBatch.missing(service_of(key=None)) is None


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        (
            GeminiBatch.default_base_url,
            "us-central1",
            "https://us-central1-aiplatform.googleapis.com",
        ),
        (GeminiBatch.default_base_url, "global", "https://aiplatform.googleapis.com"),
        ("https://vertex.internal.example", "us-central1", "https://vertex.internal.example"),
        ("http://127.0.0.1:7", "us-central1", "http://127.0.0.1:7"),
    ],
)
def test_a_job_is_ordered_in_its_region(
    hang_up: Callable[[Any], Any], url: str, location: str, expected: str
) -> None:
    client = hang_up(GeminiBatch(service_of(url=url, location=location), OBJECTS.model))
    assert client._endpoint == expected
    assert expected.partition("//")[2] in client._jobs.transport._host
    assert vars(client._objects)["_client"].api_endpoint == (
        url if "127.0.0.1" in url else "https://storage.googleapis.com"
    )


@objects
@pytest.mark.parametrize("content", ["{}", "no JSON", '{"type": "authorized_user"}'])
def test_credentials_that_are_none_are_refused(
    case: Case, content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "adc.json").write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    client = case.hang_up(GeminiBatch(service_of(key=None), OBJECTS.model))
    with pytest.raises(ProviderRefused, match="gcloud auth application-default login"):
        client.poll(OBJECTS.unknown)


@objects
def test_a_user_who_is_signed_in_is_asked_for_a_token_first(
    case: Case, server: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Application default credentials, with the token endpoint on this machine."""
    stub = server()
    stub.spoil(
        ("POST", "/token"), instead(reply(200, {"access_token": "token-1", "expires_in": 3600}))
    )
    stub.spoil(OBJECTS.poll, instead(reply(200, job())))
    account = {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
        "token_uri": f"{stub.url}/token",
    }
    (tmp_path / "adc.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    service = service_of(key=None, url=stub.url)
    client = case.hang_up(GeminiBatch(service, OBJECTS.model))
    monkeypatch.setattr(
        "google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{stub.url}/token"
    )
    assert client.poll(OBJECTS.unknown).state == "running"
    asked, polled_ = stub.calls
    assert b"refresh_token=r" in asked.body
    assert polled_.headers["authorization"] == "Bearer token-1"
    assert polled_.headers["x-goog-user-project"] == "p"
    stub.spoil(OBJECTS.poll, instead(reply(403, OBJECTS.error("No token-1.", 403))))
    with pytest.raises(ProviderRefused, match="check the roles") as caught:
        client.poll(OBJECTS.unknown)
    assert "token-1" not in str(caught.value)


# The bytes that go out


def shown(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=1, ensure_ascii=False, sort_keys=True).encode()


@each(WAYS)
def test_orders_are_pinned(
    case: Case, emulator: Start, server: Serve, snapshot: SnapshotAssertion
) -> None:
    front = server(emulator().url)
    client = case.client(front)
    path = case.write(2)
    handle = client.stage(path, "e1-b0001-1-0123456789abcdef.jsonl", look_first=False)
    batch = batch_of(path, handle)
    remote = client.submit(batch, path, {**LABELS, "name": "文学 Study"})
    client.find(batch, path, ())
    progress = until_ended(client, remote)
    case.downloaded(client, progress)
    client.cancel(remote)
    client.fence(batch)
    (created,) = front.asked(case.kit.create)
    assert snapshot(name="job", extension_class=Json) == shown(created.body)
    calls = [f"{c.method} {c.path}{'?' + c.query if c.query else ''}" for c in front.calls]
    text = "\n".join(dict.fromkeys(map(_steady, calls)))
    assert snapshot(name="calls", extension_class=Http) == text.encode()
    assert {c.headers["authorization"] for c in front.calls} == {f"Bearer {CANARY}"}


def _steady(call: str) -> str:
    call = re.sub(r"projects/\d+/", "projects/NUMBER/", call)
    call = re.sub(r"Jobs/\d+", "Jobs/ID", call)
    return re.sub(r"prediction-model-[^/&]+?Z", "prediction-model-TIME", call)


def test_request_lines_are_pinned(snapshot: SnapshotAssertion) -> None:
    client = GeminiBatch(service_of(), OBJECTS.model, "c1a2b3c4d-")
    lines = []
    for temperature, system in (("0.7", None), (None, None), ("0", "あなたは大学１年生です。")):
        prompt = replace(
            prompt_of('『懐中時計』\u2028を読んで\n答えて\t"ください"。😀\\'), system=system
        )
        frame = client.encode(condition_of(temperature), prompt)
        lines.append(frame.before + b"p1_t1_t0.7-001" + frame.after)
    assert snapshot(extension_class=Jsonl) == b"".join(lines)


def test_a_batch_knows_where_it_came_from() -> None:
    """What a handle holds is all that later verbs need; it is text, to be kept in the ledger."""
    batch: Batch = batch_of(Path(__file__), OBJECTS.unknown_handle)
    assert all(isinstance(value, str) for value in batch.handle.values())
