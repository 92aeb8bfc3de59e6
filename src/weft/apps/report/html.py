"""The report as one HTML file that stands alone: no script, nothing loaded.

One idea: what is said is put together here as plain text, where it stands is the
business of ``templates/report.html``. The engine escapes every expression; only the
drawings, which are made here and hold no one else's markup, go in as they are.

The invariant: whatever a column, a class or a file is called, it is shown as text; and
the same findings give the same bytes.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.apps.report import classes, measures, numbers
from weft.apps.report.files import write_whole
from weft.apps.report.findings import Findings, Model
from weft.apps.report.metric import Metric
from weft.apps.report.outcome import Classification, Regression
from weft.apps.report.pictures import figure_of, panels
from weft.apps.report.style import styled
from weft.apps.report.svg import inline
from weft.apps.report.verdict import caveats, verdict
from weft.apps.report.words import (
    ColumnGroup,
    beside,
    column_groups,
    commands,
    count,
    interval,
    meaning,
    number,
    percent,
    plain,
    quoted,
    shown,
)

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE = 6.0  # inches: a picture from here on gets a line of its own
UNKNOWN = "–"
_AT_ONCE = {"warning", "interrupted"}  # notes that are shown before anything else
_OF_TABLE = {"dropped", "imputed"}


def render(findings: Findings) -> str:
    """The report of a fit, as the text of an HTML file.

    Parameters
    ----------
    findings : Findings

    Returns
    -------
    str
        Equal for equal findings.
    """
    template = _environment().get_template("report.html")
    return template.render(_context(findings)) + "\n"


def write(
    findings: Findings, path: str | os.PathLike[str], force: bool = False
) -> Path:
    """Write the report of a fit to `path`: all of it, or nothing.

    Parameters
    ----------
    findings : Findings
    path : path
    force : bool
        Whether a file that is there already may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    ReportError
        If `path` exists and must stay, or is a folder.
    OSError
        If it cannot be written.
    """
    return write_whole(path, render(findings).encode("utf-8"), force)


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def text(value: object) -> object:
        return value if isinstance(value, Markup | StrictUndefined) else plain(value)

    return Environment(
        loader=PackageLoader("weft.apps.report"),
        autoescape=True,
        finalize=text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _context(findings: Findings) -> dict[str, Any]:
    """Everything that the template names."""
    from markupsafe import Markup

    found = measures.metrics(findings.outcome)
    model = findings.model
    context: dict[str, Any] = {
        "findings": findings,
        "verdict": verdict(findings),
        "gauge": _gauge(found[0], findings.unit) if found else [],
        "alerts": [note for note in findings.notes if note.kind in _AT_ONCE],
        "facts": _facts(findings),
        "metrics": [_metric(metric, findings) for metric in found],
        "held_out": count(findings.rows.held_out),
        "without_looking": _without_looking(findings),
        "pictures": _pictures(findings),
        "class_scores": [],
        "ranges": [],
        "columns": [_column(group) for group in column_groups(findings.columns)],
        "with_levels": any(c.levels is not None for c in findings.columns),
        "with_remarks": any(c.note for c in findings.columns),
        "columns_said": _columns_said(findings),
        "table_notes": [note for note in findings.notes if note.kind in _OF_TABLE],
        "training": _training(findings),
        "model": model,
        "layers": [] if model is None else _layers(model),
        "parameters": "" if model is None else f"{model.parameters:,}",
        "settings": [] if model is None else _settings(model),
        "version": "" if model is None else model.versions.get("weft", ""),
        "commands": commands(findings),
        "newline": Markup("\n"),
        "caveats": caveats(findings),
    }
    if findings.outcome.rows and isinstance(findings.outcome, Classification):
        context |= _on_classes(findings.outcome)
    elif findings.outcome.rows and isinstance(findings.outcome, Regression):
        context |= _on_numbers(findings.outcome, findings.unit)
    context["contents"] = _contents(context)
    return context


def _contents(context: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that there are: each one's id and its name."""
    places = [
        ("figures", "Key figures", True),
        ("pictures", "Pictures", context["pictures"]),
        ("learnt", "Classes", context["class_scores"]),
        ("learnt", "Errors", context["ranges"]),
        ("columns", "Columns", context["columns"] or context["table_notes"]),
        ("model", "Model", context["model"] or context["training"]),
        ("use", "How to use it", context["commands"]),
        ("caveats", "What to keep in mind", True),
    ]
    return [(place, name) for place, name, there in places if there]


# --- figures -------------------------------------------------------------------------


def _gauge(chief: Metric, unit: str) -> list[dict[str, Any]]:
    """The chief figure and its baseline as bars of one scale."""
    form = meaning(chief).form
    known = [chief.value, chief.high or 0.0, chief.baseline or 0.0]
    full = 1.0 if form == "share" else max(known) or 1.0
    bars: list[dict[str, Any]] = [
        {
            "label": f"weft: {meaning(chief).label.lower()}",
            "value": shown(chief.value, form, unit),
            "width": _width(chief.value / full),
            "role": "first",
            "ends": None,
        }
    ]
    if chief.low is not None and chief.high is not None:
        ends = (_width(chief.low / full), _width(1 - chief.high / full))
        bars[0]["ends"] = ends
    if chief.baseline is not None:
        bars.append(
            {
                "label": "without looking",
                "value": shown(chief.baseline, form, unit),
                "width": _width(chief.baseline / full),
                "role": "muted",
                "ends": None,
            }
        )
    return bars


def _width(share: float) -> str:
    """A share as a length in CSS."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def _facts(findings: Findings) -> list[tuple[str, str]]:
    rows, model, history = findings.rows, findings.model, findings.history
    facts = [
        ("Rows fitted to", f"{rows.train:,}"),
        ("Rows of validation", f"{rows.validation:,}"),
        ("Rows held out", f"{rows.held_out:,}"),
    ]
    if model is not None:
        facts.append(("Parameters", f"{model.parameters:,}"))
    if history is not None:
        facts.append(("Epochs", f"{len(history.epoch):,}"))
    if model is not None and model.seconds is not None:
        facts.append(("Time to fit", duration(model.seconds)))
    return facts


def duration(seconds: float) -> str:
    """A time as a person would say it.

    Examples
    --------
    >>> duration(0.42), duration(75), duration(7380)
    ('0.42 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 59.5:
        return f"{number(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _metric(metric: Metric, findings: Findings) -> dict[str, str]:
    said = meaning(metric)
    outcome = findings.outcome
    names = outcome.classes if isinstance(outcome, Classification) else ()
    return {
        "label": said.label,
        "text": said.text.format(*map(quoted, names)),
        "value": shown(metric.value, said.form, findings.unit),
        "interval": interval(metric),
        "beside": beside(metric, findings.unit),
    }


def _without_looking(findings: Findings) -> str:
    if findings.task == "regression":
        return "it always gives the mean of the training rows"
    return (
        "it always gives the commonest class of the training rows, and the classes' "
        "frequencies there as probabilities"
    )


def _pictures(findings: Findings) -> list[dict[str, Any]]:
    from markupsafe import Markup

    drawn = []
    every = panels(findings)
    narrow = [panel for panel in every if panel.size[0] < WIDE]
    wide = [panel for panel in every if panel.size[0] >= WIDE]
    with styled(svg_text="none"):
        # two narrow ones stand side by side; one that is left over, beside its words
        for place, panel in enumerate([*narrow, *wide]):
            alone = place == len(narrow) - 1 and len(narrow) % 2 == 1
            svg = inline(figure_of(panel), panel.name, panel.title, panel.description)
            drawn.append(
                {
                    "name": panel.name,
                    "title": panel.title,
                    "caption": panel.caption,
                    "role": "wide" if panel in wide else "alone" if alone else "",
                    # made by us from shapes and escaped text
                    "svg": Markup(svg),
                }
            )
    return drawn


# --- what was learnt -----------------------------------------------------------------


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else percent(share)


def _on_classes(outcome: Classification) -> dict[str, Any]:
    scores = [
        {
            "name": score.name,
            "support": f"{score.support:,}",
            "recall": _percent(score.recall),
            "width": None if score.recall is None else _width(score.recall),
            "interval": interval(Metric("accuracy", 0.0, score.low, score.high))
            or UNKNOWN,
            "precision": _percent(score.precision),
            "f1": UNKNOWN if score.f1 is None else f"{score.f1:.3f}",
        }
        for score in classes.class_scores(outcome)
    ]
    mistakes = [
        {
            "true": mistake.true,
            "answered": mistake.answered,
            "rows": count(mistake.rows),
            "share": percent(mistake.share, short=True),
        }
        for mistake in classes.confusions(outcome)
    ]
    return {"class_scores": scores, "mistakes": mistakes}


def _on_numbers(outcome: Regression, unit: str) -> dict[str, Any]:
    missed = numbers.residuals(outcome)
    assert missed is not None

    def length(value: float) -> str:
        return shown(value, "target", unit)

    parts = numbers.error_ranges(outcome)
    largest = max(part.rmse for part in parts)
    return {
        "missed": [
            ("Half miss by at most", length(missed.half)),
            ("90 % miss by at most", length(missed.most)),
            ("The worst misses by", length(missed.worst)),
            ("Mean residual", length(missed.bias)),
        ],
        "with_coverage": outcome.low is not None,
        "ranges": [
            {
                "range": f"{number(part.low, 4)} to {number(part.high, 4)}",
                "rows": f"{part.rows:,}",
                "bias": number(part.bias),
                "rmse": number(part.rmse),
                "width": _width(part.rmse / largest) if largest else None,
                "mae": number(part.mae),
                "coverage": _percent(part.coverage),
            }
            for part in parts
        ],
    }


# --- columns, model ------------------------------------------------------------------


def _column(group: ColumnGroup) -> dict[str, Any]:
    names = group.names
    name = names[0]
    if len(names) > 8:
        name = f"{', '.join(names[:3])}, …, {names[-1]} ({len(names):,} columns)"
    elif len(names) > 1:
        name = ", ".join(names)
    return {
        "name": name,
        "kind": group.kind,
        "treatment": group.treatment,
        "missing": f"{group.missing:,}",
        "levels": group.levels,
        "note": group.note,
        "used": group.used,
    }


def _columns_said(findings: Findings) -> str:
    used = sum(column.used for column in findings.columns)
    every = len(findings.columns)
    said = f"{count(every, 'column')} besides the target; the network sees "
    return said + ("all of them." if used == every else f"{used:,} of them.")


def _training(findings: Findings) -> list[str]:
    """How the training went, and whatever else should be known of it."""
    said = []
    history = findings.history
    if history is not None:
        sentence = f"Training took {count(len(history.epoch), 'epoch')}"
        if history.stopped:
            sentence += f" and ended because {history.stopped}"
        if history.best_epoch is not None:
            sentence += f"; the parameters of epoch {history.best_epoch} were kept"
        said.append(f"{sentence}.")
    known = _AT_ONCE | _OF_TABLE
    return said + [note.text for note in findings.notes if note.kind not in known]


def _layers(model: Model) -> list[dict[str, str]]:
    return [
        {
            "name": layer.name,
            "shape": layer.shape,
            "unit": layer.unit,
            "parameters": f"{layer.parameters:,}",
        }
        for layer in model.layers
    ]


def _settings(model: Model) -> list[tuple[str, str]]:
    """How the model was trained, name by name."""
    pairs: list[tuple[str, object]] = [
        ("Output unit", model.output),
        ("Optimiser", model.optimiser),
        *model.settings.items(),
        ("Seed", "" if model.seed is None else model.seed),
        *model.versions.items(),
    ]
    return [(name, str(value)) for name, value in pairs if str(value)]
