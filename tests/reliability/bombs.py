"""Pickles that run code, and other code, in every file that is ever read: none of it may run.

    python tests/reliability/bombs.py

The code makes a file; it is tried first that it does where it is unpickled. What is handed such a file must
refuse it in one line, or never look at it.
"""

import argparse
import io
import os
import pickle
import socket
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from harm import files
from processes import command, forked, undesigned
from subjects import Subjects
from tally import Tally
from using import used

from dalikit.errors import UserError
from dalikit.evaluation import fidelity, scorer
from dalikit.runs.manifest import MANIFEST, Manifest, facts_of
from dalikit.runs.sealing import SEAL, seal_text

Case = tuple[str, Callable[[], str]]
"""What is tried, and what does it: it says what the outcome was beside whether the code ran."""


class Bomb:
    """What makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def bombs(mark: Path) -> Mapping[str, bytes]:
    """Contents of files that make the file `mark` where anybody runs them."""
    bomb = Bomb(mark)
    objects = np.array([bomb], dtype=object)
    archive, array, arrays, packed = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"weight": bomb}, archive)
    np.save(array, objects, allow_pickle=True)
    named = ("train_images", "train_labels", "test_images", "test_labels", "x")
    np.savez(arrays, **dict.fromkeys(named, objects), allow_pickle=True)
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("a/0.png", "b/1.png", "data.pkl", "x.npy"):
            file.writestr(name, pickle.dumps(bomb))
    return {
        "a pickle": pickle.dumps(bomb),
        "a file of torch's": archive.getvalue(),
        "a .npy of objects": array.getvalue(),
        "a .npz of objects": arrays.getvalue(),
        "a zip of pickles": packed.getvalue(),
        "YAML with Python's tags": f'!!python/object/apply:os.system ["touch {mark}"]\n'.encode(),
        "YAML with a tag in it": f'seed: !!python/object/apply:os.system ["touch {mark}"]\n'.encode(),
        "Python": f"import os\nos.system('touch {mark}')\n".encode(),
    }


class Placed:
    """Bombs placed in a folder, and what reads them there."""

    def __init__(self, folder: Path) -> None:
        self.mark, self.subjects = folder / "it-ran", Subjects(folder)
        self.bombs = bombs(self.mark)
        self.subjects.warm_up()
        self.run = self.subjects.undisturbed("dali", "digits")

    def cases(self) -> Iterator[Case]:
        """All that is tried."""
        yield from self._in_a_run()
        for what, bomb in self.bombs.items():
            yield from self._given(what, bomb)
            yield from self._under_the_data_root(what, bomb)
            yield from self._weights(what, bomb)

    def _in_a_run(self) -> Iterator[Case]:
        for name in [*files(self.run), ".lock"]:
            for what, bomb in self.bombs.items():
                for vouched in (False, True) if "/" in name or name == "config.yaml" else (False,):
                    told = f"{what} as {name} of a run{', vouched for' if vouched else ''}"
                    yield told, partial(self._use, name, bomb, vouched)

    def _use(self, name: str, bomb: bytes, vouched: bool) -> str:
        run = self.subjects.copy(self.run)
        place = run / name
        place.write_bytes(bomb)
        if vouched and name == "config.yaml":
            place.write_text(seal_text(bomb.decode("latin-1")), encoding="latin-1")
        elif vouched and place.name != MANIFEST:
            manifest = Manifest.read(place.parent)
            facts = {file: each for file, each in facts_of(place.parent) if file != MANIFEST}
            (place.parent / MANIFEST).write_text(manifest.model_copy(update={"files": facts}).text())
        elif vouched:
            place.write_bytes(bomb + f'{{"{SEAL}": ""}}'.encode())
        said = [line for use in used(self.subjects, run).values() for line in use.said]
        return "\n".join(said)

    def _given(self, what: str, bomb: bytes) -> Iterator[Case]:
        for suffix in (".npy", ".npz", ".zip", ".parquet", ".png", ".yaml", ".pt", ".pkl"):
            path = self._file(f"given{suffix}", bomb)
            runs = [["data", path], ["train", "--data", path, "--out", self.subjects.new()]]
            runs += [["encode", self.run, path], ["reconstruct", self.run, path]]
            runs += [["train", "--config", path, "--steps", 1, "--out", self.subjects.new()]]
            for words in runs if suffix != ".yaml" else runs[-1:]:
                yield f"{what} as given{suffix} to dalikit {words[0]}", partial(self._command, words)

    def _under_the_data_root(self, what: str, bomb: bytes) -> Iterator[Case]:
        for dataset, names in {
            "mnist": ("mnist.npz", "MNIST/raw/train-images-idx3-ubyte"),
            "fashion-mnist": ("fashion-mnist.npz", "FashionMNIST/raw/train-images-idx3-ubyte"),
            "cifar10": ("cifar10.npz", "cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"),
            "celeba": ("celeba-64.npz", "celeba/img_align_celeba.zip", "celeba/list_attr_celeba.txt"),
            "stacked-mnist": ("mnist.npz",),
        }.items():
            for name in names:
                root = self._file(f"{dataset}/{name}", bomb)
                for _ in Path(name).parts:
                    root = root.parent
                words = ["train", "--dataset", dataset, "--data-root", root, "--out", self.subjects.new()]
                yield f"{what} as {name} under the data root", partial(self._command, words)

    def _weights(self, what: str, bomb: bytes) -> Iterator[Case]:
        path = self._file("weights.pth", bomb)
        yield f"{what} as a scorer's weights", partial(self._call, lambda: scorer.load(path))
        yield f"{what} as Inception's weights", partial(self._call, lambda: fidelity.inception(path))

    def _file(self, name: str, content: bytes) -> Path:
        path = self.subjects.new() / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return path

    def _command(self, words: Sequence[object]) -> str:
        def called() -> int:
            socket.create_connection = offline
            socket.socket.connect = offline  # type: ignore[method-assign]
            return command(words)

        process = forked(called, self.subjects.output)
        process.wait()
        return process.said

    def _call(self, load: Callable[[], object]) -> str:
        def called() -> int:
            try:
                load()
            except UserError as error:
                print(f"Error: {error}")
            return 0

        process = forked(called, self.subjects.output)
        process.wait()
        return process.said


def offline(*_: object, **__: object) -> None:
    """What no download gets past."""
    raise OSError("there is no network here")


def placed(folder: Path, every: int = 1) -> Tally:
    """What came of every so manieth of them, in an empty folder."""
    tally, subject = Tally("Code in files that are read"), Placed(folder)
    pickle.loads(subject.bombs["a pickle"])
    assert subject.mark.exists(), "the bomb is none"
    subject.mark.unlink()
    for what, tried in islice(subject.cases(), 0, None, every):
        said = tried()
        tally.count("places")
        if subject.mark.exists():
            subject.mark.unlink()
            tally.check(False, f"{what}: it ran")
        else:
            tally.check(not undesigned(said), f"{what}: {said.strip()[-300:]}")
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of so many only the first")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        placed(Path(place), given.every).finish()
