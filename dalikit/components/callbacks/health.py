"""Whether a training collapses or stalls, seen from a few data and samples while it runs.

Each of `FAULTS` is one measure and a threshold; docs/health.md has them with what has helped. D is asked
as it is in training, samples and codes are those of the averaged weights. Nothing that is learned is changed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from dalikit.evaluation import scoring
from dalikit.functional import likeness
from dalikit.hookspecs import offer
from dalikit.interfaces import Batch, Callback, Fit, Iteration, Method, Part
from dalikit.randomness import RandomState
from dalikit.runs import Context

DALIKIT_API = 2

SEED = 0
HELD_OUT = 16
"""Held-out data at the least: what D says of fewer says nothing."""

BATCHES = 4
"""Of `scoring.batch_size` at the most, for all that is looked at lies in memory at once."""

FAR = 0.1
"""The energy distance from which on samples are unlike the data; half of a grid's modes lie at 0.17."""

Found = Mapping[str, float]
"""What a look has measured, by name; what the method has not is left out."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: when it does, how it is said of what was found, and what has helped."""

    wrong: Callable[[Found], bool]
    says: str
    helps: str


def _accuracy(found: Found) -> float:
    """D's on held-out data and samples together, 0.5 where it tells nothing or is not there."""
    return (found.get("d_held_out", found.get("d_training", 0.5)) + found.get("d_samples", 0.5)) / 2


def _unread(found: Found) -> bool:
    return found.get("read_most", 1.0) < 0.05


FAULTS = {
    "collapse": Fault(
        lambda found: found.get("diversity", 1.0) < 0.1,
        "samples are {diversity:.0%} as diverse as the data",
        "a lower trainer.lr, trainer.optimizer.betas=[0.0,0.99] or a higher game.r1 has helped",
    ),
    "blind": Fault(
        lambda found: "d_samples" in found and _accuracy(found) < 0.55 and found["distance"] > FAR,
        "the discriminator tells samples from data no better than by chance, and they are far from the data",
        "a higher trainer.roles.discriminator.lr has helped",
    ),
    "perfect": Fault(
        lambda found: _accuracy(found) > 0.99 and found["distance"] > FAR,
        "the discriminator is right of {d_samples:.0%} of samples, and they are far from the data",
        "a game.r1 between 0.1 and 1 has helped",
    ),
    "overfit": Fault(
        lambda found: found.get("d_training", 0.0) - found.get("d_held_out", 1.0) > 0.3,
        "the discriminator is right of {d_training:.0%} of training, and {d_held_out:.0%} of held-out data",
        "--augmentation ada or a higher game.r1 has helped",
    ),
    "unread": Fault(
        _unread,
        "the encoder reads no entry of z from samples",
        "a higher trainer.roles.encoder.lr, or {weight} above 0, has helped",
    ),
    "mean": Fault(
        lambda found: found.get("rebuilt", 0.0) > 0.95 and not _unread(found),
        "reconstructions are no nearer to the data than the data's mean",
        "a higher {weight}, or more steps, has helped",
    ),
}
"""By kind, in the order in which they are said."""


class Health(Callback):
    """Looks every `every` steps, and warns once of what was wrong at `patience` looks in a row.

    Args:
        every: steps between two looks; there is one at the end too.
        count: data, and samples, that are looked at; fewer of large data, see `BATCHES`.
        patience: looks.
    """

    name = "health"

    def __init__(
        self,
        context: Context,
        /,
        *,
        every: Annotated[int, Field(ge=1)] = 400,
        count: Annotated[int, Field(ge=HELD_OUT)] = 128,
        patience: Annotated[int, Field(ge=1)] = 3,
    ) -> None:
        self.dataset = context.dataset
        self.every = every
        self.count = count
        self.patience = patience
        self._since: dict[str, list[int]] = {}

    def step_end(self, fit: Fit) -> None:
        """Look when it is due."""
        if fit.step % self.every == 0 or fit.step == fit.steps:
            fit.losses(self.name)  # raises where they are not finite: what such weights do says nothing
            found = self._look(fit)
            wrong = [kind for kind, fault in FAULTS.items() if fault.wrong(found)]
            fit.log({"event": "health", "step": fit.step, **found, "wrong": wrong})
            self._warn(fit, wrong, found)

    def state(self) -> dict[str, Any]:
        """By kind, since which step it has been wrong, and at how many looks."""
        return {"since": self._since}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on counting."""
        self._since = {kind: list(counted) for kind, counted in state.get("since", {}).items()}

    def _warn(self, fit: Fit, wrong: list[str], found: Found) -> None:
        before, name = self._since, fit.method.balanced
        weight = "weight of the reconstruction" if name is None else f"method.{name}"
        self._since = {
            kind: [before[kind][0], before[kind][1] + 1] if kind in before else [fit.step, 1]
            for kind in wrong
        }
        for kind, (since, looks) in self._since.items():
            if looks == self.patience:
                fault = FAULTS[kind]
                what, helps = fault.says.format(**found), fault.helps.format(weight=weight)
                print(f"Warning: {what}, since step {since:,} ({kind}): {helps}", file=sys.stderr, flush=True)

    @torch.no_grad()
    def _look(self, fit: Fit) -> dict[str, float]:
        with RandomState.seeded(SEED).swapped_in(), _untouched(fit.method):
            data, held_out = self._data("train", fit.method), self._data("validation", fit.method)
            found = _judged(fit.method, data, held_out)
            return found | _shown(fit.inference, data, held_out)

    def _data(self, part: Part, method: Method) -> list[Batch]:
        """`count` data of a part at most, drawn at random, always the same."""
        split, rng = self.dataset.split(part), torch.Generator().manual_seed(SEED)
        size = scoring.batch_size(self.dataset.spec.x_shape)
        index = torch.randperm(len(split), generator=rng)[: min(self.count, BATCHES * size)]
        return [scoring.place(split.take(chunk, rng), self.dataset, method) for chunk in index.split(size)]


def _judged(method: Method, data: list[Batch], held_out: list[Batch]) -> dict[str, float]:
    """What D gets right of training data, held-out data and what was generated, where there is one."""
    verdicts = [[_verdict(method, batch) for batch in batches] for batches in (data, held_out)]
    known, new = ([v for v in part if v is not None] for part in verdicts)
    if not known:
        return {}
    real, others = (torch.cat(logits) for logits in zip(*known, strict=True))
    bound = likeness.middle(real, others)
    right = dict(zip(("d_training", "d_samples"), likeness.told_apart(real, others, bound), strict=True))
    unseen = torch.cat([logits for logits, _ in new])
    if len(unseen) >= HELD_OUT:
        right["d_held_out"], _ = likeness.told_apart(unseen, others, bound)
    return right


def _verdict(method: Method, batch: Batch) -> tuple[Tensor, Tensor] | None:
    return method.verdict(Iteration(method.generate, batch, method.prior(len(batch.x))))


def _shown(method: Method, data: list[Batch], held_out: list[Batch]) -> dict[str, float]:
    """Samples beside training data, codes that are read from samples, held-out data that are rebuilt."""
    known = torch.cat([batch.x for batch in data])
    drawn = [method.prior(len(batch.x)) for batch in data]
    parts = [method.generate(z, batch.y) for z, batch in zip(drawn, data, strict=True)]
    samples = torch.cat(parts)
    found = {"distance": likeness.distance(samples, known)}
    if (diverse := likeness.diversity(samples, known)) is not None:
        found["diversity"] = diverse
    if method.infers:
        codes = torch.cat([method.code(x, batch.y) for x, batch in zip(parts, data, strict=True)])
        shares = likeness.read(torch.cat(drawn), codes)
        found |= {"read": float(shares.mean()), "read_most": float(shares.max())}
        found["read_half"] = int((shares > 0.5).sum())
        found |= _rebuilt(method, held_out, known.mean(0))
    return found


def _rebuilt(method: Method, held_out: list[Batch], mean: Tensor) -> dict[str, float]:
    """The error of reconstructions over the mean's; nothing where codes stand still in most entries."""
    x = torch.cat([batch.x for batch in held_out])
    codes = [method.code(batch.x, batch.y) for batch in held_out]
    if float((codes[0] != codes[0][:1]).any(0).double().mean()) < 0.5:
        return {}
    again = torch.cat([method.generate(z, batch.y) for z, batch in zip(codes, held_out, strict=True)])
    return {"rebuilt": float((again - x).square().mean() / (mean - x).square().mean())}


@contextmanager
def _untouched(method: Method) -> Iterator[None]:
    """Put back, after the block, the buffers that norms move in train mode."""
    before = [buffer.clone() for buffer in method.buffers()]
    try:
        yield
    finally:
        for buffer, value in zip(method.buffers(), before, strict=True):
            buffer.copy_(value)


dalikit_components = offer(Health)
