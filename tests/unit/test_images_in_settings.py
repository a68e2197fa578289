"""Pictures of a study: found, checked, pinned; and refused in one line before anything is written."""

import json
import os
from pathlib import Path

import pytest

from runner.__main__ import main
from runner.batches import requests as files
from runner.core.cost import estimate_tokens
from runner.core.definition import define, differences, levels_in
from runner.core.errors import ConfigError
from runner.core.expand import checked_conditions
from runner.core.model import BatchKey, Variant
from runner.run.preflight import preview, warnings
from runner.run.run import Run
from tests.pictures import ROWS, STUDY, picture, study
from tests.unit.composing import mistake, only
from tests.variants import first

OPENAI = ["provider=openai", "service=emulated"]


def words(home: Path, *more: str) -> list[str]:
    out = f"outputs={home / 'outputs'}"
    return ["--config-dir", str(home), "experiment=pictures", out, *(more or OPENAI)]


def defined(home: Path) -> dict:
    one = only(words(home)).experiment
    return define(one, checked_conditions(one))


def test_pictures_are_known_by_what_a_message_says(tmp_path):
    study(tmp_path)
    images = only(words(tmp_path)).experiment.images
    assert [(i.name, i.kind, i.width, i.height) for i in images.values()] == [
        ("photos/a.png", "png", 640, 480),
        ("photos/b.jpg", "jpeg", 800, 600),
        ("photos/c.webp", "webp", 300, 200),
    ]
    assert all(i.tokens > 80 and len(i.sha256) == 64 and not i.data for i in images.values())


@pytest.mark.long
def test_a_factorial_set_of_pictures_is_named_by_several_factors(tmp_path):
    text = STUDY.replace("{picture.file}", "photos/{who}_{mood_of}.png").replace(
        "  picture: {file: pictures.csv, id: id}", "  who: [p, q]\n  mood_of: [glad, sad]"
    )
    folder = study(tmp_path, text)
    for who in "pq":
        for mood in ("glad", "sad"):
            (folder / "photos" / f"{who}_{mood}.png").write_bytes(picture("png", shade=ord(who)))
    images = only(words(tmp_path)).experiment.images
    assert sorted(images) == [f"photos/{w}_{m}.png" for w in "pq" for m in ("glad", "sad")]
    before = defined(tmp_path)
    (folder / "photos" / "q_sad.png").write_bytes(picture("png", shade=1))
    (said,) = differences(before, defined(tmp_path))
    assert said.startswith("photos/q_sad.png: the picture changed")


# -- refused


def refused(home: Path, capfd: pytest.CaptureFixture[str], *more: str) -> str:
    before = sorted(home.rglob("*"))
    said = mistake(words(home, *more), capfd)
    assert sorted(home.rglob("*")) == before
    return said


def test_a_file_that_is_missing(tmp_path, capfd):
    (study(tmp_path) / "photos" / "b.jpg").unlink()
    said = refused(tmp_path, capfd)
    assert said.startswith("messages[0].images[0], picture b: ")
    assert said.endswith("photos/b.jpg does not exist")


WRONG = {
    "empty": (b"", "is empty; allowed for provider=openai: png, jpeg, gif, webp"),
    "text": (b"no picture at all, whatever its name", "is no picture; allowed"),
    "bmp": (b"BM" + b"\0" * 90, "is no picture"),
}


@pytest.mark.parametrize(("data", "expected"), first(1, WRONG.values()), ids=WRONG)
def test_a_file_that_is_no_picture(tmp_path, capfd, data, expected):
    (study(tmp_path) / "photos" / "a.png").write_bytes(data)
    said = refused(tmp_path, capfd)
    assert "messages[0].images[0], picture a: " in said
    assert expected in said


@pytest.mark.long
def test_kinds_are_told_by_content_and_not_by_name(tmp_path, capfd):
    folder = study(tmp_path)
    (folder / "photos" / "a.png").write_bytes(picture("gif"))
    assert only(words(tmp_path)).experiment.images["photos/a.png"].kind == "gif"
    said = refused(tmp_path, capfd, "provider=gemini", "service=emulated")
    assert "a.png is a gif; allowed for provider=gemini: png, jpeg, webp" in said


@pytest.mark.long
def test_a_picture_that_is_too_large_in_bytes_or_pixels(tmp_path, capfd):
    folder, anthropic = study(tmp_path), ["provider=anthropic", "service=emulated"]
    large = folder / "photos" / "a.png"
    large.write_bytes(picture("png") + b"\0" * 4_000_000)
    said = refused(tmp_path, capfd, *anthropic)
    assert "bytes; allowed for provider=anthropic: 3,932,160 (platform.claude.com" in said
    assert only(words(tmp_path)).experiment.images["photos/a.png"].bytes > 4_000_000
    large.write_bytes(picture("png", 8001, 10))
    assert "8001 x 10 pixels; allowed for provider=anthropic: 8000 a side" in refused(
        tmp_path, capfd, *anthropic
    )


def test_too_many_or_too_much_in_one_request(tmp_path, capfd):
    many = ", ".join(['"{picture.file}"'] * 101)
    study(tmp_path, STUDY.replace('"{picture.file}"', many))
    said = refused(tmp_path, capfd, "provider=anthropic", "service=emulated")
    assert said.startswith("messages, picture a: 101 pictures of ")
    assert "allowed: 100 of 24,000,000" in said


OUTSIDE = ["/etc/passwd", "../secret.png", "photos/../../secret.png", "link.png"]


@pytest.mark.parametrize("name", first(2, OUTSIDE))
@pytest.mark.parametrize("in_cell", [True, False])
def test_never_outside_of_its_folder_be_it_said_in_yaml_or_in_a_cell(
    tmp_path, capfd, name, in_cell
):
    home = tmp_path / "mine"
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture("png"))
    if in_cell:
        folder = study(home, rows=ROWS.replace("photos/a.png", name))
    else:
        folder = study(home, STUDY.replace("{picture.file}", name).replace("What", "{picture}"))
    (folder / "link.png").symlink_to(secret)
    said = refused(home, capfd)
    assert "messages[0].images[0]" in said
    assert "allowed: a file beside" in said or "is a link that leaves its folder" in said


ADDRESSES = {
    "openai": ("https://example.org/a.png", ["http://example.org/a.png", "gs://b/a.png"]),
    "anthropic": ("https://example.org/a.png", ["ftp://example.org/a.png", "https:///a.png"]),
    "gemini": ("gs://bucket/a.png", ["https://example.org/a.png", "gs://bucket/a", "gs://b/a.gif"]),
}


@pytest.mark.long
@pytest.mark.parametrize("provider", first(1, ADDRESSES))
def test_addresses_where_a_dialect_takes_them(tmp_path, capfd, provider):
    good, bad = ADDRESSES[provider]
    how = [f"provider={provider}", "service=emulated"]
    study(tmp_path, rows=ROWS.replace("photos/a.png", good))
    one = only(words(tmp_path, *how)).experiment.images[good]
    assert (one.kind, one.sha256) == ("", "")
    assert one.tokens > 1000
    for address in (*bad, good.replace("://", "://me:secret@")):
        study(tmp_path, rows=ROWS.replace("photos/a.png", address))
        said = refused(tmp_path, capfd, *how)
        assert said.startswith(f"messages[0].images[0], picture a: {address!r}")


def test_what_is_at_an_address_is_not_pinned_and_that_is_said(tmp_path):
    study(tmp_path, rows=ROWS.replace("photos/a.png", "https://example.org/a.png"))
    run = Run(only(words(tmp_path)))
    assert any(note.startswith("pictures at addresses: 1;") for note in warnings(run))
    assert "https://example.org/a.png" not in run.definition["images"]


@pytest.mark.parametrize(
    "provider",
    first(1, ["groq", "kluster", "openrouter", "mistral", "xai", "together", "compatible", "vllm"]),
)
def test_a_provider_whose_file_does_not_say_so_takes_none(tmp_path, capfd, provider):
    study(tmp_path)
    said = refused(tmp_path, capfd, f"provider={provider}")
    assert said.startswith(f"messages[0].images: provider/{provider}.yaml does not say that ")
    assert only(words(tmp_path, f"provider={provider}", "provider.images=true")).experiment.images


def test_a_models_row_says_otherwise(tmp_path, capfd):
    study(tmp_path)
    said = refused(tmp_path, capfd, "provider=openai", "provider.model=gpt-3.5-turbo")
    assert "gpt-3.5-turbo takes pictures" in said


@pytest.mark.long
@pytest.mark.parametrize("setting", ["source", "sink"])
def test_tables_carry_none_but_addresses(tmp_path, capfd, setting):
    study(tmp_path)
    how = ["provider=gemini", "service=emulated", f"provider.{setting}=bigquery"]
    assert "provider.source=gcs provider.sink=gcs" in refused(tmp_path, capfd, *how)
    rows = "id,file\na,gs://bucket/a.png\n"
    study(tmp_path, rows=rows)
    assert only(words(tmp_path, *how)).experiment.images


def test_only_what_the_user_says_has_pictures(tmp_path, capfd):
    text = STUDY.replace(
        "  - role: user\n", "  - {role: system, content: x, images: [a.png]}\n  - role: user\n"
    )
    study(tmp_path, text)
    assert refused(tmp_path, capfd).startswith("messages[0].images: role 'system' has none")


@pytest.mark.long
def test_a_placeholder_that_nobody_has(tmp_path, capfd):
    study(tmp_path, STUDY.replace("{picture.file}", "{picture.fil}"))
    assert "has no column 'fil'" in refused(tmp_path, capfd)
    study(tmp_path, STUDY.replace("{picture.file}", "{pictur}"))
    assert "picture" in refused(tmp_path, capfd)


SHAPES = {
    "a word": ('"{picture.file}"', 'is a single value; allowed: a list, as ["{picture.file}"]'),
    "no quotes": (
        "[{picture.file}]",
        'images[0] is names with values; allowed: a single value, as "{p',
    ),
    "nothing": ('[""]', "messages[0].images[0]"),
}


@pytest.mark.parametrize(("said", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_slip_in_the_yaml(tmp_path, capfd, said, expected):
    text = STUDY.replace('["{picture.file}"]', said).replace("What", "{picture}: what")
    study(tmp_path, text)
    assert expected in refused(tmp_path, capfd)


def test_an_empty_cell(tmp_path, capfd):
    study(tmp_path, rows=ROWS.replace("photos/a.png", ""))
    assert "row 1: 'file' is empty" in refused(tmp_path, capfd)


# -- pinned


def test_a_picture_that_changed_under_its_name_is_another_study(tmp_path):
    folder = study(tmp_path)
    before = defined(tmp_path)
    (folder / "photos" / "b.jpg").write_bytes(picture("jpeg", 800, 600, shade=200))
    after = defined(tmp_path)
    assert differences(before, after) == [
        "factors.picture.b: its content changed (a changed row wants an id of its own)",
        "photos/b.jpg: the picture changed (a changed one wants a name of its own)",
    ]
    asked = [{level: asked for _, level, _, asked in levels_in(one)} for one in (before, after)]
    assert [k for k in "abc" if asked[0][k] != asked[1][k]] == ["b"]


@pytest.mark.long
def test_a_picture_more_is_the_same_study(tmp_path):
    folder = study(tmp_path)
    before = defined(tmp_path)
    (folder / "photos" / "d.gif").write_bytes(picture("gif"))
    study(tmp_path, rows=ROWS + "d,photos/d.gif\n")
    assert differences(before, defined(tmp_path)) == []


def test_a_study_without_pictures_is_defined_as_before(tmp_path):
    study(
        tmp_path,
        STUDY.replace('    images: ["{picture.file}"]\n', "").replace("What", "{picture.file}"),
    )
    one = defined(tmp_path)
    assert "images" not in one
    assert "messages[0].images" not in one["design"]


def test_a_picture_that_changes_while_a_run_goes_on_is_not_sent(tmp_path):
    folder = study(tmp_path)
    run = Run(only(words(tmp_path)))
    box = run.request_files(tmp_path / "run", run.connection.offline())
    stem = run.conditions[0].stem
    (folder / "photos" / "a.png").write_bytes(picture("png", 640, 480, shade=77))
    with pytest.raises(ConfigError, match=r"a\.png was changed meanwhile"):
        box.frame(stem, Variant.PLAIN)


def test_a_request_file_is_whole_or_not_there_when_a_picture_changes(tmp_path, monkeypatch):
    folder = study(tmp_path)
    monkeypatch.setattr(files, "FRAMES_BYTES", 1)
    run = Run(only(words(tmp_path)))
    (tmp_path / "run").mkdir()
    box = run.request_files(tmp_path / "run", run.connection.offline())
    (spans,) = box.batches(run.request_states().pending())
    (folder / "photos" / "b.jpg").unlink()
    with pytest.raises(ConfigError, match=r"b\.jpg cannot be read any more"):
        box.write(BatchKey("b0001"), spans)
    assert not box.path(BatchKey("b0001")).exists()


def test_pictures_stay_with_the_user_where_the_system_message_joins_the_words(tmp_path):
    text = STUDY.replace("  - role: user\n", "  - {role: system, content: Look.}\n  - role: user\n")
    study(tmp_path, text)
    how = ["provider=openai", "service=emulated", "provider.system_role=false"]
    run = Run(only(words(tmp_path, *how)))
    box = run.request_files(tmp_path / "run", run.connection.offline())
    frame, _ = box.frame(run.conditions[0].stem, Variant.PLAIN)
    body = json.loads(frame.before + b"a" + frame.after)["body"]
    (turn,) = body["messages"]
    assert [part["type"] for part in turn["content"]] == ["image_url", "text"]
    assert turn["content"][1]["text"].startswith("Look.\n\nWhat do you see?")


# -- counted


@pytest.mark.long
def test_bytes_tokens_and_money_count_them(tmp_path):
    study(tmp_path)
    with_pictures = preview(Run(only(words(tmp_path))))
    study(
        tmp_path,
        STUDY.replace('    images: ["{picture.file}"]\n', "").replace("What", "{picture.file}"),
    )
    without = preview(Run(only(words(tmp_path))))
    files = [
        (tmp_path / "experiment" / "photos" / n).stat().st_size
        for n in ("a.png", "b.jpg", "c.webp")
    ]
    assert with_pictures.bytes - without.bytes > 2 * sum(files) * 4 // 3
    assert with_pictures.input_tokens - without.input_tokens > 2 * 3 * 100
    assert with_pictures.estimate.high > without.estimate.high


def test_few_large_requests_are_kept_in_memory(tmp_path, monkeypatch):
    study(tmp_path)
    run = Run(only(words(tmp_path)))
    box = run.request_files(tmp_path / "run", run.connection.offline())
    assert box._frames.cache_info().maxsize == files.FRAMES_KEPT
    monkeypatch.setattr(files, "FRAMES_BYTES", 1000)
    box = run.request_files(tmp_path / "run", run.connection.offline())
    assert box._frames.cache_info().maxsize == 1
    reads = []
    monkeypatch.setattr(files, "loaded", lambda image: reads.append(image.name) or _loaded(image))
    for _ in range(3):
        list(box.batches(run.request_states().pending()))
        for condition in run.conditions:
            box.proof(condition.stem, Variant.PLAIN, 1)
            box.tokens(condition.stem, Variant.PLAIN)
    assert len(reads) == 3  # each once, however often its length is asked for


_loaded = files.loaded


# -- shown


@pytest.mark.parametrize("as_json", first(1, [False, True]))
def test_a_plan_names_them_and_shows_no_base64(tmp_path, capfd, as_json):
    study(tmp_path)
    assert main([*words(tmp_path), "action=plan", *(["--json"] if as_json else [])]) == 0
    said = capfd.readouterr().out
    assert "[image photos/a.png, 640x480 png, 2 kB]" in said
    assert "base64" not in said
    if as_json:
        facts = json.loads(said)
        assert facts["prompts"]["first"]["messages"][0]["content"].startswith("[image photos/a.png")
        assert any(note.startswith("pictures: 3, counted as ") for note in facts["notes"])
        first = facts["prompts"]["first"]
        shown = only(words(tmp_path)).experiment.images["photos/a.png"]
        assert first["input_tokens"] == estimate_tokens("x" * first["characters"]) + shown.tokens


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path, capfd):
    (study(tmp_path) / "photos" / "a.png").chmod(0)
    assert "cannot be read" in refused(tmp_path, capfd)
