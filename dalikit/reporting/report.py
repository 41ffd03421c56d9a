"""Reports: of a run, of several beside each other, of a study; and of a run that has just been trained."""

from collections.abc import Sequence
from pathlib import Path

from dalikit.errors import RunError, UserError
from dalikit.files import write_text
from dalikit.reporting.page import Opened, write_page
from dalikit.reporting.sections import SECTIONS
from dalikit.reporting.studied import Study
from dalikit.reporting.subject import Subject, read, read_all
from dalikit.reporting.use import Use
from dalikit.training_run.run import TrainingRun


def report(paths: Sequence[Path], out: Path, root: Path | None = None) -> None:
    """Write the page of runs, or of the studies whose folders are among `paths`.

    Args:
        paths: folders of runs, and of studies, which stand for their runs.
        out: the page's file.
        root: where data sets lie.

    Raises:
        UserError: one of them is neither, or what it says of itself is damaged.
        RunError: the file cannot be written.
    """
    studies = [study for path in paths if (study := Study.at(path)) is not None]
    folders = [folder for path in paths for folder in _runs_of(path, studies)]
    runs = read_all(folders)
    titles = [study.title for study in studies] or [_title(runs)]

    def opened(run: Subject) -> Opened:
        try:
            return Use.load(run.run.path, root), ""
        except UserError as error:
            return None, str(error)

    tables = [study.section() for study in studies]
    write(write_page("; ".join(titles), runs, [*tables, *SECTIONS], opened), out)


def report_trained(training: TrainingRun, out: Path) -> None:
    """Write the page of a run that this process has trained; raises as `report` does."""
    run = read(training.run.path, training.run.path.name)
    write(write_page(_title([run]), [run], SECTIONS, lambda _: (Use.of(training), "")), out)


def write(page: str, out: Path) -> None:
    """Write a page whole or not at all; raises `RunError` where that cannot be."""
    try:
        write_text(out, page)
    except OSError as error:
        raise RunError(f"Cannot write {out}: {error.strerror or error}") from None


def _runs_of(path: Path, studies: Sequence[Study]) -> Sequence[Path]:
    return next((study.runs for study in studies if study.folder == path), [path])


def _title(runs: Sequence[Subject]) -> str:
    whats = list(dict.fromkeys(run.what for run in runs))
    if len(runs) == 1:
        return whats[0]
    return f"{len(runs)} runs of {whats[0]}" if len(whats) == 1 else f"{len(runs)} runs"
