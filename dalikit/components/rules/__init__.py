"""The rules by which settings are made that nobody gave."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
