"""A run that is damaged and then used: bits flipped, files cut or gone, parts of other runs in their place.

    python tests/reliability/damage.py 1000 120

After each harm it is sampled, sampled by its best weights, evaluated, compared and trained on. Each of these
must do what it would have done ('right'), or say what is the matter: refuse in one line, or warn and use the
weights of before ('named').
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harm import Harm, cuts, flips, swaps
from subjects import WATCHED, Subjects
from tally import Tally
from using import NAMED, RIGHT, Use, used, verdict

CALLBACKS = {
    **WATCHED,
    "pictures": None,
    "health": None,
    "evaluation": {"every": 4},
    "checkpoint": {"every": 4},
}


class Damaged:
    """The run, what it is used for while it is sound, and others that parts are taken from."""

    def __init__(self, folder: Path) -> None:
        self.subjects = Subjects(folder)
        self.subjects.warm_up()
        self.run = self._trained("dali", "digits")
        self.others = {
            "another seed": self._trained("dali", "digits", seed=1),
            "another lambda": self._trained("dali", "digits", method={"name": "dali", "lam": 0.5}),
            "another method": self._trained("vae", "digits"),
            "other data": self._trained("dali", "ring8"),
        }
        self.sound = used(self.subjects, self.subjects.copy(self.run))
        assert all(use.code == 0 for use in self.sound.values()), self.sound
        self.earlier = [used(self.subjects, self._without(parent)) for parent in ("checkpoints", "best")]

    def check(self, kind: str, what: str, harm: Harm, tally: Tally) -> None:
        """Harm a copy, use it, and count."""
        run = self.subjects.copy(self.run)
        harm(run)
        tally.count(f"{kind}: cases")
        for name, use in used(self.subjects, run).items():
            allowed: list[Use] = [each[name] for each in self.earlier]
            found = verdict(name, use, self.sound[name], allowed)
            tally.count(f"{name}: {found if found in (RIGHT, NAMED) else 'wrong'}")
            if found not in (RIGHT, NAMED):
                tally.wrong.append(f"{what}; {name}: {found.replace(str(self.subjects.folder), '')}")
        shutil.rmtree(run, ignore_errors=True)

    def _trained(self, method: str, dataset: str, /, **sections: object) -> Path:
        run = self.subjects.new()
        config = self.subjects.config(method, dataset, callbacks=CALLBACKS, **sections)
        self.subjects.whole(["train", "--config", config, "--out", run])
        return run

    def _without(self, parent: str) -> Path:
        """The run without its newest weights, of which it knows nothing."""
        run = self.subjects.copy(self.run)
        shutil.rmtree(sorted(run.glob(f"{parent}/*"))[-1])
        return run


def damaged(folder: Path, flipped: int, swapped: int, cut: int = 1, seed: int = 0) -> Tally:
    """What came of so many flips and swaps, and of every so manieth cut, in an empty folder."""
    tally, subject, rng = Tally("Damaged runs, used"), Damaged(folder), random.Random(seed)
    for kind, harms in _harms(subject, flipped, swapped, cut, rng):
        for what, harm in harms:
            subject.check(kind, what, harm, tally)
    return tally


def _harms(
    subject: Damaged, flipped: int, swapped: int, cut: int, rng: random.Random
) -> Iterator[tuple[str, list[tuple[str, Harm]]]]:
    yield "parts of others, forged or edited", swaps(subject.run, subject.others, swapped, rng)
    yield "cuts and what is gone", list(cuts(subject.run))[::cut]
    yield "flips", list(flips(subject.run, flipped, rng))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flips", type=int)
    parser.add_argument("swaps", type=int)
    parser.add_argument("--cuts", type=int, default=1, help="of so many cuts only the first")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        damaged(Path(place), given.flips, given.swaps, given.cuts, given.seed).finish()
