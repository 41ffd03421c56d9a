"""What steps a role's parameters."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dalikit.interfaces.kinds import Component, Kind


class Optimizer(Component, ABC):
    """A rule by which parameters are stepped, with its settings; torch's own does the work.

    The rate, its schedule and the clipping of gradients are the trainer's, which moves `lr` in place.
    """

    kind = Kind("optimizer", default="adam")

    @abstractmethod
    def over(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        """torch's optimizer of `parameters`, at the rate in the scalar `lr`.

        Its state is tensors, for each parameter; numbers in it could not be resumed, and are refused.
        """
