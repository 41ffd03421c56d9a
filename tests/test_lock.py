"""A lock that no link, folder, FIFO or second name turns into harm to anything else."""

import os
import time

import pytest

from dalikit.errors import UserError
from dalikit.runs.lock import LOCK, locked

PRECIOUS = "what somebody needs\n"


def folder_with_a_lock(tmp_path, make):
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.write_text(PRECIOUS)
    folder.mkdir()
    make(folder / LOCK, outside)
    return folder, outside


ODD = {
    "a link to a file": lambda path, outside: path.symlink_to(outside),
    "a link to nothing": lambda path, outside: path.symlink_to(outside.with_name("nothing")),
    "a link to a folder": lambda path, outside: path.symlink_to(outside.parent),
    "a link to itself": lambda path, _: path.symlink_to(path),
    "a second name of a file": lambda path, outside: os.link(outside, path),
    "a folder": lambda path, _: path.mkdir(),
    "a FIFO": lambda path, _: os.mkfifo(path),
    "a device": lambda path, _: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_file_of_its_own_is_refused_and_left(what, tmp_path):
    folder, outside = folder_with_a_lock(tmp_path, ODD[what])
    before = {path: path.lstat() for path in (outside, folder / LOCK)}
    started = time.monotonic()
    with (
        pytest.raises(UserError, match=r"\.lock is no lock but a link, or no plain file: remove it"),
        locked(folder),
    ):
        pass
    assert time.monotonic() - started < 20  # nothing waits for a writer
    assert outside.read_text() == PRECIOUS
    assert not (tmp_path / "nothing").exists()
    for path, status in before.items():
        now = path.lstat()
        assert (now.st_mode, now.st_size, now.st_mtime_ns) == (
            status.st_mode,
            status.st_size,
            status.st_mtime_ns,
        )


def test_a_link_that_takes_its_place_while_it_is_held_is_left_with_what_it_leads_to(tmp_path):
    folder, outside = folder_with_a_lock(tmp_path, lambda *_: None)
    with locked(folder):
        (folder / LOCK).rename(tmp_path / "moved")
        (folder / LOCK).symlink_to(tmp_path / "moved")
    assert (folder / LOCK).is_symlink()
    assert outside.read_text() == PRECIOUS


@pytest.mark.parametrize("content", ["x" * 1_000_000, "\x1b[31m1", "-1", "\udcff"])
def test_whatever_a_lock_holds_is_told_of_in_a_line(content, tmp_path):
    with locked(tmp_path):
        (tmp_path / LOCK).write_text(content, errors="surrogateescape")
        with pytest.raises(UserError, match=r"is being trained by another process$"), locked(tmp_path):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_lock_that_is_another_users_is_said_to_be_forbidden(tmp_path):
    (tmp_path / LOCK).touch(0o444)
    with pytest.raises(UserError, match="cannot be written: Permission denied"), locked(tmp_path):
        pass
