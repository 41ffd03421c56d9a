"""A run for others: what of it goes to the Hub, and the card that tells of it."""

from dalikit.publishing.files import files_of
from dalikit.publishing.push import push

__all__ = ["files_of", "push"]
