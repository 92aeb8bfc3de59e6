"""The column to learn: taken out, understood, coded, and turned back."""

import json

import numpy as np
import pytest

from weft.tables import (
    ClassTarget,
    Column,
    RealTarget,
    Table,
    TableError,
    infer_task,
    read,
    separate,
    target_from_json,
)


def test_separate_parts_inputs_and_target() -> None:
    table = Table.from_frame({"a": [1, 2], "y": ["u", "v"], "b": [3, 4]})
    inputs, target = separate(table, "y")
    assert inputs.names == ("a", "b")
    assert inputs.origin == ("a", "y", "b")
    assert target.labels() == ["u", "v"]


def test_a_target_that_is_not_there_is_answered_by_the_nearest() -> None:
    with pytest.raises(TableError, match=r"no column 'specie' in iris\. .*'species'"):
        separate(read("iris"), "specie")


def test_rows_without_a_target_are_an_error_or_left_out() -> None:
    table = Table.from_frame({"a": range(20), "y": [1.0, None, 2.0, None] * 5})
    with pytest.raises(TableError) as caught:
        separate(table, "y")
    assert str(caught.value) == (
        "the target 'y' is missing in 10 of 20 rows (rows 2, 4, 6, 8, 10 and 5 more): "
        "fill it in, or leave these rows out (--drop-missing-target, or "
        "drop_missing_target=True)"
    )
    inputs, target = separate(table, "y", drop_missing_target=True)
    assert inputs.column("a").values.tolist() == list(range(0, 20, 2))
    assert target.missing_count == 0
    assert inputs.notes == ("10 rows without the target 'y' left out",)
    empty = Table.from_frame({"a": [1], "y": [None]})
    with pytest.raises(TableError, match="missing in every row"):
        separate(empty, "y", drop_missing_target=True)


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["a", "b"], "classification", "texts"),
        ([True, False], "classification", "true or false"),
        ([0, 1, 1], "classification", "2 values only"),
        ([0.25, 0.75], "classification", "2 values only"),
        (list(range(7)) * 20, "classification", "7 different ones"),
        ([float(i) for i in range(7)] * 20, "classification", "7 different ones"),
        (list(range(7)), "regression", "7 different ones"),
        (list(range(21)) * 20, "regression", "21 different ones"),
        ([1.5, 2.5, 3.5] * 50, "regression", "fractions"),
        ([1, 2, float("inf")] * 50, "classification", "2 values only"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_the_task_is_inferred_with_a_reason(values, kind: str, reason: str) -> None:
    task = infer_task(Column.of(values, "y"))
    assert task.kind == kind
    assert reason in task.reason


def test_dates_are_no_target() -> None:
    dates = Column.of(np.array(["2020-01-01", "2020-01-02"], "M8[D]"), "day")
    for use in (infer_task, ClassTarget.fit):
        with pytest.raises(TableError, match="'day' holds dates"):
            use(dates)
    with pytest.raises(TableError, match="'day' holds no numbers"):
        RealTarget.fit(dates)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([3, 1, 3], (1, 3)),
        ([True, False, True], (False, True)),
        ([1.5, -1.0, 1.5], (-1.0, 1.5)),
        (np.array([9, 7, 9], dtype=np.uint8), (7, 9)),
    ],
    ids=repr,
)
def test_labels_of_any_kind_become_codes_and_come_back(values, labels) -> None:
    column = Column.of(values, "y")
    target = ClassTarget.fit(column)
    assert target.labels == labels
    assert [type(x) for x in target.labels] == [type(x) for x in labels]
    assert target.counts == (1, 2)
    codes = target.encode(column)
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 0, 1]
    assert target.decode(codes).tolist() == list(values)
    again = target_from_json(json.loads(json.dumps(target.to_json())))
    assert again == target
    assert [type(x) for x in again.labels] == [type(x) for x in labels]


def test_labels_keep_the_spelling_of_the_file() -> None:
    target = ClassTarget.fit(Column.of(["Yes", "No", "Yes"], "y"))
    assert target.decode([1]).tolist() == ["Yes"]


def test_labels_agree_whatever_type_a_later_table_gives_them() -> None:
    target = ClassTarget.fit(Column.of([1, 2, 2], "y"))
    for later in ([2, 1], [2.0, 1.0], ["2", "1"]):
        assert target.encode(Column.of(later, "y")).tolist() == [1, 0]


def test_an_unseen_label_is_refused_with_the_nearest() -> None:
    target = ClassTarget.fit(Column.of(["setosa", "virginica"], "species"))
    with pytest.raises(TableError) as caught:
        target.encode(Column.of(["setosa", "virginia"], "species"))
    assert str(caught.value) == (
        "the target 'species' holds 'virginia', but the classes learnt are "
        "'setosa', 'virginica'. Did you mean 'virginica'?"
    )


def test_a_full_stop_or_a_capital_is_forgiven_with_a_note() -> None:
    target = ClassTarget.fit(Column.of(["<=50K", ">50K"], "income"))
    codes, notes = target.transform(Column.of([">50k.", "<=50K"], "income"))
    assert codes.tolist() == [1, 0]
    assert notes == ("'income': '>50k.' was taken for '>50K'",)
    # Where two classes differ by no more than that, nothing is taken for either.
    picky = ClassTarget.fit(Column.of(["a", "A", "b"], "y"))
    assert picky.encode(Column.of(["A", "a"])).tolist() == [0, 1]
    with pytest.raises(TableError, match=r"holds 'a\.'"):
        picky.encode(Column.of(["a."], "y"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a", "a"], "one class only, 'a'"),
        ([1, 1], "one class only, 1"),
        (["a", None, "b"], r"missing in 1 row \(row 2\)"),
        ([f"k{i}" for i in range(100)], r"as many classes as rows \(100\)"),
        ([1.0, float("inf")], "infinite"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_classes_that_cannot_be_learnt(values: list, said: str) -> None:
    with pytest.raises(TableError, match=said):
        ClassTarget.fit(Column.of(values, "y"))


def test_quantities_are_standardised_and_come_back() -> None:
    values = np.array([10.0, 20.0, 60.0])
    column = Column.of(values, "price")
    target = RealTarget.fit(column)
    encoded = target.encode(column)
    assert encoded.dtype == np.float32
    assert np.allclose(encoded, (values - 30) / values.std())
    assert np.allclose(target.decode(encoded), values)
    assert target.decode(np.zeros((2, 3))).shape == (2, 3)
    assert target.values(column).tolist() == values.tolist()
    assert target_from_json(json.loads(json.dumps(target.to_json()))) == target


def test_quantities_may_be_counts_or_booleans() -> None:
    assert RealTarget.fit(Column.of([1, 3], "y")).mean == 2.0
    assert RealTarget.fit(Column.of([True, False], "y")).mean == 0.5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([5.0, 5.0], "'y' is constant, always 5"),
        (["a", "b"], r"'y' holds no numbers \('a'\)"),
        ([1.0, None], r"missing in 1 row \(row 2\)"),
        ([1.0, float("inf"), 2.0], r"'y' .* infinite values \(row 2\)"),
    ],
    ids=repr,
)
def test_quantities_that_cannot_be_learnt(values: list, said: str) -> None:
    with pytest.raises(TableError, match=said):
        RealTarget.fit(Column.of(values, "y"))


@pytest.mark.parametrize(
    "data", [{}, {"task": "regression"}, {"task": "x", "name": "y"}]
)
def test_json_of_something_else_is_no_target(data: dict) -> None:
    with pytest.raises(TableError, match="damaged"):
        target_from_json(data)
