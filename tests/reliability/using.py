"""What a run is used for, in a fork, and whether a damaged one is used rightly, named, or passes as sound."""

import json
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from processes import forked, undesigned, without_page
from subjects import Subjects
from traces import digest, trace

from dalikit.cli.main import main

FURTHER = 24
"""The step to which a run is trained on."""

RIGHT, NAMED = "right", "named"


@dataclass(frozen=True)
class Use:
    """What came of a use: exit code, what was warned and refused, and a digest of each thing it made."""

    code: int
    said: tuple[str, ...]
    made: dict[str, str]


def uses(run: Path) -> dict[str, Sequence[object]]:
    """The commands, the one that changes the run last."""
    return {
        "sample": ["sample", run, "--n", 4, "--out", run.with_suffix(".npy")],
        "sample the best": [
            "sample",
            run,
            "--n",
            4,
            "--weights",
            "best",
            "--out",
            run.with_suffix(".best.npy"),
        ],
        "evaluate": ["evaluate", run, "--json"],
        "compare": ["compare", run],
        "resume": ["train", "--resume", run, "--steps", FURTHER],
    }


def used(subjects: Subjects, run: Path) -> dict[str, Use]:
    """A run used for everything, in a process of its own; a crash of that counts as a use's."""
    result = subjects.output

    def called() -> int:
        warnings.simplefilter("always")
        found = {}
        for name, words in uses(run).items():
            found[name] = asdict(_use(name, words, run))
            result.write_text(json.dumps(found))
        return 0

    process = forked(called, subjects.output)
    code = process.wait()
    found = json.loads(result.read_text()) if result.exists() else {}
    there = {name: Use(use["code"], tuple(use["said"]), use["made"]) for name, use in found.items()}
    missing = [name for name in uses(run) if name not in there]
    if missing:
        there[missing[0]] = Use(code, (f"Traceback: the process ended with {code}: {process.said}",), {})
    return there


def _use(name: str, words: Sequence[object], run: Path) -> Use:
    out, err, code = StringIO(), StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(word) for word in without_page(words)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
            code = 70
    print(out.getvalue(), err.getvalue(), file=sys.stderr)
    said = tuple(err.getvalue().replace(str(run), "RUN").splitlines())
    return Use(code, said, _made(name, words, run, out.getvalue()) if code == 0 else {})


def _made(name: str, words: Sequence[object], run: Path, printed: str) -> dict[str, str]:
    made: dict[str, Any]
    if name == "resume":
        made = trace(run)
        scored = made["scores"].pop("best", None)
        made |= {"scored best": scored, "scored best's step": scored and scored["step"]}
    elif name.startswith("sample"):
        made = {"x": digest(Path(str(words[-1])).read_bytes())}
    elif name == "evaluate":
        made = {key: value for key, value in json.loads(printed).items() if key not in ("run", "identity")}
    else:
        made = {"printed": " ".join(printed.replace(str(run), "RUN").split())}
    return {key: digest(json.dumps(value, sort_keys=True).encode()) for key, value in made.items()}


def verdict(name: str, use: Use, sound: Use, allowed: Sequence[Use]) -> str:
    """'right', 'named', or what is wrong.

    Args:
        name: of the use.
        use: of the damaged run.
        sound: of the one that it was.
        allowed: of that without its newest weights, which may be taken where it is said.
    """
    news = [line for line in use.said if line not in sound.said]
    if undesigned("\n".join(use.said)) or use.code not in (0, 1, 2):
        return f"undesigned, exit {use.code}: {' '.join(use.said)[-300:]}"
    if use.code:
        one = len([line for line in news if line.startswith("Error: ")]) == 1
        return NAMED if one else f"exit {use.code} without a line of its own: {' '.join(use.said)[-300:]}"
    if use.made == sound.made:
        return RIGHT
    other = sorted(key for key in sound.made if use.made.get(key) != sound.made[key])
    if not news:
        return f"silent: {', '.join(other)} is other"
    if any(use.made == each.made for each in allowed):
        return NAMED
    if any("changed since it was written" in line for line in news):
        return NAMED  # and it tells of itself what it says now
    if name == "resume" and set(other) <= {"best", "log", "scored best", "scored best's step"}:
        if "scored best" in other and "scored best's step" not in other:
            return "scores of other weights pass for those of the best"
        return NAMED  # best weights cannot be read, and those before them are scored, or none
    return f"warned of, and {', '.join(other)} is neither of the last weights nor of those before: {news[0]}"
