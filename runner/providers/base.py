"""What a provider must be able to do, and what all of them share: secrets, addresses, messages, JSON."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, NoReturn, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import orjson

from runner.core.errors import ConfigError
from runner.core.images import ImageRules
from runner.core.model import (
    Batch,
    Condition,
    JsonObject,
    Model,
    Progress,
    Prompt,
    QuestionSet,
    RemoteId,
    Reply,
)
from runner.core.twins import Made

HIDDEN: Final = "****"
"""Stands where a secret was."""

LEAST_IN_WORDS: Final = 4
"""How long a value is, at least, that messages are kept free of: a header may say 0."""
LEAST_IN_REPLIES: Final = 16
"""The same for replies, which are paid for and read for numbers: no word and no name of a model."""


class Secret:
    """A key that no log, screen, traceback or file will show."""

    __slots__ = ("_others", "_value")

    def __init__(self, value: str, others: Iterable[Self] = ()) -> None:
        """Wrap it.

        Args:
            value: the key.
            others: what goes out with it and is to be hidden with it.
        """
        self._value = value
        self._others = tuple(others)

    def __repr__(self) -> str:
        """Hide it."""
        return "Secret(****)"

    __str__ = __repr__

    def reveal(self) -> str:
        """Return the key; call this only where it is handed to an SDK."""
        return self._value

    def hide(self, text: str) -> str:
        """Return a message without it."""
        for other in self._others:
            text = other.hide(text)
        return text if len(self._value) < LEAST_IN_WORDS else text.replace(self._value, HIDDEN)

    def hide_in(self, content: bytes) -> bytes:
        """Return a service's reply without it; what is too short for a key stands there by chance."""
        for other in self._others:
            content = other.hide_in(content)
        value = self._value.encode()
        return content if len(value) < LEAST_IN_REPLIES else content.replace(value, HIDDEN.encode())

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a secret is not stored")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a provider can be told that no other can: nothing, unless its class says more.

    A subclass's fields are settings, as `provider.bucket`: text, numbers, lists of words, or a
    dataclass (not frozen, since a configuration is laid over it) of such. Two providers that share a
    name have to share its type.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The words that a setting may be."""
    addresses: ClassVar[tuple[str, ...]] = ()
    """Settings that say where prompts go: a file's word is not enough for them."""
    asked: ClassVar[tuple[str, ...]] = ()
    """Settings, each a list of words, that are part of what is asked: they may change answers."""

    asks_singly: ClassVar[bool] = True
    """Whether a single request can be asked, now, and not only a batch."""
    sends_headers: ClassVar[bool] = True
    """Whether headers of the user's own can go with its calls (`Service.headers`)."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what cannot be: a setting, and what is allowed."""
        yield from ()

    @property
    def tier(self) -> str | None:
        """Which tier of the service one request is asked of, where tiers have prices; None: its usual."""
        return None

    @property
    def window(self) -> str | None:
        """How long a batch may take, as 24h; None: not said."""
        return None

    @property
    def no_image_files(self) -> str | None:
        """Return why pictures cannot be sent as files with these settings; None when they can."""
        return None

    @property
    def account(self) -> str:
        """Whose limits hold, where the address and the key do not tell."""
        return ""

    def emulated(self) -> Self:
        """Return what the emulator has of it."""
        return self

    def way(self, again: str) -> str:
        """Say how a batch is run.

        Args:
            again: how its requests are asked again, to be added where they can be.
        """
        return f"in batches{f' with a window of {self.window}' if self.window else ''}{again}"


@dataclass(frozen=True, kw_only=True)
class DayOptions(Options):
    """Of a service whose batches end within a day, whatever is asked."""

    @property
    def window(self) -> str:
        """A day."""
        return "24h"


Own = TypeVar("Own", bound=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a provider's client connects, and how."""

    base_url: str
    key_variable: str
    """The environment variable that holds the key; only its name is ever written."""
    key: Secret | None
    timeout_seconds: float
    options: Options = Options()
    """What else this provider can be told."""
    headers: Mapping[str, Secret] = field(default_factory=dict)
    """Sent with every call, for a gateway that wants them; the key hides them, too."""
    folder: Path | None = None
    """The run's own folder, for a provider that works on this machine; None while none is there."""

    def told(self, kind: type[Own]) -> Own:
        """Return a provider's own options; defaults, where the client is for its translations only."""
        return self.options if isinstance(self.options, kind) else kind()

    @property
    def on_this_machine(self) -> bool:
        """Tell whether the address is this machine's own."""
        return is_loopback(self.base_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A request line with a hole for the custom_id: `before + custom_id + after`."""

    before: bytes
    """Ends with the run's tag, where custom_ids carry one."""
    after: bytes
    """Ends with the newline."""
    proof: str | None = None
    """A digest of the prompt, to be found again in `Reply.echo`; None where nothing is echoed."""

    def __len__(self) -> int:
        """Return the bytes of a line without its custom_id."""
        return len(self.before) + len(self.after)


PICTURES = "+"
"""Stands in a proof between the digest of the words and that of the pictures."""


def is_echo(echo: str, proof: str) -> bool:
    """Tell whether a digest is that of an echo of a prompt; an echo may leave pictures out."""
    return echo in (proof, proof.partition(PICTURES)[0])


def _nothing(_: QuestionSet) -> JsonObject:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a service is asked for structured output and for reasoning; by default, not at all."""

    name: str
    structured: Callable[[QuestionSet], JsonObject] = _nothing
    """What a request has to say so that its answer is JSON of the form's shape."""
    ways: tuple[str, ...] = ()
    """Of runner.core.reasoning, the usual one first."""
    reasoning: tuple[tuple[str, ...], ...] = ()
    """Where a request says how much to reason."""
    others: "Mapping[str, Dialect]" = field(default_factory=dict)
    """The same of the service's other interfaces, by what a model's row calls them."""
    images: ImageRules | None = None
    """Which pictures it carries; whether a service's model looks at them is the provider's file's word."""


class Provider(Protocol):
    """A batch API: eight verbs that do I/O, two pure translations, and what is special about it.

    The verbs raise `ProviderError`s only: Busy (nothing was done, try later), Refused (nothing was
    done, do not try again), Silent (it may have been done: find out), ReplyUnreadable (the same).
    None of them retries by itself.
    """

    Options: ClassVar[type[Options]]
    """What it can be told that no other can."""
    dialect: ClassVar[Dialect]
    default_base_url: ClassVar[str]
    base_url_variable: ClassVar[str]
    """The environment variable that names another address."""
    key_variable: ClassVar[str]
    """The environment variable whose key may go to this service; another needs the user's word."""
    settled: ClassVar[Mapping[str, str]]
    """Places in a request that a setting decides, in the service's spelling, each with what to say
    instead of a parameter: a parameter there would make the table say what was not sent."""
    fences: ClassVar[bool]
    """Whether an order that is still on its way can be made harmless."""
    tells_inputs: ClassVar[bool]
    """Whether its list says what a batch was made from, so that one of ours is known at once."""
    tagged: ClassVar[bool]
    """Whether custom_ids carry the run's tag at the provider."""
    found_by_size: ClassVar[bool]
    """Whether a batch of ours is told from others by its number of requests."""
    idempotent: ClassVar[bool]
    """Whether `submit` makes nothing a second time of an order that it is given again with the same
    `send` and the same `dead` ones: then a lost reply is no doubt, it is asked for again. What is
    refused then says nothing of the first order."""
    no_emulator: ClassVar[str | None]
    """Why the emulator cannot stand for it, and what to do instead; None: it can."""
    packages: ClassVar[tuple[str, ...]]
    """What it imports when it is first used; not by several threads at once."""

    def __init__(self, service: Service, model: Model, tag: str = "") -> None:
        """Keep the address, the model and the run's tag; nothing is opened yet."""
        ...

    @classmethod
    def missing(cls, service: Service) -> str | None:
        """Return what has to be set before the real service can be used; None when all is there."""
        ...

    def encode(self, condition: Condition, prompt: Prompt) -> Frame:
        """Return the request line of a condition; pure, and the SDK is not imported for it.

        It is a JSON object, in which the hole is the value of `custom_id`.
        """
        ...

    def decode(self, line: bytes) -> Reply:
        """Read one result line, and take the run's tag off its custom_id; pure.

        Raises:
            ProviderReplyUnreadable: when it is not a result line.
        """
        ...

    def stage(self, path: Path, name: str, *, look_first: bool) -> Mapping[str, str]:
        """Hand over the input of a batch, which costs nothing, and return what names it there.

        Args:
            path: the request file.
            name: the name it gets there; tells what is ours, and which sending of it.
            look_first: an earlier hand-over was cut short; adopt it if it arrived.
        """
        ...

    def submit(self, batch: Batch, path: Path, labels: Mapping[str, str]) -> RemoteId:
        """Order a staged batch: THE call that costs money; sent once, never retried."""
        ...

    def find(self, batch: Batch, path: Path, claimed: Collection[str]) -> Made | None:
        """Look for what was made of an order; None when the provider has nothing of it.

        Args:
            batch: the batch in doubt, or one whose twins are looked for; its `dead` ones are not it.
            path: its request file.
            claimed: the provider's ids of our other batches.

        Raises:
            ProviderUndecided: something there may be it, and cannot be told from another's yet.
        """
        ...

    def fence(self, batch: Batch) -> None:
        """Make an order that is still on its way harmless, by taking its input away."""
        ...

    def poll(self, remote: RemoteId) -> Progress:
        """Ask how a batch stands."""
        ...

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Write one result file as the provider sends it, streaming."""
        ...

    def cancel(self, remote: RemoteId) -> None:
        """Ask to stop a batch; what it has answered stays billed and can be collected."""
        ...

    def ask(self, line: bytes) -> bytes:
        """Ask one request now, at full price: a line of a request file in, a result line out.

        A refusal of this one request is a result line too; `ProviderRefused` means that no request
        would be taken (no key, no such model).
        """
        ...

    def close(self) -> None:
        """Hang up."""
        ...


def missing_key(service: Service) -> str | None:
    """Return what to set when there is no key."""
    return no_key(service) if service.key is None else None


def no_key(service: Service) -> str:
    """Say which variable is to hold the key."""
    return f"no key: set the environment variable {service.key_variable}"


def untagged(custom_id: str, tag: str) -> str:
    """Take the run's tag off; a custom_id that is not ours is marked, and matches nothing."""
    return custom_id.removeprefix(tag) if custom_id.startswith(tag) else f"?{custom_id}"


def is_loopback(url: str) -> bool:
    """Tell whether a URL points to this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def checked_url(url: str, where: str) -> str:
    """Return the URL if keys and prompts may be sent there.

    Raises:
        ConfigError: when it is neither https nor on this machine.
    """
    try:
        parts = urlsplit(url)
        scheme, host, user = parts.scheme, parts.hostname, parts.username
    except ValueError:
        scheme, host, user = "", None, None
    if user is not None:
        raise ConfigError(f"{where}: an address must not contain a user name or password")
    if host and (scheme == "https" or (scheme == "http" and is_loopback(url))):
        return url
    raise ConfigError(
        f"{where}: {url!r} is refused: keys and prompts go out over https only "
        "(plain http is allowed to 127.0.0.1, localhost and ::1)"
    )


def key_from(variable: str) -> Secret | None:
    """Take a key from the environment; None when it is unset or empty."""
    value = os.environ.get(variable, "").strip()
    return Secret(value) if value else None


def said(error: object, secret: Secret | None, limit: int = 300) -> str:
    """Return what a service said, on one line, safe to print: no key, no control characters."""
    text = str(error)
    if secret is not None:
        text = secret.hide(text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def json_value(line: bytes) -> Any:
    """Read one JSON value as services write it: also with half a surrogate pair, never with NaN.

    Raises:
        ValueError: when it is none, or nested too deeply.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:  # orjson refuses lone surrogates, which are legal in JSON's escapes
        return json.loads(line, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
