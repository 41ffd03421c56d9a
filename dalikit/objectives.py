"""What most objectives are made of: a game on a critic, an encoder with its family, sums of weighted terms.

The bases are abstract: a method derives from those it is made of, and its file is left with its paper's
formulas.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dalikit.functional.balance import EVERY, Balance
from dalikit.functional.several import sum_over_samples
from dalikit.interfaces import (
    AdversarialGame,
    Augmentation,
    Critic,
    Iteration,
    Method,
    Phase,
    PhaseLoss,
    Posterior,
    Role,
)
from dalikit.interfaces.methods import Reads
from dalikit.players import JointDiscriminator

INFERRING = ("encoder", "family")
"""The roles of an encoder, trained together."""


class CriticLoss(Protocol):
    """A loss of a critic, with its game's penalty or without it."""

    def __call__(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The loss in this iteration."""


def weighted_sum(terms: Mapping[str, Tensor], **weights: Tensor | float) -> PhaseLoss:
    """The sum of `terms`, scalars, each as many times as `weights` says, once unless told.

    Weights that may move, tensors, are terms to log too: `nll weight`.

    Examples:
        >>> loss = weighted_sum({"loss": torch.tensor(1.0), "nll": torch.tensor(2.0)}, nll=10.0)
        >>> float(loss.total), float(loss.terms["nll"])
        (21.0, 2.0)
    """
    total = sum(weights[name] * term if name in weights else term for name, term in terms.items())
    assert isinstance(total, Tensor), "of no terms there is no sum"
    moving = {f"{name} weight": weight for name, weight in weights.items() if isinstance(weight, Tensor)}
    return PhaseLoss(total, {**terms, **moving})


def critic_loss(
    game: AdversarialGame,
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    *,
    penalised: bool,
    observe: Callable[[Tensor], None] | None = None,
) -> PhaseLoss:
    """The mean loss of a critic on real, then generated data (B, *X), and the game's penalty if it is due.

    A penalty that is computed in every n-th step alone weighs n times as much there. `observe` is told the
    logits (B,) of real data. Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of
    StyleGAN", section 3.1, lazy regularisation.
    """
    logits = critic(real)
    terms = {"loss": game.discriminator_loss(logits, critic(fake)).mean()}
    if observe is not None:
        observe(logits.detach())
    if penalised:
        terms["penalty"] = game.penalty(critic, real, fake).mean()
    return weighted_sum(terms, penalty=game.penalty_every)


def generator_loss(
    game: AdversarialGame, critic: Critic, fake_logits: Tensor, real: Callable[[], Tensor], samples: int = 1
) -> Tensor:
    """The mean over B, and sum over K, of a generator's losses, from logits (K·B,), K being `samples`.

    K weighs as much here as in the critic's loss. `real` makes the real data (B, *X), and is called for games
    alone that pair each generated datum with a real one. Its logits keep their graph: the critic of an
    unrolled GAN depends on G, and whoever is not trained in the phase gets no gradient anyway.
    """
    batch = len(fake_logits) // samples
    logits = critic(real()) if game.needs_real else None
    return sum_over_samples(game.generator_loss(fake_logits, logits), batch).mean()


def critic_phase(
    game: AdversarialGame, critic: nn.Module, loss: CriticLoss, role: str = "discriminator"
) -> Phase:
    """The phase that trains the critic of `role`, as many steps as the game asks for; each is projected."""
    return Phase(
        role,
        (role,),
        partial(loss, penalised=False),
        repeats=game.discriminator_steps,
        penalised=partial(loss, penalised=True) if game.penalised else None,
        penalty_every=game.penalty_every,
        after=lambda: game.project(critic),
    )


def measured(phase: Phase, weight: Balance) -> Phase:
    """The phase, whose loss measures in every n-th iteration what `weight` weighs, where that sets itself."""

    def loss(iteration: Iteration) -> PhaseLoss:
        with weight.measuring():
            return phase.loss(iteration)

    return replace(phase, penalised=loss, penalty_every=EVERY) if weight.moves else phase


class Inferring(Method):
    """A method with an encoder and a family of posteriors: q(z|x) is the family's at the encoder's heads.

    Unless it says otherwise, its last phase is one joint step of generator and encoder.
    """

    infers = True
    discriminator: Any
    encoder: nn.Module
    family: Posterior
    share_features: bool = False
    """Whether the encoder reads D's features, in place of x through a trunk of its own."""

    deterministic: bool = False
    """Whether E(x) is the posterior's code, in place of a draw from it."""

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """Those of its other bases, an encoder, and its posterior's family."""
        shared = settings.get("share_features", cls.share_features)
        encoder = Role("encoder", reads="h" if shared else "x")
        return {**super().roles(**settings), "encoder": encoder, "family": Role("posterior")}

    def phases(self) -> Sequence[Phase]:
        """Those of its other bases, and the joint step of generator and encoder."""
        both = Phase("generator+encoder", ("generator", *INFERRING), self.generator_encoder_loss)
        return (*super().phases(), both)

    def generator_encoder_loss(self, iteration: Iteration) -> PhaseLoss:
        """What generator and encoder minimise together, in methods where they do."""
        raise NotImplementedError

    def read(self, x: Tensor) -> Tensor:
        """What the encoder reads of x (B, *X): x itself, or D's features (B, *H) where they are shared."""
        return self.discriminator.trunk(x) if self.share_features else x

    def inferred(self, h: Tensor, y: Tensor | None) -> Distribution:
        """The posterior of what the encoder reads."""
        return self.family(*self.encoder(h, *self.given(y)))

    def posterior(self, x: Tensor, y: Tensor | None = None) -> Distribution:
        """q(z|x) for x (B, *X), or q(z|x, y)."""
        return self.inferred(self.read(x), y)

    def code(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The code z (B, Z) that stands for x (B, *X), μ(x) for a Gaussian."""
        return self.family.code(self.posterior(x, y))

    def draw(self, iteration: Iteration) -> Tensor:
        """E(x) (B, Z) of the iteration's data, with a gradient."""
        posterior = self.posterior(iteration.real, iteration.labels)
        return self.family.code(posterior) if self.deterministic else posterior.rsample()

    @torch.no_grad()
    def rebuilt(self, iteration: Iteration) -> Tensor:
        """G(E(x)) (B, *X) without a graph."""
        return self.generate(self.draw(iteration), iteration.labels)


class Watching(Method):
    """A method with a discriminator that sees data, augmented or not."""

    discriminator: Any
    augmentation: Augmentation | None
    judges: ClassVar[Reads] = "x"
    """What the discriminator reads; where that is data, they may be augmented."""

    def __init__(self, **players: Any) -> None:
        super().__init__(**{"augmentation": None, **players})

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """A generator, a discriminator, and what augments its sight of data."""
        sight = {} if cls.judges == "z" else {"augmentation": Role("augmentation")}
        discriminator = Role("discriminator", reads=cls.judges)
        return {**super().roles(**settings), "discriminator": discriminator, **sight}

    @property
    def augments(self) -> bool:
        """Whether D sees anything but the data as they are."""
        return self.augmentation is not None and self.augmentation.changes

    def seen(self, x: Tensor) -> Tensor:
        """What D judges (B, …) as it sees it in training."""
        return self.augmentation(x) if self.augmentation is not None and self.augments else x

    def observe(self, logits: Tensor) -> None:
        """Tell the augmentation D's logits (B,) of real data."""
        if self.augmentation is not None:
            self.augmentation.observe(logits)


class Playing(Watching):
    """A method with a game between its G, or its E, and a discriminator.

    Unless it says otherwise, its first phase is the discriminator's step.
    """

    game: AdversarialGame

    @classmethod
    def roles(cls, **settings: Any) -> dict[str, Role]:
        """The discriminator's side, and the game."""
        return {**super().roles(**settings), "game": Role("game")}

    def phases(self) -> Sequence[Phase]:
        """The discriminator's step."""
        own = critic_phase(self.game, self.discriminator, self.discriminator_loss)
        return (*super().phases(), own)

    def discriminator_loss(self, iteration: Iteration, *, penalised: bool) -> PhaseLoss:
        """The game's loss of D, real data first, and its penalty."""
        critic, real, fake = self.critic(iteration), self.real(iteration), self.fake(iteration)
        return critic_loss(self.game, critic, real, fake, penalised=penalised, observe=self.observe)

    def real(self, iteration: Iteration) -> Tensor:
        """What D takes for real, without a graph."""
        return iteration.real

    def fake(self, iteration: Iteration) -> Tensor:
        """What D is to tell from it, without a graph."""
        return iteration.fake_detached

    def verdict(self, iteration: Iteration) -> tuple[Tensor, Tensor]:
        """D's logits (B,) of what it takes for real, and of what was generated, as it sees them."""
        critic = self.critic(iteration)
        return critic(self.real(iteration)), critic(self.fake(iteration))

    def adversarial_loss(self, iteration: Iteration, logits: Tensor) -> Tensor:
        """The game's loss, a scalar, of whoever generates, at D's logits (B,) of what was generated."""
        return generator_loss(self.game, self.critic(iteration), logits, lambda: self.real(iteration))

    def advance(self, progress: Tensor) -> None:
        """Tell the game too."""
        super().advance(progress)
        self.game.advance(progress)

    def critic(self, iteration: Iteration, critic: nn.Module | None = None) -> Critic:
        """D, or another critic, as a function of what it judges under the iteration's labels."""
        judge = self.discriminator if critic is None else critic
        if self.judges == "z":
            return judge  # codes bear no labels
        return lambda x: judge(self.seen(x), *self.given(iteration.labels, len(x)))


class Adversarial(Playing):
    """A game on data."""

    def judged(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's logits (B,) of x (B, *X) as it sees it, and features (B, *H) that an encoder may share."""
        h = self.discriminator.trunk(self.seen(x))
        logits = self.discriminator.head(h, *self.given(y))
        again = self.augments and getattr(self, "share_features", False)
        return logits, self.discriminator.trunk(x) if again else h


class Joint(Inferring, Playing):
    """A game on pairs of data and codes: (x, E(x)) are real, (G(z), z) generated."""

    discriminator: JointDiscriminator
    judges = "xz"

    def seen(self, x: Tensor) -> Tensor:
        """Pairs (B, |X| + Z) as D sees them: their data augmented."""
        if not self.augments:
            return x
        data, z = self.discriminator.parts(x)
        return self.discriminator.pairs(super().seen(data), z)

    @torch.no_grad()
    def real(self, iteration: Iteration) -> Tensor:
        """(x, E(x)) without a graph."""
        return self.discriminator.pairs(iteration.real, self.draw(iteration))

    def fake(self, iteration: Iteration) -> Tensor:
        """(G(z), z) without a graph."""
        return self.discriminator.pairs(iteration.fake_detached, iteration.z)

    def joint_loss(self, iteration: Iteration, z: Tensor) -> Tensor:
        """The game's loss, a scalar, of both sides: (x, z), z being E(x), and (G(z), z)."""
        critic, pairs = self.critic(iteration), self.discriminator.pairs
        inferred, generated = pairs(iteration.real, z), pairs(iteration.fake, iteration.z)
        return self.game.joint(critic(inferred), critic(generated)).mean()
