"""The digits and their split."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from dalikit.components.datasets.digits import Digits


def images(part):
    return Digits().split(part).data


def test_the_split_is_fixed_stratified_and_complete():
    source = load_digits()
    label_of = {
        np.rint(i * 255 / 16).astype(np.uint8).tobytes(): y
        for i, y in zip(source.images, source.target, strict=True)
    }
    parts = {part: images(part) for part in ("train", "validation", "test")}
    assert {part: len(x) for part, x in parts.items()} == {"train": 1293, "validation": 144, "test": 360}
    every = [image.numpy().tobytes() for x in parts.values() for image in x]
    originals = [np.rint(i * 255 / 16).astype(np.uint8).tobytes() for i in source.images]
    assert sorted(every) == sorted(originals)
    for x in parts.values():
        counts = np.bincount([label_of[image.numpy().tobytes()] for image in x], minlength=10)
        share = counts / len(x)
        assert abs(share - np.bincount(source.target) / 1797).max() < 0.01
    assert torch.equal(parts["test"], images("test"))


def test_pixels_fill_the_range():
    dataset = Digits()
    x = dataset.scale(images("train"))
    assert x.shape[1:] == dataset.spec.x_shape
    assert (x.min(), x.max()) == (-1, 1)
    # 17 grey levels stay apart
    assert len(x.unique()) == 17
