"""README.md of an export: what the files are, what goes in and comes out, and code that calls them."""

from collections.abc import Iterator, Mapping, Sequence

from dalikit.exporting.formats import Format
from dalikit.exporting.parts import Part, PartName, Port
from dalikit.exporting.snippets import after, before, imports, prepare
from dalikit.model import RunModel

LISTED = 20
"""Labels that are named."""


def readme(model: RunModel, format: Format, parts: Sequence[Part], off: Mapping[PartName, float]) -> str:
    """The text. Its blocks of Python run one after another, in the folder.

    Args:
        model: what was exported.
        format: of the files.
        parts: those that were written.
        off: how far each one's outputs are from the model's.
    """
    config, weights = model.config, f"{model.weights} averaged weights, of step {model.step:,}"
    lines = [
        f"# {config.method.name} on {config.dataset.name}, as {format.title}",
        "",
        f"Exported by dalikit from the run {model.run.identity}: its {weights}. Each file was run on batches "
        "of 1 and of 5 and held against the model. The first axis of everything, the batch, is of any size. "
        "`export.json` says all of this for programs.",
        "",
        "| file | takes | gives | differs by |",
        "|---|---|---|---|",
        *(_row(part, format, off[part.name]) for part in parts),
        "",
        "## What goes in and comes out",
        "",
        *_ports(parts),
        *_values(model),
        "",
        "## How to call it",
        "",
        *_code(model, format, parts),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _code(model: RunModel, format: Format, parts: Sequence[Part]) -> list[str]:
    """Blocks of code: imports, what makes data ready, and for each part a call."""
    text: list[str] = []
    if any(part.inputs[0].name == "x" for part in parts):
        text += _block([*prepare(model.inputs)])
    for part in parts:
        code = [*before(part, model.inputs), *format.call(part), *after(part, model.inputs)]
        text += [f"### {part.name}{format.suffix}", "", *_block(code)]
    return [*_block([*imports("\n".join(text), format.imports)]), *text]


def _row(part: Part, format: Format, off: float) -> str:
    ports = [", ".join(f"`{port.name}`" for port in each) for each in (part.inputs, part.outputs)]
    return f"| `{part.name}{format.suffix}` | {ports[0]} | {ports[1]} | {off:.2g} |"


def _ports(parts: Sequence[Part]) -> Iterator[str]:
    """Each input and output once."""
    yield from ("| name | shape | type | what |", "|---|---|---|---|")
    ports = {port.name: port for part in parts for port in (*part.outputs, *part.inputs)}
    yield from (
        f"| `{port.name}` | ({_shape(port)}) | {port.dtype} | {_cell(port.means)} |"
        for port in ports.values()
    )


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _shape(port: Port) -> str:
    return ", ".join(map(str, ("B", *port.shape))) if port.shape else "B,"


def _values(model: RunModel) -> Iterator[str]:
    """What the numbers of data and labels stand for."""
    data = model.run.facts.data
    if data.value_range is not None:
        low, high = data.value_range
        shades = f": black at {low:g}, white at {high:g}" if model.inputs.pictures else ""
        yield from ("", f"`x` and `reconstruction` lie in [{low:g}, {high:g}]{shades}.")
    elif data.standardization is not None:
        yield from (
            "",
            "Data are standardized: x = (v - mean) / divisor, column by column, by `data.standardization` "
            "of `export.json`.",
        )
    if data.float_range is not None:
        yield from (
            "",
            f"Training read floats from {data.float_range[0]:g} to {data.float_range[1]:g}, which stand "
            "for these ends.",
        )
    if model.method.conditional:
        classes = data.classes or ()
        named = ", ".join(f"{index} is '{name}'" for index, name in enumerate(classes[:LISTED]))
        more = ", … (all in `export.json`)" if len(classes) > LISTED else ""
        yield from ("", f"Labels: {named}{more}.")


def _block(code: Sequence[str]) -> list[str]:
    return ["```python", *code, "```", ""]
