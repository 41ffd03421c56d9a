"""What a discriminator's sight is augmented by."""

from dalikit.components import lazily

__getattr__ = lazily(__name__, __path__)
