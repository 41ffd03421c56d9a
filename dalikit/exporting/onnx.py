"""ONNX files, for any runtime: written by torch's exporter and run by onnxruntime, of the extra `export`."""

from pathlib import Path

import torch

from dalikit.exporting.formats import Exported, Format
from dalikit.exporting.parts import Part
from dalikit.exporting.tracing import BATCH, failed, trace

SUFFIX = ".onnx"


def save(part: Part, folder: Path) -> None:
    """Write the part as one file, weights and all, with its inputs and outputs by name; raises as `trace`.

    Raises:
        RunError: ONNX has no operator for something in it.
    """
    program = trace(part)
    inputs, outputs = ([port.name for port in ports] for ports in (part.inputs, part.outputs))
    try:
        found = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=({0: BATCH}, *({0: None} for _ in inputs[1:])),  # one axis, named once
        )
    except Exception as error:  # an operator of a plugin's network, most likely
        raise failed(part, "ONNX", error) from error
    assert found is not None  # as without `dynamo`
    for node in found.model.graph.all_nodes():
        node.metadata_props.clear()  # which name files of this machine
    found.save(folder / f"{part.name}{SUFFIX}", external_data=False)


def load(folder: Path, name: str) -> Exported:
    """The file in a folder as onnxruntime runs it, on the CPU."""
    import onnxruntime

    path = folder / f"{name}{SUFFIX}"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs, outputs = (
        [port.name for port in ports] for ports in (session.get_inputs(), session.get_outputs())
    )

    def run(*given: torch.Tensor) -> dict[str, torch.Tensor]:
        arrays = {name: tensor.numpy() for name, tensor in zip(inputs, given, strict=True)}
        return dict(zip(outputs, map(torch.from_numpy, session.run(outputs, arrays)), strict=True))

    return run


def call(part: Part) -> list[str]:
    """Lines of Python that run the part's file."""
    given = ", ".join(f'"{port.name}": {port.name}' for port in part.inputs)
    wanted = ", ".join(f'"{port.name}"' for port in part.outputs)
    found = ", ".join(port.name for port in part.outputs)
    return [
        f'{part.name} = onnxruntime.InferenceSession("{part.name}{SUFFIX}")',
        f"[{found}] = {part.name}.run([{wanted}], {{{given}}})",
    ]


ONNX = Format(
    "onnx",
    "ONNX files",
    SUFFIX,
    save,
    load,
    ("import onnxruntime",),
    call,
    ("onnx", "onnxscript", "onnxruntime"),
)
