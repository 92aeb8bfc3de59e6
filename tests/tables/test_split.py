"""Holding out rows: always the same ones, in proportion, and never all of a class."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from weft.tables import TableError, split


def test_the_rows_held_out_are_these_for_ever() -> None:
    # A change here changes every published figure that stands on a split.
    assert split(20, 0.25, seed=0).held.tolist() == [0, 2, 9, 11, 17]
    assert split(20, 0.25, seed=1).held.tolist() == [2, 3, 5, 7, 9]


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_both_parts_together_are_all_rows(
    rows: int, fraction: float, seed: int
) -> None:
    wanted = int(rows * fraction + 0.5)
    assume(1 <= wanted < rows)
    train, held = split(rows, fraction, seed)
    assert len(held) == wanted
    assert sorted([*train, *held]) == list(range(rows))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held) > 0).all()


@given(
    st.lists(st.integers(0, 5), min_size=4, max_size=200),
    st.floats(0.05, 0.6),
    st.integers(0, 1000),
)
def test_classes_are_held_out_in_proportion(
    codes: list[int], fraction: float, seed: int
) -> None:
    wanted = int(len(codes) * fraction + 0.5)
    classes, often = np.unique(codes, return_counts=True)
    assume(wanted >= 1 and often.max() > 1)
    train, held = split(len(codes), fraction, seed, np.array(codes))
    assert sorted([*train, *held]) == list(range(len(codes)))
    assert 1 <= len(held) <= wanted
    for label, count in zip(classes, often, strict=True):
        got = int(np.sum(np.array(codes)[held] == label))
        assert got < count  # one row at least is left to learn from
        if count > 20 and (often > 20).all():
            assert abs(got - count * fraction) <= 1.5


def test_a_class_of_one_row_is_learnt_from() -> None:
    codes = np.array([0] * 50 + [1] * 49 + [2])
    for seed in range(20):
        train, held = split(100, 0.2, seed, codes)
        assert 99 in train
        assert len(held) == 20


def test_seeds_differ_and_the_same_seed_agrees() -> None:
    first = split(1000, 0.2, seed=1).held
    assert np.array_equal(first, split(1000, 0.2, seed=1).held)
    assert not np.array_equal(first, split(1000, 0.2, seed=2).held)


@pytest.mark.parametrize(
    ("rows", "fraction", "said"),
    [
        (3, 0.1, "too few rows to hold out 10 % .* there are 3, and at least 5"),
        (1, 0.5, "there is 1, and at least 2"),
        (0, 0.5, "there are 0"),
        (4, 0.9, "there are 4, and at least 6"),
        (4, 1e-9, "at least 500000000 are needed"),
        (10, 0.0, "cannot be held out"),
        (10, 1.0, "cannot be held out"),
        (10, float("nan"), "cannot be held out"),
    ],
)
def test_too_few_rows_are_refused(rows: int, fraction: float, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        split(rows, fraction)
    assert "\n" not in str(caught.value)


def test_as_many_rows_as_asked_for_are_enough() -> None:
    assert len(split(5, 0.1).held) == 1
    assert len(split(6, 0.9).train) == 1


def test_classes_of_one_row_each_cannot_be_held_out() -> None:
    with pytest.raises(TableError, match="each class has one row only"):
        split(5, 0.2, codes=np.arange(5))
    with pytest.raises(TableError, match="3 classes given for 5 rows"):
        split(5, 0.2, codes=np.arange(3))
