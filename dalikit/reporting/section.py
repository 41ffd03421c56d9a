"""A section of the page: one file, one class, listed in `sections/__init__.py`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from dalikit.reporting.blocks import Block
from dalikit.reporting.subject import Subject
from dalikit.reporting.use import Use


class Section(ABC):
    """A section, which is left out where it has nothing to show.

    Attributes:
        key: its anchor.
        title: above it.
        lead: what it shows and how it is to be read.
        beside: whether runs stand beside each other in it, or below each other, as wide tables do.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str] = ""
    beside: ClassVar[bool] = True

    def together(self, runs: Sequence[Subject]) -> Sequence[Block]:
        """What it shows of all runs in one."""
        return ()

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """What it shows of each run, beside the others; `use` is None where there are no weights.

        Raises:
            DalikitError: it cannot be shown, which the page then says.
        """
        return ()


class Drawn(Section):
    """A section that is drawn by a run's weights."""

    def alone(self, run: Subject, use: Use | None) -> Sequence[Block]:
        """Nothing where there are no weights."""
        return () if use is None else self.drawn(use)

    @abstractmethod
    def drawn(self, use: Use) -> Sequence[Block]:
        """What the weights make; raises as `alone` does."""


class Inferred(Drawn):
    """A section on inference, which a method without an encoder has no part in."""

    def drawn(self, use: Use) -> Sequence[Block]:
        """Nothing where the method does not infer."""
        return self.inferred(use) if use.model.method.infers else ()

    @abstractmethod
    def inferred(self, use: Use) -> Sequence[Block]:
        """What a method that infers shows; raises as `alone` does."""
