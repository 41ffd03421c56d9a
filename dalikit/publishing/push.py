"""A run sent to the Hub, with its card."""

from dalikit import hub
from dalikit.hub import Place
from dalikit.model import RunModel
from dalikit.publishing.card import card
from dalikit.publishing.files import files_of

CARD = "README.md"


def push(
    model: RunModel,
    place: Place,
    *,
    private: bool = False,
    license: str | None = None,
    everything: bool = False,
) -> tuple[str, dict[str, int]]:
    """Send a run to the Hub; returns the commit's address, and the bytes of each file that is there now.

    Args:
        model: of the run, loaded: so what is sent can be used.
        place: where to.
        private: whether a repository that is new is private.
        license: as the Hub names it, e.g. "apache-2.0"; the card names none unless given.
        everything: whether what a resume needs goes along, the optimizers' moments.

    Raises:
        UserError: huggingface_hub is not installed, or nobody may write there.
        RunError: the Hub cannot be reached, or refuses.
    """
    hub.check_installed()
    files = files_of(model.run, everything=everything)
    text = card(model, place, files, license).encode()
    sizes = {CARD: len(text), **{name: path.stat().st_size for name, path in files.items()}}
    message = f"{model.config.method.name} on {model.config.dataset.name}, step {model.step}"
    return hub.send(place, {CARD: text, **files}, message, private=private), sizes
