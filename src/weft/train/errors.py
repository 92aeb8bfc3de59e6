"""What `fit` says when it is given something it cannot use."""

from weft.graph.errors import WeftError


class FitError(WeftError, ValueError):
    """Settings of a fit that do not go together."""


class DataError(WeftError, ValueError):
    """Data that a network cannot be fitted to."""


class DivergenceWarning(UserWarning):
    """The cost stopped being a finite number."""
