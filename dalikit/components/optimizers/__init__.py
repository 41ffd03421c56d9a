"""The optimizers: torch's own, with the settings that are not the trainer's."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
