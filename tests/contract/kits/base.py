"""What the provider suite has to know of a service, to watch its client at work.

To put `conf/provider/NAME.yaml` under contract, write `tests/contract/kits/NAME.py`::

    class AcmeKit(Kit):
        create = ("POST", "/acme/v1/jobs")
        ...

    KITS = (AcmeKit("acme"),)

What has no default below has to be said; the rest only where the service differs. Services that
take an uploaded file and speak OpenAI's dialect start from `kits.file_batch.FileBatchKit`.
"""

import importlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import yaml

from runner.core.errors import ProviderUndecided
from runner.core.model import Batch, Model, RemoteId, Sampling
from runner.core.twins import Made
from runner.providers.base import Secret, Service
from tests.contract.spoiled import reply

CONF = Path(__file__).resolve().parents[3] / "conf" / "provider"
KEY_VARIABLE = "THE_KEY"
"""What the variable with the key is called in every test; errors name it, never the key."""
HTML = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"
PATIENCE = 20.0


@cache
def said_of(name: str) -> dict[str, Any]:
    """Return conf/provider/NAME.yaml; not to be changed."""
    with (CONF / f"{name}.yaml").open("rb") as file:
        content: dict[str, Any] = yaml.load(file, yaml.CSafeLoader)
    return content


def taken_of(made: Made | None) -> RemoteId | None:
    """Return the batch that is taken of an order."""
    return None if made is None else made.remote


Route = tuple[str, str]
"""A method, and a regular expression for the whole path, from the host on."""


class Kit(ABC):
    """A provider, and what has to be known of its wire to watch it."""

    # -- Addresses: all as they are on the emulator's host, so with its path in front

    create: Route
    """The call that costs money."""
    find: Route
    """The list in which a doubtful batch is looked for."""
    poll: Route
    """The call that says how a batch stands."""
    cancel: Route
    """Where there is no such call, `silent_verbs` says so."""
    download: Route
    """The call that brings the bytes, or the rows, of a result file."""
    ask: Route
    """One request, now."""
    hand_over: Route | None = None
    """The call in which the input is handed over, before the order; None: it goes with it."""
    routes: tuple[Route, ...]
    """Every call it makes, those above included; a catch-all for each method is fine."""

    # -- What it is called with

    options: Mapping[str, str | None] = {}
    """`Service.options` beside what the YAML says, as a project or a bucket."""
    unknown = RemoteId("batch_unknown")
    """A batch's id that is well formed, and that nobody has."""
    unknown_handle: ClassVar[Mapping[str, str]] = {"input_file_id": "file-unknown"}
    """What `stage` could have returned, for an input that nobody has."""
    unknown_file = "file-unknown"
    """What `Progress.files` could hold, for a file that nobody has."""

    asks: ClassVar[str | None] = None
    """The model of its clients; None: the YAML's default. Pinned, so that lines stay what they are."""

    # -- How it behaves

    conflict_means_done = False
    """Whether the hand-over has a name of our own, so that a 409 says that it has arrived."""

    empty_hand_over = False
    """Whether the reply to the hand-over has no body, which could be cut."""

    silent_verbs: ClassVar[frozenset[str]] = frozenset()
    """Verbs that make no call at all (stage, fence, cancel)."""
    id_field = "id"
    """Where the reply to a create call has the new batch's id."""
    too_late: ClassVar[frozenset[int]] = frozenset({400, 409})
    """Statuses of a cancel call that say that the batch has ended: no error."""
    cancelled = "cancelled"
    """`Progress.state` of a batch that was cancelled and has ended."""
    says_full = True
    """Whether a batch may fail as a whole because too many tokens are waiting already."""
    refuses_when_full = False
    """Whether an order is refused for now because too many requests are waiting already."""
    writes_unrun = True
    """Whether requests that never ran stand in the results (as expired or cancelled)."""
    notices_cuts = False
    """Whether a download that was cut is an error wherever it was cut (by checksums or counts)."""
    dates_answers = True
    """Whether a result line says when it was answered (`Reply.answered_at`)."""
    reads_milliseconds = True
    """Whether its SDK's family of services sends retry-after-ms."""
    key_in_header = True
    """Whether the key is sent as it is; then one that cannot be sent has to be refused."""
    page_parameter: str | None = "limit"
    """The query parameter that sets how much one page of the list holds; None: there is none."""
    page_size = 100
    """Batches on one page, where no parameter sets it."""
    filters_list = False
    """Whether the list is asked for our batch only, so that others are not on it."""
    counts = True
    """Whether a batch says how many of its requests are done."""
    has_pages = True
    """Whether the list may have several pages."""
    fills_a_container = False
    """Whether an order fills a container that was made before it: sent twice, it is one batch."""
    has_own_address = True
    """Whether there is an address to go to when the user names none."""

    def __init__(self, name: str, variant: str = "", **options: str | None) -> None:
        """Name the YAML, and what tells this kit from others of the same YAML."""
        self.name = name
        self.variant = variant
        self.options = {**type(self).options, **options}

    def __repr__(self) -> str:
        """Name it, for the tests' ids."""
        return f"{self.name}-{self.variant}" if self.variant else self.name

    # -- Its shapes: these have to be written for each wire

    @abstractmethod
    def error(self, message: str, status: int = 400) -> Any:
        """Return the body of an error reply."""

    @abstractmethod
    def answer(self, custom_id: str, text: str) -> Any:
        """Return a good line of a result file, as an object; the custom_id as it is there."""

    @property
    @abstractmethod
    def states(self) -> Mapping[str, str]:
        """Return every state of a batch in the service's own words, and the event it means.

        A state that `batch_object` alone cannot show is left out.
        """

    @abstractmethod
    def batch_object(self, state: str) -> Any:
        """Return the reply to a poll for `unknown`, in this state and without result files."""

    @abstractmethod
    def page(self, rows: Any, *, more: bool = False) -> Any:
        """Return one page of the list; `rows` as given, even where that is nonsense."""

    # -- Its shapes, where the defaults do not fit

    def no_lists(self) -> dict[str, bytes]:
        """Return replies to the list call that do not prove that a batch is not there.

        Change or take out what this service may say of an empty list.
        """
        return {
            "empty list": reply(200, []),
            "empty object": reply(200, {}),
            "null": reply(200, None),
            "data null": reply(200, self.page(None)),
            "data of words": reply(200, self.page(["x"])),
            "an item without id": reply(200, self.page([{}])),
            "goes on with nothing": reply(200, self.page([], more=True)),
            "goes on for ever": reply(200, self.page([{self.id_field: "x"}], more=True)),
            "a page": reply(200, HTML),
            "nothing": reply(200, b""),
            "an error in a 200": reply(200, self.error("No.", 500)),
        }

    def no_results(self) -> tuple[bytes, ...]:
        """Return more lines (JSON, beside the usual nonsense) that are no result lines."""
        return ()

    def no_outcomes(self) -> tuple[bytes, ...]:
        """Return lines of a request whose outcome stands nowhere that is documented."""
        return ()

    def poll_replies(self, state: str) -> dict[Route, bytes]:
        """Return the replies to all calls that one poll makes, for a batch in this state."""
        return {self.poll: reply(200, self.batch_object(state))}

    def id_in(self, line: bytes) -> str:
        """Return the custom_id in a request line, with its tag."""
        custom_id: str = json.loads(line)["custom_id"]
        return custom_id

    def texts_in(self, line: bytes) -> list[str]:
        """Return every text in a request line."""
        return _strings(json.loads(line))

    # -- From the YAML

    @cached_property
    def yaml(self) -> dict[str, Any]:
        """Return conf/provider/NAME.yaml."""
        content = said_of(self.name)
        return {**content, "model": self.asks or content["model"]}

    @cached_property
    def provider(self) -> Any:
        """Return the client's class."""
        module, _, name = self.yaml["_target_"].rpartition(".")
        return getattr(importlib.import_module(module), name)

    @property
    def prefix(self) -> str:
        """Return where the emulator shows the service."""
        path: str = self.yaml["emulator_path"]
        return path

    @cached_property
    def model(self) -> Model:
        """Return the default model, and what the YAML says that it accepts."""
        said = self.yaml
        rule = next(
            (m for m in said.get("models", []) if fnmatchcase(said["model"], m["match"])), {}
        )
        highest = rule.get("temperature_max") or said.get("temperature_max", 2.0)
        return Model(
            provider=said["name"],
            name=said["model"],
            system_role=rule.get("system_role", said.get("system_role", True)),
            sampling=Sampling(rule.get("sampling", "honoured")),
            temperature_min=Decimal(str(said.get("temperature_min", 0.0))),
            temperature_max=Decimal(str(highest)),
            max_output_tokens=said["max_output_tokens"],
            max_tokens_name=rule.get("max_tokens", said.get("max_tokens", "max_completion_tokens")),
            expected_output_tokens=said["expected_output_tokens"],
            parameters={**said.get("parameters", {}), **rule.get("parameters", {})},
        )

    def service(self, url: str, key: str, timeout: float) -> Service:
        """Say where the client connects: a host's address; the emulator's path is added."""
        own = self.provider.Options
        names = [field.name for field in fields(own)]
        given = {name: self.yaml[name] for name in names if self.yaml.get(name) is not None}
        return Service(
            base_url=f"{url}{self.prefix}",
            key_variable=KEY_VARIABLE,
            key=Secret(key),
            timeout_seconds=timeout,
            options=own(**{**given, **self.options}),
        )

    # -- What the suite does with it

    def until_found(
        self, client: Any, batch: Batch, path: Path, claimed: Collection[str] = ()
    ) -> RemoteId | None:
        """Look for a doubtful batch as long as the provider cannot decide."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = taken_of(client.find(batch, path, claimed))
            except ProviderUndecided as error:
                undecided = error
            else:
                return found
            assert undecided.candidates
            assert time.monotonic() < deadline, undecided
            time.sleep(0.02)

    def verbs(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
        """Return those verbs that make a call here."""
        return {name: call for name, call in calls.items() if name not in self.silent_verbs}


def result_line(row: Any) -> bytes:
    """Write a result line raw: nothing escaped that JSON does not make us escape."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inside for text in _strings(part)]
