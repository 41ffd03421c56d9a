"""The tutorial's posterior: the contract's checks, and its formula."""

import math

import torch
from dalikit_hello import Laplace

from dalikit import testing
from dalikit.assembly.registry import Registry


def test_it_meets_the_contract():
    testing.check_posterior(Laplace)


def test_it_is_found_by_name():
    assert Registry.discover().get("posterior", "laplace") is Laplace


def test_its_density_is_the_formula():
    z, centre, log_scale = torch.tensor([[0.5]]), torch.tensor([[2.0]]), torch.tensor([[0.3]])
    expected = 1.5 / math.exp(0.3) + math.log(2 * math.exp(0.3))
    found = -Laplace(1)(centre, log_scale).log_prob(z)
    torch.testing.assert_close(found, torch.tensor([expected]))
