"""What a profile is: where the time of a step goes, beside the least it could be.

An engine measures; this is what it answers with. The invariant: `seconds` is the time
of a step as it runs when nobody looks, and it is the sum of the rows and of what lies
between them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

# What rows do, in the order in which they are told.
PRODUCT, LOOP, RANDOM, NUMPY, ROWS = (
    "products",
    "loops",
    "random numbers",
    "NumPy",
    "rows in and out",
)
_BETWEEN = "between kernels"


@final
@dataclass(frozen=True)
class Row:
    """One kernel of a step.

    Parameters
    ----------
    name : str
        What it does, as ``print(program)`` says it.
    kind : str
        ``products``, ``loops``, ``random numbers``, ``NumPy`` or ``rows in and out``.
    seconds : float
        Per step.
    flops, bytes : int
        What it computes, and what it reads and writes.
    limit : float
        The least seconds that this machine needs for so many; 0 where nobody knows.
    """

    name: str
    kind: str
    seconds: float
    flops: int
    bytes: int
    limit: float

    @property
    def share(self) -> float:
        """The share of the limit reached: 1 is as fast as the machine can."""
        return self.limit / self.seconds if self.seconds else 1.0


@final
@dataclass(frozen=True)
class Profile:
    """Where the time of a step goes.

    Parameters
    ----------
    rows : tuple of Row
        In the order in which they run.
    seconds : float
        Of a whole step.
    threads : int
        How many took part.
    sizes : mapping of str to int
        Of the symbolic dimensions.

    Examples
    --------
    >>> row = Row("loop (n,): exp", LOOP, 3e-6, 4096, 32768, 1.5e-6)
    >>> profile = Profile((row,), 4e-6, 1, {"n": 4096})
    >>> profile.share, round(profile.overhead * 1e6, 3)
    (0.375, 1.0)
    >>> print(profile)
    one step: 4 us, n = 4096, 1 thread
    the limit of its kernels: 1.5 us, 38 % of the time
    <BLANKLINE>
      us   of all   limit  share    flop       B  kernel
       3   75.0 %     1.5   50 %   4.1 k  32.8 k  loop (n,): exp
       1   25.0 %       -      -       -       -  between kernels
    <BLANKLINE>
    beyond the limit: 1.5 us in loops, 1 us between kernels
    """

    rows: tuple[Row, ...]
    seconds: float
    threads: int
    sizes: Mapping[str, int]

    @property
    def limit(self) -> float:
        """The least seconds of all rows, one after the other."""
        return sum(row.limit for row in self.rows)

    @property
    def share(self) -> float:
        """The share of the limit that the step as a whole reaches."""
        return self.limit / self.seconds if self.seconds else 1.0

    @property
    def overhead(self) -> float:
        """The seconds between kernels."""
        return max(self.seconds - sum(row.seconds for row in self.rows), 0.0)

    @property
    def beyond(self) -> dict[str, float]:
        """Where the rest went: seconds beyond the limit, the most first."""
        found: dict[str, float] = {}
        for row in self.rows:
            over = max(row.seconds - row.limit, 0.0)
            found[row.kind] = found.get(row.kind, 0.0) + over
        found[_BETWEEN] = self.overhead
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        return "\n".join([*self._head(), "", *self._table(), "", self._rest()])

    def _head(self) -> Iterator[str]:
        sizes = "".join(f", {name} = {size}" for name, size in self.sizes.items())
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        yield f"one step: {_micro(self.seconds)} us{sizes}, {threads}"
        share = f"{100 * self.share:.0f} % of the time"
        yield f"the limit of its kernels: {_micro(self.limit)} us, {share}"

    def _table(self) -> list[str]:
        lines = [("us", "of all", "limit", "share", "flop", "B", "kernel")]
        lines += [self._line(row) for row in self.rows]
        rest = (_micro(self.overhead), self._of_all(self.overhead))
        lines.append((*rest, "-", "-", "-", "-", _BETWEEN))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
        return [
            "  ".join(
                [
                    *(f"{c:>{w + 1}}" for c, w in zip(line, widths, strict=False)),
                    line[-1],
                ]
            )
            for line in lines
        ]

    def _line(self, row: Row) -> tuple[str, str, str, str, str, str, str]:
        known = row.limit > 0
        return (
            _micro(row.seconds),
            self._of_all(row.seconds),
            _micro(row.limit) if known else "-",
            f"{100 * row.share:.0f} %" if known else "-",
            count(row.flops) if row.flops else "-",
            count(row.bytes) if row.bytes else "-",
            row.name,
        )

    def _of_all(self, seconds: float) -> str:
        return f"{100 * seconds / self.seconds:.1f} %" if self.seconds else "-"

    def _rest(self) -> str:
        told = [
            f"{_micro(seconds)} us {where if where == _BETWEEN else f'in {where}'}"
            for where, seconds in self.beyond.items()
            if seconds > 0.005 * self.seconds
        ]
        return f"beyond the limit: {', '.join(told) or 'nothing'}"


def count(number: float) -> str:
    """Return a number of flops or bytes in three digits.

    Examples
    --------
    >>> count(81920), count(1.25e9), count(12)
    ('81.9 k', '1.25 G', '12')
    """
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {letter}"
    return f"{number:.0f}"


def _micro(seconds: float) -> str:
    """Return microseconds in three digits."""
    value = seconds * 1e6
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.3f}"
