"""What ``weft fit`` says, writes and returns where all is well."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import weft as house
from weft.apps.cli.progress import Progress
from weft.tables import read


def test_a_fit_says_what_it_understood_and_what_came_of_it(
    weft, people_csv: str, brief, files
) -> None:
    outcome = weft("fit", people_csv, "--target", "ok", *brief)
    assert (outcome.code, outcome.err) == (0, "")
    for said in (
        "table       people.csv: 120 rows, 2 columns beside the target",
        "target      ‘ok’: classification into 2 classes (its values are true or false",
        "columns     1 number and 1 category, which make",
        "rows        86 to learn from, 10 to choose the epoch by, 24 held out",
        "→ 4 → 2 (relu, dropout",
        "fitted      2 epochs in",
        "result      weft recognises ‘ok’ correctly in",
        "without looking",
        "Accuracy",
        "model       not written; --output FILE keeps it",
    ):
        assert said in outcome.out, said
    assert files() == {people_csv}


def test_the_machine_gets_one_line_and_the_words_go_elsewhere(
    weft, people_csv: str, brief
) -> None:
    outcome = weft("fit", people_csv, "--target", "ok", "--json", *brief)
    assert outcome.out.count("\n") == 1
    said = json.loads(outcome.out)
    assert said["task"] == "classification"
    assert said["rows"] == 120
    assert 0 <= said["metrics"]["accuracy"] <= 1
    assert said["metrics"]["nll"] > 0
    assert said["baseline"]["accuracy"] == pytest.approx(0.5, abs=0.1)
    low, high = said["intervals"]["accuracy"]
    assert low <= said["metrics"]["accuracy"] <= high
    assert said["seconds"] > 0
    parts = ("rows_fitted", "rows_validation", "rows_held_out")
    assert [said[part] for part in parts] == [86, 10, 24]
    assert (said["source"], said["target"]) == (people_csv, "ok")
    assert (said["epochs"], said["stopped"]) == (2, "epochs")
    assert said["interrupted"] is False
    assert [said[name] for name in ("model", "report", "picture")] == [None] * 3
    assert "result      weft recognises" in outcome.err


def test_a_quantity_is_predicted_with_its_error(weft, prices_csv: str, brief) -> None:
    words = ("fit", prices_csv, "--target", "price", "--json", *brief)
    said = json.loads(weft(*words).out)
    assert said["task"] == "regression"
    assert {"rmse", "mae", "r2", "nll", "coverage"} <= set(said["metrics"])
    assert said["baseline"]["rmse"] == pytest.approx(104, rel=0.2)


def test_model_report_and_picture_are_written_and_named(
    weft, people_csv: str, brief, files
) -> None:
    words = ["fit", people_csv, "--target", "ok", *brief]
    words += ["-o", "m.weft", "--report", "r.html", "--plot", "p.png"]
    outcome = weft(*words)
    assert outcome.code == 0
    assert files() == {people_csv, "m.weft", "r.html", "p.png"}
    assert outcome.out.splitlines()[-3:] == [
        "  model       m.weft",
        "  report      r.html",
        "  picture     p.png",
    ]
    report = Path("r.html").read_text(encoding="utf-8")
    assert "ok, learnt from people.csv" in report
    assert f"weft {' '.join(words)}" in report
    assert "weft predict m.weft new-rows.csv" in report
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    model = house.load("m.weft")
    assert model.predict(read(people_csv)).shape == (120,)


def test_terminal_json_and_report_say_the_same_figures(
    weft, people_csv: str, brief
) -> None:
    words = ("fit", people_csv, "--target", "ok", "--report", "r.html", *brief)
    outcome = weft(*words, "--json")
    accuracy = json.loads(outcome.out)["metrics"]["accuracy"]
    shown = f"{100 * accuracy:.1f}"
    assert re.search(rf"^  Accuracy +{shown} %", outcome.err, re.MULTILINE)
    report = Path("r.html").read_text(encoding="utf-8")
    assert f"{shown}\N{NO-BREAK SPACE}%" in report


def test_the_held_out_rows_are_held_out(weft, people_csv: str, brief) -> None:
    """The metrics are those of the model on exactly the rows that `split` holds out."""
    from weft.tables import ClassTarget, separate, split

    words = ("fit", people_csv, "--target", "ok", "--json", "-o", "m.weft", *brief)
    said = json.loads(weft(*words, "--seed", "3", "--holdout", "0.4").out)
    inputs, target = separate(read(people_csv), "ok")
    codes = ClassTarget.fit(target).encode(target)
    held = split(120, 0.4, 3, codes).held
    found = house.load("m.weft").evaluate(inputs.take(held), target.take(held))
    assert said["rows_held_out"] == len(held) == 48
    assert said["metrics"]["accuracy"] == pytest.approx(found["accuracy"])
    assert said["metrics"]["nll"] == pytest.approx(found["nll"])


def test_the_same_seed_gives_the_same_model(weft, people_csv: str, brief) -> None:
    words = ("fit", people_csv, "--target", "ok", "-q", *brief)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert weft(*words, "-o", f"{name}.weft", "--seed", seed).code == 0
    a, b, c = (house.load(f"{name}.weft").params_["0"]["W"] for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_quiet_says_nothing(weft, people_csv: str, brief) -> None:
    words = ("fit", people_csv, "--target", "ok", "-o", "m.weft", *brief)
    outcome = weft(*words, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    outcome = weft(*words, "--quiet", "--json", "--force")
    assert (outcome.out.count("\n"), outcome.err) == (1, "")


def test_what_a_table_says_of_its_target_need_not_be_said(weft, brief) -> None:
    said = json.loads(weft("fit", "iris", "--json", *brief).out)
    assert (said["target"], said["task"], said["rows"]) == (
        "species",
        "classification",
        150,
    )


def test_the_task_may_be_said(weft, table, brief) -> None:
    name = table("a.csv", "x,y", (f"{i % 9},{i % 3}" for i in range(90)))
    words = ("fit", name, "--target", "y", *brief)
    assert "classification into 3 classes (its values are whole" in weft(*words).out
    outcome = weft(*words, "--task", "regression")
    assert "‘y’: regression (as asked)" in outcome.out
    assert "root mean squared error" in outcome.out


def test_columns_are_left_out_as_asked(weft, people_csv: str, brief) -> None:
    words = ("fit", people_csv, "--target", "ok", "-o", "m.weft", "--ignore", "job")
    outcome = weft(*words, "--report", "r.html", *brief)
    assert "‘job’: left out as asked" in outcome.out
    model = house.load("m.weft")
    assert model.schema_.columns == ("age",)
    # a table with the column is still the model's own table: nothing is remarked
    assert model.schema_.transform(read(people_csv)).notes == ()


def test_what_is_dropped_and_imputed_is_said_and_reported(weft, table, brief) -> None:
    lines = (f"{i},{'' if i % 9 == 0 else i % 7},,5,{i % 2}" for i in range(90))
    name = table("a.csv", "id,gap,none,same,y", lines)
    outcome = weft("fit", name, "--target", "y", "--report", "r.html", *brief)
    report = Path("r.html").read_text(encoding="utf-8")
    for said in (
        "missing values imputed",
        "all its values are missing",
        "constant:",
    ):
        assert said in outcome.out
        assert said in report


def test_rows_without_the_target_are_left_out_as_asked(weft, table, brief) -> None:
    lines = (f"{i % 10},{'' if i % 10 == 3 else 'ab'[i % 10 > 5]}" for i in range(100))
    name = table("a.csv", "x,c", lines)
    words = ("fit", name, "--target", "c", "--json", "--drop-missing-target", *brief)
    said = json.loads(weft(*words).out)
    assert said["rows"] == 90
    assert "10 rows without the target 'c' left out" in said["notes"]


def test_all_rows_may_be_learnt_from(weft, brief, files) -> None:
    words = ("fit", "xor", "--holdout", "0", "--validation", "0", *brief)
    outcome = weft(*words, "--report", "r.html", "--plot", "p.svg", "-o", "m.weft")
    assert outcome.code == 0
    assert "4 to learn from, none held out" in outcome.out
    assert "No rows were held out, so nothing is known of how well" in outcome.out
    assert files() == {"m.weft", "r.html", "p.svg"}
    said = json.loads(weft(*words, "--json").out)
    assert (said["metrics"], said["rows_held_out"]) == ({}, 0)


def test_a_text_without_names_is_given_some(weft, table, brief) -> None:
    name = table("a.csv", "0,a", (f"{i % 10},{'ab'[i % 10 > 5]}" for i in range(99)))
    words = ("fit", name, "--json", *brief)
    said = json.loads(weft(*words, "--target", "column2").out)
    assert said["rows"] == 100
    said = json.loads(weft(*words, "--columns", "x,c", "--target", "c").out)
    assert (said["rows"], said["target"]) == (100, "c")


def test_files_are_replaced_only_by_force(weft, people_csv: str, brief) -> None:
    Path("m.weft").write_text("mine", encoding="utf-8")
    words = ("fit", people_csv, "--target", "ok", "-o", "m.weft", *brief)
    assert "m.weft exists already" in weft(*words).mistake
    assert Path("m.weft").read_text(encoding="utf-8") == "mine"
    assert weft(*words, "--force").code == 0
    assert house.load("m.weft").predict(read(people_csv)).shape == (120,)


def test_warnings_of_the_fit_are_said_and_reported(
    weft, people_csv: str, brief, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(*_) -> None:
        warnings.warn("the cost became strange", UserWarning, stacklevel=2)

    monkeypatch.setattr(Progress, "on_epoch_end", warn)
    words = ("fit", people_csv, "--target", "ok", "--report", "r.html", *brief)
    outcome = weft(*words)
    assert outcome.err == ""
    assert "            the cost became strange\n" in outcome.out
    assert "the cost became strange." in Path("r.html").read_text(encoding="utf-8")


# --- Ctrl-C --------------------------------------------------------------------------


@pytest.fixture
def interrupted_after(monkeypatch: pytest.MonkeyPatch):
    """Press Ctrl-C at the end of an epoch; 0 is before the first."""

    def arrange(epoch: int) -> None:
        def press(_, told) -> None:
            if epoch == 0 or told.number == epoch:
                raise KeyboardInterrupt

        name = "on_epoch_end" if epoch else "on_fit_begin"
        monkeypatch.setattr(Progress, name, press)

    return arrange


def test_ctrl_c_keeps_the_best_so_far(
    weft, people_csv: str, interrupted_after, files
) -> None:
    interrupted_after(3)
    words = ("fit", people_csv, "--target", "ok", "--hidden", "4", "--epochs", "50")
    outcome = weft(*words, "-o", "m.weft", "--report", "r.html", "--plot", "p.png")
    assert (outcome.code, outcome.err) == (130, "")
    assert "3 epochs in" in outcome.out
    assert "then interrupted: the best so far, epoch" in outcome.out
    assert files() == {people_csv, "m.weft", "r.html", "p.png"}
    model = house.load("m.weft")
    assert model.fit_.stopped == "interrupted"
    assert model.fit_.epochs == 3
    assert model.predict(read(people_csv)).shape == (120,)
    report = Path("r.html").read_text(encoding="utf-8")
    assert "The fit was interrupted after 3 epochs" in report
    assert not list(Path().glob(".*"))


def test_ctrl_c_is_told_to_a_machine(weft, people_csv: str, interrupted_after) -> None:
    interrupted_after(2)
    outcome = weft("fit", people_csv, "--target", "ok", "--json", "--hidden", "4")
    said = json.loads(outcome.out)
    assert outcome.code == 130
    assert (said["interrupted"], said["stopped"], said["epochs"]) == (
        True,
        "interrupted",
        2,
    )


def test_ctrl_c_before_anything_is_learnt_is_one_line(
    weft, people_csv: str, interrupted_after, files
) -> None:
    interrupted_after(0)
    outcome = weft("fit", people_csv, "--target", "ok", "-o", "m.weft", "-q")
    assert outcome.code == 130
    assert outcome.err.strip() == (
        "weft: interrupted before anything was learnt; nothing is written"
    )
    assert outcome.out == ""
    assert files() == {people_csv}


def test_ctrl_c_after_the_fit_says_where_the_model_is(
    weft, people_csv: str, brief, files, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weft.apps import report

    def press(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "write", press)
    words = ("fit", people_csv, "--target", "ok", "-o", "m.weft", "-q", *brief)
    outcome = weft(*words, "--report", "r.html")
    assert outcome.code == 130
    assert outcome.err.strip() == "weft: interrupted; the model is in m.weft"
    assert files() == {people_csv, "m.weft"}
