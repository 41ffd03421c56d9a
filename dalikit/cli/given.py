"""What commands that use a run are about: files of the user's, or data of the test part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dalikit.errors import UserError, shortened

if TYPE_CHECKING:
    from torch import Tensor

    from dalikit.data.inputs import Prepared
    from dalikit.model import RunModel

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILES]...",
        help="Pictures of any size, folders of them, or an .npy or .npz file.",
        show_default="the run's test part",
    ),
]
One = Annotated[str, typer.Argument(metavar="DATUM", help="A picture, or the index of a test datum.")]
ValueRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LOW HIGH", help="What the floats of an array lie between.", show_default="as trained"
    ),
]
Label = Annotated[
    str | None,
    typer.Option(help="A label by its name, for runs that read labels.", show_default="the data's own"),
]

MOST, LONGEST_WALK = 1_000_000, 10_000
"""The most data that a command draws, and on one way: they are held in memory."""

Number = Annotated[int, typer.Option("--n", min=1, max=MOST, help="How many.")]

Steps = Annotated[
    int | None,
    typer.Option(
        min=2, max=LONGEST_WALK, help="Data on the way, both ends too.", show_default="10, 60 in a film"
    ),
]

DIGITS = 15
"""Of an index that there could be; Python reads no numbers of thousands of them."""


@dataclass(frozen=True)
class Given:
    """What a command is about: data (N, *X), ready to be read, and their labels (N,) if the run reads any."""

    x: "Prepared"
    labels: "Tensor | None"

    def parts(self, model: "RunModel") -> Iterator["Given"]:
        """The same in batches, each with its x at hand."""
        from dalikit.data.inputs import Prepared
        from dalikit.evaluation.scoring import batch_size

        size = batch_size(model.spec.x_shape)
        for number, x in enumerate(self.x.parts(size)):
            span = slice(number * size, number * size + len(x))
            yield Given(Prepared(x), None if self.labels is None else self.labels[span])


def given(
    model: "RunModel",
    files: Sequence[Path] | None,
    n: int | None,
    label: str | None,
    value_range: tuple[float, float] | None,
) -> Given:
    """What the files hold, said in a line, or the first n test data; under `label` or their own."""
    from dalikit.data.inputs import Prepared

    if not files:
        if value_range is not None:
            raise UserError("--value-range is for floats of a file: test data are as they were trained on")
        batch = model.batch("test", n)
        x, own = Prepared(batch.x), batch.y if model.method.conditional else None
    else:
        if model.method.conditional and label is None:
            classes = ", ".join(model.spec.classes or ())
            raise UserError(f"This run reads labels: --label says which, of {classes}")
        x, own = model.inputs.prepare(list(files), value_range), None
        print(x.told)
    return Given(x, own if label is None else model.indices(label, len(x)))


def one(model: "RunModel", which: str, label: str | None, value_range: tuple[float, float] | None) -> Given:
    """What a file holds, or a test datum by its index.

    Raises:
        UserError: there is no such index, or the file holds more than one.
    """
    from dalikit.data.inputs import Prepared

    if not which.isdecimal():
        found = given(model, [Path(which)], None, label, value_range)
        if len(found.x) != 1:
            raise UserError(f"{which} holds {len(found.x)} data: one is needed here")
        return found
    index = int(which[-DIGITS:]) if which[:-DIGITS].strip("0") == "" else 10**DIGITS
    found = given(model, None, index + 1, label, value_range)
    if len(found.x) <= index:
        raise UserError(f"The test part has {len(found.x)} data: there is no index {shortened(which)}")
    return Given(Prepared(found.x.whole()[-1:]), None if found.labels is None else found.labels[-1:])
