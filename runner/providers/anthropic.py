"""Anthropic Message Batches.

A batch there has no name, no metadata and no file, so that one of ours is known for certain only
by the custom_ids in its results. Wire facts: platform.claude.com/docs/en/build-with-claude.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from runner.core.errors import ProviderRefused, ProviderReplyUnreadable
from runner.core.model import Batch, Condition, Progress, Prompt, RemoteId, Reply, Sampling
from runner.core.twins import Made
from runner.providers._anthropic_batches import listed, progress_of, remote_of
from runner.providers._anthropic_lines import (
    SETTLED,
    errored_line,
    lines_of,
    read_line,
    refuses_one,
    request_frame,
    succeeded_line,
)
from runner.providers._dialects import MESSAGES
from runner.providers._found_by_size import (
    Page,
    any_is_ours,
    found,
    length_of,
    made_since,
    order_of,
    seconds_ahead,
)
from runner.providers._sdk_client import SdkClient
from runner.providers._speaking import ORDER, retry_after
from runner.providers._stainless import Sdk, field, id_of, items_of
from runner.providers.base import DayOptions, Frame

_BATCHES: Final = "/v1/messages/batches"
_TAKES_A_TEMPERATURE: Final = {"anthropic-version": "2023-06-01"}
"""From version 2026-10-21 on, which the SDK sends, a temperature is refused for every model."""
_OPENING, _CLOSING = b'{"requests":[', b"]}"


class AnthropicBatch(SdkClient):
    """The client."""

    Options: ClassVar[type[DayOptions]] = DayOptions
    dialect = MESSAGES
    default_base_url: ClassVar[str] = "https://api.anthropic.com"
    base_url_variable: ClassVar[str] = "ANTHROPIC_BASE_URL"
    key_variable: ClassVar[str] = "ANTHROPIC_API_KEY"
    settled: ClassVar[Mapping[str, str]] = SETTLED
    fences: ClassVar[bool] = False
    tells_inputs: ClassVar[bool] = False
    tagged: ClassVar[bool] = True
    found_by_size: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    no_emulator: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ("httpx2", "anthropic")
    _ask_path: str = "/v1/messages"

    @cached_property
    def _sdk(self) -> Sdk:
        import anthropic
        import httpx2

        return Sdk(anthropic, httpx2, anthropic.AnthropicError)

    def _connect(self) -> Any:
        import anthropic
        import httpx2

        def transport(*, trust_env: bool, **how: Any) -> httpx2.Client:
            """Make the SDK's own, which would go through the environment's proxies untold."""
            make = anthropic.DefaultHttpxClient if trust_env else httpx2.Client
            return make(trust_env=trust_env, **how)

        honours = self._model.sampling is Sampling.HONOURED
        return self._sdk.connect(
            anthropic.Anthropic,
            transport,
            self._service,
            headers=_TAKES_A_TEMPERATURE if honours else {},
            open_telemetry=False,
        )

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition."""
        return request_frame(self._model, condition, prompt, self._tag)

    def decode(self, line: bytes) -> Reply:
        """Read a line of the results."""
        return read_line(line, self._tag)

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Hand over nothing: the requests travel with the order."""
        return {}

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Create the batch, its request file streamed into the body; sent once."""
        with path.open("rb") as requests, self._speaking(ORDER):
            from anthropic.types.messages import MessageBatch

            size = path.stat().st_size
            created = self._client.post(
                _BATCHES,
                cast_to=MessageBatch,
                content=order_of(_OPENING, requests, size, _CLOSING),
                options={"headers": {"Content-Length": length_of(_OPENING, size, _CLOSING)}},
            )
            return remote_of(created)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for batches of our size made since, with our custom_ids in their results."""
        known = {*claimed, *batch.dead}
        with self._speaking("list"):
            made = list(made_since(batch.sent_at or 0.0, self._page_after))
        candidates = (other for other in made if other.remote not in known)
        return found(batch, path, candidates, where="Anthropic", holds=self._holds)

    def fence(self, batch: Batch) -> None:
        """Refuse: there is no input that could be taken away."""
        raise ProviderRefused("a message batch has no input that could be taken away")

    def poll(self, remote: RemoteId) -> Progress:
        """Retrieve the batch."""
        with self._speaking("retrieve"):
            reply = self._client.messages.batches.with_raw_response.retrieve(remote)
            batch = reply.parse()
            if id_of(batch) != remote:
                raise ProviderReplyUnreadable("the reply is about another batch")
            return progress_of(batch, retry_after(reply.headers), self._service.key)

    def ask(self, line: bytes) -> bytes:
        """Make one message and write what came as a batch would."""
        request = orjson.loads(line)
        custom_id = request["custom_id"]
        with self._speaking("message"):
            try:
                message = self._post(orjson.dumps(request["params"]))
            except self._sdk.module.APIStatusError as error:
                if refuses_one(error.status_code, error.body):
                    return errored_line(custom_id, self._without_key(error.response.content))
                raise
            return succeeded_line(custom_id, self._without_key(message.content))

    def _page_after(self, last: RemoteId | None) -> Page:
        cursor = {} if last is None else {"after_id": last}
        reply = self._client.messages.batches.with_raw_response.list(limit=1000, **cursor)
        page = _page(reply)
        batches = [listed(batch) for batch in items_of(page)]
        return Page(batches, field(page, "has_more"), seconds_ahead(reply.headers))

    def _holds(self, ours: Collection[str], remote: RemoteId) -> bool:
        """Tell by the first results whether a batch that has ended holds our requests."""
        with self._speaking("results"), self._results(remote) as response:
            return any_is_ours(ours, lines_of(response.iter_bytes(1 << 16)))

    def _batch_calls(self) -> Any:
        return self._client.messages.batches

    @contextmanager
    def _results(self, remote: str) -> Iterator[Any]:
        """Open the results; the address the provider gives for them is not trusted."""
        response = self._client.get(
            f"{_BATCHES}/{quote(remote, safe='')}/results",
            cast_to=self._sdk.transport.Response,
            options={"headers": {"Accept": "application/binary", "Accept-Encoding": "identity"}},
            stream=True,
        )
        try:
            yield response
        finally:
            response.close()


def _page(reply: Any) -> Any:
    try:
        return reply.parse()
    except (AttributeError, TypeError):  # what the SDK makes of a reply that is no object
        return None
