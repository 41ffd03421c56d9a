"""The methods: one paper's objective each."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
