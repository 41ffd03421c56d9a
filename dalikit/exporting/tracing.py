"""A part as a graph of operations, by `torch.export`: what ONNX and .pt2 files are made from."""

import copy

import torch
from torch import nn
from torch.export import Dim, ExportedProgram
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from dalikit.errors import RunError, shortened
from dalikit.exporting.parts import Part, examples

BATCH = "batch"
"""What the first axis of every input and output is called; it is of any size."""

TRACED = 3
"""Data that a part is traced with; torch takes a batch of one for a constant."""


def trace(part: Part) -> ExportedProgram:
    """The part's graph, for batches of any size, with its weights and without a path of this machine.

    Raises:
        RunError: torch cannot trace it; the message has torch's reason.
    """
    batch, given = Dim(BATCH, min=1), examples(part, TRACED)
    try:
        with torch.no_grad():
            shapes = tuple({0: batch} for _ in given)
            program = torch.export.export(_plain(part), given, dynamic_shapes=shapes, strict=False)
    except Exception as error:  # whatever a plugin's network does that a graph cannot hold
        raise failed(part, "torch.export", error) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names files of this machine
    return program


def _plain(part: Part) -> Part:
    """The part with spectral norm and the like done to its weights once, in place of at every call."""
    own = copy.deepcopy(part)
    for module in list(own.modules()):
        if is_parametrized(module) and next(module.parameters(), None) is not None:  # others have no weights
            names = list(module.parametrizations)  # type: ignore[arg-type]
            weights = {name: getattr(module, name) for name in names}
            # Torch's own way out of a parametrization would change the class that the part's modules share.
            module.__class__ = type_before_parametrizations(module)
            del module.parametrizations
            for name, weight in weights.items():
                module.register_parameter(name, nn.Parameter(weight, requires_grad=False))
    return own


def failed(part: Part, by: str, error: Exception) -> RunError:
    """What is raised where a part cannot be exported."""
    reason = shortened(f"{type(error).__name__}: {error}")
    # Torch's own hint stands in the middle of a page.
    hint = "; len(x) fixes the batch, where x.shape[0] does not" if "specialized" in str(error) else ""
    return RunError(
        f"Part '{part.name}' of method '{part.method.name}' cannot be exported by {by}: {reason}{hint}"
    )
