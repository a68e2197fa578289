"""Files that are written whole, privately, and never through a link."""

from pathlib import Path

import pytest

from runner.config.compose import compose
from runner.config.settings import ConfigError
from runner.storage.files import appending, fresh, leaving, make_folder, privacy, write_durably
from tests.levels import levels
from tests.report.sketches import figures, sketch


def test_a_file_that_is_written_takes_the_place_of_a_link_and_leaves_what_it_led_to(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    home = tmp_path / "run"
    home.mkdir(mode=0o700)
    for name in ("a.json", "a.json.part"):
        (home / name).symlink_to(mine)
    write_durably(home / "a.json", [b"new"])
    assert mine.read_text() == "mine"
    assert not (home / "a.json").is_symlink()
    assert (home / "a.json").read_text() == "new"


def test_a_file_to_append_to_is_no_link(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "link").symlink_to(mine)
    with pytest.raises(OSError, match="symbolic"):
        appending(tmp_path / "link")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o755, 0o644), (0o750, 0o640)])
def test_a_file_is_as_private_as_its_folder(tmp_path, folder, file):
    home = tmp_path / "run"
    home.mkdir()
    home.chmod(folder)
    fresh(home / "a").close()
    assert (home / "a").stat().st_mode & 0o777 == file


def test_a_folder_for_several_is_as_private_as_the_most_private_of_them(tmp_path):
    for name, mode in (("a", 0o755), ("b", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    make_folder(tmp_path / "x/y", privacy([tmp_path / "a", tmp_path / "b"]))
    assert (tmp_path / "x/y").stat().st_mode & 0o777 == 0o700
    assert privacy([tmp_path / "a"]) == 0o755


def test_a_new_folder_is_on_disk_in_each_one_above_it(tmp_path, monkeypatch):
    synced: list[Path] = []
    monkeypatch.setattr("runner.storage.files.sync", synced.append)
    make_folder(tmp_path / "a/b/c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a/b"]
    make_folder(tmp_path / "a/b/c")
    assert len(synced) == 3


def test_a_link_that_leads_out_is_found_and_one_inside_is_not(tmp_path):
    home = tmp_path / "run"
    (home / "deep").mkdir(parents=True)
    (home / "deep/inside").symlink_to(home / "deep")
    assert leaving(home) is None
    (home / "deep/out").symlink_to("../../elsewhere")
    assert leaving(home) == home / "deep/out"


@pytest.mark.long
def test_a_text_through_a_link_is_read_inside_its_folder_only(tmp_path):
    home, mine = tmp_path / "conf", tmp_path / "mine.txt"
    (home / "text").mkdir(parents=True)
    mine.write_text("my diary")
    words = ["--config-dir", str(home), "texts=[t9]", "+text=[t9]"]
    (home / "text/t9.yaml").write_text(
        "# @package text.t9\ntitle: T\nauthor: A\nfile: t9.txt\ntemperature_modifier: 0\n"
    )
    (home / "text/t9.txt").symlink_to(mine)
    with pytest.raises(ConfigError, match=r"t9\.txt is a link that leaves its folder"):
        compose(words)
    (home / "text/t9.txt").unlink()
    (home / "text/real.txt").write_text("a story")
    (home / "text/t9.txt").symlink_to("real.txt")
    (settings,) = compose(words)
    assert [text.fields["text"] for text in levels(settings.experiment, "text").values()] == [
        "a story"
    ]


@pytest.mark.long
def test_the_dataset_an_export_and_a_report_are_as_private_as_the_run(tmp_path):
    from runner.__main__ import main

    words = ["personas=[p1]", "texts=[t1]", "trials=2", "faults=instant", f"outputs={tmp_path}"]
    rehearsals = ["export.rehearsals=true", "report.rehearsals=true"]
    assert main(words) == 0
    assert (
        main([*words, "action=export", "export.over=all", "export.format=wide", *rehearsals]) == 0
    )
    with figures(sketch):
        assert main([*words, "action=report", *rehearsals]) == 0
    made = [
        *tmp_path.glob("dataset*/**/*"),
        *tmp_path.glob("export/*"),
        *tmp_path.glob("*/report/*"),
    ]
    assert len(made) > 8
    assert [path for path in made if path.stat().st_mode & 0o077] == []
