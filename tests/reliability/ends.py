"""Trainings of every method that are killed, or told to end by signals, at any moment, and resumed.

    python tests/reliability/ends.py kills 400
    python tests/reliability/ends.py signals 300

Half of the kills are aimed inside a checkpoint's write; a tenth of the processes are a `python -m dalikit` of
its own, whose imports are attacked too. What comes out in the end is held against a run that nobody stopped:
weights, averages and moments, pictures, scores, and the log but for its times.
"""

import argparse
import signal
import tempfile
import time
from itertools import count, cycle
from pathlib import Path

from processes import Process, command, forked, fresh, undesigned
from subjects import DATA, Subjects
from tally import Tally
from traces import differences, left_over
from writing import Writing

FRESH = 10
"""Every so manieth process is a fresh one."""

PER_RUN = 4
"""How often a run is ended at most, before it is let go on to its end."""

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


class Attack:
    """Ends processes at random moments; subclasses say how, and what is to be seen of it."""

    title: str

    def __init__(self, subjects: Subjects, wanted: int) -> None:
        self.subjects, self.wanted, self.done = subjects, wanted, 0
        self.random = subjects.random
        self.tally = Tally(self.title)
        self.started = count(1)
        self.write = 0.004  # seconds; as it was last seen

    def run(self) -> Tally:
        """Attack runs of every method in turn, until there were enough."""
        for dataset, method in cycle([(d, m) for d in DATA for m in self.subjects.methods]):
            if self.done >= self.wanted:
                return self.tally
            self.attack(method, dataset)
        raise AssertionError("a cycle has no end")

    def attack(self, method: str, dataset: str) -> None:
        """One run, ended some times and then trained to its end."""
        whole, run = self.subjects.undisturbed(method, dataset), self.subjects.new()
        self.tally.count(f"runs of {method}")
        history: list[str] = []
        for _ in range(self.random.randint(1, PER_RUN)):
            process, watched, new = self.start(method, dataset, run)
            self.end(process, watched, new, history)
            if (run / "scores.json").exists():
                break
        wrong, said = [], ""
        if not (run / "scores.json").exists():
            process, _, _ = self.start(method, dataset, run, plain=True)
            if process.wait():
                wrong, said = ["no end"], f" exit {process.code}: {process.said.strip()[-300:]}"
        if not wrong:
            wrong = [*differences(whole, run), *left_over(run)]
        self.tally.check(not wrong, f"{method} {dataset}, {', '.join(history)}: {', '.join(wrong)}{said}")

    def start(
        self, method: str, dataset: str, run: Path, *, plain: bool = False
    ) -> tuple[Process, Writing, bool]:
        """A process that trains the run, or goes on with it; whether it is a fresh one."""
        known = (run / "config.yaml").exists()
        config = self.subjects.config(method, dataset)
        words = ["train", "--resume", run] if known else ["train", "--config", config, "--out", run]
        writing, new = Writing(), not plain and next(self.started) % FRESH == 0

        def watched() -> int:
            writing.watch()
            return command(words)

        output = self.subjects.output
        return (fresh(words, output) if new else forked(watched, output)), writing, new

    def end(self, process: Process, writing: Writing, new: bool, history: list[str]) -> None:
        """End it, and count how."""
        raise NotImplementedError


class Kills(Attack):
    """`kill -9`."""

    title = "kill -9 at random moments, resumed until done"

    def end(self, process: Process, writing: Writing, new: bool, history: list[str]) -> None:
        aimed = not new and self.random.random() < 0.6
        if aimed:
            self._wait_for_write(process, writing, self.random.randint(1, 8))
        else:
            time.sleep(self.random.uniform(0.0, 2.4 if new else 0.5))
        ended = process.poll() is not None
        process.send(signal.SIGKILL)
        code = process.wait()
        self.write = writing.seconds or self.write
        if ended or code != -signal.SIGKILL:
            history.append(f"it was done, exit {code}")
            return
        self.done += 1
        self.tally.count("kills")
        where = " inside a write" if writing.inside else ""
        if writing.inside:
            self.tally.count("kills inside a checkpoint's write")
        if new:
            self.tally.count("kills of a process that imports everything itself")
        history.append(f"killed after the checkpoint of step {writing.saved}{where}")

    def _wait_for_write(self, process: Process, writing: Writing, which: int) -> None:
        while process.poll() is None and (writing.begun < which or not writing.inside):
            time.sleep(0.0001)
        time.sleep(self.random.uniform(0.0, self.write))


class Signals(Attack):
    """SIGTERM, SIGINT, SIGUSR1 and SIGHUP, one or two in a row, which are to be answered."""

    title = "signals at random moments from the process's start on, resumed until done"

    def end(self, process: Process, writing: Writing, new: bool, history: list[str]) -> None:
        sent = [self.random.choice(NUMBERS) for _ in range(self.random.choice((1, 1, 2)))]
        time.sleep(self.random.uniform(0.0, 2.4 if new else 0.5))
        if process.poll() is not None:
            history.append("it was done")
            return
        begun = time.monotonic()
        for number in sent:
            process.send(number)
            time.sleep(self.random.choice((0.0, 0.01, 0.1)))
        code, named = process.wait(), "+".join(number.name for number in sent)
        history.append(f"{named} after the checkpoint of step {writing.saved}, exit {code}")
        self.done += 1
        self.tally.count("signals, or two of them, sent")
        self.tally.count(f"sent {' and '.join(sorted(n.name for n in sent))}")
        if time.monotonic() - begun > 5.0:
            self.tally.wrong.append(f"{named} was answered after {time.monotonic() - begun:.1f} s")
        if code in {-n for n in sent} or (code == 130 and "dalikit" not in process.said):
            self.tally.count("answered by Python, before dalikit's first line")
        elif code == 0:
            self.tally.count("came as it ended")
        elif code in {128 + n for n in sent} and not undesigned(process.said):
            self.tally.count("answered with a checkpoint or a word, and exit 128 + signal")
        else:
            self.tally.wrong.append(f"{history[-1]}: {process.said.strip()[-400:]}")


def attacked(how: str, number: int, folder: Path, seed: int = 0) -> Tally:
    """What came of so many kills or signals, of runs in an empty folder."""
    subjects = Subjects(folder, seed)
    subjects.warm_up()
    return {"kills": Kills, "signals": Signals}[how](subjects, number).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("kills", "signals"))
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        attacked(given.how, given.count, Path(place), given.seed).finish()
