"""Pictures of any size and format as people have them: in a folder, in a zip, or in parquet files."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dalikit.data import prepared, telling
from dalikit.data.gathering import SHOWN, Survey, gather, left_out, survey
from dalikit.data.images import FLIPPED, AbsolutePath, ImageSplit, short_name
from dalikit.data.locating import source_of
from dalikit.data.reading import counted, done
from dalikit.data.sources import Source
from dalikit.data.splits import PARTS, SplitSeed, check_count, check_parts, divide
from dalikit.errors import UserError
from dalikit.functional.fitting import Fitting, How
from dalikit.hookspecs import offer
from dalikit.interfaces import Dataset, DataSpec, Derived, Part

DALIKIT_API = 2

RULES = 4
"""Raised when the same files would be read or fitted differently, so that they are prepared again."""

Side = Annotated[int, Field(ge=8, le=4096)]


class Folder(Dataset):
    """Every picture below `path`, fitted to one size: (channels, H, W) in [-1, 1].

    `path` is a folder, a zip, a parquet file with a column of pictures, or a folder of those. Folders in it
    are classes; folders `train`, `test` and `validation` (or `val`) are the parts. What part is not given a
    hash of each picture's content decides. What cannot be read is named and left out; more than three such
    files, if they are more than 3 % of all, are an error.

    Args:
        path: where the pictures lie.
        size: S for S×S pixels, or [H, W]. Unless told: what all have, up to 64; else by the median, up to 32.
        channels: 1 for grey, 3 for colour; unless told colour if one picture is.
        how: what is done to another shape: `crop` the middle, `pad` with white, `stretch`.
        flip: whether training images are mirrored left to right at random.
        split_seed: of the hash that divides the pictures.
    """

    name = "folder"
    suffixes = ("", ".zip", ".parquet")

    def __init__(
        self,
        root: Path | None = None,
        /,
        *,
        path: AbsolutePath = "",
        size: Side | tuple[Side, Side] | None = None,
        channels: Literal[1, 3] | None = None,
        how: How = "crop",
        flip: bool = False,
        split_seed: SplitSeed = 0,
    ) -> None:
        self.root = root or prepared.data_root()
        self.given = path
        self.folder = Path(path)
        self.size, self.channels, self.how = size, channels, how
        self.flip = flip
        self.split_seed = split_seed

    @cached_property
    def settled(self) -> Mapping[str, Derived]:  # type: ignore[override]  # read only, and read late
        """Size and channels, unless they were given."""
        found = {"size": self.size, "channels": self.channels}
        return {name: getattr(self._survey, name) for name, value in found.items() if value is None}

    @cached_property
    def fitting(self) -> Fitting:  # type: ignore[override]  # likewise
        """What is done to each picture."""
        size, channels = (self.settled[n].value if n in self.settled else getattr(self, n) for n in SETTLED)
        height, width = (size, size) if isinstance(size, int) else size
        return Fitting(height=height, width=width, channels=channels, how=self.how)

    @cached_property
    def spec(self) -> DataSpec:  # type: ignore[override]  # likewise
        """Shape and classes."""
        classes = self._source.classes if len(self._source.classes) > 1 else None
        return DataSpec(
            (self.fitting.channels, self.fitting.height, self.fitting.width), (-1.0, 1.0), classes
        )

    @cached_property
    def preparation(self) -> str:  # type: ignore[override]  # likewise
        """What was made of which pictures. They are prepared first: only then is known what was broken."""
        given = f"{' and '.join(self._source.given)} as given, else " if self._source.given else ""
        return (
            f"images of folder {self._called}, state {self._stamp}: {telling.parts_of(self)} for train, "
            f"validation and test, {self._broken} left out as broken; {self._fitted}, upright and by "
            f"Lanczos; {'grey' if self.fitting.channels == 1 else 'colour'} uint8 scaled to "
            f"[-1, 1]; parts {given}by a hash of each one's content and split_seed {self.split_seed}"
            f"{FLIPPED if self.flip else ''}"
        )

    @property
    def path(self) -> Path:
        """The prepared file: another one when a picture is added, removed or changed."""
        return self.root / f"folder-{self._called}-{self._stamp}.npz"

    def split(self, part: Part) -> ImageSplit:
        """The part as uint8 images."""
        flip, rows = self.flip and part == "train", self._rows[part]
        return ImageSplit(self._arrays["images"], self._labels, flip, rows)

    def introduction(self) -> Sequence[str]:
        """How many pictures and classes, how they are divided and fitted; and what is odd about them."""
        counts = telling.class_counts(self)
        skipped = f"; {self._broken} skipped" if self._broken else ""
        said = "; ".join(remark for remark in self._remarks(counts) if remark)
        return (
            f"{len(self._sizes):,} images{telling.classes(counts)} → {telling.parts_of(self)} {self._by}; "
            f"{self._fitted}{skipped}",
            *([said[0].upper() + said[1:]] if said else []),
        )

    def _remarks(self, counts: Mapping[str, Sequence[int]]) -> list[str]:
        """What is odd about them, and what could help."""
        remarks = [telling.lone_classes(counts)]
        if len(self._source.classes) == 1:
            remarks.append(f"one class only ({self._source.classes[0]}), which labels nothing")
        loose = sum(entry.label is None for entry in self._source.entries)
        if 0 < loose < len(self._source.entries):
            remarks.append(f"no classes, for {counted(loose, 'image')} of none")
        remarks += self._source.passed_over
        factors = np.array([self.fitting.width, self.fitting.height]) / self._sizes
        factor = factors.min(1) if self.how == "pad" else factors.max(1)
        if enlarged := int((factor > 1).sum()):
            remarks.append(f"{enlarged:,} enlarged")
        return [*remarks, telling.flip_hint(self, self.flip)]

    def details(self) -> Mapping[str, str]:
        """Sizes, what size and channels follow from, and what is left out."""
        found = {
            "shapes": f"{len(np.unique(self._sizes, axis=0)):,} different",
            "shorter sides": telling.histogram(self._sizes.min(1)),
            "prepared in": str(self.path),
        }
        found |= {name: f"{d.value}: {d.reason}" for name, d in self.settled.items()}
        if self._broken and (listing := left_out(self.path)).exists():
            lines = listing.read_text(errors="replace").splitlines()
            found["left out"] = telling.some(lines, SHOWN, f", listed in {listing}")
        return found

    @property
    def _fitted(self) -> str:
        """What is done to their sizes, in words: "20–160 px, centre-cropped and resized to 32×32"."""
        return done(self.fitting, [(width, height) for width, height in self._sizes.tolist()])

    @property
    def _by(self) -> str:
        """How they are divided, in words."""
        given = self._source.given
        if not given:
            return "by a hash of their content"
        return f"with the {' and '.join(given)} part{'s' if given[1:] else ''} as given"

    @property
    def _called(self) -> str:
        return short_name(self.folder.resolve())

    @property
    def _broken(self) -> int:
        return int((~self._arrays["sound"]).sum())

    @property
    def _sizes(self) -> np.ndarray:
        """Width and height of each picture that was read, (n, 2)."""
        return self._arrays["sizes"][self._arrays["sound"]]

    @cached_property
    def _source(self) -> Source:
        if not self.given:
            raise UserError("dataset 'folder': --set dataset.path=PATH says where the pictures lie")
        source = source_of(self.folder)
        own = [entry for entry in source.entries if entry.part != "test"]
        over = f" ({'; '.join(source.passed_over)})" if source.passed_over else ""
        check_count(f"dataset 'folder': {self.folder} has too few images{over}", len(own))
        return source

    @cached_property
    def _survey(self) -> Survey:
        return survey(self._source, self.channels is None)

    @cached_property
    def _stamp(self) -> str:
        """Of where the source lies, of its state, and of what is made of it."""
        made = f" {self.fitting.model_dump_json()} {RULES} ".encode()
        return hashlib.sha256(os.fsencode(self.folder.resolve()) + made + self._source.state).hexdigest()[:12]

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        if not self.path.exists():
            gather(self.path, self._source, self.fitting)
        return prepared.read(self.path)

    @cached_property
    def _labels(self) -> np.ndarray | None:
        numbers = {name: number for number, name in enumerate(self.spec.classes or ())}
        return np.array([numbers[str(e.label)] for e in self._source.entries]) if numbers else None

    @cached_property
    def _rows(self) -> dict[Part, np.ndarray]:
        """For each part which pictures make it."""
        where, sound = f"dataset 'folder': {self.folder}", np.flatnonzero(self._arrays["sound"])
        given = np.array([PARTS.index(entry.part or "train") for entry in self._source.entries])[sound]
        check_count(f"{where} has too few images", int((given != PARTS.index("test")).sum()))
        rows = divide(self._arrays["digests"][sound], self.split_seed, given)
        check_parts(where, rows)
        return {part: sound[own] for part, own in rows.items()}


SETTLED = ("size", "channels")
dalikit_components = offer(Folder)
