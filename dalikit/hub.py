"""Runs on the Hugging Face Hub: fetched into its client's cache, and sent. The client is the extra `hub`.

    hf://user/name             the branch main
    hf://user/name@revision    a branch, a tag or a commit

No file is fetched but those that using a run reads: safetensors, JSON and YAML, none of which runs code.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from dalikit.errors import RunError, UserError, shortened

SCHEME = "hf://"

READ = (
    *("config.yaml", "run.json", "scores.json", "metrics.jsonl"),
    *(
        f"{kind}/step-*/{name}"
        for kind in ("checkpoints", "best")
        for name in ("averaged.safetensors", "manifest.json")
    ),
    "best/step-*/best.json",
)
"""What is fetched of a repository."""

OWN = (*READ, "README.md", "checkpoints/*", "best/*", "samples/*", "reconstructions/*")
"""What a run may have in a repository; of these files those that are not sent again are removed there."""


@dataclass(frozen=True)
class Place:
    """A repository on the Hub, and a branch, a tag or a commit in it."""

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `hf://user/name@revision` means.

        Raises:
            UserError: the text is none.

        Examples:
            >>> Place.parse("hf://ada/digits@v1")
            Place(repo='ada/digits', revision='v1')
        """
        repo, at, revision = text.removeprefix(SCHEME).partition("@")
        if repo.count("/") != 1 or not all(repo.split("/")) or (at and not revision):
            raise UserError(f"{shortened(text)}: write it as {SCHEME}user/name or {SCHEME}user/name@revision")
        return cls(repo, revision or None)

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_remote(run: str | Path) -> bool:
    """Whether a run is named by its place on the Hub."""
    return isinstance(run, str) and run.startswith(SCHEME)


def fetch(text: str) -> Path:
    """The folder of a run on the Hub, once its files are in the client's cache; only new ones are fetched.

    Raises:
        UserError: huggingface_hub is not installed, there is no such place, or no run lies there.
        RunError: the Hub cannot be reached.
    """
    check_installed()
    from huggingface_hub import snapshot_download

    place = Place.parse(text)
    with _told(place):
        folder = Path(snapshot_download(place.repo, revision=place.revision, allow_patterns=list(READ)))
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{place} is no run of dalikit: it has no config.yaml")
    return folder


def send(place: Place, files: Mapping[str, Path | bytes], message: str, *, private: bool = False) -> str:
    """Make what a repository has of a run these files, in one commit; returns the commit's address.

    Args:
        place: where to; what is not there yet is made.
        files: by their paths in the repository, each as a file or as what it holds.
        message: of the commit.
        private: whether a repository that is new is private; another stays as it is.

    Raises:
        UserError: huggingface_hub is not installed, nobody is logged in, or may not write there.
        RunError: the Hub cannot be reached, or refuses.
    """
    check_installed()
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    if get_token() is None:
        raise UserError(f"Nobody is logged in, to write {place}: `hf auth login`, or set HF_TOKEN")
    api = HfApi(library_name="dalikit")
    with _told(place):
        api.create_repo(place.repo, private=private or None, exist_ok=True)
        if place.revision is not None:
            api.create_branch(place.repo, branch=place.revision, exist_ok=True)
        there = api.list_repo_files(place.repo, revision=place.revision)
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationDelete(path) for path in _passed(there, files)),
            *(CommitOperationAdd(path, source) for path, source in files.items()),
        ]
        return str(
            api.create_commit(
                place.repo, operations, commit_message=message, revision=place.revision
            ).commit_url
        )


def check_installed() -> None:
    """Raise `UserError` unless huggingface_hub is installed."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise UserError("The Hub is reached by huggingface_hub: pip install 'dalikit[hub]'") from None


def _passed(there: Collection[str], files: Collection[str]) -> list[str]:
    """Paths in the repository that an earlier run or checkpoint has left there."""
    return [path for path in there if path not in files and any(fnmatch(path, own) for own in OWN)]


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """The client's errors, of pages each, as one line that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(f"{place}: {shortened(str(error))}") from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{place}: there is no such branch, tag or commit") from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{place}: there is no such repository, or it is private: `hf auth login`, or set HF_TOKEN"
        ) from None
    except errors.HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise UserError(
                f"{place} cannot be written with this token: `hf auth login`, or set HF_TOKEN to one that may"
            ) from None
        raise RunError(f"{place}: the Hub says {shortened(str(error))}") from None
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # whichever httpx it uses
        raise RunError(f"{place} cannot be reached: {shortened(str(error))}") from None
    except ValueError as error:  # of a model card that the Hub does not take
        raise RunError(f"{place}: {shortened(str(error))}") from None
