"""The control block of a run: words that Python and native code tell each other by."""

from enum import IntEnum
from typing import final


@final
class Cell(IntEnum):
    """The words of a control block. What is written often has a cache line of its own.

    ``EXPECTED`` (tiles that workers had done when an entry was opened), ``PENALTY``
    (for how much longer than it was kept waiting the leader goes on alone), ``STOP``
    (asked for), ``ERROR`` (a position was outside), ``PROGRESS`` (steps taken),
    ``QUIT`` (workers go home), ``STEP`` and ``ROW`` (of the present step), ``SLEEP``
    (address of a function that lets a thread sleep for some microseconds). From
    ``FULL`` on, what a run is asked for: the tables of a step and of a smaller last
    one, how many entries they have and which is the first that commits, how many steps,
    whether the last is a smaller one, rows per step, whether there are workers, and
    where to note how long each entry takes (0 for nowhere). ``ALONE`` is until when, by
    the clock of ticks, the leader takes no help.
    """

    EXPECTED = 0
    PENALTY = 1
    STEP = 17
    ROW = 18
    SLEEP = 19
    STOP = 24
    ERROR = 25
    QUIT = 26
    PROGRESS = 32
    FULL = 40
    LAST = 41
    ENTRIES = 42
    COMMIT_AT = 43
    STEPS = 44
    HAS_LAST = 45
    BATCH = 46
    WORKERS = 47
    TICKS = 48
    LAST_ENTRIES = 49
    LAST_COMMIT_AT = 50
    ALONE = 51


# How many threads can share a run, where their tickets begin, and the words of each.
PARTIES = 64
TICKETS = 56
PARTY = 16
CELLS = TICKETS + PARTY * PARTIES
