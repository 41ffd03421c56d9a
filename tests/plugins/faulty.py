"""Components that fail in the middle: each raises, or gives what is not finite, from its third use on."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from dalikit import (
    AdversarialGame,
    Batch,
    Callback,
    Dataset,
    DataSpec,
    Encoder,
    Generator,
    Metric,
    Optimizer,
    Posterior,
    Score,
    TensorSplit,
)
from dalikit.hookspecs import offer

DALIKIT_API = 2

Fault = Literal["none", "raise", "nan", "once"]


class Third:
    """Counts, and does its worst from the third time on."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.count = fault, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.count += 1
        if self.count < 3 or self.fault == "none" or (self.fault == "once" and self.count > 3):
            return x
        if self.fault == "raise":
            raise ZeroDivisionError("worn out")
        return x * float("nan")


class Wearing(Independent):
    """A Gaussian whose density wears out."""

    def __init__(self, base, third):
        super().__init__(base, 1)
        self.third = third

    def log_prob(self, value):
        return self.third(super().log_prob(value))


class Worn(Posterior):
    """Its distributions' `log_prob` fails, or that of torch's own which it hands out, or its gradient."""

    name = "worn"

    def __init__(
        self, latent_size: int, /, *, fault: Fault = "none", plain: bool = False, slope: bool = False
    ):
        super().__init__()
        self.size, self.third, self.plain, self.slope = latent_size, Third(fault), plain, slope

    def heads(self):
        return self.size, self.size

    def forward(self, mean, log_scale):
        if self.slope and self.third.count >= 2:
            mean = mean + (mean - mean.detach()).abs().sqrt()  # zero, and of no finite slope
        if self.slope:
            self.third.count += 1
        if self.plain:  # the fault comes out in torch's code alone, where no line of this file is
            self.third.count += 1
            if self.third.count >= 3:
                mean = mean * 1e30
            return Independent(Normal(mean, log_scale.exp(), validate_args=False), 1, validate_args=False)
        return Wearing(Normal(mean, log_scale.exp()), self.third)


class Sour(AdversarialGame):
    """Its loss of D fails."""

    name = "sour"

    def __init__(self, *, fault: Fault = "none"):
        self.third = Third(fault)

    def discriminator_loss(self, real, fake):
        return self.third(nn.functional.softplus(fake) + nn.functional.softplus(-real))

    def generator_loss(self, fake, real=None):
        return nn.functional.softplus(-fake)


class Sick(Generator):
    """Its forward pass fails, in a layer of its own."""

    name = "sick"

    def __init__(self, latent_size: int, spec: DataSpec, /, *, fault: Fault = "none"):
        super().__init__(latent_size, spec)
        self.net = nn.Sequential(nn.Linear(latent_size, 64), Layer(fault))

    def forward(self, z):
        return torch.tanh(self.net(z)).unflatten(1, self.spec.x_shape)


class Layer(nn.Module):
    def __init__(self, fault: Fault):
        super().__init__()
        self.third = Third(fault)

    def forward(self, x):
        return self.third(x) if self.training else x


class Lame(Encoder):
    """Its heads fail."""

    name = "lame"

    def __init__(self, in_shape, head_sizes, /, *, fault: Fault = "none"):
        super().__init__()
        self.third = Third(fault)
        size = 1
        for each in in_shape:
            size *= each
        self.layers = nn.ModuleList(nn.Linear(size, head) for head in head_sizes)

    def forward(self, h):
        return tuple(
            layer(self.third(h.flatten(1)) if self.training else h.flatten(1)) for layer in self.layers
        )


class Stepper(torch.optim.SGD):
    def step(self, closure=None):
        worn = self.third(torch.zeros(()))
        found = super().step(closure)
        with torch.no_grad():
            for weight in self.param_groups[0]["params"]:
                weight += worn
        return found


class Halt(Optimizer):
    """Its steps fail."""

    name = "halt"

    def __init__(self, *, fault: Fault = "none"):
        self.third = Third(fault)

    def over(self, parameters, lr):
        made = Stepper(parameters, lr)
        made.third = self.third
        return made


class TornSplit(TensorSplit):
    def __init__(self, data, third):
        super().__init__(data)
        self.third = third

    def take(self, index, rng):
        worn = self.third(torch.zeros(()))
        x, y = super().take(index, rng)
        return Batch(x + worn, y)


class Torn(Dataset):
    """Its data fail to be read."""

    name = "torn"
    spec = DataSpec((2,))
    backbone = "mlp"
    latent_size = 2
    preparation = "made by the test"

    def __init__(self, *, fault: Fault = "none"):
        self.fault = fault

    def split(self, part):
        data = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
        return TornSplit(data, Third(self.fault if part == "train" else "none"))


class Clumsy(Callback):
    """Fails where it is told to."""

    name = "clumsy"

    def __init__(self, *, at: str = "nowhere"):
        self.at = at
        if at == "exit":
            raise SystemExit(0)

    @classmethod
    def settled(cls, settings, method):
        if settings["callbacks"]["clumsy"]["at"] == "settled":
            raise ZeroDivisionError("worn out")
        return {}

    def _do(self, at):
        if at == self.at:
            raise ZeroDivisionError("worn out")

    def fit_start(self, fit):
        self._do("fit_start")

    def step_end(self, fit):
        self._do("step_end")

    def logged(self, fit, record):
        self._do("logged")

    def fit_end(self, fit):
        self._do("fit_end")

    def state(self):
        self._do("state")
        return {}

    def load_state(self, state):
        self._do("load_state")


class Vague(Metric):
    """Fails where it is told to, or gives no number."""

    name = "vague"

    def __init__(self, dataset, part, /, *, at: str = "nowhere"):
        self.dataset, self.at = dataset, at

    def unfit(self, method):
        if self.at == "unfit":
            raise ZeroDivisionError("worn out")

    def feed(self, method):
        yield (method.generate(method.prior(3)),)

    def update(self, *batch):
        if self.at == "update":
            raise ZeroDivisionError("worn out")

    def compute(self):
        return Score(self.name, {"value": float("nan") if self.at == "nan" else 1.0}, {})


dalikit_components = offer(Worn, Sour, Sick, Lame, Halt, Torn, Clumsy, Vague)
