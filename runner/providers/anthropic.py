"""Anthropic Message Batches.

A batch there has no name, no metadata and no file, so that one of ours is known for certain only
by the custom_ids in its results. Wire facts: platform.claude.com/docs/en/build-with-claude.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

import orjson

from runner.core.errors import (
    ProviderError,
    ProviderRefused,
    ProviderReplyUnreadable,
    ProviderUndecided,
)
from runner.core.model import Batch, Condition, Progress, Prompt, RemoteId, Reply, Sampling
from runner.core.twins import Made
from runner.providers._anthropic_batches import (
    answered_of,
    made_at,
    open_question,
    progress_of,
    remote_of,
    seconds_ahead,
    total_of,
)
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
from runner.providers._lines import object_of
from runner.providers._lists import without_end
from runner.providers._orders import custom_ids_in
from runner.providers._sdk_client import SdkClient
from runner.providers._speaking import ORDER, retry_after
from runner.providers._stainless import CHUNK, Sdk, field, id_of, items_of
from runner.providers.base import DayOptions, Frame

_BATCHES: Final = "/v1/messages/batches"
_TAKES_A_TEMPERATURE: Final = {"anthropic-version": "2023-06-01"}
"""From version 2026-10-21 on, which the SDK sends, a temperature is refused for every model."""
_OPENING, _CLOSING = b'{"requests":[', b"]}"
_CLOCKS_DIFFER: Final = 86_400.0
"""Seconds before it was sent at which a batch of ours may seem to have been made.

A day, because this machine's clock may have been wrong then and right now.
"""
_FAR_BACK: Final = 3600.0
"""Seconds before that; where a page of the list, newest first, ends there, no more are read."""
_LINES_LOOKED_AT: Final = 100
"""Result lines that are not ours after which the whole batch is another's."""


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
            length = len(_OPENING) + size - 1 + len(_CLOSING)
            created = self._client.post(
                _BATCHES,
                cast_to=MessageBatch,
                content=_body(requests, size),
                options={"headers": {"Content-Length": str(length)}},
            )
            return remote_of(created)

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for batches of our size made since, with our custom_ids in their results."""
        known = {*claimed, *batch.dead}
        with self._speaking("list"):
            candidates = {
                remote: other
                for other in self._made_since(batch.sent_at or 0.0)
                if (remote := remote_of(other)) not in known
                if total_of(other) in (batch.count, None)
            }
        oldest_first = sorted(candidates, key=lambda remote: made_at(candidates[remote]) or 0.0)
        ended = [r for r in oldest_first if field(candidates[r], "processing_status") == "ended"]
        ours = custom_ids_in(path) if ended else set()
        unread: dict[RemoteId, str] = {}
        found: list[RemoteId] = []
        for remote in ended:
            try:
                found += [remote] if self._is_of(ours, remote) else []
            except ProviderError as error:
                unread[remote] = str(error)
        if found:
            taken = max(found, key=lambda remote: answered_of(candidates[remote]))
            return Made(taken, tuple(remote for remote in found if remote != taken))
        running = [remote for remote in oldest_first if remote not in ended]
        if running or unread:
            raise ProviderUndecided(open_question(batch, running, unread), (*running, *unread))
        return None

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

    def _made_since(self, sent_at: float) -> Iterator[Any]:
        """Yield the batches on the provider's list that were made since; it is read to its end.

        Raises:
            ProviderReplyUnreadable: when it cannot be; half a list proves nothing.
        """
        cursor: dict[str, str] = {}
        seen: set[str] = set()
        for pages in count():
            without_end(pages)
            reply = self._client.messages.batches.with_raw_response.list(limit=1000, **cursor)
            since = sent_at - _CLOCKS_DIFFER - seconds_ahead(reply.headers)
            page = _page(reply)
            others = items_of(page)
            for other in others:
                made = made_at(other)
                if made is None or made >= since:
                    yield other
            more, last = field(page, "has_more"), others[-1] if others else None
            if more is False or (last and (made_at(last) or since) < since - _FAR_BACK):
                return
            if more is not True or last is None or id_of(last) in seen:
                raise ProviderReplyUnreadable("a list that does not say how it goes on")
            cursor = {"after_id": id_of(last)}
            seen.add(id_of(last))

    def _is_of(self, ours: Collection[str], remote: str) -> bool:
        """Tell by the first results whether a batch that has ended holds our requests."""
        others = 0
        with self._speaking("results"), self._results(remote) as response:
            for line in islice(lines_of(response.iter_bytes(1 << 16)), _LINES_LOOKED_AT):
                try:
                    custom_id = object_of(line).get("custom_id")
                except ProviderReplyUnreadable:
                    continue
                if isinstance(custom_id, str):
                    if custom_id in ours:
                        return True
                    others += 1
        if not others:
            raise ProviderReplyUnreadable("results: no result line")
        return False

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


def _body(requests: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the body of a create call: the request lines as they are, commas between them."""
    yield _OPENING
    left = size - 1  # the last newline has no line behind it
    while left > 0 and (chunk := requests.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk.replace(b"\n", b",")
    yield _CLOSING


def _page(reply: Any) -> Any:
    try:
        return reply.parse()
    except (AttributeError, TypeError):  # what the SDK makes of a reply that is no object
        return None
