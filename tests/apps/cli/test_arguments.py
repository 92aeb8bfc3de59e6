"""Words become requests; help, and mistakes in the words."""

import json
import shlex
import subprocess
import sys

import pytest
import typer

import weft as house
from weft.apps.cli import arguments
from weft.apps.cli.arguments import names, parse, widths
from weft.apps.cli.errors import CommandError, mistake_line, one_line
from weft.apps.cli.fit import Fit
from weft.apps.cli.predict import Predict
from weft.apps.cli.request import Reading

# Whatever there is: a new command is tested without being named here.
COMMANDS = [command.name for command in arguments.app.registered_commands]


def test_a_bare_fit_leaves_everything_to_its_defaults() -> None:
    assert parse(["fit", "digits"]) == Fit(
        table="digits",
        reading=Reading(),
        settings={"random_state": 0},
        command="weft fit digits",
    )


def test_every_option_of_fit_arrives() -> None:
    words = (
        "fit a.csv --target y --task regression --ignore 'id, n' --header no "
        "--columns id,n,x,y --drop-missing-target -o m.weft --report r.html "
        "--plot p.png -f --holdout 0.3 --validation 0.2 --seed 7 --epochs 9 "
        "--hidden 8,4 --unit tanh,relu --dropout 0.5 --json -q"
    )
    assert parse(shlex.split(words)) == Fit(
        table="a.csv",
        reading=Reading(header=False, columns=("id", "n", "x", "y")),
        target="y",
        task="regression",
        ignore=("id", "n"),
        drop_missing_target=True,
        holdout=0.3,
        validation=0.2,
        settings={
            "random_state": 7,
            "epochs": 9,
            "hidden": (8, 4),
            "unit": ("tanh", "relu"),
            "dropout": 0.5,
        },
        output="m.weft",
        report="r.html",
        plot="p.png",
        force=True,
        json=True,
        quiet=True,
        command=f"weft {words}",
    )


def test_predictions_go_to_the_standard_output_unless_a_file_is_named() -> None:
    asked = parse(["predict", "m.weft", "a.csv"])
    assert isinstance(asked, Predict)
    assert asked.output == "-"
    assert parse(["predict", "m.weft", "a.csv", "-o", "p.csv"]).output == "p.csv"


def test_names_are_parted_by_commas_unless_in_quotes() -> None:
    assert names('a,b c, "d, e"') == ("a", "b c", "d, e")
    assert names("") == names("  ") == ()
    assert names("a,\nb,") == ("a", "b")


@pytest.mark.parametrize("text", ["", "8,", "0", "8,x", "-1", "2.5", "8;4"])
def test_widths_that_are_none(text: str) -> None:
    with pytest.raises(CommandError, match=r"--hidden .* such as 256,256, or none"):
        widths(text)


def test_the_help_says_the_estimators_own_defaults(weft) -> None:
    said = " ".join(weft("fit", "--help").out.split())
    made = house.TabularClassifier()
    hidden = ",".join(map(str, made.hidden))
    for shown in (hidden, made.unit, made.dropout, made.validation_fraction):
        assert f"[default: {shown}]" in said
    both = house.TabularRegressor().get_params()
    assert both == made.get_params()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_the_help_of_each_command_shows_examples(weft, command: str, word: str) -> None:
    outcome = weft(command, word)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Usage: weft {command} " in outcome.out
    examples = outcome.out[outcome.out.index("Examples:") :]
    assert examples.count(f"  weft {command} ") >= 2
    assert max(map(len, outcome.out.splitlines())) <= 88


def test_without_a_word_the_help_is_shown(weft) -> None:
    outcome = weft()
    assert outcome == weft("--help")
    assert outcome.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in outcome.out


def test_every_example_in_the_help_is_a_command(weft) -> None:
    texts = [weft(*c, "--help").out for c in ((), *((name,) for name in COMMANDS))]
    examples = {
        line.strip().partition("|")[0]
        for text in texts
        for line in text[text.index("Examples:") :].splitlines()
        if line.startswith("    weft ")
    }
    assert len(examples) > 10
    for example in examples:
        assert parse(shlex.split(example)[1:]) is not None


def test_the_version(weft) -> None:
    outcome = weft("--version")
    assert (outcome.code, outcome.out) == (0, f"weft {house.__version__}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fti", "digits"], "no such command 'fti'. Did you mean 'fit'? (see weft --"),
        (["fit"], "missing argument 'TABLE' (see weft fit --help)"),
        (
            ["fit", "a", "b"],
            "got unexpected extra argument(s) (b) (see weft fit",
        ),
        (
            ["fit", "a", "--outptu", "x"],
            "no such option: --outptu (Possible options:",
        ),
        (["fit", "a", "--task", "x"], "invalid value for '--task': 'x' is not one of"),
        (["fit", "a", "--epochs", "x"], "invalid value for '--epochs': "),
        (["fit", "a", "--epochs", "0"], "--epochs 0: give a whole number, at least 1"),
        (["fit", "a", "--seed", "-1"], "--seed -1: give a whole number, 0 <= seed <"),
        (["fit", "a", "--hidden", "x"], "--hidden 'x': give the widths of the layers"),
        (["fit", "a", "--target"], "option '--target' requires an argument"),
        (["predict", "m"], "missing argument 'TABLE' (see weft predict --help)"),
        (["describe"], "missing argument 'MODEL' (see weft describe --help)"),
        (["--nonsense"], "no such option: --nonsense (see weft --help)"),
    ],
    ids=str,
)
def test_mistaken_words_are_one_line(weft, words: list[str], said: str) -> None:
    outcome = weft(*words)
    assert outcome.mistake.startswith(said)
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--unit", "rellu"], "there is no unit 'rellu': did you mean 'relu'?"),
        (["--dropout", "1"], "Dropout of 1.0: give a probability"),
        (["--unit", "relu,tanh,relu"], "3 units were given for 2 hidden layers"),
        (["--holdout", "1"], "--holdout 1: give a share of the rows, 0 <= share < 1"),
        (["--validation", "-0.1"], "--validation -0.1: give a share of the rows"),
        (["--plot", "a.gif"], "--plot a.gif: its name must end in .png, .svg or .pdf"),
    ],
    ids=str,
)
def test_settings_are_checked_before_the_table_is_looked_for(
    weft, words: list[str], said: str
) -> None:
    outcome = weft("fit", "no-such-table.csv", *words)
    assert outcome.mistake.startswith(said)


def test_a_mistake_is_one_printable_line_whatever_is_in_it() -> None:
    error = CommandError("column 'a\nb\x1b[2J\ud800'")
    assert mistake_line(error) == "weft: column 'a b\N{REPLACEMENT CHARACTER}[2J" + (
        "\N{REPLACEMENT CHARACTER}'"
    )
    assert one_line("  a \t b ") == "a b"
    assert mistake_line(OSError(28, "No space left on device")) == (
        "weft: No space left on device"
    )


@pytest.mark.parametrize("raised", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_while_words_are_parsed(
    weft, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    def press(**_: object) -> None:
        raise raised

    monkeypatch.setattr(arguments, "Fit", press)
    outcome = weft("fit", "digits")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "weft: interrupted\n")


def test_python_m_weft_is_the_command() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "weft", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout == f"weft {house.__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import json, sys; from weft.apps.cli import main; "
        "main(['fit', '--help']); print(json.dumps(sorted(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(outcome.stdout.splitlines()[-1]))
    heavy = {"scipy", "sklearn", "matplotlib", "jinja2", "pyarrow", "rich", "pandas"}
    assert loaded & (heavy | {"weft.apps.report", "weft.estimators"}) == set()
