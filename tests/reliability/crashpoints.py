"""A training that ends at each of its operations on files, once at each, and is gone on with.

    python tests/reliability/crashpoints.py

Each opening for writing, each write (half of it done), flush, rename, removal and making of a folder is a
point. Runs keep one checkpoint or two; two of four write the checkpoint that is there once more. None that
was written may be lost, and the end must be that of the run that nobody disturbed.
"""

import argparse
import tempfile
from pathlib import Path

from pointed import CRASHED, Pointed, Scenario, crash, newest_whole
from tally import Tally
from traces import differences, left_over


def crashed(folder: Path, every: int = 1) -> Tally:
    """What came of ending at every so manieth point, in an empty folder."""
    tally, pointed = Tally("A crash at every operation on files, gone on with"), Pointed(folder)
    for scenario in [make(keep) for make in (pointed.fresh, pointed.same_step_twice) for keep in (1, 2)]:
        points = pointed.count(scenario)
        for kind, number in points.items():
            tally.count(f"{scenario.name}: operations: {kind}", number)
        for at in range(1, points.total() + 1, every):
            _check(pointed, scenario, at, tally)
    return tally


def _check(pointed: Pointed, scenario: Scenario, at: int, tally: Tally) -> None:
    run = scenario.place(pointed.subjects.new())
    already = newest_whole(run)
    process, writing = pointed.disturbed(scenario, run, at, crash)
    case = f"{scenario.name}, operation {at}"
    tally.count(f"{scenario.name}: crashes")
    if process.code != CRASHED:
        tally.check(False, f"{case}: it ended with {process.code}: {process.said.strip()[-300:]}")
        return
    written, there = max(already, writing.saved), newest_whole(run)
    lost = [f"the checkpoint of step {written} is lost, there is {there}"] if there < written else []
    failed = pointed.recovered(scenario, run)
    wrong = lost + ([failed] if failed else [*differences(scenario.whole, run), *left_over(run)])
    tally.check(not wrong, f"{case}: {', '.join(wrong)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of so many points only the first")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        crashed(Path(place), given.every).finish()
