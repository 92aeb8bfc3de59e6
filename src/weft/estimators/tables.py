"""What people pass as a table or a target, as `Table` and `Column`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.graph.errors import WeftError
from weft.tables import Column, Table, TableError


def as_table(X: Any) -> Table:
    """Return `X` as a table.

    Parameters
    ----------
    X : Table, pandas, polars or Arrow table, dict of columns, or 2-D array

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If it is none of these.

    Examples
    --------
    >>> as_table({"age": [39, 50]}).names
    ('age',)
    """
    return X if isinstance(X, Table) else Table.from_frame(X)


def as_column(y: Any, name: str = "") -> Column:
    """Return `y` as a column.

    Parameters
    ----------
    y : Column or array-like, shape (rows,)
    name : str
        What to call it; its own name, or "y", by default.

    Returns
    -------
    Column

    Raises
    ------
    TableError
        If it is not one value per row.

    Examples
    --------
    >>> as_column(["a", "b"]).name
    'y'
    """
    if isinstance(y, Column):
        return y
    own = getattr(y, "name", None)
    called = name or (own if isinstance(own, str) and own else "y")
    shape = np.shape(y)
    if len(shape) == 2 and shape[1] == 1:
        raise TableError(
            f"the target has shape {shape}: give one value per row, for instance "
            "y[:, 0]"
        )
    if len(shape) != 1:
        raise TableError(f"the target has shape {shape}: give one value per row")
    return Column.of(y, called)


def row_weights(sample_weight: Any, rows: int) -> NDArray[np.float64] | None:
    """Return sample weights as an array of one number per row, or None.

    Raises
    ------
    WeightError
        If there is not one nonnegative finite number per row.
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (rows,) or not (np.isfinite(weight) & (weight >= 0)).all():
        raise WeightError(
            f"sample_weight has shape {weight.shape}: give one finite number of at "
            f"least 0 for each of the {rows} rows"
        )
    return weight


class WeightError(WeftError, ValueError):
    """Sample weights that are not one nonnegative number per row."""
