"""What is said of a fit: its verdict, and what speaks against it."""

from collections.abc import Callable

import numpy as np
import pytest

from weft.apps.report import (
    Classification,
    Findings,
    History,
    Regression,
    Rows,
    caveats,
    verdict,
)
from weft.apps.report.words import column_groups, commands, number, percent, plain


def of(outcome: Classification | Regression, **more: object) -> Findings:
    return Findings(
        "A fit", "t.csv", "price", Rows(9, 3, outcome.rows), outcome, **more
    )


def answers(right: int, wrong: int, counts: list[int]) -> Classification:
    """Rows of the first class, some of them answered as the second."""
    n = right + wrong
    return Classification("ab", [0] * n, [0] * right + [1] * wrong, None, counts)


def said(findings: Findings) -> str:
    return " ".join([verdict(findings), *caveats(findings)]).replace("\xa0", " ")


def test_the_verdict_on_classes() -> None:
    outcome = Classification(
        "ab", [0] * 36 + [1] * 324, [0] * 28 + [1] * 332, None, [400, 40]
    )
    assert verdict(of(outcome)).replace("\xa0", " ") == (
        "weft recognises ‘price’ correctly in 97.8 % of 360 rows that it never saw "
        "(95 % interval 95.7–98.9 %); always answering the commonest class would give "
        "10 %."
    )


def test_the_verdict_on_numbers() -> None:
    y = np.arange(101.0)
    outcome = Regression(y, y + np.tile([1, -3], 51)[:101], train_mean=50.0)
    assert verdict(of(outcome, unit="USD", label="the price")).replace("\xa0", " ") == (
        "weft predicts ‘the price’ to within 1.00 USD for half of 101 rows that it "
        "never saw; the root mean squared error is 2.23 USD (95 % interval 2.05–2.41), "
        "where always answering the mean gives 29.2 USD."
    )


def test_without_rows_nothing_is_claimed() -> None:
    for outcome in (Classification("ab", [], []), Regression([], [])):
        words = said(of(outcome))
        assert words.startswith("No rows were held out, so nothing is known")
        assert "%" not in words
        assert "Without held-out rows there is no honest figure" in words


def test_no_better_than_the_baseline_is_said_at_once() -> None:
    worse = verdict(of(answers(70, 30, [90, 10])))
    assert worse.endswith(
        "So the network is no better than an answer that never looks at a row."
    )
    outcome = Classification("ab", [0, 0, 0, 1], [0, 0, 0, 1], None, [9, 1])
    assert verdict(of(outcome)).endswith(
        "So few rows cannot tell the network from such an answer."
    )
    constant = Regression([1, 2, 3, 9], [4, 4, 4, 4], train_mean=3.5)
    assert "no better than" in verdict(of(constant)) or "cannot tell" in verdict(
        of(constant)
    )
    assert "uses none of the inputs" in said(of(constant))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (answers(1, 0, [5, 5]), "One row was held out. It tells next to nothing."),
        (
            answers(20, 5, [5, 5]),
            "Only 25 rows were held out, so the figures are rough",
        ),
        (answers(40, 0, [5, 5]), "Every answer is right. That is rare"),
        (answers(40, 2, [5, 5]), "Too few held-out rows to judge by: ‘b’ (none)"),
        (answers(95, 5, [5, 5]), "100 % of the held-out rows are ‘a’"),
        (
            Classification("ab", [0] * 20 + [1] * 20, [0] * 40, None, [5, 5]),
            "No row was ever answered as ‘b’.",
        ),
        (
            Classification("ab", [0] * 60 + [1] * 40, [0] * 100, [[0.95, 0.05]] * 100),
            "promise too much: they say 95 % on average, and 60 % of the answers",
        ),
        (
            Classification("ab", [0] * 95 + [1] * 5, [0] * 100, [[0.6, 0.4]] * 100),
            "too modest: they say 60 % on average, and 95 % of the answers",
        ),
        (Regression([1, 2, 4], [1, 2, 3]), "The model gives no intervals"),
        (
            Regression(np.arange(50), np.arange(50) + 1e-6 * np.tile([1, 2], 25)),
            "The predictions are all but exact. That is rare",
        ),
    ],
)
def test_what_speaks_against_a_fit_is_said(
    outcome: Classification | Regression, words: str
) -> None:
    assert words in said(of(outcome))


def test_a_good_fit_gets_only_what_holds_for_all(
    classification: Callable[..., Classification],
) -> None:
    draw = np.random.default_rng(0)
    p = draw.dirichlet([0.3, 0.3, 0.3], 3000)
    y = (draw.uniform(size=(3000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    calibrated = Classification("abc", y, p.argmax(axis=1), p, [1, 1, 1])
    assert len(caveats(of(calibrated))) == 2


@pytest.mark.parametrize(
    ("deviation", "words"),
    [
        (1.0, "which agrees with what they promise"),
        (0.5, "they are too narrow"),
        (2.0, "they are wider than they need be"),
    ],
)
def test_intervals_are_held_against_their_promise(
    regression: Callable[..., Regression], deviation: float, words: str
) -> None:
    text = said(of(regression(n=2000, said=deviation)))
    assert "The 90 % intervals held the truth in " in text
    assert words in text


def test_training_is_judged_too() -> None:
    outcome = answers(50, 5, [5, 5])
    falling = History([1, 2, 3], [3, 2, 1], [3, 2, 1], best_epoch=3)
    assert "more epochs may do better" in said(of(outcome, history=falling))
    stopped = History([1, 2, 3], [3, 2, 1], [3, 1, 2], best_epoch=2)
    assert "more epochs" not in said(of(outcome, history=stopped))
    broken = History([1, 2, 3], [3, 2, 1], [3, 2, 1], best_epoch=3, interrupted=True)
    assert "Training was interrupted" in said(of(outcome, history=broken))
    assert "more epochs" not in said(of(outcome, history=broken))
    diverged = History([1, 2], [3, np.inf])
    assert "the learning rate may be too large" in said(of(outcome, history=diverged))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1.00"),
        (999.6, "1,000"),
        (123456, "123,000"),
        (-0.000123, "−0.000123"),
        (1e20, "1.00e+20"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0"), (1, "100.0"), (0.9996, "99.96"), (0.00001, "0.001"), (0.5, "50.0")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert percent(share) == f"{text}\xa0%"


def test_text_of_others_is_made_fit_for_one_line() -> None:
    assert plain("a\tb\nc\x07\x1b[31m") == "a b c\ufffd\ufffd[31m"
    assert plain("\ud83d") == "\ufffd"
    assert plain("safe\u202etxt.exe\u2066") == "safetxt.exe"
    assert plain("größe 大きさ 👩‍🔬") == "größe 大きさ 👩‍🔬"
    assert len(plain("x" * 100, 20)) == 20


def test_many_columns_are_put_together_by_their_treatment() -> None:
    from weft.apps.report import Column

    columns = [Column(f"p{i}", "number", "standardised", i) for i in range(40)]
    columns += [Column("c1", "category", "one input per level", 0, 3)]
    columns += [Column("c2", "category", "one input per level", 0, 9)]
    numbers, categories = column_groups(columns)
    assert numbers.missing == sum(range(40))
    assert categories.names == ("c1", "c2")
    assert categories.levels == "3–9"
    assert len(column_groups(columns[:40])) == 40


def test_commands_are_quoted_for_a_shell() -> None:
    outcome = answers(3, 1, [1, 1])
    lines = [
        line
        for _, some in commands(of(outcome, model_file="a b.weft"))
        for line in some
    ]
    assert "weft predict 'a b.weft' new-rows.csv -o predictions.csv" in lines
    assert "weft evaluate 'a b.weft' other-rows.csv" in lines
    assert commands(of(outcome)) == ()
