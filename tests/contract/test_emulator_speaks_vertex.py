"""The emulator answers as Vertex AI, Cloud Storage and BigQuery do, checked with Google's clients."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import requests
from google.api_core import exceptions as api
from google.cloud import bigquery, storage
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
from google.cloud.aiplatform_v1.types import BatchPredictionJob, JobState
from google.cloud.storage.exceptions import DataCorruption
from google.genai import types as genai
from google.oauth2.credentials import Credentials
from google.protobuf import json_format

from tests.contract.conftest import Emulator, Start
from tests.contract.spoiled import Spoiled, reply

Json = dict[str, Any]

PARENT = "projects/emulated/locations/us-central1"
BUCKET = "emulated-us-central1"
DATASET = "emulated.emulated_us_central1"
MODEL = "publishers/google/models/gemini-2.5-flash"
OVER = {"SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"}


class Google:
    """Google's own clients, pointed at one emulator."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.url = url
        self._stack = stack
        token = Credentials(token="test-key")
        at: Any = {"api_endpoint": url}
        self.jobs = JobServiceClient(credentials=token, transport="rest", client_options=at)
        self.models = PredictionServiceClient(
            credentials=token, transport="rest", client_options=at
        )
        self.storage = storage.Client("emulated", token, client_options=at)
        vars(self.storage)["_bucket_metadata_cache"] = None
        self.tables = bigquery.Client("emulated", token, client_options=at)
        self.bucket = self.storage.bucket(BUCKET)
        stack.callback(self.jobs.transport.close)
        stack.callback(self.models.transport.close)
        stack.callback(self.storage.close)
        stack.callback(self.tables.close)

    def upload(self, content: bytes, name: str = "in.jsonl") -> str:
        self.bucket.blob(name).upload_from_string(content, retry=None)
        return f"gs://{BUCKET}/{name}"

    def load(self, content: bytes, table: str, kind: str = "JSON", **more: Any) -> Any:
        config = bigquery.LoadJobConfig(
            schema=[
                bigquery.SchemaField("custom_id", "STRING"),
                bigquery.SchemaField("request", kind),
            ],
            source_format="NEWLINE_DELIMITED_JSON",
        )
        return self.tables.load_table_from_file(
            BytesIO(content),
            f"{DATASET}.{table}",
            size=len(content),
            num_retries=0,
            job_config=config,
            **more,
        )

    def create(self, source: str, sink: str = f"gs://{BUCKET}/out", **more: Any) -> Any:
        return self.jobs.create_batch_prediction_job(
            parent=more.pop("parent", PARENT),
            batch_prediction_job=BatchPredictionJob.from_json(
                json.dumps(job_of(source, sink, **more))
            ),
        )

    def finish(self, name: str) -> Any:
        deadline = time.monotonic() + 20
        while state_of(job := self.jobs.get_batch_prediction_job(name=name)) not in OVER:
            assert time.monotonic() < deadline, job
            time.sleep(0.02)
        return job

    def run(self, content: bytes, **more: Any) -> Any:
        name = f"{hash(content)}.jsonl"
        return self.finish(self.create(self.upload(content, name), **more).name)

    def rows(self, job: Any) -> list[Json]:
        folder = job.output_info.gcs_output_directory.removeprefix(f"gs://{BUCKET}/")
        (blob,) = self.storage.list_blobs(BUCKET, prefix=f"{folder}/", retry=None)
        assert blob.name == f"{folder}/predictions.jsonl"
        content = blob.download_as_bytes(checksum="crc32c", retry=None)
        assert content.endswith(b"\n")
        return [json.loads(line) for line in content.split(b"\n")[:-1]]

    def get(self, path: str) -> Json:
        request = Request(f"{self.url}{path}", headers={"Authorization": "Bearer test-key"})
        with urlopen(request) as answer:
            body: Json = json.load(answer)
        return body


def job_of(source: str, sink: str, **more: Any) -> Json:
    into: Json = (
        {"predictions_format": "bigquery", "bigquery_destination": {"output_uri": sink}}
        if sink.startswith("bq:")
        else {"predictions_format": "jsonl", "gcs_destination": {"output_uri_prefix": sink}}
    )
    out_of: Json = (
        {"instances_format": "bigquery", "bigquery_source": {"input_uri": source}}
        if source.startswith("bq:")
        else {"instances_format": "jsonl", "gcs_source": {"uris": [source]}}
    )
    known = {"display_name": "run 1", "model": MODEL, "labels": {"shard": "ab12"}}
    return {**known, "input_config": out_of, "output_config": into, **more}


def state_of(job: Any) -> str:
    return JobState(job.state).name.removeprefix("JOB_STATE_")


def line(custom_id: Any, **request: Any) -> bytes:
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "『懐中時計』を読んで答えてください。"}]}],
        "generationConfig": {"temperature": 0.7, "maxOutputTokens": 1500},
    }
    row = {"custom_id": custom_id, "request": asked | request}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def lines(count: int, prefix: str = "q") -> bytes:
    return b"".join(line(f"{prefix}-{n:03d}") for n in range(count))


@pytest.fixture
def connect() -> Iterator[Callable[[Any], Google]]:
    with ExitStack() as stack:
        yield lambda server: Google(server.url, stack)


@pytest.fixture
def google(connect: Callable[[Any], Google], well: Emulator) -> Google:
    return connect(well)


# Jobs


def test_a_job_goes_from_pending_to_succeeded(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    google = connect(behaving(validating_seconds=0.3, in_progress_seconds=0.4))
    made = google.create(google.upload(lines(3)))
    assert state_of(made) == "PENDING"
    assert made.create_time is not None
    assert made.labels == {"shard": "ab12"}
    assert "/locations/us-central1/batchPredictionJobs/" in made.name
    assert made.name.split("/")[1].isdecimal()
    seen = []
    while not seen or seen[-1] not in OVER:
        job = google.jobs.get_batch_prediction_job(name=made.name)
        seen += [] if seen and seen[-1] == state_of(job) else [state_of(job)]
        time.sleep(0.02)
    assert seen == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert job.completion_stats.successful_count == 3
    assert job.end_time >= job.start_time >= job.create_time
    assert job.output_info.gcs_output_directory.startswith(f"gs://{BUCKET}/out/prediction-model-")


def test_a_job_holds_nothing_that_the_documents_do_not_name(google: Google) -> None:
    job = google.run(lines(2))
    body = google.get(f"/v1/{job.name}")
    assert body["state"] == "JOB_STATE_SUCCEEDED"
    assert body["completionStats"] == {"successfulCount": "2"}
    json_format.ParseDict(body, BatchPredictionJob.pb(BatchPredictionJob()))
    numbered = google.get(f"/v1/{job.name}?$alt=json%3Benum-encoding%3Dint")
    assert numbered == body | {"state": 4}
    listed = google.get(f"/v1/{PARENT}/batchPredictionJobs?pageSize=1")
    assert listed["batchPredictionJobs"] == [body]


def test_a_job_is_called_by_its_projects_name_or_number(google: Google) -> None:
    job = google.create(google.upload(lines(1)))
    number, rest = job.name.split("/")[1], job.name.partition("/locations/")[2]
    for project in (number, "emulated"):
        found = google.jobs.get_batch_prediction_job(name=f"projects/{project}/locations/{rest}")
        assert found.name == job.name
    for elsewhere in (
        f"projects/other/locations/{rest}",
        job.name.replace("us-central1", "europe-west4"),
        f"{PARENT}/batchPredictionJobs/1",
    ):
        with pytest.raises(api.NotFound):
            google.jobs.get_batch_prediction_job(name=elsewhere)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"model": "publishers/google/models/gpt-4o"}, api.NotFound),
        ({"model": ""}, api.NotFound),
        ({"display_name": ""}, api.BadRequest),
        ({"display_name": "x" * 129}, api.BadRequest),
        ({"labels": {"Shard": "x"}}, api.BadRequest),
        ({"labels": {"shard": "X"}}, api.BadRequest),
        ({"labels": {"shard": "x" * 64}}, api.BadRequest),
        ({"parent": "projects/emulated/locations/nowhere"}, api.NotFound),
        ({"input_config": {"instances_format": "csv"}}, api.BadRequest),
        ({"output_config": {"predictions_format": "jsonl"}}, api.BadRequest),
    ],
)
def test_what_cannot_be_ordered_is_refused_at_once(
    google: Google, well: Emulator, more: Json, expected: type[Exception]
) -> None:
    source, before = google.upload(lines(1)), well.batches()
    with pytest.raises(expected):
        google.create(source, **more)
    assert well.batches() == before


def test_filters_let_through_what_they_say(
    connect: Callable[[Any], Google], emulator: Start
) -> None:
    google = connect(emulator())
    source = google.upload(lines(1))
    wide = {"parent": "projects/p2/locations/us-central1"}
    names = {
        google.create(
            source, display_name=f"run {n}", labels={"shard": f"s{n % 2}"}, **wide
        ).name: n
        for n in range(4)
    }
    for name in names:
        google.finish(name)
    made = google.jobs.get_batch_prediction_job(name=next(iter(names))).create_time.isoformat()

    def found(filter_: str) -> list[int]:
        pager = google.jobs.list_batch_prediction_jobs(
            request={**wide, "filter": filter_, "page_size": 3}
        )
        return sorted(names[job.name] for job in pager)

    assert found("") == [0, 1, 2, 3]
    assert found('labels.shard="s1"') == found("labels.shard=s1") == [1, 3]
    assert found("labels.shard:*") == [0, 1, 2, 3]
    assert found("labels.other:*") == []
    assert found('display_name="run 2"') == found('displayName="run 2"') == [2]
    assert found('display_name:"run *"') == [0, 1, 2, 3]
    assert found('display_name!="run 2" AND labels.shard=s0') == [0]
    assert found('labels.shard=s1 OR display_name="run 0"') == [0, 1, 3]
    assert found('NOT labels.shard=s1 AND NOT (display_name="run 0")') == [2]
    assert found('state="JOB_STATE_SUCCEEDED"') == [0, 1, 2, 3]
    assert found(f'create_time>"{made}"') == [1, 2, 3]
    assert found(f'createTime<="{made}"') == [0]
    for wrong in ("labels.shard", "colour=red", "(", "labels.shard=s1 AND", 'state<"x"', "a=b c=d"):
        with pytest.raises(api.BadRequest):
            found(wrong)


def test_a_list_is_paged_newest_first(connect: Callable[[Any], Google], emulator: Start) -> None:
    google = connect(emulator())
    source = google.upload(lines(1))
    names = [google.create(source).name for _ in range(5)]
    pager = google.jobs.list_batch_prediction_jobs(request={"parent": PARENT, "page_size": 2})
    pages = [[job.name for job in page.batch_prediction_jobs] for page in pager.pages]
    assert pages == [names[:2:-1], names[2:0:-1], names[:1]]
    with pytest.raises(api.BadRequest):
        google.jobs.list_batch_prediction_jobs(request={"parent": PARENT, "page_token": "none"})


def test_a_job_is_cancelled_and_its_rows_that_ran_are_kept(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    slow = behaving(in_progress_seconds=1.5, finalizing_seconds=0.2)
    google = connect(slow)
    job = google.create(google.upload(lines(30, "cancelled")))
    time.sleep(0.5)
    google.jobs.cancel_batch_prediction_job(name=job.name)
    assert state_of(google.jobs.get_batch_prediction_job(name=job.name)) == "CANCELLING"
    ended = google.finish(job.name)
    assert state_of(ended) == "CANCELLED"
    rows = google.rows(ended)
    assert 0 < len(rows) < 30
    billed = {name for name in slow.bill()["billed"] if name.startswith("cancelled-")}
    assert billed == {row["custom_id"] for row in rows}
    assert ended.completion_stats.incomplete_count == 30 - len(rows)


def test_a_job_that_is_over_cannot_be_cancelled_but_deleted(google: Google) -> None:
    job = google.run(lines(1))
    with pytest.raises(api.BadRequest) as caught:
        google.jobs.cancel_batch_prediction_job(name=job.name)
    assert "FAILED_PRECONDITION" in str(caught.value.response.json())
    google.jobs.delete_batch_prediction_job(name=job.name)
    with pytest.raises(api.NotFound):
        google.jobs.get_batch_prediction_job(name=job.name)
    listed = google.jobs.list_batch_prediction_jobs(parent=PARENT)
    assert job.name not in [other.name for other in listed]


def test_a_job_that_runs_cannot_be_deleted(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    google = connect(behaving(in_progress_seconds=60))
    job = google.create(google.upload(lines(1)))
    with pytest.raises(api.BadRequest):
        google.jobs.delete_batch_prediction_job(name=job.name)


# What a job makes of its lines


def test_results_are_what_google_documents(google: Google) -> None:
    rows = google.rows(google.run(lines(3)))
    assert sorted(row["custom_id"] for row in rows) == ["q-000", "q-001", "q-002"]
    for row in rows:
        assert set(row) == {"custom_id", "processed_time", "request", "response", "status"}
        assert row["status"] == ""
        assert row["processed_time"].endswith("+00:00")
        response = strict(row["response"])
        assert response.candidates is not None
        assert response.candidates[0].finish_reason == "STOP"
        assert response.text
        assert response.usage_metadata is not None
        assert response.usage_metadata.total_token_count == sum(
            (
                response.usage_metadata.prompt_token_count or 0,
                response.usage_metadata.candidates_token_count or 0,
                response.usage_metadata.thoughts_token_count or 0,
            )
        )


def strict(response: Json) -> genai.GenerateContentResponse:
    """Accept only what the vendor's own types declare."""
    found = genai.GenerateContentResponse.model_validate(response)
    known = json.loads(found.model_dump_json(by_alias=True, exclude_none=True))
    assert _names(response) <= _names(known), _names(response) - _names(known)
    return found


def _names(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {f"{path}.{k}" for k in value} | {
            name for k, v in value.items() for name in _names(v, f"{path}.{k}")
        }
    return {name for v in value for name in _names(v, path)} if isinstance(value, list) else set()


def test_a_request_is_echoed_in_another_spelling(google: Google) -> None:
    settings = {"temperature": 1.0, "maxOutputTokens": 900}
    (row,) = google.rows(google.run(line("q-1", generationConfig=settings)))
    assert list(row["request"]) == sorted(row["request"])
    part = row["request"]["contents"][0]["parts"][0]
    assert part["fileData"] is None
    assert "懐中時計" in part["text"]
    assert row["request"]["generationConfig"]["topP"] is None
    assert json.dumps(row["request"]["generationConfig"]["temperature"]) == "1"


@pytest.mark.parametrize(("given", "found"), [("000000", 0), ("17", 17), ("q17", "q17")])
def test_ids_that_look_like_numbers_come_back_as_numbers(
    google: Google, given: str, found: Any
) -> None:
    (row,) = google.rows(google.run(line(given)))
    assert row["custom_id"] == found


def test_more_columns_travel_and_none_is_needed(google: Google) -> None:
    row = json.loads(line("x"))
    del row["custom_id"]
    (found,) = google.rows(google.run(json.dumps(row | {"key": "k-1"}).encode() + b"\n"))
    assert found["key"] == "k-1"
    assert "custom_id" not in found
    assert found["response"]["candidates"]


def test_results_come_in_another_order(connect: Callable[[Any], Google], behaving: Start) -> None:
    google = connect(behaving(shuffle=True))
    ids = [row["custom_id"] for row in google.rows(google.run(lines(20)))]
    assert sorted(ids) == [f"q-{n:03d}" for n in range(20)]
    assert ids != sorted(ids)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"contents": [{"role": "wizard", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": [{"thought": True}]}]}, "parts field"),
        ({"generationConfig": {"temperature": 2.5}}, "range [0, 2]"),
        ({"generationConfig": {"maxOutputTokens": 0}}, "must be positive"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "thinkingLevel": "LOW"}}},
            "only set one",
        ),
    ],
)
def test_a_bad_request_fails_alone_and_is_not_billed(
    google: Google, well: Emulator, request_: Json, says: str
) -> None:
    job = google.run(line(f"bad-{says}", **request_))
    assert state_of(job) == "SUCCEEDED"
    assert job.completion_stats.failed_count == 1
    (row,) = google.rows(job)
    assert row["response"] == {}
    phrase, _, error = row["status"].partition(": ")
    assert phrase == "Bad Request"
    assert json.loads(error)["error"]["status"] == "INVALID_ARGUMENT"
    assert says in json.loads(error)["error"]["message"]
    assert f"bad-{says}" not in well.bill()["billed"]


BREACHES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{\n",
    "a list": b"[]\n",
    "no request": b'{"custom_id": "x"}\n',
    "request a list": b'{"custom_id": "x", "request": []}\n',
    "an empty object": line("x", generationConfig={"temperature": 0.7, "thinkingConfig": {}}),
    "an empty tool": line("x", tools=[{"google_search": {}}]),
    "a name with a dollar": line("x", generationConfig={"responseSchema": {"$schema": "x"}}),
    "a name with a space": line("x", labels={"my key": "x"}),
    "a list in a list": line("x", stopSequences=[["a"]]),
    "two types of number": line("x") + line("y", generationConfig={"temperature": 1}),
    "text and number": line("x") + line(7),
    "object and list": line("x") + line("y", contents={"role": "user", "parts": [{"text": "?"}]}),
    "a reserved column": json.dumps({**json.loads(line("x")), "status": "x"}).encode() + b"\n",
    "too deep": line("x", a=json.loads('{"a":' * 15 + "1" + "}" * 15)),
}


@pytest.mark.parametrize("name", BREACHES)
def test_one_breach_of_the_importers_rules_fails_the_whole_job(
    google: Google, well: Emulator, name: str
) -> None:
    before = well.bill()["requests_billed"]
    job = google.run(lines(2, f"good-{name}") + BREACHES[name] if name != "nothing" else b"")
    assert state_of(job) == "FAILED"
    assert job.error.code == 3
    assert "Failed to import data" in job.error.message
    assert not job.output_info.gcs_output_directory
    assert well.bill()["requests_billed"] == before


def test_an_input_that_is_gone_fails_the_job(google: Google) -> None:
    never = google.finish(google.create(f"gs://{BUCKET}/never.jsonl").name)
    assert (state_of(never), never.error.code) == ("FAILED", 3)
    source = google.upload(lines(1), "gone.jsonl")
    google.bucket.blob("gone.jsonl").delete(retry=None)
    gone = google.finish(google.create(source).name)
    assert (state_of(gone), gone.error.code) == ("FAILED", 3)


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        (f"gs://{BUCKET}/in.jsonl", "gs://emulated-europe-west4/out"),
        (f"gs://{BUCKET}/in.jsonl", "gs://nobodys/out"),
        (f"gs://{BUCKET}/in.jsonl", "bq://emulated.emulated_europe_west4.out"),
        ("gs://emulated-europe-west4/in.jsonl", f"gs://{BUCKET}/out"),
    ],
)
def test_a_place_in_another_region_fails_the_job(google: Google, source: str, sink: str) -> None:
    google.upload(lines(1))
    google.storage.bucket("emulated-europe-west4").blob("in.jsonl").upload_from_string(lines(1))
    job = google.finish(google.create(source, sink).name)
    assert (state_of(job), job.error.code) == ("FAILED", 9)


def test_what_is_withheld_has_no_text_and_is_billed(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    rough = behaving(malformed=1.0)
    google = connect(rough)
    rows = google.rows(google.run(lines(80, "withheld")))
    blocked, safe = [], []
    for row in rows:
        response = strict(row["response"])
        assert row["status"] == ""
        if response.prompt_feedback is not None:
            assert not response.candidates
            blocked.append(row)
        elif response.candidates and response.candidates[0].finish_reason == "SAFETY":
            assert response.text is None
            safe.append(row)
    assert blocked
    assert safe
    billed = rough.bill()["billed"]
    assert all(billed[row["custom_id"]] == 1 for row in rows)


def test_thoughts_are_counted_unless_they_are_turned_off(google: Google) -> None:
    settings = {
        "temperature": 0.7,
        "maxOutputTokens": 1500,
        "thinkingConfig": {"thinkingBudget": 0},
    }
    (thinks,) = google.rows(google.run(line("thinks")))
    (does_not,) = google.rows(google.run(line("thinks-not", generationConfig=settings)))
    assert thinks["response"]["usageMetadata"]["thoughtsTokenCount"] > 0
    assert "thoughtsTokenCount" not in does_not["response"]["usageMetadata"]


def test_the_faults_of_a_bad_week(connect: Callable[[Any], Google], behaving: Start) -> None:
    rough = behaving(missing_lines=0.2, duplicate_lines=0.2, unknown_lines=0.2, failed_lines=0.3)
    google = connect(rough)
    job = google.run(lines(60, "week"))
    assert state_of(job) in ("SUCCEEDED", "PARTIALLY_SUCCEEDED")
    rows = google.rows(job)
    ids = [row["custom_id"] for row in rows]
    failed = {row["custom_id"] for row in rows if row["status"]}
    kinds = {row["status"].partition(":")[0] for row in rows if row["status"]}
    assert kinds == {"Too Many Requests", "Internal Server Error"}
    assert len(ids) > len(set(ids))
    assert [name for name in ids if name.startswith("stranger-")]
    billed = {name for name in rough.bill()["billed"] if name.startswith("week-")}
    assert not failed & billed
    assert billed - set(ids)
    assert job.completion_stats.failed_count == len(failed)


def test_some_jobs_with_failed_rows_succeed_partially(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    google = connect(behaving(failed_lines=0.5))
    states = {state_of(google.run(lines(6, f"part{n}"))) for n in range(12)}
    assert states == {"SUCCEEDED", "PARTIALLY_SUCCEEDED"}


def test_half_of_an_expired_job_is_there_and_billed(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    rough = behaving(half_expired=1.0)
    google = connect(rough)
    job = google.run(lines(5, "expired"))
    assert state_of(job) == "EXPIRED"
    assert len(google.rows(job)) == 3
    assert len([n for n in rough.bill()["billed"] if n.startswith("expired-")]) == 3


def test_a_job_without_room_fails_and_writes_nothing(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    full = behaving(token_limit=1.0)
    google = connect(full)
    content = lines(3, "room")
    job = google.run(content)
    assert (state_of(job), job.error.code) == ("FAILED", 8)
    assert not job.output_info.gcs_output_directory
    assert not [n for n in full.bill()["billed"] if n.startswith("room-")]
    assert state_of(google.run(content)) == "SUCCEEDED"


@pytest.mark.parametrize("fault", ["lost_create_reply", "failed_create_reply"])
def test_a_job_whose_reply_is_lost_runs(
    connect: Callable[[Any], Google], behaving: Start, fault: str
) -> None:
    google = connect(behaving(**{fault: 1.0}))
    lost = (requests.exceptions.ConnectionError, api.InternalServerError)
    with pytest.raises(lost):
        google.create(google.upload(lines(1)), labels={"shard": fault.replace("_", "-")})
    wanted = {"parent": PARENT, "filter": f"labels.shard={fault.replace('_', '-')}"}
    (job,) = google.jobs.list_batch_prediction_jobs(request=wanted)
    assert state_of(google.finish(job.name)) == "SUCCEEDED"


def test_a_list_may_lag(connect: Callable[[Any], Google], behaving: Start) -> None:
    google = connect(behaving(late_list_seconds=0.4))
    job = google.create(google.upload(lines(1)))
    names = [other.name for other in google.jobs.list_batch_prediction_jobs(parent=PARENT)]
    assert job.name not in names
    google.jobs.get_batch_prediction_job(name=job.name)
    time.sleep(0.5)
    names = [other.name for other in google.jobs.list_batch_prediction_jobs(parent=PARENT)]
    assert job.name in names


# One request


def test_one_request_is_answered_and_billed(google: Google, well: Emulator) -> None:
    before = well.bill()["chats_billed"]
    body = json.loads(line("x"))["request"]
    raw = google.models.generate_content(
        model=f"{PARENT}/{MODEL}", contents=body["contents"], timeout=10
    )
    assert raw.candidates[0].content.parts[0].text
    assert raw.usage_metadata.prompt_token_count > 0
    assert well.bill()["chats_billed"] == before + 1
    with pytest.raises(api.BadRequest, match="valid role"):
        google.models.generate_content(
            model=f"{PARENT}/{MODEL}", contents=[{"role": "wizard", "parts": [{"text": "x"}]}]
        )
    with pytest.raises(api.NotFound):
        google.models.generate_content(
            model=f"{PARENT}/publishers/google/models/gpt-4o", contents=body["contents"]
        )
    assert well.bill()["chats_billed"] == before + 1


# Objects


def test_an_object_is_stored_once_under_its_condition(google: Google) -> None:
    blob = google.bucket.blob("once/ä b#?.jsonl")
    blob.upload_from_string(b"one\n", if_generation_match=0, checksum="crc32c", retry=None)
    first = blob.generation
    with pytest.raises(api.PreconditionFailed):
        google.bucket.blob(blob.name).upload_from_string(b"2\n", if_generation_match=0, retry=None)
    found = google.bucket.get_blob(blob.name, retry=None)
    assert (found.size, found.generation, found.name) == (4, first, "once/ä b#?.jsonl")
    assert found.download_as_bytes(checksum="md5", retry=None) == b"one\n"
    google.bucket.blob(blob.name).upload_from_string(b"three\n", retry=None)
    newer = google.bucket.get_blob(blob.name, retry=None)
    assert newer.generation != first
    with pytest.raises(api.NotFound):
        google.bucket.blob(blob.name, generation=first).download_as_bytes(retry=None)
    with pytest.raises(api.PreconditionFailed):
        newer.delete(if_generation_match=first, retry=None)
    newer.delete(if_generation_match=newer.generation, retry=None)
    with pytest.raises(api.NotFound):
        newer.delete(retry=None)
    assert google.bucket.get_blob(blob.name, retry=None) is None


def test_an_upload_in_pieces_arrives_whole(google: Google) -> None:
    content = lines(60_000, "pieces")
    assert len(content) > 8 << 20
    blob = google.bucket.blob("pieces.jsonl", chunk_size=1 << 20)
    blob.upload_from_file(
        BytesIO(content), size=len(content), if_generation_match=0, checksum="crc32c", retry=None
    )
    assert blob.size == len(content)
    assert google.bucket.blob("pieces.jsonl").download_as_bytes(retry=None) == content
    again = google.bucket.blob("pieces.jsonl", chunk_size=1 << 20)
    with pytest.raises(api.PreconditionFailed):
        again.upload_from_file(
            BytesIO(content), size=len(content), if_generation_match=0, retry=None
        )


def test_a_wrong_checksum_keeps_nothing(google: Google) -> None:
    blob = google.bucket.blob("wrong.jsonl")
    blob.md5_hash = "AAAAAAAAAAAAAAAAAAAAAA=="
    with pytest.raises(api.BadRequest):
        blob.upload_from_string(b"x\n", retry=None)
    assert google.bucket.get_blob("wrong.jsonl", retry=None) is None


def test_objects_are_listed_by_prefix_and_page(google: Google) -> None:
    for n in (3, 1, 2):
        google.upload(b"x\n", f"listed/{n}.jsonl")
    google.upload(b"x\n", "listed-not.jsonl")
    pages = google.storage.list_blobs(BUCKET, prefix="listed/", page_size=2, retry=None).pages
    assert [[blob.name for blob in page] for page in pages] == [
        ["listed/1.jsonl", "listed/2.jsonl"],
        ["listed/3.jsonl"],
    ]
    assert list(google.storage.list_blobs(BUCKET, prefix="none/", retry=None)) == []


def test_a_part_of_an_object_can_be_had(google: Google) -> None:
    google.upload(b"0123456789", "part")
    blob = google.bucket.blob("part")
    assert blob.download_as_bytes(start=3, end=5, retry=None) == b"345"
    assert blob.download_as_bytes(start=8, retry=None) == b"89"


def test_buckets_are_in_their_regions_and_others_are_made(google: Google) -> None:
    assert google.storage.get_bucket(BUCKET).location == "US-CENTRAL1"
    assert google.storage.get_bucket("emulated-europe-west4").location == "EUROPE-WEST4"
    assert google.storage.get_bucket("emulated-global").location_type == "multi-region"
    for name in ("emulated-nowhere", "emulated", "mine"):
        with pytest.raises(api.NotFound):
            google.storage.get_bucket(name)
        with pytest.raises(api.NotFound):
            google.storage.bucket(name).blob("x").upload_from_string(b"x", retry=None)
    made = google.storage.create_bucket("mine-1", location="asia-east1")
    assert google.storage.get_bucket("mine-1").location == made.location == "ASIA-EAST1"
    with pytest.raises(api.Conflict):
        google.storage.create_bucket("mine-1", location="asia-east1")


def test_a_download_that_was_cut_is_noticed_by_its_checksum(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    google = connect(behaving(truncated_downloads=1.0))
    google.upload(lines(50), "cut.jsonl")
    blob = google.bucket.blob("cut.jsonl")
    with pytest.raises((DataCorruption, ConnectionError)):
        blob.download_as_bytes(checksum="crc32c", retry=None)
    assert blob.download_as_bytes(checksum="crc32c", retry=None) == lines(50)


# Tables


def test_a_table_is_loaded_once_by_its_jobs_name(google: Google) -> None:
    job = google.load(lines(3), "loaded", job_id="job-1", location="us-central1")
    assert job.result(timeout=10).output_rows == 3
    with pytest.raises(api.Conflict):
        google.load(lines(3), "loaded", job_id="job-1", location="us-central1")
    assert google.tables.get_job("job-1", location="us-central1").output_rows == 3
    for elsewhere in ("europe-west4", None):
        with pytest.raises(api.NotFound):
            google.tables.get_job("job-1", location=elsewhere, retry=None)
    table = google.tables.get_table(f"{DATASET}.loaded")
    assert (table.num_rows, table.location) == (3, "us-central1")
    assert [(f.name, f.field_type) for f in table.schema] == [
        ("custom_id", "STRING"),
        ("request", "JSON"),
    ]
    rows = list(google.tables.list_rows(table, page_size=2))
    assert [row["custom_id"] for row in rows] == ["q-000", "q-001", "q-002"]
    assert rows[0]["request"]["contents"][0]["role"] == "user"
    google.tables.delete_table(table)
    with pytest.raises(api.NotFound):
        google.tables.get_table(f"{DATASET}.loaded")
    with pytest.raises(api.NotFound):
        google.tables.delete_table(table)


@pytest.mark.long
def test_a_large_table_is_loaded_in_pieces(google: Google) -> None:
    content = lines(40_000, "large")
    assert len(content) > 5 << 20
    job = google.load(content, "large", location="us-central1")
    assert job.result(timeout=20).output_rows == 40_000
    rows = google.tables.list_rows(google.tables.get_table(f"{DATASET}.large"))
    assert sum(1 for _ in rows) == rows.total_rows == 40_000


def test_a_table_is_loaded_from_objects(google: Google) -> None:
    config = bigquery.LoadJobConfig(
        autodetect=False,
        schema=[bigquery.SchemaField("custom_id", "STRING")],
        source_format="NEWLINE_DELIMITED_JSON",
    )
    uri = google.upload(b'{"custom_id": "a"}\n{"custom_id": "b"}\n', "rows.jsonl")
    google.tables.load_table_from_uri(uri, f"{DATASET}.from_objects", job_config=config).result()
    assert google.tables.get_table(f"{DATASET}.from_objects").num_rows == 2


@pytest.mark.parametrize(
    "content", [b"no JSON\n", b'{"custom_id": {}}\n', b'{"other": 1}\n', b"[]\n"]
)
def test_rows_that_do_not_fit_fail_the_load(google: Google, content: bytes) -> None:
    job = google.load(lines(1) + content, "misfits", location="us-central1")
    with pytest.raises(api.BadRequest):
        job.result(timeout=10)
    assert job.error_result["reason"] == "invalid"
    with pytest.raises(api.NotFound):
        google.tables.get_table(f"{DATASET}.misfits")


def test_datasets_are_in_their_regions_and_others_are_made(google: Google) -> None:
    assert google.tables.get_dataset(DATASET).location == "us-central1"
    assert google.tables.get_dataset("emulated.emulated_europe_west4").location == "europe-west4"
    for name in ("emulated.emulated_nowhere", "emulated.mine"):
        with pytest.raises(api.NotFound):
            google.tables.get_dataset(name, retry=None)
    made = bigquery.Dataset("emulated.mine_1")
    made.location = "EU"
    google.tables.create_dataset(made)
    assert google.tables.get_dataset("emulated.mine_1").location == "EU"
    google.tables.create_table(
        bigquery.Table("emulated.mine_1.t", [bigquery.SchemaField("a", "STRING")])
    )
    assert google.tables.get_table("emulated.mine_1.t").num_rows == 0
    with pytest.raises(api.NotFound):
        google.load(lines(1), "x", location="EU")


def test_a_job_reads_and_writes_tables(google: Google) -> None:
    columns = set()
    for n in range(12):
        content, kind = lines(3, f"t{n}"), "JSON"
        if n % 2:
            content, kind = as_text(content), "STRING"
        google.load(content, f"in_{n}", kind).result()
        job = google.finish(google.create(f"bq://{DATASET}.in_{n}", f"bq://{DATASET}.out_{n}").name)
        assert state_of(job) == "SUCCEEDED"
        assert job.output_info.bigquery_output_table == f"out_{n}"
        assert job.output_info.bigquery_output_dataset == f"bq://{DATASET}"
        table = google.tables.get_table(f"{DATASET}.out_{n}")
        kinds = {field.name: field.field_type for field in table.schema}
        columns.add(kinds["response"])
        for row in google.tables.list_rows(table):
            response = row["response"]
            strict(json.loads(response) if kinds["response"] == "STRING" else response)
            assert row["status"] == ""
    assert columns == {"JSON", "STRING"}


def as_text(content: bytes) -> bytes:
    rows = [json.loads(row) for row in content.split(b"\n")[:-1]]
    return b"".join(
        json.dumps({**row, "request": json.dumps(row["request"])}).encode() + b"\n" for row in rows
    )


def test_ids_from_a_table_stay_as_they_are(google: Google) -> None:
    google.load(line("000000"), "numbers").result()
    job = google.finish(google.create(f"bq://{DATASET}.numbers").name)
    assert google.rows(job)[0]["custom_id"] == "000000"


def test_a_table_is_not_written_twice(google: Google) -> None:
    source = google.upload(lines(1))
    first = google.finish(google.create(source, f"bq://{DATASET}.twice").name)
    second = google.finish(google.create(source, f"bq://{DATASET}.twice").name)
    assert (state_of(first), state_of(second)) == ("SUCCEEDED", "FAILED")
    named = google.finish(google.create(source, f"bq://{DATASET}").name)
    assert named.output_info.bigquery_output_table.startswith("predictions_")


def test_a_table_that_was_cut_says_how_many_rows_it_has(
    connect: Callable[[Any], Google], behaving: Start
) -> None:
    google = connect(behaving(truncated_downloads=1.0))
    google.load(lines(10), "cut").result()
    table = google.tables.get_table(f"{DATASET}.cut")
    rows = google.tables.list_rows(table)
    assert (len(list(rows)), rows.total_rows) == (5, 10)
    assert len(list(google.tables.list_rows(table))) == 10


# The door


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/{PARENT}/batchPredictionJobs",
        f"/storage/v1/b/{BUCKET}",
        f"/bigquery/v2/projects/emulated/datasets/{DATASET.partition('.')[2]}",
    ],
)
@pytest.mark.parametrize("key", ["ya29.real", ""])
def test_only_keys_that_are_no_keys_are_let_in(well: Emulator, path: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = requests.get(f"{well.url}{path}", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(("fault", "status"), [("http_429", 429), ("http_500", 500)])
def test_the_door_strikes_in_googles_words(behaving: Start, fault: str, status: int) -> None:
    rough = behaving(**{fault: 1.0})
    for path in (f"/v1/{PARENT}/batchPredictionJobs", f"/storage/v1/b/{BUCKET}"):
        answer = requests.get(
            f"{rough.url}{path}", headers={"Authorization": "Bearer test-key"}, timeout=10
        )
        assert answer.status_code == status
        assert answer.json()["error"]["code"] == status


def test_what_was_there_before_a_kill_is_there_after_it(
    connect: Callable[[Any], Google], tmp_path: Path
) -> None:
    first = Emulator(tmp_path, {"validating_seconds": 0.3, "in_progress_seconds": 0.3})
    google = connect(first)
    google.storage.create_bucket("kept", location="us-central1")
    google.load(lines(2, "table"), "kept", job_id="kept-1", location="us-central1").result()
    job = google.create(google.upload(lines(3, "killed")))
    first.stop()
    second = Emulator(tmp_path, {"validating_seconds": 0.3, "in_progress_seconds": 0.3})
    try:
        google = connect(second)
        ended = google.finish(job.name)
        assert state_of(ended) == "SUCCEEDED"
        assert len(google.rows(ended)) == 3
        assert google.storage.get_bucket("kept").location == "US-CENTRAL1"
        assert google.tables.get_job("kept-1", location="us-central1").output_rows == 2
        assert google.tables.get_table(f"{DATASET}.kept").num_rows == 2
        assert second.bill()["billed_more_than_once"] == {}
    finally:
        second.stop()


def test_a_client_that_breaks_off_has_done_nothing(google: Google, server: Any) -> None:
    """Half an upload leaves no object behind."""
    front: Spoiled = server(google.url)
    front.spoil(("PUT", "/upload/.*"), lambda deed: deed.caller.sendall(reply(503, {})))
    with ExitStack() as stack:
        broken = Google(front.url, stack)
        blob = broken.bucket.blob("half.jsonl", chunk_size=1 << 20)
        with closing(BytesIO(b"x" * (9 << 20))) as content, pytest.raises(api.ServiceUnavailable):
            blob.upload_from_file(content, size=9 << 20, retry=None)
    assert google.bucket.get_blob("half.jsonl", retry=None) is None
