"""The callbacks."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
