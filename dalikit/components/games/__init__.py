"""The adversarial games."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
