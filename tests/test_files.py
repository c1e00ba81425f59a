"""Whatever interrupts the writing, a reader finds the old thing or the new one, and nothing beside it."""

import os

import pytest

from ttrl import files
from ttrl.errors import CheckpointError, ConfigError
from ttrl.files import refuse_taken, whole_file, whole_folder, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_to_sync(monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "a.txt"
    assert write_whole(path, "old") == path
    write_whole(path, "new ü\n")
    assert path.read_bytes() == "new ü\n".encode() and names(tmp_path) == ["a.txt"]


def test_line_ends_stay_and_lone_surrogates_are_spelled_out(tmp_path):
    write_whole(tmp_path / "a.txt", "1\r\n2\n\ud800")
    assert (tmp_path / "a.txt").read_bytes() == b"1\r\n2\n\\ud800"


def test_a_full_disk_leaves_the_old_file_and_is_told(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "a.txt", "old")
    fail_to_sync(monkeypatch)
    with pytest.raises(CheckpointError, match=r"a\.txt cannot be written: .*No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_place_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"a\.txt cannot be written: .*No such file"):
        write_whole(tmp_path / "no" / "a.txt", "new")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_file_that_is_not_finished_does_not_appear(tmp_path, error):
    write_whole(tmp_path / "a.txt", "old")
    with pytest.raises(error), whole_file(tmp_path / "a.txt") as stream:
        stream.write("ne")
        stream.flush()
        assert (tmp_path / "a.txt").read_text() == "old"
        raise error
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    out = tmp_path / "new" / "out"
    with whole_folder(out) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        assert not out.exists()
    assert (out / "inner" / "a.txt").read_text() == "a" and names(out.parent) == ["out"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_folder_that_is_not_finished_does_not_appear(tmp_path, error):
    with pytest.raises(error), whole_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        raise error
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_synced_does_not_appear(tmp_path, monkeypatch):
    fail_to_sync(monkeypatch)
    with pytest.raises(OSError, match="No space left"), whole_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
    assert names(tmp_path) == []


def test_a_folder_does_not_take_the_place_of_another(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(OSError), whole_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["mine"]


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_files_of_a_folder_have_the_rights_of_the_folder(tmp_path):
    with whole_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        (folder / "a.txt").chmod(0o600)
    assert (tmp_path / "out" / "a.txt").stat().st_mode & 0o777 == (
        (tmp_path / "out").stat().st_mode & 0o666
    )


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_exists_is_refused_even_a_link_to_nowhere(tmp_path, kind):
    refuse_taken(tmp_path / "new", kind=kind)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (tmp_path, tmp_path / "link"):
        with pytest.raises(ConfigError, match=rf"--out .* exists already .* another {kind}\."):
            refuse_taken(taken, kind=kind)
