"""A model for others: its files, its card, and the way to a hub."""

from .card import Facts, card
from .folder import prepare
from .upload import to_hub, to_zenodo

__all__ = ["Facts", "card", "prepare", "to_hub", "to_zenodo"]
