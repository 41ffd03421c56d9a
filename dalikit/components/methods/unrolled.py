"""Unrolled GANs: the generator sees what the discriminator will do about it.

    θ_D^(k+1) = θ_D^k - Adam( ∂L_D(θ_G, θ_D^k) / ∂θ_D^k ),  k = 0 … K-1                     (7)
    θ_G minimises L_G(θ_G, θ_D^K(θ_G, θ_D)), the gradient through all K steps                (8), (10)
    θ_D takes one ordinary step

The steps are Adam's, from the moments that D's own optimizer has, and each is differentiated. They are on
the game's loss alone: its penalty and its projection, and the clipping of gradients, none of which the paper
has, are left to D's ordinary step.

Source: Metz et al. 2016, "Unrolled Generative Adversarial Networks", section 2.2.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.func import functional_call

from dalikit.hookspecs import offer
from dalikit.interfaces import Critic, Iteration, Phase, PhaseLoss
from dalikit.objectives import Adversarial, generator_loss, weighted_sum

DALIKIT_API = 2

Weights = dict[str, Tensor]
Moments = tuple[Tensor, Tensor, Tensor]
"""Adam's steps so far, and the first and second moment of a parameter."""


class Unrolled(Adversarial):
    """A plain GAN whose generator's loss is taken after `unroll` further steps of the discriminator."""

    name = "unrolled"
    optimizers = {"discriminator": torch.optim.Adam}  # noqa: RUF012 - declared a ClassVar by the base

    def __init__(self, *, unroll: Annotated[int, Field(ge=0, le=1000)] = 5, **players: Any) -> None:
        super().__init__(**players)
        self.unroll = unroll
        self._adam: torch.optim.Optimizer | None = None

    def phases(self) -> Sequence[Phase]:
        """The generator's step, looking ahead from the discriminator as it is, then the discriminator's."""
        return Phase("generator", ("generator",), self.generator_loss), *super().phases()

    def bind(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Keep the discriminator's, whose moments the unrolled steps start from."""
        self._adam = optimizers.get("discriminator")

    def generator_loss(self, iteration: Iteration) -> PhaseLoss:
        """The game's loss of G against the discriminator of K steps ahead."""
        critic = self._critic(self._ahead(iteration), iteration.labels)
        loss = generator_loss(self.game, critic, critic(iteration.fake), lambda: iteration.real)
        return weighted_sum({"loss": loss})

    def _critic(self, weights: Weights, y: Tensor | None) -> Critic:
        """D with other weights."""
        return lambda x: functional_call(self.discriminator, weights, (self.seen(x), *self.given(y, len(x))))

    def _ahead(self, iteration: Iteration) -> Weights:
        """D's weights after K steps of Adam on this iteration's data, with the graph that leads to G."""
        weights: Weights = dict(self.discriminator.named_parameters())
        state = {name: self._moments(parameter) for name, parameter in weights.items()}
        for _ in range(self.unroll):
            current = dict(weights)
            critic = self._critic(current, iteration.labels)
            loss = self.game.discriminator_loss(critic(iteration.real), critic(iteration.fake)).mean()
            slopes = torch.autograd.grad(loss, list(current.values()), create_graph=True)
            for (name, value), slope in zip(current.items(), slopes, strict=True):
                weights[name], state[name] = self._adam_step(value, slope, state[name])
        return weights

    def _moments(self, parameter: Tensor) -> Moments:
        """Those of a parameter in D's optimizer, zeros before its first step; none waits for the device."""
        known = self._optimizer.state.get(parameter, {})
        if not known:
            zeros = torch.zeros_like(parameter)
            return zeros.new_zeros(()), zeros, zeros
        steps = known["step"].to(parameter)
        return steps, known["exp_avg"].clone(), known["exp_avg_sq"].clone()

    def _adam_step(self, value: Tensor, slope: Tensor, moments: Moments) -> tuple[Tensor, Moments]:
        group = self._optimizer.param_groups[0]
        (beta1, beta2), steps = group["betas"], moments[0] + 1
        first = beta1 * moments[1] + (1 - beta1) * slope
        second = beta2 * moments[2] + (1 - beta2) * slope.square()
        # Adam adds ε outside the root, whose slope at 0 is infinite: a little inside keeps it finite.
        scale = (second / (1 - beta2**steps) + 1e-16).sqrt() + group["eps"]
        rate = group["lr"].to(value) / (1 - beta1**steps)
        return value - rate * first / scale, (steps, first, second)

    @property
    def _optimizer(self) -> torch.optim.Optimizer:
        if self._adam is None:
            raise RuntimeError("the unrolled steps need the discriminator's optimizer: a trainer binds it")
        return self._adam


dalikit_components = offer(Unrolled)
