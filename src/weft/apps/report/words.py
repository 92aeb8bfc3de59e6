"""How a report says things: numbers, names, figures of merit, columns, commands.

One idea: a number is given with the digits that mean something, its uncertainty beside
it, and a word on what it is.

All functions return plain text. Escaping it for HTML is the business of the template's
engine, and of nobody else.
"""

import math
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from weft.apps.report.findings import Column, Findings
from weft.apps.report.metric import Metric

SPACE = "\N{NO-BREAK SPACE}"


def number(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits.

    Examples
    --------
    >>> number(51234.5), number(0.04567), number(-2), number(3.2e-9)
    ('51,200', '0.0457', '−2.00', '3.20e−09')
    """
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if -4 <= magnitude < 15:
        places = digits - 1 - magnitude
        text = f"{round(value, places):,.{max(0, places)}f}"
    else:
        text = f"{value:.{digits - 1}e}"
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float, short: bool = False) -> str:
    r"""A share in percent: one decimal, more where it would round to 0 or 100.

    Examples
    --------
    >>> percent(0.9778), percent(0.99996), percent(1), percent(0.1, short=True)
    ('97.8\xa0%', '99.996\xa0%', '100.0\xa0%', '10\xa0%')
    """
    text = f"{100 * share:.1f}"
    gap = min(abs(share), abs(1 - share))
    if 0 < gap < 0.0005:
        text = f"{100 * share:.{max(1, -math.floor(math.log10(100 * gap)))}f}"
    if short:
        text = text.removesuffix(".0")
    return text.replace("-", "\N{MINUS SIGN}") + SPACE + "%"


def count(rows: int, noun: str = "row") -> str:
    """A count with its noun.

    Examples
    --------
    >>> count(1), count(20640), count(2, "class")
    ('1 row', '20,640 rows', '2 classes')
    """
    ending = "" if rows == 1 else "es" if noun.endswith("s") else "s"
    return f"{rows:,} {noun}{ending}"


def plain(text: object, width: int | None = None) -> str:
    r"""Someone else's text, fit to be shown on one line.

    Whatever is not printable (control characters, halves of surrogate pairs, marks that
    turn the direction of writing) becomes a space or U+FFFD; longer text than `width`
    loses its middle.

    Examples
    --------
    >>> plain("two\nlines"), plain("a very long name of a class", width=12)
    ('two lines', 'a very…lass')
    """
    shown = "".join(_printable(character) for character in str(text))
    if width is None or len(shown) <= width:
        return shown
    end = (width - 1) // 3 + 1
    return shown[: width - 1 - end].rstrip() + "…" + shown[-end:].lstrip()


def _printable(character: str) -> str:
    if character == SPACE:
        return character
    if character.isspace():
        return " "
    # Cf would hide or reorder what follows; joiners are part of some scripts and emoji
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Cn", "Co"}:
        return "\N{REPLACEMENT CHARACTER}"
    if category == "Cf" and character not in "\N{ZERO WIDTH JOINER}\u200c":
        return ""
    return character


def quoted(name: object) -> str:
    """A name within a sentence."""
    return f"‘{plain(name, 60)}’"


def listed(names: Sequence[str], limit: int = 5) -> str:
    """Names as a list within a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"]), listed(list("abcdefg"))
    ('a', 'a, b and c', 'a, b, c, d, e and 2 more')
    """
    shown = list(names[:limit])
    if len(names) > limit:
        shown.append(f"{len(names) - limit} more")
    if len(shown) == 1:
        return shown[0]
    return ", ".join(shown[:-1]) + " and " + shown[-1]


@final
@dataclass(frozen=True)
class Meaning:
    """How a figure of merit is called and shown.

    Parameters
    ----------
    label : str
    form : str
        "share" (shown in percent), "plain" or "target" (in the target's unit).
    better : str
        "higher", "lower", or "" where neither end is good.
    text : str
        What it is, in words; {0} and {1} stand for the names of two classes.
    """

    label: str
    form: str
    better: str
    text: str


MEANINGS = {
    "accuracy": Meaning(
        "Accuracy", "share", "higher", "Share of the rows that were answered correctly."
    ),
    "balanced_accuracy": Meaning(
        "Balanced accuracy",
        "share",
        "higher",
        "Mean recall of the classes: a rare class counts as much as a common one.",
    ),
    "f1": Meaning(
        "F1 score (macro)",
        "plain",
        "higher",
        "Mean over the classes of the harmonic mean of precision and recall; "
        "1 is best.",
    ),
    "auc": Meaning(
        "Area under the ROC curve",
        "plain",
        "higher",
        "How often a row of {1} is given a higher probability of it than a row of {0}; "
        "0.5 is guessing, 1 is best.",
    ),
    "nll": Meaning(
        "Negative log-likelihood",
        "plain",
        "lower",
        "Mean cost of what was said to be likely, in nats; being sure and wrong "
        "costs most.",
    ),
    "calibration_error": Meaning(
        "Calibration error",
        "share",
        "lower",
        "How far probabilities lie from frequencies, on average.",
    ),
    "rmse": Meaning(
        "Root mean squared error",
        "target",
        "lower",
        "Typical size of the errors; large ones weigh most.",
    ),
    "mae": Meaning(
        "Mean absolute error", "target", "lower", "What predictions miss by on average."
    ),
    "r2": Meaning(
        "Variance explained (R²)",
        "share",
        "higher",
        "How much less the errors vary than the target itself.",
    ),
    "coverage": Meaning(
        "Coverage of the intervals",
        "share",
        "",
        "How often the truth lay in the interval given beside a prediction.",
    ),
}


def meaning(metric: Metric) -> Meaning:
    """How `metric` is called and shown."""
    return MEANINGS[metric.name]


def shown(value: float, form: str, unit: str = "") -> str:
    """A value of a figure of merit, its unit behind it."""
    if form == "share":
        return percent(value)
    text = number(value)
    return f"{text}{SPACE}{plain(unit)}" if form == "target" and unit else text


def interval(metric: Metric) -> str:
    r"""A metric's 95 % interval, or "" if it is not known.

    Examples
    --------
    >>> interval(Metric("accuracy", 0.978, 0.957, 0.989))
    '95.7–98.9\xa0%'
    """
    if metric.low is None or metric.high is None:
        return ""
    if meaning(metric).form != "share":
        return f"{number(metric.low)}–{number(metric.high)}"
    # two ends of one scale: the sign of percent stands once
    low = percent(metric.low).removesuffix(SPACE + "%")
    return f"{low}–{percent(metric.high)}"


def beside(metric: Metric, unit: str = "") -> str:
    """What a metric is held against, or "" if there is nothing."""
    if metric.baseline is None:
        return ""
    value = shown(metric.baseline, meaning(metric).form, unit)
    if metric.name == "coverage":
        return f"{value} promised"
    if metric.name == "calibration_error":
        return f"{value} by chance"
    return value


@final
@dataclass(frozen=True)
class ColumnGroup:
    """Columns that were treated alike.

    Parameters
    ----------
    names : tuple of str
    kind, treatment, note : str
    missing : int
        Missing values in all of them.
    levels : str
        "12", "3–40" or "".
    used : bool
    """

    names: tuple[str, ...]
    kind: str
    treatment: str
    note: str
    missing: int
    levels: str
    used: bool


def column_groups(columns: Sequence[Column], most: int = 40) -> tuple[ColumnGroup, ...]:
    """One group per column; if there are more than `most`, one per way of treatment.

    Examples
    --------
    >>> pixels = [Column(f"pixel_{i}", "number", "standardised") for i in range(64)]
    >>> [group] = column_groups(pixels)
    >>> len(group.names)
    64
    """
    groups: dict[tuple[object, ...], list[Column]] = {}
    for place, column in enumerate(columns):
        alike = (column.kind, column.treatment, column.note, column.used)
        key = alike if len(columns) > most else (place,)
        groups.setdefault(key, []).append(column)
    return tuple(_group(members) for members in groups.values())


def _group(members: Sequence[Column]) -> ColumnGroup:
    first = members[0]
    levels = sorted({c.levels for c in members if c.levels is not None})
    return ColumnGroup(
        tuple(column.name for column in members),
        first.kind,
        first.treatment,
        first.note,
        sum(column.missing for column in members),
        "–".join(f"{n:,}" for n in dict.fromkeys([*levels[:1], *levels[-1:]])),
        first.used,
    )


def commands(findings: Findings) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """How to use the model file: what each use is for, and its lines.

    Empty if the model was not written.
    """
    if not findings.model_file:
        return ()
    model = shlex.quote(findings.model_file)
    truth = "its prediction" if findings.task == "regression" else "its class"
    return (
        (
            f"Predict {quoted(findings.target)} for new rows; the table needs the same "
            f"columns, and each row gets {truth}:",
            (f"weft predict {model} new-rows.csv -o predictions.csv",),
        ),
        (
            f"Measure the model on other rows for which {quoted(findings.target)} is "
            "known:",
            (f"weft evaluate {model} other-rows.csv",),
        ),
        ("See what the file holds:", (f"weft describe {model}",)),
        (
            "Use it from Python, for a pandas, polars or Arrow table:",
            (
                "import weft",
                f"model = weft.load({findings.model_file!r})",
                "model.predict(table)",
            ),
        ),
    )
