"""Inception's weights: found or downloaded, loaded safely, and handed to torch-fidelity in memory."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dalikit.data.downloads import impatient
from dalikit.errors import UserError
from dalikit.evaluation.fidelity.extractor import Extractor
from dalikit.evaluation.weights import WeightsFile

NAME = "inception-v3-compat"
"""torch-fidelity's name for its Inception."""


def inception(path: Path | None = None) -> Extractor:
    """torch-fidelity's Inception with the weights of a file, its own unless named, which is read once.

    Raises:
        UserError: it is neither there nor to be had, or holds something else. Nothing in it is executed.
    """
    if path is None:
        path = _find_download()
    elif not path.is_file():
        raise UserError(f"metrics.fidelity.weights: there is no file {path}")
    file = WeightsFile.read(path)
    return Extractor(NAME, path, file.sha256, partial(_handed, _loaded(file)))


def _loaded(file: WeightsFile) -> dict[str, Tensor]:
    """The state dict in a file of torch's."""
    try:
        _check_stored(file.content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how it was pickled: the error says enough
            state = torch.load(BytesIO(file.content), map_location="cpu", weights_only=True)
    except Exception as error:  # pickles that are none fail in any way on their first bytes
        # As a KeyError, an IndexError or struct's own that says nothing to anybody.
        known = isinstance(error, OSError | RuntimeError | pickle.UnpicklingError)
        said = str(error) if known else "it is no file of torch's"
        reason = " ".join(said.split())[:80]
        raise UserError(f"{file.path} is no file of weights that can be loaded safely: {reason}") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{file.path} holds no state dict of tensors, as torch-fidelity's Inception has it")
    return {str(name): tensor.detach() for name, tensor in state.items()}


def _check_stored(content: bytes) -> None:
    """Raise where a file of torch's is compressed, as torch writes none: it could unpack to any size."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise pickle.UnpicklingError("it is compressed, as torch's own are not")


def _handed(state: dict[str, Tensor]) -> dict[str, Any]:
    """The weights as a file in memory: torch-fidelity has no other way to take them than to read one.

    It unpickles what it reads; this was pickled here, and of plain tensors.
    """
    written = BytesIO()
    torch.save(state, written)
    written.seek(0)
    return {"feature_extractor_weights_path": written}


def default_path() -> Path:
    """Where `torch.hub` keeps torch-fidelity's own file; its name ends with how its SHA-256 begins."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    return Path(torch.hub.get_dir()) / "checkpoints" / URL.rsplit("/", 1)[1]


def _find_download() -> Path:
    """torch-fidelity's own file; raises `UserError` where it cannot be had."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3 as URL

    path = default_path()
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
