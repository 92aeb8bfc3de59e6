"""A model from its file, and a table read the way the model needs it."""

from dataclasses import replace

from weft.apps.cli.errors import CommandError
from weft.apps.cli.request import Reading
from weft.estimators import TabularClassifier, TabularRegressor, load
from weft.tables import ClassTarget, Table, read_like

Tabular = TabularClassifier | TabularRegressor


def load_tabular(path: str) -> Tabular:
    """Read a model that was fitted to a table.

    Parameters
    ----------
    path : str

    Returns
    -------
    TabularClassifier or TabularRegressor

    Raises
    ------
    ModelFileError
        If there is no such model, or it cannot be read.
    CommandError
        If it was not fitted to a table.
    """
    estimator = load(path)
    if not isinstance(estimator, Tabular):
        raise CommandError(
            f"{path} holds {type(estimator).__name__}, which takes arrays and not "
            f"tables: use it from Python, weft.load({path!r})"
        )
    return estimator


def read_for(estimator: Tabular, source: str, reading: Reading) -> Table:
    """Read a table as the model's own table was read.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
    source : str
    reading : Reading

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If it cannot be read.
    """
    # the schema is told of the target, so that it knows tables with and without it
    schema = replace(estimator.schema_, target=estimator.target_.name)
    return read_like(source, schema, header=reading.header, columns=reading.columns)


def task_of(estimator: Tabular) -> str:
    """Return "classification" or "regression"."""
    known = isinstance(estimator.target_, ClassTarget)
    return "classification" if known else "regression"
