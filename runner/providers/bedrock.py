"""Amazon Bedrock's batch inference, through S3: the first provider whose orders may be repeated.

The SDK is imported when the first call is made. Names and shapes are those of botocore 1.44, whose
descriptions of the services were read; wire facts beside them:
docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data and -results, 2026-11.

What is promised of a `clientRequestToken`: it ensures "that the API request completes no more than
one time. If this token matches a previous request, Amazon Bedrock ignores the request, but does not
return an error". For how long it is remembered is not said (other services of AWS say eight hours),
nor what the reply to the second request holds. So an order is repeated within an hour only
(`runner.core.plan.REPEAT_SECONDS`), a reply without a job is no reply, and the job's name, which no
other order has, finds it in the list however late.
"""

import importlib.util
import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

from runner.core.errors import (
    ConfigError,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Model,
    Progress,
    Prompt,
    RemoteId,
    Reply,
    ReplyKind,
)
from runner.core.twins import Made
from runner.providers._bedrock_jobs import (
    JOB,
    is_of,
    is_over,
    name_of,
    output_of,
    part_of_names,
    progress_of,
    rank,
    stem_of,
    token_of,
)
from runner.providers._bedrock_lines import (
    SETTLED,
    answered_line,
    call_of,
    read_line,
    refused_line,
    request_frame,
)
from runner.providers._dialects import CONVERSE
from runner.providers._lists import pages_by_token
from runner.providers._orders import without_input
from runner.providers._speaking import ORDER
from runner.providers.base import Frame, Options, Service, checked_url

if TYPE_CHECKING:
    from runner.providers._s3 import Objects
    from runner.providers._speaking import Speaking

PAGE = 100
_IMPORTING = threading.RLock()
"""Clients are made one after another: the SDK's session is not made for several threads."""
_ROLE = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/.+")
_PLACE = re.compile(r"(?:s3://)?[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-zA-Z0-9]+)*/?")
_SHORTEST, _LONGEST = 24, 168
_SIGNED_IN = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_MACHINE = Path("/sys/class/dmi/id/sys_vendor")


@dataclass(frozen=True, kw_only=True)
class BedrockOptions(Options):
    """Where a job runs, as whom, and where its requests and results are."""

    addresses: ClassVar[tuple[str, ...]] = ("bucket", "role", "storage_url", "runtime_url")
    sends_headers: ClassVar[bool] = False
    region: str | None = None
    bucket: str | None = None
    role: str | None = None
    storage_url: str | None = None
    runtime_url: str | None = None
    timeout_hours: int = _SHORTEST

    @property
    def window(self) -> str:
        """After how many hours a job is given up by the service."""
        return f"{self.timeout_hours}h"

    @property
    def account(self) -> str:
        """The account and the region, which have the quotas."""
        found = _ROLE.fullmatch(self.role or "")
        return f"{found[1] if found else ''} {self.region or ''}".strip()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what cannot be."""
        if not _SHORTEST <= self.timeout_hours <= _LONGEST:
            yield "timeout_hours", f"{_SHORTEST} to {_LONGEST}"
        if self.bucket is not None and _PLACE.fullmatch(self.bucket) is None:
            yield "bucket", "the name of a bucket, or s3://bucket/prefix"
        if self.role is not None and _ROLE.fullmatch(self.role) is None:
            yield "role", "the ARN of a role, as arn:aws:iam::123456789012:role/name"
        for name in ("storage_url", "runtime_url"):
            try:
                checked_url(getattr(self, name) or "https://aws", "it")
            except ConfigError as error:
                yield name, str(error)

    def emulated(self) -> Self:
        """Return names of the emulator's own; the region stays."""
        return replace(
            self,
            region=self.region or "us-east-1",
            bucket="emulated-bucket",
            role="arn:aws:iam::123456789012:role/emulated",
            storage_url=None,
            runtime_url=None,
        )


class BedrockBatch:
    """The client: a request file in a bucket, one job made of it, and its results beside it."""

    Options: ClassVar[type[BedrockOptions]] = BedrockOptions
    dialect = CONVERSE
    default_base_url: ClassVar[str] = "https://bedrock.amazonaws.com"
    """Stands for the region's own address, which the SDK knows."""
    base_url_variable: ClassVar[str] = "BEDROCK_BASE_URL"
    key_variable: ClassVar[str] = "AWS_SECRET_ACCESS_KEY"
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = True
    tells_inputs: ClassVar[bool] = True
    tagged: ClassVar[bool] = False
    found_by_size: ClassVar[bool] = False
    idempotent: ClassVar[bool] = True
    no_emulator: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ("runner.providers._aws",)

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address and the model; nothing is opened yet."""
        self._service = service
        self._model = model
        self._clients: dict[str, Any] = {}

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used."""
        told = service.told(BedrockOptions)
        wanted = [
            (
                importlib.util.find_spec("botocore") is None,
                "the package botocore is not installed: pip install '.[bedrock]'",
            ),
            (not _region(service), "no region: set provider.region, or the variable AWS_REGION"),
            (
                not told.bucket,
                "no bucket: set provider.bucket to the name of one in that region",
            ),
            (
                not told.role,
                "no role: set provider.role to the ARN of Bedrock's own role for that bucket",
            ),
            (
                service.key is None and not _signed_in(),
                f"not signed in: aws sso login, AWS_PROFILE, or {service.key_variable} and its id",
            ),
        ]
        return "; ".join(what for is_missing, what in wanted if is_missing) or None

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the results."""
        return read_line(line)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Upload the request file."""
        with self._speaking("upload", "s3"):
            return self._objects.put(path, name, look_first=look_first)

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the job; sent once. The same order again returns the job that it has made."""
        if "name" not in batch.handle:
            raise ProviderUndecided(
                "its input is not known any more, so that it is looked for by its name", ()
            )
        stem, told = stem_of(batch.handle["name"]), self._told
        with self._speaking(ORDER, "bedrock"):
            made = self._client("bedrock").create_model_invocation_job(
                jobName=name_of(stem, len(batch.dead)),
                clientRequestToken=token_of(batch, stem),
                roleArn=told.role or "",
                modelId=self._model.name,
                modelInvocationType="Converse",
                inputDataConfig={
                    "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": batch.handle["input"]}
                },
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": batch.handle["output"]}},
                timeoutDurationInHours=told.timeout_hours,
            )
            return _id_of(_raw(made))

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look through the list for jobs that have our name."""
        strangers = {*batch.dead, *claimed}
        with self._speaking("list", "bedrock"):
            listed = [(_id_of(job), job) for job in self._listed(part_of_names(batch))]
        jobs = {remote: job for remote, job in listed if is_of(job, batch)}
        alive = [remote for remote in jobs if remote not in strangers]
        if not alive:
            return None
        furthest, *others = sorted(alive, key=lambda remote: rank(jobs[remote]))
        return Made(furthest, tuple(others))

    def fence(self, batch: Batch) -> None:
        """Delete the uploaded file; a job that is still made then finds nothing to read."""
        if "input" not in batch.handle:
            raise without_input(batch)
        with self._speaking("delete the input", "s3"):
            self._objects.drop(batch.handle)

    def poll(self, remote: RemoteId) -> Progress:
        """Get the job, and list its results once it is over."""
        with self._speaking("get", "bedrock"):
            job = _raw(self._client("bedrock").get_model_invocation_job(jobIdentifier=remote))
            if _id_of(job) != remote:
                raise ProviderReplyUnreadable("the reply is about another job")
        folder = output_of(job)
        with self._speaking("list the results", "s3"):
            files = self._objects.results(folder) if folder and is_over(job) else []
        return progress_of(job, files, self._service.key)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write a file of results as it comes, and check that it is whole."""
        with self._speaking("download", "s3"):
            self._objects.fetch(file_id, sink)

    def cancel(self, remote: RemoteId) -> None:
        """Ask to stop; a job that has ended already says no, and that is all right."""
        with self._speaking("stop", "bedrock"):
            from runner.providers._aws import Said

            try:
                self._client("bedrock").stop_model_invocation_job(jobIdentifier=remote)
            except Said as error:
                if error.status not in (400, 409) or error.body is None:
                    raise

    def ask(self, line: bytes) -> bytes:
        """Converse once, and write what came as a job would."""
        with self._speaking("converse", "bedrock-runtime"):
            from runner.providers._aws import Said

            try:
                runtime = self._client("bedrock-runtime")
                output = _raw(runtime.converse(modelId=self._model.name, **call_of(line)))
            except Said as error:
                result = _refused(line, error.status, error.body)
                if result is None:
                    raise
                return result
        result = answered_line(line, output)
        if self.decode(result).kind is not ReplyKind.ANSWER:
            raise ProviderReplyUnreadable("converse: a reply that holds no answer")
        key = self._service.key
        return result if key is None else key.hide_in(result)

    def close(self) -> None:
        """Hang up, if a call was ever made."""
        while self._clients:
            _, client = self._clients.popitem()
            client.close()

    def _listed(self, part: str) -> Iterator[JsonObject]:
        """Yield the jobs whose names have this in them, over all pages.

        Raises:
            ProviderReplyUnreadable: when the list goes in a circle; half a list proves nothing.
        """

        def ask(token: str | None) -> JsonObject:
            query: dict[str, Any] = {"nameContains": part, "maxResults": PAGE}
            query |= {} if token is None else {"nextToken": token}
            return _raw(self._client("bedrock").list_model_invocation_jobs(**query))

        return pages_by_token(ask, "invocationJobSummaries", "nextToken", filtered=True)

    # -- What the calls are made with

    def _speaking(self, what: str, name: str) -> "Speaking":
        with _IMPORTING:
            from runner.providers import _aws
        with _aws.connecting(self._service):
            where = _aws.usable(self._address(name) or self._service.base_url)
        return _aws.speaking(self._service, what, where)

    def _client(self, name: str) -> Any:
        with _IMPORTING:
            if name not in self._clients:
                from runner.providers import _aws

                with _aws.connecting(self._service):
                    self._clients[name] = _aws.client_of(
                        name, self._service, _region(self._service), self._address(name)
                    )
            return self._clients[name]

    @cached_property
    def _objects(self) -> "Objects":
        with _IMPORTING:
            from runner.providers._s3 import Objects
        return Objects(self._client("s3"), self._told.bucket or "")

    def _address(self, name: str) -> str | None:
        """Return where a service of AWS is, if not where AWS has it; a stand-in on this machine has all."""
        url, told = self._service.base_url.rstrip("/"), self._told
        own = None if url == self.default_base_url else url
        here = own if self._service.on_this_machine else None
        if name == "s3":
            return told.storage_url or (f"{here}/s3" if here else None)
        return (told.runtime_url or here) if name == "bedrock-runtime" else own

    @property
    def _told(self) -> BedrockOptions:
        return self._service.told(BedrockOptions)


def _raw(reply: Mapping[str, Any]) -> JsonObject:
    """Return a reply as the service sent it."""
    from runner.providers._aws import RAW

    found: JsonObject = reply[RAW]
    return found


def _refused(line: bytes, status: int, body: JsonObject | None) -> bytes | None:
    """Return the result line of a request that is refused for itself; None: any would be."""
    if status not in (400, 422) or body is None:
        return None
    result = refused_line(line, status, f"{body['code']}: {body['message']}")
    is_its_own = body["code"] not in _NOT_ITS_OWN and read_line(result).kind is ReplyKind.REFUSED
    return result if is_its_own else None


_NOT_ITS_OWN = (
    *("ServiceQuotaExceededException", "ConflictException", "ThrottlingException"),
    *("UnrecognizedClientException", "ExpiredTokenException", "IncompleteSignature"),
)
"""Errors with a 400 that any request would meet."""


def _id_of(job: JsonObject) -> RemoteId:
    name = job.get("jobArn")
    if isinstance(name, str) and JOB.fullmatch(name):
        return RemoteId(name)
    raise ProviderReplyUnreadable("a reply without the name of a job")


def _region(service: Service) -> str | None:
    told = service.told(BedrockOptions).region
    return told or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None


def _signed_in() -> bool:
    """Tell whether the SDK may find credentials: in the environment, in a file, or on a machine of AWS."""
    if any(os.environ.get(name) for name in _SIGNED_IN):
        return True
    home = Path.home() / ".aws"
    files = (
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials",
        os.environ.get("AWS_CONFIG_FILE") or home / "config",
    )
    if any(Path(file).exists() for file in files):
        return True
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    try:
        return "Amazon" in _MACHINE.read_text(encoding="utf-8")
    except OSError:
        return False
