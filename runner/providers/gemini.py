"""Gemini batch prediction on Vertex AI, through Cloud Storage or BigQuery.

The SDKs are imported when the first call is made. Wire facts:
docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini.
"""

import os
import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

import orjson

from runner.core.errors import ConfigError, ProviderReplyUnreadable, ProviderUndecided
from runner.core.model import Batch, Condition, JsonObject, Model, Progress, Prompt, RemoteId, Reply
from runner.core.twins import Made
from runner.providers._dialects import GEMINI
from runner.providers._google_inside import ask_for_no_bucket_metadata, http_of
from runner.providers._lines import word
from runner.providers._lists import without_end
from runner.providers._speaking import ANSWER_TAKES, ORDER
from runner.providers._vertex_jobs import (
    JOB_NAME,
    is_over,
    job_of,
    output_of,
    progress_of,
    rank,
    shard_of,
)
from runner.providers._vertex_lines import (
    REFUSALS_OF_ONE,
    SETTLED,
    is_about_all,
    is_answer,
    read_line,
    request_frame,
    result_line,
)
from runner.providers.base import DayOptions, Frame, Service, checked_url

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.aiplatform_v1.services.job_service import JobServiceClient

    from runner.providers._vertex_io import Store
    from runner.providers._vertex_objects import Objects
    from runner.providers._vertex_tables import Tables

PAGE = 100
_GCS, _BIGQUERY = "gcs", "bigquery"
_REGION = re.compile(r"[A-Za-z0-9-]+")
_MACHINE = Path("/sys/class/dmi/id/product_name")
_AT_GOOGLE = (
    "GCE_METADATA_HOST",
    "K_SERVICE",
    "CLOUD_RUN_JOB",
    "GAE_ENV",
    "KUBERNETES_SERVICE_HOST",
)
"""Where one is signed in by the place; whether that is so shows with the first call."""
_IMPORTING = threading.RLock()
"""Google's packages import their parts as they are used, and threads trip over one another."""


@dataclass(frozen=True, kw_only=True)
class GeminiOptions(DayOptions):
    """Where a job runs, and where its requests and results are; nothing and null are the same."""

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "source": (_GCS, _BIGQUERY),
        "sink": (_GCS, _BIGQUERY),
    }
    addresses: ClassVar[tuple[str, ...]] = ("project", "bucket", "dataset", "storage_url")
    sends_headers: ClassVar[bool] = False
    project: str | None = None
    location: str | None = None
    bucket: str | None = None
    dataset: str | None = None
    storage_url: str | None = None
    source: str = _GCS
    sink: str = _GCS

    @property
    def account(self) -> str:
        """The project, which has the quotas."""
        return self.project or ""

    @property
    def no_image_files(self) -> str | None:
        """Return that a table cannot carry them: how long its rows may be is not documented."""
        if _BIGQUERY not in (self.source, self.sink):
            return None
        return (
            "pictures in the rows of a table are more than is known to fit: send files with "
            "provider.source=gcs provider.sink=gcs, or name them by gs:// addresses"
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield an address of storage that prompts must not be sent to."""
        if self.storage_url is not None:
            try:
                checked_url(self.storage_url, "it")
            except ConfigError as error:
                yield "storage_url", str(error)

    def emulated(self) -> Self:
        """Return names of the emulator's own; the place stays."""
        place = self.location or "anywhere"
        return replace(
            self,
            project="emulated",
            storage_url=None,
            bucket=f"emulated-{place}",
            dataset=f"emulated_{place.replace('-', '_')}",
        )


class GeminiBatch:
    """The client: an input, one job made of it, and its output."""

    Options: ClassVar[type[GeminiOptions]] = GeminiOptions
    dialect = GEMINI
    default_base_url = "https://aiplatform.googleapis.com"
    base_url_variable = "VERTEX_BASE_URL"
    key_variable = "GOOGLE_OAUTH_ACCESS_TOKEN"
    settled = SETTLED
    fences = True
    tells_inputs = True
    tagged = True
    found_by_size = False
    idempotent = False
    no_emulator = None
    packages = ("runner.providers._google", "google.cloud.aiplatform_v1")

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        self._service = service
        self._model = model
        self._tag = tag

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        told = service.told(GeminiOptions)
        stores = {told.source, told.sink}
        wanted = [
            (
                not _project(service),
                "no project: set provider.project, or the variable GOOGLE_CLOUD_PROJECT",
            ),
            (
                _REGION.fullmatch(told.location or "") is None,
                "no region: set provider.location, as europe-west4",
            ),
            (
                _GCS in stores and not told.bucket,
                "no bucket: set provider.bucket to the name of one in that region",
            ),
            (
                _BIGQUERY in stores and not told.dataset,
                "no dataset: set provider.dataset to the name of one in that region",
            ),
        ]
        lacking = [what for is_missing, what in wanted if is_missing]
        if not _signed_in(service):
            lacking.append(
                "not signed in: gcloud auth application-default login, or "
                f"GOOGLE_APPLICATION_CREDENTIALS, or a token in {service.key_variable}"
            )
        return "; ".join(lacking) or None

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt, self._tag)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the results."""
        return read_line(line, self._tag)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Check the places and the file, then upload it or load it into a table."""
        with self._speaking("stage"):
            source, sink = self._store(self._told.source), self._store(self._told.sink)
            for store in {id(source): source, id(sink): sink}.values():
                store.check(self._location)
            from runner.providers._vertex_io import survey

            handle = source.put(path, name, survey(path), look_first=look_first)
            return {**handle, "shard": shard_of(name), "output": sink.output(name)}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the job; sent once."""
        with self._speaking(ORDER):
            jobs = self._jobs
            from google.cloud import aiplatform_v1
            from google.protobuf import json_format

            job = aiplatform_v1.BatchPredictionJob()
            wanted = job_of(batch.handle, self._model.name, labels, len(batch.dead))
            json_format.ParseDict(wanted, aiplatform_v1.BatchPredictionJob.pb(job))
            created = jobs.create_batch_prediction_job(
                parent=self._parent,
                batch_prediction_job=job,
                retry=None,
                timeout=self._service.timeout_seconds,
            )
            return RemoteId(_name_of(_rest(created)))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look through the whole list for jobs that carry our input's label."""
        if "shard" not in batch.handle:
            raise ProviderUndecided(
                "its input is not known any more: find its job by the labels experiment and batch, "
                f"then action=adopt or action=abandon batch={batch.key}",
                (),
            )
        strangers = {_id_of(name) for name in (*batch.dead, *claimed)}
        with self._speaking("list"):
            jobs = {_name_of(job): job for job in self._listed(batch.handle["shard"])}
        alive = [name for name in jobs if _id_of(name) not in strangers]
        if not alive:
            return None
        furthest, *others = sorted(alive, key=lambda name: rank(jobs[name]))
        return Made(RemoteId(furthest), tuple(others))

    def fence(self, batch: Batch) -> None:
        """Take the input away; a create that still arrives then names one that is gone."""
        with self._speaking("delete the input"):
            self._store_of(batch.handle["input"]).drop(batch.handle)

    def poll(self, remote: RemoteId) -> Progress:
        """Get the job, and list its output once it is over."""
        with self._speaking("get"):
            reply = self._jobs.get_batch_prediction_job(
                name=remote, retry=None, timeout=self._service.timeout_seconds
            )
            job = _rest(reply)
            if _id_of(_name_of(job)) != _id_of(remote):
                raise ProviderReplyUnreadable("the reply is about another job")
            files = self._results(job) if is_over(job) else {}
        return progress_of(job, files, self._service.key)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write an object as it is, or a table row by row, and check that it is whole."""
        with self._speaking("download"):
            self._store_of(file_id).fetch(file_id, sink)

    def cancel(self, remote: RemoteId) -> None:
        """Ask to cancel; a job that has ended already says no, and that is all right."""
        with self._speaking("cancel"):
            from google.api_core import exceptions

            try:
                self._jobs.cancel_batch_prediction_job(
                    name=remote, retry=None, timeout=self._service.timeout_seconds
                )
            except (exceptions.BadRequest, exceptions.Conflict):
                return

    def ask(self, line: bytes) -> bytes:
        """Generate one answer and write it as a job would."""
        with self._speaking("generate"):
            result = self._generated(orjson.loads(line))
        key = self._service.key
        return result if key is None else key.hide_in(result)

    def _generated(self, wanted: JsonObject) -> bytes:
        from google.api_core import exceptions

        short = self._service.timeout_seconds
        response = self._session.post(
            f"{self._endpoint}/v1/{self._model_path}:generateContent",
            data=orjson.dumps(wanted["request"]),
            headers={"Content-Type": "application/json"},
            timeout=(short, short * ANSWER_TAKES),
        )
        body = response.json()
        at = datetime.fromtimestamp(time.time(), UTC)
        if response.status_code in REFUSALS_OF_ONE and not is_about_all(body):
            return result_line(wanted, at, status=f"Bad Request: {response.text}")
        if response.status_code >= 400:
            raise exceptions.from_http_response(response)  # type: ignore[no-untyped-call]
        if not is_answer(body):
            raise ProviderReplyUnreadable("a reply that holds no answer")
        return result_line(wanted, at, response=body)

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        made = vars(self)
        if "_session" in made:
            made["_session"].close()
        if "_jobs" in made:
            made["_jobs"].transport.close()

    def _listed(self, shard: str) -> Iterator[JsonObject]:
        """Yield the jobs with this label, over all pages.

        Raises:
            ProviderReplyUnreadable: when the list goes in a circle; half a list proves nothing.
        """
        request = {"parent": self._parent, "filter": f'labels.shard="{shard}"', "page_size": PAGE}
        pager = self._jobs.list_batch_prediction_jobs(
            request=request, retry=None, timeout=self._service.timeout_seconds
        )
        seen: set[str] = set()
        for number, page in enumerate(pager.pages):
            without_end(number)
            for job in map(_rest, page.batch_prediction_jobs):
                if _name_of(job) and job.get("labels", {}).get("shard") == shard:
                    yield job
            if page.next_page_token in seen:
                raise ProviderReplyUnreadable("a list that says it goes on, and does not")
            seen.add(page.next_page_token)

    def _results(self, job: JsonObject) -> dict[str, str]:
        uri = output_of(job)
        created = word(job.get("createTime")) or ""
        return {} if uri is None else self._store_of(uri).results(uri, created)

    # -- What the calls are made with

    def _speaking(self, what: str) -> Any:
        with _IMPORTING:
            from runner.providers import _google
        return _google.speaking(self._service, what, lambda: vars(self).get("_credentials"))

    @cached_property
    def _session(self) -> "AuthorizedSession":
        from runner.providers import _google

        with _google.connecting(self._service):
            return _google.session_for(self._service, self._credentials)

    @cached_property
    def _credentials(self) -> Any:
        from runner.providers import _google

        return _google.credentials_of(self._service, _project(self._service))

    @cached_property
    def _jobs(self) -> "JobServiceClient":
        from runner.providers import _google

        with _IMPORTING, _google.connecting(self._service):
            from google.cloud import aiplatform_v1

            client = aiplatform_v1.JobServiceClient(
                credentials=self._credentials,
                transport="rest",
                client_options={"api_endpoint": self._endpoint},
            )
        _google.configure(http_of(client), self._service)
        return client

    @cached_property
    def _objects(self) -> "Objects":
        with _IMPORTING:
            from google.cloud import storage

            from runner.providers._vertex_objects import Objects

            client = storage.Client(**self._elsewhere(self._told.storage_url))
        ask_for_no_bucket_metadata(client)
        bucket = (self._told.bucket or "").removeprefix("gs://").rstrip("/")
        return Objects(client, bucket, self._service.timeout_seconds)

    @cached_property
    def _tables(self) -> "Tables":
        with _IMPORTING:
            from google.cloud import bigquery

            from runner.providers._vertex_tables import Tables

            client = bigquery.Client(**self._elsewhere(None))
        dataset = (self._told.dataset or "").replace(":", ".")
        return Tables(client, dataset, self._service.timeout_seconds)

    def _elsewhere(self, address: str | None) -> dict[str, Any]:
        return _client_options(self._service, address, self._credentials, self._session)

    def _store(self, kind: str) -> "Store":
        return self._tables if kind == _BIGQUERY else self._objects

    def _store_of(self, uri: str) -> "Store":
        return self._tables if uri.startswith("bq://") else self._objects

    @property
    def _told(self) -> GeminiOptions:
        return self._service.told(GeminiOptions)

    @property
    def _location(self) -> str:
        return (self._told.location or "global").lower()

    @property
    def _parent(self) -> str:
        return f"projects/{_project(self._service)}/locations/{self._location}"

    @property
    def _model_path(self) -> str:
        name = self._model.name
        inside = name if "/" in name else f"publishers/google/models/{name}"
        return inside if inside.startswith("projects/") else f"{self._parent}/{inside}"

    @property
    def _endpoint(self) -> str:
        """Return the address of the job's region, unless another was asked for."""
        url = self._service.base_url.rstrip("/")
        if url != self.default_base_url or self._location == "global":
            return url
        return f"https://{self._location}-aiplatform.googleapis.com"


def _client_options(
    service: Service, address: str | None, credentials: Any, session: Any
) -> dict[str, Any]:
    """Return what storage and tables are spoken to with; Google has them elsewhere.

    Args:
        service: Vertex AI itself.
        address: where they are; None: where Google has them, or with Vertex AI on this machine.
        credentials: of Google.
        session: what requests go through.
    """
    if address is None and service.on_this_machine:
        address = service.base_url
    return {
        "project": _project(service),
        "credentials": credentials,
        "client_options": {"api_endpoint": address} if address else {},
        "_http": session,
    }


def _project(service: Service) -> str:
    return service.told(GeminiOptions).project or os.environ.get("GOOGLE_CLOUD_PROJECT", "")


def _signed_in(service: Service) -> bool:
    """Tell whether there is a token, a file with credentials, or a machine of Google's around us."""
    if service.key is not None or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return True
    home = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    if Path(home, "application_default_credentials.json").exists():
        return True
    if os.environ.get("NO_GCE_CHECK", "").lower() == "true":
        return False
    try:
        machine = _MACHINE.read_text(encoding="utf-8")
    except OSError:
        machine = ""
    return "Google" in machine or any(os.environ.get(name) for name in _AT_GOOGLE)


def _rest(message: Any) -> JsonObject:
    """Return a message as the JSON object that the REST API sends; numbers of new states stay."""
    from google.protobuf import json_format

    row: JsonObject = json_format.MessageToDict(type(message).pb(message))
    return row


def _name_of(job: JsonObject) -> str:
    name = job.get("name")
    if isinstance(name, str) and JOB_NAME.fullmatch(name):
        return name
    raise ProviderReplyUnreadable("a reply without the name of a job")


def _id_of(name: str) -> str:
    """Return what identifies a job: its project is called by its name or by its number."""
    return name.partition("/locations/")[2]
