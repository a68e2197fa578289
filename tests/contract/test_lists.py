"""Whether a list proves that a batch is not there, at services that only resemble OpenAI."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from runner.core.errors import ProviderReplyUnreadable
from runner.core.model import Batch
from runner.providers import _lists
from runner.providers.compatible import CompatibleBatch
from tests.contract.case import batch_of, write_requests
from tests.contract.kits.base import taken_of
from tests.contract.kits.compatible import KITS
from tests.contract.spoiled import Deed, Spoiled, reply

KIT = KITS[0]
NOW = 1795570000.0


def row(name: str, age: float) -> dict[str, Any]:
    made = int(NOW - age)
    return KIT.batch_object("completed", id=name, input_file_id=f"of-{name}", created_at=made)


@pytest.fixture
def sought(tmp_path: Path) -> Batch:
    """Return the batch in doubt, which was ordered just now."""
    client = CompatibleBatch(None, KIT.model)  # type: ignore[arg-type]
    path = write_requests(client, tmp_path)
    return batch_of(path, {"input_file_id": "of-sought"}, sent_at=NOW)


def always(page: dict[str, Any]) -> Callable[[Deed], None]:
    """Answer every call with the same page, whatever it asks for."""
    return lambda deed: deed.caller.sendall(reply(200, {"object": "list", **page}))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"data": [row(f"b{n}", n) for n in range(19)]}, None),
        ({"data": [row(f"b{n}", n) for n in range(20)]}, "unknown"),
        ({"data": [row(f"b{n}", n * 6000) for n in range(20)]}, None),
        ({"data": [row(f"b{n}", n * 60) for n in range(20)], "has_more": True}, "unknown"),
        ({"data": [row(f"b{n}", n) for n in range(20)], "has_more": False}, None),
        ({"data": [row(f"b{n}", n) for n in range(3)], "paging": {"next_cursor": "c"}}, "unknown"),
        ({"data": [row(f"b{n}", n) for n in range(20)] + [row("sought", 30)]}, "sought"),
        ({"data": [row("sought", 0)], "has_more": True}, "sought"),
    ],
    ids=[
        *("short", "long", "long and far back", "it says more", "it says no more"),
        *("by cursor", "found on a long one", "found where it says more"),
    ],
)
def test_a_service_that_ignores_the_cursor_proves_absence_only_if_it_can(
    server: Callable[..., Spoiled],
    connect: Callable[..., Any],
    sought: Batch,
    page: dict[str, Any],
    expected: str | None,
) -> None:
    stub = server()
    stub.spoil(KIT.find, always(page))
    client = connect(f"{stub.url}/compatible/v1", provider=CompatibleBatch, model=KIT.model)
    if expected == "unknown":
        with pytest.raises(ProviderReplyUnreadable, match="goes on"):
            client.find(sought, Path(), ())
    else:
        assert taken_of(client.find(sought, Path(), ())) == expected
    assert len(stub.calls) <= 2


def test_a_list_that_never_ends_proves_nothing(
    server: Callable[..., Spoiled],
    connect: Callable[..., Any],
    sought: Batch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_lists, "MOST_PAGES", 25)
    stub = server()
    names = count()

    def page(deed: Deed) -> None:
        data = [row(f"b{next(names)}", 1) for _ in range(20)]
        deed.caller.sendall(reply(200, {"object": "list", "data": data, "has_more": True}))

    stub.spoil(KIT.find, page)
    client = connect(f"{stub.url}/compatible/v1", provider=CompatibleBatch, model=KIT.model)
    with pytest.raises(ProviderReplyUnreadable, match="goes on after 25 pages"):
        client.find(sought, Path(), ())
    assert len(stub.calls) == 25
