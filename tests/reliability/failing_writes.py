"""Writes that fail: each operation on files of a training, of `--force`d outputs, and disks of every size.

    python tests/reliability/failing_writes.py

An operation fails once (EIO), or it and all later ones do (ENOSPC). A training may end for a checkpoint that
cannot be written, or for what makes and finishes the run, with one line; all else is warned of, and its
weights are those of a run that nobody disturbed. What was written before stays. Full disks have a size
that grows by 8 KiB from case to case, and is a tmpfs: mounting it needs the right to.
"""

import argparse
import errno
import json
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from operations import Operations
from pointed import Pointed, Scenario, failing, newest_whole
from processes import Process, command, forked, undesigned
from tally import Tally
from traces import differences, digest, left_over, trace

ONCE, LASTING = "fails once", "fails from there on"

OUTPUTS = (
    ("sample", "sample.png"),
    ("sample", "sample.npz"),
    ("sample", "folder"),
    ("reconstruct", "reconstruct.png"),
    ("encode", "encode.npy"),
    ("vary", "vary.png"),
    ("interpolate", "interpolate.png"),
    ("neighbours", "neighbours.png"),
)
"""Commands that write over what is there, and what."""

GROWTH = 8
"""KiB by which a disk is larger than the one before."""


def refusals(process: Process) -> list[str]:
    """What is wrong about how a command ended: it ends well, or with one line that somebody designed."""
    lines = [line for line in process.said.splitlines() if line.startswith("Error:")]
    if process.code == 0:
        return []
    sound = process.code in (1, 2) and len(lines) == 1 and not undesigned(process.said)
    return [] if sound else [f"exit {process.code}: {process.said.strip()[-300:]}"]


def missing(whole: Path, run: Path) -> list[str]:
    """What a training that went on has other than it should; it may lack pictures, lines and best weights."""
    ours, theirs = trace(run), trace(whole)
    wrong = [name for name in ("last", "weights", "config") if ours[name] != theirs[name]]
    wrong += [f"log: {line}" for line in ours["log"] if line not in theirs["log"] and "best" not in str(line)]
    wrong += [name for name, there in ours["pictures"].items() if theirs["pictures"].get(name) != there]
    return wrong


def trainings(pointed: Pointed, tally: Tally, every: int) -> None:
    """A training whose operations fail, one after the other."""
    scenario = pointed.fresh(2)
    points = pointed.count(scenario)
    tally.count("operations of a training", points.total())
    for at in range(1, points.total() + 1, every):
        for how in (ONCE, LASTING):
            _training(pointed, scenario, at, how, tally)


def _training(pointed: Pointed, scenario: Scenario, at: int, how: str, tally: Tally) -> None:
    run = scenario.place(pointed.subjects.new())
    act = failing(errno.EIO if how == ONCE else errno.ENOSPC)
    process, writing = pointed.disturbed(scenario, run, at, act, lasting=how == LASTING)
    wrong = refusals(process)
    if writing.saved > (there := newest_whole(run)):
        wrong.append(f"the checkpoint of step {writing.saved} is lost, there is {there}")
    if process.code == 0:
        tally.count(f"training, an operation {how}: it went on to its end")
        wrong += missing(scenario.whole, run)
        if differences(scenario.whole, run) and "Warning:" not in process.said:
            wrong.append("something is missing, and nothing was said")
    else:
        tally.count(f"training, an operation {how}: it ended with one line")
        failed = pointed.recovered(scenario, run)
        wrong += [failed] if failed else [*differences(scenario.whole, run), *left_over(run)]
    tally.check(not wrong, f"training, operation {at} {how}: {', '.join(wrong)}")


def content(path: Path) -> dict[str, str]:
    """What lies at a path: files, by name."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {file.name: digest(file.read_bytes()) for file in files if file.is_file()}


def outputs(pointed: Pointed, tally: Tally, every: int) -> None:
    """Commands that write over what is there, whose operations fail, one after the other."""
    run = pointed.subjects.undisturbed("dali", "digits")
    for name, target in OUTPUTS:
        old, new = ([name, run, *(("--n", 4, "--seed", seed) if name == "sample" else ())] for seed in (1, 2))
        place, seen = _folder(pointed), pointed.subjects.output
        _output(pointed, old, place / target, 0, ONCE).wait()
        before = content(place / target)
        process = _output(pointed, new, place / target, 0, ONCE, seen)
        assert process.wait() == 0, process.said
        after, operations = content(place / target), json.loads(seen.read_text())
        for at in range(1, len(operations) + 1, every):
            for how in (ONCE, LASTING):
                place = _folder(pointed)
                _output(pointed, old, place / target, 0, ONCE).wait()
                process = _output(pointed, new, place / target, at, how)
                process.wait()
                wrong = refusals(process)
                there = content(place / target)
                if any(there.get(file) not in (old_one, after.get(file)) for file, old_one in before.items()):
                    wrong.append("what was there before is destroyed")
                if process.code == 0 and there != after:
                    wrong.append("it ended well, and not all is there")
                tally.count(f"dalikit {name} --force, an operation {how}")
                case = f"{name} to {target}, operation {at} ({operations[at - 1]}) {how}"
                tally.check(not wrong, f"{case}: {', '.join(wrong)}")


def _folder(pointed: Pointed) -> Path:
    folder = pointed.subjects.new()
    folder.mkdir()
    return folder


def _output(
    pointed: Pointed, words: Sequence[object], target: Path, at: int, how: str, seen: Path | None = None
) -> Process:
    """A command that writes to `target`, whose operation number `at` fails; operations are told to `seen`."""
    act = failing(errno.EIO if how == ONCE else errno.ENOSPC)

    def called() -> int:
        operations = Operations(target.parent, act, at, lasting=how == LASTING)
        operations.install()
        code = command([*words, "--out", target, "--force"])
        if seen is not None:
            seen.write_text(json.dumps(operations.seen))
        return code

    process = forked(called, pointed.subjects.output)
    process.wait()
    return process


def disks(pointed: Pointed, tally: Tally, every: int) -> None:
    """A training on disks of every size, up to the first one that it has room on."""
    scenario = pointed.fresh(2)
    disk = pointed.subjects.folder / "disk"
    disk.mkdir()
    for size in count(GROWTH * every, GROWTH * every):
        if subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk]):
            tally.count("no disk could be mounted: full ones were not tried")
            return
        try:
            wrong, done = _disk(pointed, scenario, disk)
        finally:
            subprocess.check_call(["umount", disk])
        tally.count("disks, each larger than the one before")
        tally.check(not wrong, f"a disk of {size} KiB: {', '.join(wrong)}")
        if done:
            return


def _disk(pointed: Pointed, scenario: Scenario, disk: Path) -> tuple[list[str], bool]:
    run = disk / "run"
    process, writing = pointed.disturbed(scenario, run, 0, failing(errno.EIO))
    wrong = refusals(process)
    if writing.saved > (there := newest_whole(run)):
        wrong.append(f"the checkpoint of step {writing.saved} is lost, there is {there}")
    if process.code == 0:
        return wrong + missing(scenario.whole, run), not differences(scenario.whole, run)
    subprocess.check_call(["mount", "-o", "remount,size=64m", disk])
    failed = pointed.recovered(scenario, run)
    return wrong + ([failed] if failed else differences(scenario.whole, run)), False


def failed(folder: Path, every: int = 1) -> Tally:
    """What came of it in an empty folder, at every so manieth operation and size of a disk."""
    tally, pointed = Tally("Writes that fail, and disks that are full"), Pointed(folder)
    trainings(pointed, tally, every)
    outputs(pointed, tally, every)
    disks(pointed, tally, every)
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of so many cases only the first")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        failed(Path(place), given.every).finish()
