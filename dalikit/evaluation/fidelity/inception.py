"""Inception's weights: found or downloaded, and loaded safely before torch-fidelity sees them."""

import pickle
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dalikit.data.downloads import impatient
from dalikit.errors import UserError


def inception_weights(path: Path | None = None) -> Path:
    """The file of Inception's weights, torch-fidelity's own unless named, loaded safely once.

    Raises:
        UserError: it is neither there nor to be had, or holds something else. Nothing in it is executed.
    """
    if path is None:
        path = _find_download()
    elif not path.is_file():
        raise UserError(f"metrics.fidelity.weights: there is no file {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how it was pickled: the error says enough
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickles that are none fail in any way on their first bytes
        # As a KeyError, an IndexError or struct's own that says nothing to anybody.
        known = isinstance(error, OSError | RuntimeError | pickle.UnpicklingError)
        said = str(error) if known else "it is no file of torch's"
        reason = " ".join(said.split())[:80]
        raise UserError(f"{path} is no file of weights that can be loaded safely: {reason}") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{path} holds no state dict of tensors, as torch-fidelity's Inception has it")
    return path


def _find_download() -> Path:
    """torch-fidelity's own file, which `torch.hub` keeps; raises `UserError` where it cannot be had."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    path = Path(torch.hub.get_dir()) / "checkpoints" / URL.rsplit("/", 1)[1]
    if not path.is_file() and (fault := _fetch(URL, path)):
        raise UserError(fault)
    return path


@cache
def _fetch(url: str, path: Path) -> str | None:
    """Why a download failed, or None; tried once in a process, for it may take half a minute to fail."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with impatient():
            # Written beside and moved when its sum is right; the name ends with the sum's beginning.
            start = path.stem.rsplit("-", 1)[1]
            torch.hub.download_url_to_file(url, str(path), hash_prefix=start, progress=False)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:80]
        return (
            f"Inception's weights are missing and cannot be downloaded ({reason}): put {path.name} into "
            f"{path.parent}, or name a file with metrics.fidelity.weights=FILE"
        )
    return None
