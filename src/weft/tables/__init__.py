"""Raw tables: read, understood, and turned into numbers.

NumPy in, NumPy out: this floor knows nothing of graphs. A file becomes a `Table`; a
`Schema`, fitted to the rows one learns from, turns any later table into float32 numbers
the same way; a target becomes codes or standardised numbers, and can be turned back.

>>> table = read("iris")
>>> inputs, target = separate(table, "species")
>>> infer_task(target).kind
'classification'
>>> codes = ClassTarget.fit(target).encode(target)
>>> train, held = split(table.rows, fraction=0.2, codes=codes)
>>> schema = Schema.fit(inputs.take(train))
>>> schema.encode(inputs.take(held)).shape[0]
30
"""

from weft.tables.builtin import BUILT_IN
from weft.tables.column import Block, Column, Kind, Label
from weft.tables.encoding import Encoding, check_finite
from weft.tables.errors import TableError
from weft.tables.read import read, read_like
from weft.tables.schema import ColumnSummary, Encoded, Schema
from weft.tables.split import Split, split
from weft.tables.table import Table
from weft.tables.target import (
    ClassTarget,
    RealTarget,
    Task,
    infer_task,
    separate,
    target_from_json,
)

__all__ = [
    "BUILT_IN",
    "Block",
    "ClassTarget",
    "Column",
    "ColumnSummary",
    "Encoded",
    "Encoding",
    "Kind",
    "Label",
    "RealTarget",
    "Schema",
    "Split",
    "Table",
    "TableError",
    "Task",
    "check_finite",
    "infer_task",
    "read",
    "read_like",
    "separate",
    "split",
    "target_from_json",
]
