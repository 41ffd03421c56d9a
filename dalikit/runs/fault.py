"""Something that is wrong with a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a run: where, as a path below its folder, and what."""

    where: str
    says: str

    def __str__(self) -> str:
        return f"{self.where}: {self.says}"
