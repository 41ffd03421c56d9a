"""What commands write: pictures, films, arrays, folders of images. Nothing is written over unasked."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dalikit.errors import RunError, UserError
from dalikit.files import whole_or_not

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from dalikit.model import RunModel

ARRAYS = (".npy", ".npz")


def target(out: Path | None, run: Path, default: str, suffixes: tuple[str, ...], force: bool) -> Path:
    """The path to write to: `out`, or a free name made from `default` in the run's folder.

    Raises:
        UserError: its ending is none of `suffixes`, or it is there and not to be written over.
    """
    if out is None:
        path, n = run / default, 2
        while path.exists() and not force:
            path, n = run / f"{Path(default).stem}-{n}{Path(default).suffix}", n + 1
        return path
    if out.suffix not in suffixes:
        kinds = ", ".join(suffix or "a folder" for suffix in suffixes)
        raise UserError(f"--out {out}: what can be written here is {kinds}")
    if not out.suffix and out.is_file():
        raise UserError(f"--out {out} is a file, not a folder: choose another")
    if out.exists() and not force and (out.suffix or any(out.iterdir())):
        raise UserError(f"--out {out} is there already: choose another, or give --force to write over it")
    return out


def named(model: "RunModel", stem: str) -> str:
    """What a command's file is called where nobody says: a picture, or arrays where data cannot be drawn."""
    from dalikit.pictures import drawable

    return f"{stem}.png" if drawable(model.spec) else f"{stem}.npz"


def write_data(
    model: "RunModel",
    x: "Tensor",
    path: Path,
    what: str,
    columns: int | None = None,
    framed: Collection[int] = (),
) -> None:
    """Write x (N, *X) as a picture, an array `x`, or single images, as the path's ending says.

    Arrays are in the data's own units, where training standardized them. A picture's title says `what` it
    shows; those whose index is in `framed` were given, and the others made.
    """
    from dalikit import pictures

    if path.suffix in ARRAYS:
        write_arrays({"x": model.inputs.original(x)}, "x", path)
        return
    pictures.check_drawable(model.spec)
    if not path.suffix:
        _write_folder(x, model.spec.value_range, path)
    else:
        images = model.spec.value_range is not None
        reference = x if images else model.data("test")
        title = _title(model, what if images else f"{what}. Grey: test data")
        drawn = pictures.draw(x, model.spec, reference, columns, framed=framed, title=title)
        pictures.save(drawn, path)
    print(f"Wrote {path}")


def _title(model: "RunModel", what: str) -> str:
    config, weights = model.config, "best weights, " if model.weights == "best" else ""
    steps = model.run.config.trainer.get("steps")
    of = "" if steps in (None, model.step) else f" of {steps:,}"
    return f"{config.method.name} on {config.dataset.name}, {weights}step {model.step:,}{of}\n{what}"


def _write_folder(x: "Tensor", bounds: tuple[float, float] | None, folder: Path) -> None:
    """Write images x (N, *X) as 00000.png and so on, all or none; those of an earlier, longer series go.

    Raises:
        RunError: one cannot be written, or an earlier one not be removed.
    """
    from dalikit import pictures

    if bounds is None:
        raise UserError(f"--out {folder}: points are no images: write .png, .npy or .npz")
    try:
        with ExitStack() as places:  # which none takes before all are written
            for i, image in enumerate(x):
                unfinished = places.enter_context(whole_or_not(folder / f"{i:05d}.png"))
                pictures.single(image, bounds).save(unfinished, format="PNG")
        for old in folder.glob("[0-9]" * 5 + ".png"):
            if int(old.stem) >= len(x):
                old.unlink()
    except OSError as error:
        raise RunError(f"Cannot write {folder}: {error.strerror or error}") from None


def write_film(model: "RunModel", x: "Tensor", path: Path, fps: float | None, loop: bool) -> None:
    """Write x (N, *X) as a film of N pictures, so many a second."""
    from dalikit import pictures, video

    pictures.check_drawable(model.spec)
    reference = x if model.spec.value_range is not None else model.data("test")
    frames = (pictures.draw(x[i : i + 1], model.spec, reference) for i in range(len(x)))
    count = video.save(frames, path, fps or video.speed(len(x)), loop=loop)
    print(f"Wrote {path}: {count} pictures")


def write_pairs(model: "RunModel", x: "Tensor", again: "Tensor", path: Path, originals: str) -> None:
    """Write originals and reconstructions (N, *X): in turn in a picture, else as arrays.

    The picture's title says what the `originals` are.
    """
    from dalikit import pictures

    if path.suffix in ARRAYS:
        pairs = {"x": x, "reconstruction": again}
        arrays = {name: model.inputs.original(data) for name, data in pairs.items()}
        write_arrays(arrays, "reconstruction", path)
        return
    pictures.check_drawable(model.spec)
    title = _title(model, f"Reconstructions. {pictures.pairs_legend(model.spec, originals)}")
    pictures.save(pictures.draw_pairs(x, again, model.spec, columns=8, title=title), path)
    print(f"Wrote {path}")


def write_arrays(arrays: Mapping[str, "Tensor | np.ndarray"], main: str, path: Path) -> None:
    """Write arrays as .npz, or the `main` one alone as .npy.

    Raises:
        RunError: the file cannot be written.
    """
    import numpy as np

    plain = {n: a if isinstance(a, np.ndarray) else a.cpu().numpy() for n, a in arrays.items()}
    try:
        with whole_or_not(path) as unfinished, unfinished.open("wb") as file:
            if path.suffix == ".npy":
                np.save(file, plain[main], allow_pickle=False)
            else:
                np.savez(file, allow_pickle=False, **plain)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror or error}") from None
    print(f"Wrote {path}: " + ", ".join(f"{name} {array.shape}" for name, array in plain.items()))
