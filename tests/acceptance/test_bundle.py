"""What is sent along with a bug report holds no key, no prompt, no answer and no name."""

import base64
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from runner.cli.bundle import PACKAGES
from runner.core.model import RemoteId
from runner.run import bundle
from runner.storage.events import event_of
from runner.storage.kv import DATABASE
from runner.storage.ledger import Ledger
from tests.acceptance.conftest import QUICK, ROOT, Desk

KEY = "sk-proj-Zaq12wsxCDE34rfv"
SECRETS = {
    "key": KEY,
    "header": "vk-Wq9-hidden-value",
    "prompt": "Tell me how “trusting” this diary page sounds",
    "persona": "You are Aunt Mabel of Little Snoring",
    "text": "Today the köttbullar were cold \\ again",
    "level": "doctor_schmidt",
    "item": "How betrayed does she feel?",
    "item id": "betrayal_q",
    "column": "ward_seven",
    "parameter": "participant-Ypsilon",
    "study": "mabel_diary",
    "model": "ft-secretlab-0815",
    "remote": "batch_QX55YY66",
    "word": "sorry Dave of ACME",
    "label": "pilot-for-Zenobia",
}
STUDY = f"""\
# @package _global_
defaults:
  - override /question: english
name: {SECRETS["study"]}
factors:
  persona:
    levels:
      {SECRETS["level"]}: {json.dumps(SECRETS["persona"])}
  page: {{file: pages.csv, id: id, keep: [{SECRETS["column"]}]}}
trials: 2
temperatures: null
messages:
  - role: user
    content: {json.dumps(SECRETS["prompt"] + "? {persona} {page.body} {items}", ensure_ascii=False)}
items:
  {SECRETS["item id"]}: {{ask: {SECRETS["item"]}, minimum: 1, maximum: 7}}
"""


def words(desk: Desk) -> list[str]:
    """The command line of a study of one's own, with something to hide in each place."""
    folder = desk.folder / "mine"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment/mine.yaml").write_text(STUDY, encoding="utf-8")
    page = SECRETS["text"].replace('"', '""')
    (folder / "experiment/pages.csv").write_text(
        f'id,body,{SECRETS["column"]}\n1,"{page}",3\n', encoding="utf-8"
    )
    return [
        *("--config-dir", "mine", "experiment=mine", "service=emulated", "provider=openai"),
        *(*QUICK, f"provider.model={SECRETS['model']}", "faults.malformed=0"),
        "+provider.headers.x-portkey-virtual-key=PORTKEY",
        f"+provider.parameters.user={SECRETS['parameter']}",
    ]


def plant(folder: Path) -> None:
    """Put into a run's ledger and files what a provider may have said."""
    quoted = f"400 you asked: {SECRETS['prompt']}, {SECRETS['word']} {KEY}"
    with Ledger.open(folder) as ledger:
        (batch,) = ledger.batches()
        said = replace(
            batch,
            remote=RemoteId(SECRETS["remote"]),
            remote_state=SECRETS["word"],
            error=quoted,
            handle={SECRETS["label"]: str(folder)},
            models={SECRETS["model"]: 2},
        )
        event = event_of(said, "poll failed", 1.0, quoted)
        ledger.record(said, summary={"held": quoted, "total": 2, "failed": 1}, event=event)
    row = {"error_type": "poll failed", "message": quoted, "details": {"remote": KEY}}
    with (folder / "errors.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n" + json.dumps({"error_type": quoted}) + "\nhalf a line")
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"halted": quoted, SECRETS["label"]: 4, "twins": [quoted]}
    (folder / "summary.json").write_text(json.dumps(summary))


def forms(secret: str) -> Iterator[bytes]:
    """What a text may look like in a file: as it is, as JSON, percent-encoded, in base64."""
    assert len(secret) > 8, "too short to be told from chance"
    yield secret.encode()
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret, ensure_ascii=False)[1:-1].encode()
    for shift in range(3):  # where it begins in what was encoded
        coded = base64.b64encode(b"x" * shift + secret.encode())
        yield coded[4 if shift else 0 : -4]


def leaks(files: Mapping[str, bytes], secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which secret stands in which file, or in its name."""
    return [
        (name, what)
        for name, content in files.items()
        for what, secret in secrets.items()
        if any(form in content or form in name.encode() for form in forms(secret))
    ]


def read(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        assert not archive.comment
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.fixture
def run(desk: Desk) -> tuple[Desk, list[str], Path]:
    """A run that is over, with all that has to stay secret somewhere in its folder."""
    typed = words(desk)
    done = desk.run(*typed, PORTKEY=SECRETS["header"], OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    (folder,) = (desk.folder / "outputs" / SECRETS["study"]).iterdir()
    plant(folder)
    return desk, typed, folder


def bundled(desk: Desk, typed: list[str]) -> dict[str, bytes]:
    done = desk.run(*typed, "action=bundle", PORTKEY=SECRETS["header"], OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("bundle ")
    assert "look into it before you send it" in line
    path = desk.folder / line.split()[1]
    assert leaks({path.name: b""}, SECRETS) == []
    return read(path)


def test_a_bundle_has_no_secret_and_says_how_the_run_stands(run):
    desk, typed, folder = run
    answers = desk.answers(f"{SECRETS['study']}/{folder.name}")
    secrets = {
        **SECRETS,
        "answer": answers["raw_answer"][0],
        "custom_id": answers["custom_id"][0],
        "path": str(desk.folder),
    }
    kept = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found = {what for _, what in leaks(kept, secrets)}
    assert found >= secrets.keys() - {"header"}  # the key, as a provider quoted it

    files = bundled(desk, typed)

    assert leaks(files, secrets) == []
    assert re.search(rb"[a-z]/[a-z]", b"".join(files.values())) is None, "a path"
    said = {name.removesuffix(".json"): json.loads(content) for name, content in files.items()}
    assert said["about"]["packages"].keys() == {*PACKAGES}
    assert said["settings"]["provider"]["model"] == f"a text of {len(SECRETS['model'])}"
    assert said["settings"]["provider"]["name"] == "openai"
    assert said["settings"]["trials"] == 2
    assert said["settings"]["items"]["(1)"]["maximum"] == 7
    assert said["settings"]["messages"][0]["role"] == "user"
    (batch,) = said["ledger"]["batches"]
    assert (batch["key"], batch["state"], batch["count"]) == ("b0001", "collected", 2)
    assert batch["remote_state"].startswith("a text of")
    assert said["events"][-1]["event"] == "poll failed"
    assert said["summary"]["success"] == 2
    assert said["errors"] == {"poll failed": 1, "other": 1}
    assert said["ledger"]["exit_code"] == 3, "as a run with failed requests ends"

    (folder / DATABASE).write_bytes(KEY.encode() * 1000)
    files = bundled(desk, typed)
    assert leaks(files, secrets) == []
    ledger = json.loads(files["ledger.json"])
    assert ledger["error"] == "LedgerDamaged"
    assert [b["state"] for b in ledger["batches"]] == ["collected"]


def test_a_bundle_of_a_run_that_never_began_says_what_was_asked_for(desk):
    files = bundled(desk, [])
    assert json.loads(files["ledger.json"])["started"] is False
    assert json.loads(files["about.json"])["levels"] == [4, 3]


def test_no_secret_hides_behind_a_name_of_ours():
    """A key, a number or a word counts only where it is known; the rest is told by kind and size."""
    secret = {"metadata": {"top": 5550123, KEY: KEY}, "trials": KEY}
    assert bundle.of_batch({**secret, "key": KEY, "state": KEY, "reserved_usd": KEY}) == {
        "(1)": {"(1)": 5550123, "(2)": f"a text of {len(KEY)}"},
        "(2)": f"a text of {len(KEY)}",
        **dict.fromkeys(("key", "state", "reserved_usd"), f"a text of {len(KEY)}"),
    }


def test_the_packages_are_those_that_the_program_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[^a-z0-9-]", line)[0] for line in project["dependencies"]}
    assert {*PACKAGES} == needed
