"""Which data sets are known by their content, so that it need not be believed that a file holds them."""

from collections.abc import Mapping

from dalikit.interfaces import Part, Stamp

OFFICIAL: Mapping[str, Mapping[Part, str]] = {
    "mnist": {
        "train": "43e7fd2559e6724318df2a0df5ae7d86b522227f9cae68fdef23399e7d42b80b",
        "validation": "6f4fc9cbd8552ad157237218e3225710b514c2cbdacabf26f61c7d303e9966ac",
        "test": "53d8a52d8be67c4488da39bec2b5eec233ee5a90c296d18fb3303cd2e8f32bf5",
    }
}
"""SHA-256 of each part's stamp. MNIST's are of the four original files, whose MD5 torchvision knows."""


def is_official(name: str, stamps: Mapping[Part, Stamp]) -> bool | None:
    """Whether data with these stamps are the whole data set of a name; None where its content is unknown."""
    known = OFFICIAL.get(name)
    return None if known is None else {part: stamp.sha256 for part, stamp in stamps.items()} == known
