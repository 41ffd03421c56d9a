"""Plain files are opened, and nothing that would wait or never end."""

import os
import socket

import pytest

from dalikit.plainfiles import append_plain, check_plain, open_plain, read_text


def fifo(path):
    os.mkfifo(path)


def bound(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


ODD = {
    "a FIFO": (fifo, "not a plain file"),
    "a socket": (bound, "No such device"),
    "a folder": (lambda path: path.mkdir(), "directory"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a plain file"),
    "nothing": (lambda path: path.symlink_to("nothing"), "No such file"),
    "itself": (lambda path: path.symlink_to(path), "symbolic link"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_plain_file(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may be a hundred bytes long
    make, says = ODD[what]
    path = tmp_path.joinpath("x").relative_to(tmp_path)
    make(path)
    for read in (open_plain, check_plain, lambda path: read_text(path, 10)):
        with pytest.raises(OSError, match=says):
            read(path)


def test_a_plain_file_is_read_through_a_link_too(tmp_path):
    (tmp_path / "x").write_bytes(b"\0text")
    (tmp_path / "link").symlink_to("x")
    with open_plain(tmp_path / "link") as file:
        assert file.read() == b"\0text"
    check_plain(tmp_path / "x")


def test_what_is_written_to_the_end_goes_through_no_link_and_waits_for_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for what, (make, says) in ODD.items():
        path = tmp_path.joinpath(what).relative_to(tmp_path)
        make(path)
        with pytest.raises(OSError, match="symbolic link" if path.is_symlink() else says):
            append_plain(path)
    assert not (tmp_path / "nothing").is_file()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    with pytest.raises(OSError, match="symbolic link"):
        append_plain(tmp_path / "link")
    assert (tmp_path / "mine").read_text() == "mine"
    for text in (b"a", b"b"):
        with append_plain(tmp_path / "log") as file:
            file.write(text)
    assert (tmp_path / "log").read_bytes() == b"ab"


def test_a_text_is_read_up_to_a_limit(tmp_path):
    (tmp_path / "x").write_text("äb", encoding="utf-8")
    assert read_text(tmp_path / "x", 3) == "äb"
    with pytest.raises(OSError, match="larger than"):
        read_text(tmp_path / "x", 2)
