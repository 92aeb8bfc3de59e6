"""The words of a command line become a request: plain data that can be carried out.

typer parses and explains; nothing is done here, and nothing heavy is imported, so that
``weft --help`` answers at once.
"""

import csv
import shlex
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Annotated, Any, TypeAlias, final

import typer
import typer.core

from weft.apps.cli.bench import Bench
from weft.apps.cli.describe import Describe
from weft.apps.cli.errors import INTERRUPTED, CommandError
from weft.apps.cli.evaluate import Evaluate
from weft.apps.cli.fit import Fit
from weft.apps.cli.predict import Predict
from weft.apps.cli.request import Reading, Request
from weft.apps.cli.verify import Verify

# The base of all that typer says of a mistake; typer itself does not export it.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def parse(words: Sequence[str]) -> Request | None:
    """Return what a command line asks for; None if that is done (help, the version).

    Parameters
    ----------
    words : sequence of str
        Without the program's name. No words ask for help.

    Raises
    ------
    CommandError
        If the words make no command.

    Examples
    --------
    >>> parse(["describe", "model.weft", "--json"])
    Describe(model='model.weft', json=True)
    """
    words = list(words) or ["--help"]
    try:
        asked = app(args=words, prog_name="weft", standalone_mode=False)
    except _UsageError as error:
        raise CommandError(_said(error)) from error
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if asked == INTERRUPTED:  # typer turns Ctrl-C into this code, or into Abort
        raise KeyboardInterrupt
    if isinstance(asked, Fit):
        return replace(asked, command=shlex.join(["weft", *words]))
    return asked if isinstance(asked, Request) else None


def _said(error: Any) -> str:
    """What typer says of a mistake, and where to read more."""
    said = " ".join(error.format_message().split()).rstrip(".")
    said = said.replace(": Value error, ", ": ")  # the validator's, not a person's
    command = error.ctx.command_path if error.ctx else "weft"
    return f"{said[0].lower()}{said[1:]} (see {command} --help)"


# --- help ----------------------------------------------------------------------------


@final
class _Command(typer.core.TyperCommand):
    """A command whose help sets its options in groups, and its arguments first."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the words that are needed before those that are not."""
        needed = [str(argument.metavar) for argument in self._arguments()]
        formatter.write_usage(ctx.command_path, " ".join([*needed, "[OPTIONS]"]))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options, group by group."""
        said = [(str(a.metavar), a.help or "") for a in self._arguments()]
        groups = {"Arguments": said}
        for param in self.get_params(ctx):
            if isinstance(param, typer.core.TyperOption):
                title = param.rich_help_panel or "Options"
                record = param.get_help_record(ctx)
                groups.setdefault(title, []).extend([record] if record else [])
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records, col_max=26)

    def _arguments(self) -> list[typer.core.TyperArgument]:
        return [p for p in self.params if isinstance(p, typer.core.TyperArgument)]


app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    help="Learn a column of a table with a deep feedforward network.",
    epilog="""\b
Examples:
  weft fit digits --output digits.weft --report digits.html
  weft predict digits.weft new.csv --output predictions.csv
  weft evaluate digits.weft other.csv
  weft describe digits.weft
  weft verify --all

\b
weft COMMAND --help tells all about a command. A command ends with exit code 0,
or 2 and one line if something was wrong with what it was given.""",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"weft {version('weft')}")
        raise typer.Exit


@app.callback()
def _weft(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Say the version."
        ),
    ] = False,
) -> None:
    """Take what stands before the command."""


# --- words that several commands share -----------------------------------------------


class _Header(Enum):
    AUTO = "auto"
    YES = "yes"
    NO = "no"


class _Task(Enum):
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


_TABLE, _FIT, _WRITTEN, _SHOWN = "The table", "The fit", "What is written", "Display"

_Table: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        help="A file (.csv, .tsv, .txt, also packed; .parquet, .arrow, .npz, IDX), "
        "a built-in table (digits, iris, wine, breast_cancer, diabetes, xor) or "
        "openml:NAME.",
    ),
]
_Model: TypeAlias = Annotated[
    str, typer.Argument(metavar="MODEL", help="A file that weft fit wrote.")
]
_HeaderOption: TypeAlias = Annotated[
    _Header,
    typer.Option(
        "--header",
        metavar="WHEN",
        help="Whether the first row of a text holds names: auto, yes or no.",
        rich_help_panel=_TABLE,
    ),
]
_ColumnsOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="Names for the columns of a text, with commas between them.",
        rich_help_panel=_TABLE,
        show_default=False,
    ),
]
_DropOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drop-missing-target",
        help="Leave out the rows in which the target is missing.",
        rich_help_panel=_TABLE,
    ),
]
_ForceOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force", "-f", help="Replace files that exist.", rich_help_panel=_WRITTEN
    ),
]
_JsonOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Write one line of JSON to the standard output, and all words elsewhere.",
        rich_help_panel=_SHOWN,
    ),
]
_QuietOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_SHOWN
    ),
]


def _reading(header: _Header, columns: str) -> Reading:
    said = {_Header.AUTO: None, _Header.YES: True, _Header.NO: False}
    return Reading(said[header], names(columns))


def names(text: str) -> tuple[str, ...]:
    """Return names with commas between them; one with a comma stands in quotes.

    Examples
    --------
    >>> names('age, "height, cm"'), names("")
    (('age', 'height, cm'), ())
    """
    lines = list(csv.reader(text.splitlines(), skipinitialspace=True))
    return tuple(name.strip() for line in lines for name in line if name.strip())


def widths(text: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers.

    Raises
    ------
    CommandError
        If they are none.

    Examples
    --------
    >>> widths("256,128"), widths("none")
    ((256, 128), ())
    """
    parts = [] if text.strip().lower() == "none" else text.split(",")
    if all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        return tuple(int(part) for part in parts)
    raise CommandError(
        f"--hidden {text!r}: give the widths of the layers with commas between them, "
        "such as 256,256, or none for a linear model"
    )


def _settings(
    seed: int,
    epochs: int | None,
    hidden: str | None,
    unit: str | None,
    dropout: float | None,
) -> dict[str, Any]:
    """What the estimator is to be made with; what nobody said, it knows itself."""
    if not 0 <= seed < 2**32:
        raise CommandError(f"--seed {seed}: give a whole number, 0 <= seed < 2**32")
    if epochs is not None and epochs < 1:
        raise CommandError(f"--epochs {epochs}: give a whole number, at least 1")
    units = None if unit is None else names(unit)
    said = {
        "random_state": seed,
        "epochs": epochs,
        "hidden": None if hidden is None else widths(hidden),
        "unit": units[0] if units and len(units) == 1 else units,
        "dropout": dropout,
    }
    return {name: value for name, value in said.items() if value is not None}


# --- commands ------------------------------------------------------------------------


@app.command(
    "fit",
    cls=_Command,
    epilog="""\b
Examples:
  weft fit digits
  weft fit houses.csv --target price --output houses.weft --report houses.html
  weft fit adult.data --header no --target column15 --ignore column3 -o adult.weft
  weft fit train-images-idx3-ubyte.gz --hidden 800,800 --dropout 0.3 -o mnist.weft
  weft fit clicks.parquet --target clicked --json | jq .metrics

\b
Ctrl-C ends the fit and keeps the best network so far (exit code 130).""",
)
def _fit(
    table: _Table,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column to learn; not needed where the table itself says it.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    task: Annotated[
        _Task | None,
        typer.Option(
            metavar="TASK",
            help="classification or regression, instead of what the column looks like.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    ignore: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Columns to leave out, with commas between them.",
            rich_help_panel=_TABLE,
            show_default=False,
        ),
    ] = "",
    header: _HeaderOption = _Header.AUTO,
    columns: _ColumnsOption = "",
    drop_missing_target: _DropOption = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the model, usually as .weft.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write a report, one HTML file that stands alone.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write a picture, as .png, .svg or .pdf.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    force: _ForceOption = False,
    holdout: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="The share of the rows to hold out and measure the model on; "
            "0 learns from all.",
            rich_help_panel=_FIT,
        ),
    ] = 0.2,
    validation: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="The share of the others that decides when to stop and which epoch to "
            "keep; 0 takes the last.",
            rich_help_panel=_FIT,
        ),
    ] = 0.1,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Decides whatever is drawn; the same seed gives the same model.",
            rich_help_panel=_FIT,
        ),
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="At most so many passes over the rows; by default it depends on how "
            "many rows there are.",
            rich_help_panel=_FIT,
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHS",
            help="Widths of the hidden layers; none makes a linear model.  "
            "[default: 256,256]",
            rich_help_panel=_FIT,
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The hidden unit: relu, tanh, gelu, softplus, ...; or one per layer.  "
            "[default: relu]",
            rich_help_panel=_FIT,
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="The share of hidden units left out in each step.  [default: 0.2]",
            rich_help_panel=_FIT,
        ),
    ] = None,
    json: _JsonOption = False,
    quiet: _QuietOption = False,
) -> Fit:
    """Learn a column of a table, and measure that on rows held out."""
    return Fit(
        table=table,
        reading=_reading(header, columns),
        target=target,
        task=None if task is None else task.value,
        ignore=names(ignore),
        drop_missing_target=drop_missing_target,
        output=output,
        report=report,
        plot=plot,
        force=force,
        holdout=holdout,
        validation=validation,
        settings=_settings(seed, epochs, hidden, unit, dropout),
        json=json,
        quiet=quiet,
    )


@app.command(
    "predict",
    cls=_Command,
    epilog="""\b
Examples:
  weft predict houses.weft new.csv --output predictions.csv
  weft predict houses.weft new.parquet --coverage 0.5 -o predictions.parquet
  weft predict adult.weft new.csv | head

\b
Each row gets its class and the probability of every class, or its number and the
ends of an interval. The table needs the columns that the model was fitted with, in
any order; others are not read.""",
)
def _predict(
    model: _Model,
    table: _Table,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write, as .csv or .parquet; - is the standard output.",
            rich_help_panel=_WRITTEN,
        ),
    ] = "-",
    force: _ForceOption = False,
    coverage: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="How often the interval of a regression is to hold the truth.",
            rich_help_panel=_WRITTEN,
        ),
    ] = 0.9,
    header: _HeaderOption = _Header.AUTO,
    columns: _ColumnsOption = "",
    json: _JsonOption = False,
    quiet: _QuietOption = False,
) -> Predict:
    """Predict the target for the rows of a table."""
    return Predict(
        model=model,
        table=table,
        reading=_reading(header, columns),
        output=output,
        force=force,
        coverage=coverage,
        json=json,
        quiet=quiet,
    )


@app.command(
    "evaluate",
    cls=_Command,
    epilog="""\b
Examples:
  weft evaluate adult.weft adult.test
  weft evaluate houses.weft houses-2024.csv --json | jq .metrics.rmse""",
)
def _evaluate(
    model: _Model,
    table: _Table,
    header: _HeaderOption = _Header.AUTO,
    columns: _ColumnsOption = "",
    drop_missing_target: _DropOption = False,
    json: _JsonOption = False,
) -> Evaluate:
    """Measure a model on rows whose target is known."""
    return Evaluate(
        model=model,
        table=table,
        reading=_reading(header, columns),
        drop_missing_target=drop_missing_target,
        json=json,
    )


@app.command(
    "describe",
    cls=_Command,
    epilog="""\b
Examples:
  weft describe houses.weft
  weft describe houses.weft --json | jq .layers""",
)
def _describe(model: _Model, json: _JsonOption = False) -> Describe:
    """Tell what a model learnt, from which columns, and how."""
    return Describe(model=model, json=json)


@app.command(
    "bench",
    cls=_Command,
    epilog="""\b
Examples:
  weft bench
  weft bench --workload mnist --plot mnist.png
  weft bench --json speed.json --plot speed.svg

\b
PyTorch, JAX and scikit-learn do the same steps where they are installed, from the
same parameters on the same rows. It takes less than a minute; on a busy machine only
ratios mean something.""",
)
def _bench(
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where the time of weft's steps goes, kernel by kernel, for one of "
            "tiny, small, table, mnist, wide, deep, predict-1.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write a picture, as .png, .svg or .pdf.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write all figures as JSON.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    force: _ForceOption = False,
    quiet: _QuietOption = False,
) -> Bench:
    """Tell how fast this machine is, and how fast weft and its peers are on it."""
    return Bench(workload=workload, plot=plot, json=json, force=force, quiet=quiet)


@app.command(
    "verify",
    cls=_Command,
    epilog="""\b
Examples:
  weft verify S6
  weft verify S18-S30 S75
  weft verify --all --json claims.json

\b
Each claim of chapter 6 of Deep Learning, as its slides put it, is run and judged;
where a slide is wrong, the corrected claim is. The exit code is 0 if all of them
hold, else 1. A claim without a check is open; that fails under --strict alone.""",
)
def _verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLAIM...",
            help="Names of claims, such as S6, or ranges, such as S18-S30.",
            show_default=False,
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Check all claims.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="A claim that is open fails.")
    ] = False,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where to write all verdicts and figures as JSON.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    force: _ForceOption = False,
    quiet: _QuietOption = False,
) -> Verify:
    """Check what the chapter claims, by running it."""
    return Verify(
        names=tuple(names or ()),
        all=all,
        strict=strict,
        json=json,
        force=force,
        quiet=quiet,
    )
