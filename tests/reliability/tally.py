"""Verdicts counted and printed, as they are committed: no time, no path of a machine."""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tally:
    """Counts of what was tried and what came of it; whatever is `wrong` is kept with how to see it again."""

    title: str
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Count a case or a verdict."""
        self.counts[what] += number

    def check(self, sound: bool, case: str) -> None:
        """Count a case as right, or keep it as a wrong one."""
        self.count("right" if sound else "wrong")
        if not sound:
            self.wrong.append(case)

    def lines(self) -> Iterable[str]:
        """What is printed in the end."""
        yield self.title
        for what, number in sorted(self.counts.items()):
            yield f"  {what:<58} {number:>7,}"
        yield f"  {'came out wrong':<58} {len(self.wrong):>7,}"
        yield from (f"    {case}" for case in self.wrong)

    def finish(self) -> None:
        """Print all of it, and end the process with 1 if anything came out wrong."""
        print(f"$ python tests/reliability/{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}".rstrip())
        print("\n".join(self.lines()))
        sys.exit(1 if self.wrong else 0)
