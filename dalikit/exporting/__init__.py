"""A trained run out of dalikit: as ONNX, as a program of torch.export, as safetensors.

What is written is run and held against the model before it takes its place.
"""

from dalikit.exporting.safetensors import rebuild
from dalikit.exporting.writing import FORMATS, export

__all__ = ["FORMATS", "export", "rebuild"]
