"""Whether a run's log is without a gap: held by manifests, ascending, written as often as was asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dalikit.errors import UserError
from dalikit.runs.config import RunConfig
from dalikit.runs.directory import RunDirectory
from dalikit.runs.fault import Fault
from dalikit.runs.log import LOG
from dalikit.runs.manifest import Manifest

Line = Mapping[str, Any]


def log_faults(
    run: RunDirectory, config: RunConfig | None, whole: Sequence[Manifest], newest: int, scored: int | None
) -> tuple[int, list[Fault]]:
    """How many lines the log has, and what is wrong with it.

    Args:
        run: whose log it is.
        config: which says how often it is written; None where that cannot be trusted.
        whole: manifests of the checkpoints that are whole, the first one first.
        newest: the step of the last checkpoint, whole or not; 0 of none.
        scored: the step of the final scores, or None.
    """
    faults: list[Fault] = []
    try:
        # The newest manifest holds all that those before it do, and is the one that an accepted edit renews.
        if whole and not run.log_holds(whole[-1].log):
            faults.append(Fault(LOG, f"is not as it was when step {whole[-1].step} was saved"))
        lines = run.log_lines()
    except UserError as error:
        return 0, [*faults, Fault(LOG, str(error).partition(f"{LOG} ")[2] or str(error))]
    faults += _descents(lines)
    if config is not None:
        reached = max([newest, *(line["step"] for line in lines[-1:])])
        faults += _gaps(lines, _every(config, "log"), reached, scored)
        faults += _unsaved(lines, _every(config, "checkpoint"), newest, scored)
    return len(lines), faults


def _every(config: RunConfig, callback: str) -> int | None:
    """Of how many steps a callback does its work, or None where it is off."""
    every = (config.callbacks.get(callback) or {}).get("every")
    return every if isinstance(every, int) and every > 0 else None


def _descents(lines: Sequence[Line]) -> Iterator[Fault]:
    """The first line whose step is of before the line above it; losses are told of once a step."""
    last, losses = 0, -1
    for number, line in enumerate(lines, 1):
        step, told = line["step"], line.get("event") == "losses"
        if step < last or (told and step <= losses):
            yield Fault(LOG, f"line {number} is of step {step}, and the one above it of step {last}")
            return
        last, losses = step, step if told else losses


def _gaps(lines: Sequence[Line], every: int | None, reached: int, scored: int | None) -> Iterator[Fault]:
    """Losses that are not there, of steps before the last one `reached`, and of that once it is `scored`.

    A checkpoint is written before the line of its step, which a resume writes where nobody did.
    """
    if every is None:
        return
    due = (reached if scored is not None and scored >= reached else reached - 1) // every
    told = {line["step"] // every for line in lines if _is_due(line, every)}
    missing = due - len([count for count in told if count <= due])
    if missing > 0:
        first = next(count for count in range(1, due + 1) if count not in told) * every
        more = f", nor of {missing - 1} more such steps" if missing > 1 else ""
        yield Fault(LOG, f"has no losses of step {first}{more} (callbacks.log.every is {every})")
    if scored is not None and not any(
        line.get("event") == "scores" and line["step"] == scored for line in lines
    ):
        yield Fault(LOG, f"has no final scores of step {scored}, which scores.json has")


def _is_due(line: Line, every: int) -> bool:
    return line.get("event") == "losses" and line["step"] > 0 and line["step"] % every == 0


def _unsaved(lines: Sequence[Line], every: int | None, newest: int, scored: int | None) -> Iterator[Fault]:
    """The checkpoint that came before the log's last line, or before the final scores, and is not there."""
    if every is None:
        return
    logged = lines[-1]["step"] if lines else 0
    due = max(logged // every * every, scored or 0)
    if newest < due:
        yield Fault("checkpoints", f"there is none of step {due}, and the run has gone on from it")
