"""Callbacks: who is told of a fit while it goes on."""

from weft.train.callbacks.base import Beginning, Callback
from weft.train.callbacks.progress import ProgressBar

__all__ = ["Beginning", "Callback", "ProgressBar"]
