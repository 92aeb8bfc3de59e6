"""TabularClassifier and TabularRegressor on raw tables."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import weft
from weft.estimators import ModelFileError
from weft.tables import ClassTarget, TableError, read, separate, split
from weft.train import Callback

QUICK = {"hidden": (32,), "epochs": 25}


def _frame(rows=300, seed=0):
    """A raw table: numbers with gaps, a category, a boolean, a date, and prices."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(1, 10, rows)
    town = rng.choice(["north", "south", "west"], rows)
    old = rng.random(rows) < 0.5
    sold = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D")
    price = 10 * size + 20 * (town == "north") - 5 * old + rng.normal(size=rows)
    shown = np.where(rng.random(rows) < 0.1, np.nan, size)
    frame = pd.DataFrame({"size": shown, "town": town, "old": old, "sold": sold})
    return frame, price


def test_a_raw_table_goes_in_and_prices_come_out():
    frame, price = _frame(800)
    model = weft.TabularRegressor().fit(frame[:600], price[:600])
    found = model.evaluate(frame[600:], price[600:])
    gaps = frame["size"][600:].isna().to_numpy()
    error = model.predict(frame[600:]) - price[600:]
    assert np.sqrt(np.mean(error[~gaps] ** 2)) < 5 < 0.3 * price.std()
    assert found["r2"] > 0.8
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert any("size" in note for note in model.notes_)


def test_intervals_hold_what_they_say():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 3000)
    y = 50 + 10 * np.sin(2 * x) + 3 * rng.normal(size=3000)
    model = weft.TabularRegressor(hidden=(64,)).fit({"x": x[:2000]}, y[:2000])
    low, high = model.predict_interval({"x": x[2000:]}, coverage=0.9)
    inside = np.mean((low <= y[2000:]) & (y[2000:] <= high))
    assert 0.86 < inside < 0.94
    dist = model.predict_dist({"x": x[2000:]})
    assert np.median(dist.std()) == pytest.approx(3, rel=0.15)
    assert model.evaluate({"x": x[2000:]}, y[2000:])["nll"] == pytest.approx(
        np.log(3) + 0.5 * np.log(2 * np.pi * np.e), abs=0.1
    )


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow", "dict"])
def test_every_form_of_a_table_gives_the_same(form):
    frame, price = _frame(200)
    forms = {
        "pandas": lambda f: f,
        "polars": pl.from_pandas,
        "arrow": lambda f: pa.Table.from_pandas(f, preserve_index=False),
        "dict": lambda f: {name: f[name].to_numpy() for name in f.columns},
    }
    numbers = frame[["size", "old"]]
    model = weft.TabularRegressor(**QUICK).fit(forms[form](numbers), price)
    reference = weft.TabularRegressor(**QUICK).fit(numbers, price)
    np.testing.assert_array_equal(
        model.predict(forms[form](numbers)), reference.predict(numbers)
    )


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    frame, price = _frame()
    one, two, three = (
        weft.TabularRegressor(random_state=seed, **QUICK).fit(frame, price)
        for seed in (1, 1, 2)
    )
    assert one.predict(frame).tobytes() == two.predict(frame).tobytes()
    assert one.predict(frame).tobytes() != three.predict(frame).tobytes()


@pytest.mark.parametrize("task", ["classifier", "regressor"])
def test_saved_copied_and_pickled_it_predicts_the_same(tmp_path, task):
    frame, price = _frame()
    if task == "classifier":
        model = weft.TabularClassifier(**QUICK).fit(
            frame, np.where(price > 60, "a", "b")
        )
    else:
        model = weft.TabularRegressor(**QUICK).fit(frame, price)
    before = model.predict(frame)
    model.save(tmp_path / "m.weft")
    loaded = weft.load(tmp_path / "m.weft")
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict(frame), before)
    assert loaded.describe() == model.describe()
    assert loaded.get_params() == model.get_params()
    assert loaded.history_["cost"].tolist() == model.history_["cost"].tolist()
    json.dumps(loaded.describe(), allow_nan=False)
    loaded.save(tmp_path / "again.weft")
    first, second = (tmp_path / n for n in ("m.weft", "again.weft"))
    assert first.read_bytes() == second.read_bytes()


def test_a_saved_file_is_not_replaced_in_silence(tmp_path):
    frame, price = _frame(60)
    model = weft.TabularRegressor(**QUICK).fit(frame, price)
    model.save(tmp_path / "m.weft")
    with pytest.raises(ModelFileError, match="exists already"):
        model.save(tmp_path / "m.weft")
    model.save(tmp_path / "m.weft", force=True)


def test_a_later_table_is_read_by_the_schema():
    frame, price = _frame()
    model = weft.TabularRegressor(**QUICK).fit(frame, price)
    before = model.predict(frame)
    np.testing.assert_array_equal(model.predict(frame[frame.columns[::-1]]), before)
    np.testing.assert_array_equal(model.predict(frame.assign(extra=1)), before)
    with pytest.raises(TableError, match=r"lacks 1 column .*'town'"):
        model.predict(frame.drop(columns="town"))
    with pytest.raises(TableError, match="'size'"):
        model.predict(frame.assign(size="big"))
    unseen = frame.assign(town="east")
    assert np.isfinite(model.predict(unseen)).all()


def test_probabilities_are_probabilities_and_in_the_order_of_classes():
    table = read("iris")
    inputs, species = separate(table, "species")
    model = weft.TabularClassifier(**QUICK).fit(inputs, species)
    p = model.predict_proba(inputs)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(
        model.classes_[p.argmax(axis=1)], model.predict(inputs)
    )
    codes = ClassTarget.fit(species).encode(species)
    own = np.log(p[np.arange(150), codes])
    assert model.evaluate(inputs, species)["nll"] == pytest.approx(-own.mean())


def test_validation_data_of_ones_own_decides():
    frame, price = _frame()
    model = weft.TabularRegressor(**QUICK).fit(
        frame[:200], price[:200], validation_data=(frame[200:], price[200:])
    )
    assert model.fit_.train_rows == 200
    assert model.fit_.validation_rows == 100


def test_without_validation_all_rows_are_learnt_from():
    frame, price = _frame(100)
    model = weft.TabularRegressor(validation_fraction=0, **QUICK).fit(frame, price)
    assert (model.fit_.train_rows, model.fit_.validation_rows) == (100, 0)
    assert model.fit_.stopped == "epochs"


def test_weights_move_the_fit():
    y = np.where(np.arange(200) % 2, 0.0, 10.0)
    weight = np.where(y > 0, 3.0, 1.0)
    # An input that says nothing: all that can be learnt is the weighted mean.
    noise = {"x": np.random.default_rng(0).normal(size=200)}
    model = weft.TabularRegressor(hidden=(), epochs=300, weight_decay=1.0)
    model.fit(noise, y, sample_weight=weight)
    assert model.predict({"x": [0.0]})[0] == pytest.approx(7.5, abs=0.7)
    with pytest.raises(ValueError, match="one finite number"):
        model.fit(noise, y, sample_weight=weight[:5])


def test_interrupted_it_keeps_the_best_so_far():
    class Impatient(Callback):
        def on_epoch_end(self, epoch):
            if epoch.number == 3:
                raise KeyboardInterrupt

    frame, price = _frame()
    model = weft.TabularRegressor(**QUICK).fit(frame, price, callbacks=[Impatient()])
    assert model.fit_.stopped == "interrupted"
    assert model.fit_.epochs <= 3
    assert np.isfinite(model.predict(frame)).all()


def test_it_is_a_scikit_learn_estimator():
    frame, price = _frame(120)
    model = weft.TabularRegressor(hidden=(8,), epochs=5, random_state=3)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(frame)
    model.fit(frame, price)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == ["size", "town", "old", "sold"]
    assert model.score(frame, price) == pytest.approx(
        model.evaluate(frame, price)["r2"]
    )


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a"] * 60, "one class only"),
        ([1.0, np.nan] * 30, "missing in 30 rows"),
        (np.zeros((60, 1)), r"y\[:, 0\]"),
        (["a", "b"] * 10, "60 rows, the target 20"),
    ],
    ids=["one-class", "gaps", "column", "short"],
)
def test_a_target_that_cannot_be_learnt(y, says):
    frame, _ = _frame(60)
    with pytest.raises(TableError, match=says):
        weft.TabularClassifier(**QUICK).fit(frame, y)


def test_an_infinite_value_is_named_by_its_row_in_the_table():
    X = {"x": np.where(np.arange(60) == 41, np.inf, np.arange(60.0))}
    with pytest.raises(TableError, match=r"'x' .* infinite values \(row 42\)"):
        weft.TabularClassifier(epochs=1).fit(X, np.arange(60) % 2)


def test_a_constant_target_and_too_few_rows():
    frame, price = _frame(60)
    with pytest.raises(TableError, match="constant"):
        weft.TabularRegressor(**QUICK).fit(frame, np.ones(60))
    with pytest.raises(TableError, match="too few rows"):
        weft.TabularRegressor(**QUICK).fit(frame[:3], price[:3])


# Real tables ------------------------------------------------------------------------

ADULT = """
age workclass fnlwgt education education-num marital-status occupation relationship
race sex capital-gain capital-loss hours-per-week native-country income
"""


def test_adult_by_its_official_test_file(data_folder, count):
    train = read(data_folder / "adult" / "adult.data", columns=ADULT.split())
    test = read(data_folder / "adult" / "adult.test", columns=ADULT.split())
    X, y = separate(train, "income")
    X_test, y_test = separate(test, "income")
    for seed in range(count(1, 3)):
        model = weft.TabularClassifier(random_state=seed).fit(X, y)
        found = model.evaluate(X_test, y_test)
        print(f"Adult, seed {seed}: {found}, {model.fit_.seconds:.1f} s")
        assert found["accuracy"] >= 0.850


def test_california_housing(data_folder, count):
    table = read(data_folder / "california-housing" / "housing.csv")
    X, y = separate(table, "median_house_value")
    for seed in range(count(1, 3)):
        rows, held = split(table.rows, 0.2, seed)
        model = weft.TabularRegressor(random_state=seed).fit(X.take(rows), y.take(rows))
        found = model.evaluate(X.take(held), y.take(held))
        print(f"California, seed {seed}: {found}, {model.fit_.seconds:.1f} s")
        assert found["rmse"] <= 53_000


@pytest.mark.prove
def test_mnist_by_the_command_of_the_guide(data_folder, tmp_path):
    folder, model = data_folder / "mnist", tmp_path / "mnist.weft"
    command = [sys.executable, "-m", "weft"]
    options = ["--holdout", "0", "--hidden", "512,512", "--epochs", "20"]
    images = folder / "train-images-idx3-ubyte.gz"
    subprocess.run(
        [*command, "fit", images, *options, "--output", model, "--quiet"], check=True
    )
    tested = subprocess.run(
        [*command, "evaluate", model, folder / "t10k-images-idx3-ubyte.gz", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(tested.stdout)["metrics"]
    print(f"MNIST: {found}")
    assert 1 - found["accuracy"] <= 0.018


def test_rows_of_weight_zero_do_not_set_the_scale_of_the_target() -> None:
    X = np.random.default_rng(0).normal(size=(120, 2))
    y = X[:, 0].copy()
    weight = np.repeat([0.0, 1.0], 60)
    outlying = np.where(weight > 0, y, 1000.0)
    model = weft.TabularRegressor(hidden=(4,), epochs=1, validation_fraction=0)
    model.fit(X, outlying, sample_weight=weight)
    counting = y[weight > 0]
    assert model.target_.mean == pytest.approx(counting.mean())
    assert model.target_.scale == pytest.approx(counting.std())


def test_what_is_learnt_of_the_target_comes_from_the_rows_fitted_to() -> None:
    frame, price = _frame(200)
    model = weft.TabularRegressor(hidden=(4,), epochs=1, random_state=5)
    model.fit(frame, price)
    rows, _ = split(200, 0.1, 5)
    assert model.target_.mean == pytest.approx(price[rows].mean(), rel=1e-12)
    assert model.target_.mean != pytest.approx(price.mean(), rel=1e-6)


def test_any_random_state_of_scikit_learn_will_do() -> None:
    frame, price = _frame(60)
    for state in (None, np.random.RandomState(0), np.int64(3)):
        model = weft.TabularRegressor(hidden=(4,), epochs=1, random_state=state)
        assert np.isfinite(model.fit(frame, price).predict(frame)).all()


def test_what_is_not_fitted_says_so():
    for model in (weft.TabularClassifier(), weft.TabularRegressor()):
        for ask in (model.predict, model.predict_dist):
            with pytest.raises(NotFittedError):
                ask({"x": [1.0]})
        with pytest.raises(NotFittedError):
            model.evaluate({"x": [1.0]}, [1.0])


def test_one_hidden_layer_may_be_given_as_its_width():
    X, y = {"x": np.arange(40.0)}, np.arange(40.0)
    one, same = (
        weft.TabularRegressor(hidden=hidden, epochs=1).fit(X, y) for hidden in (8, [8])
    )
    assert one.network_ == same.network_
    with pytest.raises(weft.WeftError, match="batch_size is 0"):
        weft.TabularRegressor(batch_size=0).fit(X, y)


def test_a_fit_that_fails_leaves_nothing_half_fitted() -> None:
    class Failing(Callback):
        def on_epoch_end(self, epoch):
            raise RuntimeError("stop")

    frame, price = _frame(60)
    model = weft.TabularRegressor(hidden=(4,), epochs=2).fit(frame, price)
    with pytest.raises(RuntimeError):
        model.fit(frame[["size"]], price, callbacks=[Failing()])
    with pytest.raises(NotFittedError):
        model.predict(frame)
