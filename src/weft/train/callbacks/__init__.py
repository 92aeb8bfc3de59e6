"""Callbacks: who is told of a fit while it goes on."""

from weft.train.callbacks.base import Beginning, Callback
from weft.train.callbacks.progress import ProgressBar, live_bar

__all__ = ["Beginning", "Callback", "ProgressBar", "live_bar"]
