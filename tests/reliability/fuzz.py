"""Hostile input by the thousand: what is given is used or refused in a line, and nothing else happens.

    python -m tests.reliability.fuzz --configurations 2000 --images 1000 --zip 200 --seed 0

A case is made from its kind, the seed and its number alone. It is wrong unless the command ends with code 0,
or with 2 or 1 and one line of at most 1,000 characters that dalikit meant; touches nothing outside its own
folder; runs no code that it was given; holds 1.5 GB at most; and ends in time. `--only KIND:NUMBER` runs one
again and shows all of it. The exit code is 1 where anything was wrong.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.fuzzing.fixtures import make_runs
from tests.reliability.fuzzing.pool import Pool, run_alone
from tests.reliability.fuzzing.verdict import Result, verdict
from tests.reliability.fuzzing.worker import MAKERS, made

COUNTS = {"configurations": 2000, "images": 1000, "arrays": 1000}
"""How many cases of a kind there are unless told; of others 200."""
GOOD = ("done", "refused 1", "refused 2")


def main() -> int:
    """Run the cases that the command line asks for, and tell what they came to."""
    options = _options()
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        make_runs(root)
        pool = Pool(root, options.timeout)
        try:
            return _run_one(options, root, pool) if options.only else _run_all(options, root, pool)
        finally:
            pool.close()
    finally:
        if not options.keep:
            shutil.rmtree(root)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for kind in MAKERS:
        parser.add_argument(f"--{kind}", type=int, default=COUNTS.get(kind, 200), help="cases of this kind")
    parser.add_argument("--processes", type=int, default=20, help="cases that run in a process of their own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=60, help="seconds in which a case must end")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run one case and show it; its folder is kept")
    parser.add_argument("--keep", action="store_true", help="keep all that was made")
    return parser.parse_args()


def _run_all(options: argparse.Namespace, root: Path, pool: Pool) -> int:
    started, wrong, most = time.monotonic(), [], 0
    told = " ".join(f"--{kind} {getattr(options, kind)}" for kind in (*MAKERS, "processes", "seed"))
    print(f"python -m tests.reliability.fuzz {told}", flush=True)
    for kind in MAKERS:
        counts: Counter[str] = Counter()
        for number, result in _results(kind, options, root, pool):
            found = result if isinstance(result, str) else verdict(result)
            most = max(most, 0 if isinstance(result, str) else result.peak)
            counts[found] += 1
            if found not in GOOD:
                wrong.append(f"{kind}:{number}")
                print(f"  {kind}:{number} {found}: {_said(result, root)}", flush=True)
        told = ", ".join(f"{found} {count:,}" for found, count in sorted(counts.items()))
        print(f"{kind}: {counts.total():,} cases: {told}", flush=True)
    print(f"most memory {most / 1e6:,.0f} MB; {time.monotonic() - started:,.0f} s")
    print(f"{len(wrong)} wrong" + (f": {' '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


def _results(
    kind: str, options: argparse.Namespace, root: Path, pool: Pool
) -> Iterator[tuple[int, Result | str]]:
    """How each case of a kind ended: in the worker, and for some of them alone as well."""
    count = getattr(options, kind)
    share = -(-options.processes // len(MAKERS))
    for number in range(count):
        yield number, pool.run(kind, options.seed, number)
        if number < share:
            yield number, run_alone(root, kind, options.seed, number, options.timeout)
        if not options.keep:
            shutil.rmtree(root / f"{kind}-{number}")


def _run_one(options: argparse.Namespace, root: Path, pool: Pool) -> int:
    kind, _, number = options.only.partition(":")
    options.keep = True
    case, _ = made(root, kind, options.seed, int(number))
    print(f"{root}: dalikit {' '.join(ascii(word)[:2000] for word in case.words)}")
    result = pool.run(kind, options.seed, int(number))
    if isinstance(result, str):
        print(result)
        return 1
    print(result.out[:2000], result.err[:2000], *result.changed, sep="\n")
    print(f"{verdict(result)}: code {result.code}, {result.seconds:.1f} s, {result.peak / 1e6:,.0f} MB")
    return 0 if verdict(result) in GOOD else 1


def _said(result: Result | str, root: Path) -> str:
    if isinstance(result, str):
        return result
    said = "; ".join([*result.changed, result.err[-300:].strip()]).replace(str(root), "…")
    return ascii(said)[1:-1][:400]


if __name__ == "__main__":
    sys.exit(main())
