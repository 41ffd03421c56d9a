"""Bytes made worse, and file names that nobody should use."""

import os
import random
import socket
from pathlib import Path

ODD = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"-1",
    b"9" * 40,
    b"\n",
    b"{",
    b"[" * 500,
)


def worse(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one to six of: flips, cuts, insertions, repeats, zeros, swaps."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        _once(rng, found)
    return bytes(found)


def _once(rng: random.Random, data: bytearray) -> None:
    if not data:
        data += rng.randbytes(rng.randrange(1, 64))
        return
    # Headers are where files lie: half of all harm is done in the first bytes.
    at = rng.randrange(min(len(data), 64)) if rng.random() < 0.5 else rng.randrange(len(data))
    end = min(len(data), at + rng.choice((1, 2, 4, 8, 64, 1024)))
    what = rng.randrange(8)
    if what <= 1:
        data[at] ^= 1 << rng.randrange(8)
    elif what == 2:
        del data[at:]
    elif what == 3:
        data[at:at] = rng.choice(ODD)
    elif what == 4:
        data[at:end] = data[at:end] * rng.choice((2, 3, 50))
    elif what == 5:
        data[at:end] = bytes(end - at)
    elif what == 6:
        data[at:end] = rng.randbytes(end - at)
    else:
        odd = rng.choice(ODD)
        data[at : at + len(odd)] = odd


def odd_file(rng: random.Random, path: Path) -> Path:
    """Something at `path` that is no plain file, or none that can be read."""
    what = rng.randrange(10)
    if what == 0:
        os.mkfifo(path)
    elif what == 1:
        with socket.socket(socket.AF_UNIX) as sock:
            _bind(sock, path)
    elif what == 2:
        path.mkdir()
    elif what == 3:
        path.symlink_to(path)
    elif what == 4:
        path.symlink_to(path.parent / "nothing")
    elif what in (5, 6):
        path.symlink_to(
            rng.choice(("/dev/zero", "/dev/null", "/dev/urandom", "/dev/full", "/dev/tty", "/proc/self/mem"))
        )
    elif what == 7:
        path.write_bytes(b"")
    elif what == 8:
        path.symlink_to(".")
    else:
        path.write_bytes(rng.randbytes(200))
    return path


def _bind(sock: socket.socket, path: Path) -> None:
    """At a path that may be longer than addresses of sockets are."""
    here = os.open(path.parent, os.O_RDONLY)
    try:
        sock.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


def odd_path(rng: random.Random, folder: Path, name: str) -> str:
    """A path to something odd, called `name` where there is anything."""
    what = rng.randrange(9)
    if what < 5:
        return str(odd_file(rng, folder / name))
    return rng.choice(
        (
            "",
            ".",
            "..",
            "/",
            "/dev/zero",
            "/dev/full",
            "/proc/self/mem",
            "/proc",
            f"../../../../../../{name}",
            "~",
            "-",
            "a" * 300 + name,
            "/".join("b" * 50 for _ in range(100)) + name,
            f"new\nline{name}",
            f"\x1b[31m{name}",
            f"\udcff\udcfe{name}",
            f"http://localhost:1/{name}",
            f"s3://bucket/{name}",
            f"{folder}/nothing/{name}",
            f"/proc/nowhere/{name}",
        )
    )
