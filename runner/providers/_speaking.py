"""What speaking to any service needs: foreign exceptions turned into ours, and a few headers."""

import math
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from runner.core.errors import ProviderError, ProviderRefused
from runner.providers.base import Service, no_key

ORDER = "create"
"""What the call is named that costs money: a refusal that is not the service's own is a doubt."""


class Speaking:
    """Translates every exception of an SDK and its transport, and keeps no hold of the original.

    An exception may quote what a service said, and that may be the key; a crash screen shows what
    is in the frames.
    """

    def __init__(
        self,
        foreign: tuple[type[Exception], ...],
        translate: Callable[[Exception], ProviderError],
    ) -> None:
        """Say what is foreign, and what it becomes."""
        self._foreign = foreign
        self._translate = translate

    def __enter__(self) -> None:
        """Begin to speak."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, self._foreign):
            translated = self._translate(error)
            del error
            raise translated from None


ANSWER_TAKES = 10
"""How many times longer an answer may take than any other call; the SDKs' own default, too."""


def sendable_key(service: Service) -> str:
    """Return the key of a service, to be handed to a client.

    It is bound to no name on the way: a traceback can show a frame's variables.

    Raises:
        ProviderRefused: there is none, or it cannot be sent.
    """
    if service.key is None:
        raise ProviderRefused(no_key(service))
    if not can_be_a_header(service.key.reveal()):
        raise ProviderRefused(f"{service.key_variable} holds characters that no key has")
    return service.key.reveal()


def sendable_headers(service: Service) -> dict[str, str]:
    """Return the user's own headers, to be handed to a client.

    Raises:
        ProviderRefused: one of them cannot be sent.
    """
    for name, value in service.headers.items():
        if not value.reveal().isascii() or not value.reveal().isprintable():
            raise ProviderRefused(
                f"provider.headers.{name}: its value holds characters no header has"
            )
    return {name: value.reveal() for name, value in service.headers.items()}


def can_be_a_header(key: str) -> bool:
    """Tell whether a key can be sent at all."""
    return key.isascii() and key.isprintable() and " " not in key


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a service asks us to wait; a date is read by the service's own clock."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        wait = _number(headers.get(name))
        if wait is not None and wait >= 0:
            return wait / unit
    until, now = _date(headers.get("retry-after")), _date(headers.get("date"))
    return until - now if until is not None and now is not None and until >= now else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None
