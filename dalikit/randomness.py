"""Random state in one enumerable place: captured, restored, and borrowed for a while.

Training and sampling run inside `RandomState.swapped_in`, so that a run repeats under its seed, resumes
where it stopped, and leaves the caller's own random numbers as they were.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def derived_seed(seed: int, purpose: str) -> int:
    """A seed (0 to 2**32 - 1) for one of a run's purposes, so that none repeats another's numbers.

    Examples:
        >>> derived_seed(0, "weights") == derived_seed(0, "order")
        False
    """
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:4], "little")


class RandomState:
    """The states of Python's, NumPy's and torch's generators (the CPU's and every CUDA device's)."""

    def __init__(self, tensors: dict[str, Tensor], python: list[Any]) -> None:
        self.tensors = tensors
        self.python = python

    @classmethod
    def seeded(cls, seed: int) -> "RandomState":
        """The state that seeding every generator with `seed` (0 to 2**32 - 1) gives.

        Examples:
            >>> with RandomState.seeded(3).swapped_in(): a = torch.rand(2)
            >>> with RandomState.seeded(3).swapped_in(): b = torch.rand(2)
            >>> bool((a == b).all())
            True
        """
        before = cls.captured()
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        state = cls.captured()
        before.restore()
        return state

    @classmethod
    def captured(cls) -> "RandomState":
        """The generators as they stand now."""
        # NumPy's legacy state is always ("MT19937", keys, position, has_gauss, cached_gaussian).
        _, keys, position, has_gauss, gaussian = np.random.get_state(legacy=True)
        version, internal, gauss = random.getstate()
        tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.array(keys, dtype=np.int64))}
        if torch.cuda.is_available():
            tensors |= {f"cuda{i}": s for i, s in enumerate(torch.cuda.get_rng_state_all())}
        python = [version, list(internal), gauss, int(position), int(has_gauss), float(gaussian)]
        return cls(tensors, python)

    def restore(self) -> None:
        """Put every generator back to this state."""
        version, internal, gauss, position, has_gauss, gaussian = self.python
        random.setstate((version, tuple(internal), gauss))
        keys = self.tensors["numpy"].numpy().astype(np.uint32)
        np.random.set_state(("MT19937", keys, position, has_gauss, gaussian))
        torch.set_rng_state(self.tensors["torch"])
        for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
            if f"cuda{i}" in self.tensors:
                torch.cuda.set_rng_state(self.tensors[f"cuda{i}"], i)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Use this state inside the block, remember where it got to, and give the caller's back."""
        before = self.captured()
        self.restore()
        try:
            yield
        finally:
            after = self.captured()
            self.tensors, self.python = after.tensors, after.python
            before.restore()
