"""Predictions as named columns, and as the bytes of a CSV or Parquet file."""

import csv
import io
from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

from weft.tables import ClassTarget, Table

Columns: TypeAlias = dict[str, NDArray[Any]]

SUFFIXES = (".csv", ".parquet")


def predictions(estimator: Any, table: Table, coverage: float = 0.9) -> Columns:
    """Return what a model predicts for the rows of a table.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
    table : Table
    coverage : float
        How often the interval of a regression is to hold the truth, in (0, 1).

    Returns
    -------
    dict of str to ndarray, shape (rows,)
        ``prediction``, and either a ``probability_...`` per class or the ends of the
        interval, such as ``low_90`` and ``high_90``.

    Raises
    ------
    TableError
        If the table lacks a column, or a column is of another kind than it was.

    Examples
    --------
    >>> import weft
    >>> model = weft.TabularClassifier(hidden=(), epochs=2)
    >>> model = model.fit({"x": range(40)}, ["a", "b"] * 20)
    >>> list(predictions(model, Table.from_frame({"x": [1, 2]})))
    ['prediction', 'probability_a', 'probability_b']
    """
    target = estimator.target_
    if isinstance(target, ClassTarget):
        found = estimator.predict_proba(table)
        columns: Columns = {"prediction": target.decode(found.argmax(axis=1))}
        for label, probability in zip(target.labels, found.T, strict=True):
            columns[f"probability_{label}"] = probability
        return columns
    answer = estimator.predict_dist(table)
    low, high = answer.interval(coverage)
    share = f"{100 * coverage:g}"
    return {
        "prediction": answer.mean(),
        f"low_{share}": low,
        f"high_{share}": high,
    }


def as_csv(columns: Mapping[str, NDArray[Any]]) -> bytes:
    r"""Return columns as the text of a CSV file: UTF-8, commas, every digit.

    Examples
    --------
    >>> import numpy as np
    >>> as_csv({"prediction": np.array(["a", "b, c"]), "p": np.array([0.5, 1e-9])})
    b'prediction,p\na,0.5\n"b, c",1e-09\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(c.tolist() for c in columns.values()), strict=True))
    return text.getvalue().encode()


def as_parquet(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Return columns as the bytes of a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), file)
    return file.getvalue()
