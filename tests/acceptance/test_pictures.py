"""Studies of pictures, through the real SDKs over a socket; what was paid is in the table."""

import base64
import json
from collections import Counter
from typing import Any

import polars as pl
import pytest

from runner.core.cost import estimate_tokens
from tests.acceptance.conftest import QUICK, Desk
from tests.acceptance.test_all_providers import FAULTS, HOW, HURRY, billed
from tests.pictures import ROWS, picture, study
from tests.variants import always, first

LANES = {
    "openai": ["provider=openai"],
    "anthropic": ["provider=anthropic"],
    "gemini": ["provider=gemini"],
    "openai, one by one": ["provider=openai", "provider.mode=realtime"],
    "anthropic, one by one": ["provider=anthropic", "provider.mode=realtime"],
    "gemini, one by one": ["provider=gemini", "provider.mode=realtime"],
}
MINE = ["--config-dir", "mine", "experiment=pictures"]


def cell_of(desk: Desk) -> str:
    (folder,) = (desk.folder / "outputs" / "pictures").iterdir()
    return f"pictures/{folder.name}"


@pytest.mark.long
@pytest.mark.parametrize("lane", always(["gemini"], LANES))
def test_a_study_of_pictures_is_answered_and_paid_once_an_attempt(desk: Desk, lane: str) -> None:
    home = study(desk.folder / "mine")
    planned = json.loads(desk.run(*MINE, *LANES[lane], *HOW, "action=plan", "--json").stdout)
    said = desk.run(*MINE, *LANES[lane], *FAULTS["rough"], *HOW, *HURRY)
    cell = cell_of(desk)
    answers, attempts = desk.answers(cell), desk.attempts(cell)
    assert said.returncode in (0, 3), said.stderr
    assert sorted(answers.select("picture", "trial").rows()) == [
        (picture, trial) for picture in "abc" for trial in (1, 2)
    ]
    assert answers.filter(pl.col("status") == "open").is_empty()
    answered = attempts.filter(pl.col("outcome").is_in(["valid", "invalid"]))
    bill = desk.bill(cell)
    if "one by one" in lane:
        assert bill["chats_billed"] == answered.height
    else:
        assert billed(bill) == Counter(answered["custom_id"])
    counted = answered.group_by("custom_id").agg(pl.col("input_tokens").max())["input_tokens"]
    characters = planned["prompts"]["first"]["characters"]
    words = 8 + int((characters + 1) * 0.8)  # the emulator's own count of them
    assert counted.min() > words
    of_pictures = planned["input_tokens"] - 6 * estimate_tokens("x" * characters)
    assert counted.sum() - 6 * words <= of_pictures
    for path in (desk.folder / "outputs" / cell / "requests").iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, data = shown_in(json.loads(line))
            (file,) = (row.split(",")[1] for row in ROWS.splitlines() if row.startswith(name))
            assert data == (home / file).read_bytes()
    said = desk.run(*MINE, *LANES[lane], *HOW, "action=verify")
    assert said.returncode == 0, said.stdout + said.stderr


def shown_in(line: dict[str, Any]) -> tuple[str, bytes]:
    """The level that a request asks about, and the bytes of the picture it shows before its words."""
    name = line["custom_id"].rpartition("_n")[0][-1]
    body = line.get("body") or line.get("params") or line["request"]
    (turn,) = body.get("messages") or body["contents"]
    shown, words = turn.get("content") or turn["parts"]
    assert words["text"].startswith("What do you see?")
    if "image_url" in shown:
        return name, base64.b64decode(shown["image_url"]["url"].partition(";base64,")[2])
    return name, base64.b64decode((shown.get("source") or shown["inlineData"])["data"])


ADDRESSES = {
    "openai": (["provider=openai"], "https://example.org/a.png"),
    "anthropic": (["provider=anthropic"], "https://example.org/a.png"),
    "gemini": (["provider=gemini"], "gs://bucket/a.png"),
    "gemini over bigquery": (
        ["provider=gemini", "provider.source=bigquery", "provider.sink=bigquery"],
        "gs://bucket/a.png",
    ),
    "a service that says so": (
        ["provider=compatible", "provider.images=true"],
        "https://example.org/a.png",
    ),
}


@pytest.mark.parametrize("lane", first(1, ADDRESSES))
def test_pictures_at_addresses(desk: Desk, lane: str) -> None:
    provider, address = ADDRESSES[lane]
    study(desk.folder / "mine", rows=f"id,file\na,{address}\nb,{address.replace('a.', 'b.')}\n")
    words = [*MINE, *provider, "service=emulated", *QUICK, "faults.malformed=0"]
    said = desk.run(*words)
    assert said.returncode == 0, said.stdout + said.stderr
    answers = desk.answers(cell_of(desk))
    assert set(answers["status"]) == {"success"}
    assert set(billed(desk.bill(cell_of(desk))).values()) == {1}


@pytest.mark.long
def test_a_picture_that_changed_is_not_asked_under_the_old_id(desk: Desk) -> None:
    home = study(desk.folder / "mine")
    words = [*MINE, "provider=openai", "service=emulated", *QUICK, "faults.malformed=0"]
    assert desk.run(*words, "trials=1").returncode == 0
    old = (home / "photos" / "b.jpg").read_bytes()
    (home / "photos" / "b.jpg").write_bytes(picture("jpeg", 800, 600, shade=250))
    said = desk.run(*words, "trials=2")
    assert said.returncode != 0
    assert "photos/b.jpg: the picture changed" in said.stderr
    (home / "photos" / "b.jpg").write_bytes(old)
    (home / "photos" / "d.gif").write_bytes(picture("gif"))
    (home / "pictures.csv").write_text(ROWS + "d,photos/d.gif\n", encoding="utf-8")
    assert desk.run(*words, "trials=2").returncode == 0
    assert desk.answers(cell_of(desk)).height == 8
    assert set(billed(desk.bill(cell_of(desk))).values()) == {1}


@pytest.mark.long
@pytest.mark.parametrize("provider", first(1, ["gemini", "openai"]))
def test_a_run_of_pictures_is_made_again_from_its_files(desk: Desk, provider: str) -> None:
    study(desk.folder / "mine")
    words = [*MINE, f"provider={provider}", "service=emulated", *QUICK, "faults.malformed=0"]
    assert desk.run(*words).returncode == 0
    cell = desk.folder / "outputs" / cell_of(desk)
    before = desk.answers(cell_of(desk)).drop("retrieved_at", strict=False)
    for path in cell.glob("cache.db*"):
        path.unlink()
    said = desk.run(*words, "action=recover")
    assert said.returncode == 0, said.stdout + said.stderr
    assert desk.run(*words, "action=export").returncode == 0
    after = desk.answers(cell_of(desk)).drop("retrieved_at", strict=False)
    assert after["custom_id"].to_list() == before["custom_id"].to_list()
    assert after["mood_value"].to_list() == before["mood_value"].to_list()
    assert desk.run(*words).returncode == 0
    assert set(billed(desk.bill(cell_of(desk))).values()) == {1}
