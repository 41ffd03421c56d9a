"""One call of torch-fidelity, which leaves no cache and no random state behind."""

from contextlib import nullcontext
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from dalikit.errors import UserError
from dalikit.evaluation.fidelity.extractor import Extractor
from dalikit.randomness import RandomState

Measure = Literal["isc", "fid", "kid", "prc"]

SEED = 2020
"""torch-fidelity's own default; of its shuffle before splitting, and of KID's subsets."""


def measure_images(
    samples: TorchDataset[Tensor],
    reference: TorchDataset[Tensor] | None,
    measures: tuple[Measure, ...],
    extractor: Extractor,
    device: torch.device,
    **settings: Any,
) -> dict[str, float]:
    """What torch-fidelity finds, by its own names; random states are left as they were."""
    from torch_fidelity import calculate_metrics

    place = torch.cuda.device(device) if device.type == "cuda" else nullcontext()
    with place, RandomState.seeded(0).swapped_in():  # its data loader draws from torch's generator
        try:
            found = calculate_metrics(
                input1=samples,
                input2=reference,
                **dict.fromkeys(measures, True),
                feature_extractor=extractor.name,
                **extractor.handed(),
                cuda=device.type == "cuda",
                cache=False,  # it would unpickle whatever lies there
                save_cpu_ram=True,  # no worker processes; the results are the same
                rng_seed=SEED,
                verbose=False,
                **settings,
            )
        except RuntimeError as error:
            if "loading state_dict" not in str(error):
                raise
            raise UserError(f"{extractor.source} holds other weights than '{extractor.name}' has") from None
    return {name: float(value) for name, value in found.items()}
