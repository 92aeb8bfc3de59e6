"""Tables that have a name and need no file.

`digits`, `iris`, `wine`, `breast_cancer` and `diabetes` lie on disk with scikit-learn
and need no network; `xor` is the four rows of the book. ``openml:NAME`` is fetched.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.tables.column import Block, Column, category_column, number_column
from weft.tables.errors import TableError
from weft.tables.table import Table

BUILT_IN = ("digits", "iris", "wine", "breast_cancer", "diabetes", "xor")
OPENML = "openml:"

# What the target of each set is; scikit-learn itself gives it no name.
_TARGETS = {
    "digits": "digit",
    "iris": "species",
    "wine": "cultivar",
    "breast_cancer": "diagnosis",
    "diabetes": "progression",
}


def built_in(name: str) -> Table:
    """Return a built-in table.

    Parameters
    ----------
    name : {"digits", "iris", "wine", "breast_cancer", "diabetes", "xor"}

    Returns
    -------
    Table
        With its `target` said.

    Examples
    --------
    >>> xor = built_in("xor")
    >>> xor.matrix(["x1", "x2"]).tolist(), xor.column("y").values.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    >>> built_in("iris").target
    'species'
    """
    if name == "xor":
        corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        answers = number_column("y", corners[:, 0] ^ corners[:, 1])
        return Table((Block(("x1", "x2"), corners), answers), name, target="y")
    from sklearn import datasets

    target = _TARGETS[name]
    match name:
        case "digits":
            bunch = datasets.load_digits()
            pixels = bunch.data.astype(np.uint8)  # whole numbers from 0 to 16
            names = tuple(f"pixel{index + 1}" for index in range(64))
            answers = number_column(target, bunch.target)
            return Table((Block(names, pixels, (8, 8)), answers), name, target=target)
        case "diabetes":
            bunch = datasets.load_diabetes(scaled=False)  # in the units of the clinic
            answers = number_column(target, bunch.target)
        case _:
            bunch = getattr(datasets, f"load_{name}")()
            levels = [str(level) for level in bunch.target_names]
            answers = category_column(target, bunch.target, levels)
    return Table(
        (*_columns(bunch.data, bunch.feature_names), answers), name, (), target
    )


def _columns(values: NDArray[Any], names: list[str]) -> list[Column]:
    return [number_column(str(n), values[:, i]) for i, n in enumerate(names)]


def from_openml(source: str) -> Table:
    """Fetch a table from OpenML by its name, for instance ``openml:adult``.

    Parameters
    ----------
    source : str
        ``openml:`` and the name, with a version behind ``@`` if one is meant; else
        the newest active version.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If there is no network, no such set, or no pandas to hold it.
    """
    from sklearn.datasets import fetch_openml

    name, _, version = source.removeprefix(OPENML).partition("@")
    if not name or (version and not version.isdigit()):
        raise TableError(f"{source!r} is no OpenML name: write openml:NAME[@VERSION]")
    try:
        with warnings.catch_warnings():
            # It warns of a cache of its own that is merely empty, and of trying again.
            warnings.simplefilter("ignore")
            bunch = fetch_openml(
                name,
                version=int(version) if version else "active",
                as_frame=True,
                n_retries=1,
            )
    except ImportError as error:
        raise TableError(f"{source} needs pandas: pip install pandas") from error
    except OSError as error:  # URLError, timeouts, no route
        raise TableError(
            f"{source} cannot be fetched: OpenML is not reached ({error}). "
            "Is there a network? A table on disk needs none"
        ) from error
    except ValueError as error:  # sklearn's OpenMLError, a set that is not there
        said = " ".join(str(error).split())
        raise TableError(f"{source} cannot be fetched: {said}") from error
    target = bunch.target_names[0] if len(bunch.target_names) == 1 else None
    table = Table.from_frame(bunch.frame, source)
    return Table(table.parts, source, table.notes, target)
