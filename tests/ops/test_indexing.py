"""Indexing against NumPy: fuzzed, symbolic, out of range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.graph import FeedError, ShapeError, WeftError
from weft.testing import check_grads

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)


@st.composite
def basic_indices(draw, shape):
    """Ints, slices, None and one Ellipsis, as NumPy allows them."""
    parts = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        bound = st.none() | st.integers(-size - 2, size + 2)
        step = st.none() | st.integers(-3, 3).filter(bool)
        kinds = [st.builds(slice, bound, bound, step)]
        if size:
            kinds.append(st.integers(-size, size - 1))
            kinds.append(st.integers(-size, size - 1).map(np.int64))
        parts.append(draw(st.one_of(kinds)))
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        whole = [p for p in parts if p is not None]
        at = draw(st.integers(0, len(parts)))
        # Axes behind the ellipsis are counted from the end: keep them in range.
        if all(isinstance(p, slice) for p in whole):
            parts.insert(at, Ellipsis)
        else:
            parts.append(Ellipsis)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def indices_with_an_array(draw, shape):
    parts = list(draw(st.just(shape).flatmap(basic_indices_tuple)))
    free = [i for i, p in enumerate(parts) if isinstance(p, slice)]
    if not free:
        return tuple(parts)
    at = draw(st.sampled_from(free))
    axis = len([p for p in parts[:at] if p is not None and p is not Ellipsis])
    size = shape[axis]
    count = draw(st.integers(0, 3)) if size else 0
    one = st.integers(-size, size - 1) if size else st.nothing()
    positions = draw(st.lists(one, min_size=count, max_size=count))
    array = np.array(positions, dtype=draw(st.sampled_from(["int32", "int64"])))
    if count and draw(st.booleans()):
        array = np.stack([array, array[::-1]])
    parts[at] = array.tolist() if draw(st.booleans()) else array
    return tuple(parts)


@st.composite
def basic_indices_tuple(draw, shape):
    """The same with every axis named, so that positions in it are clear."""
    parts = []
    for size in shape:
        kinds = [st.just(slice(None)), st.just(slice(None, None, -1))]
        if size:
            kinds.append(st.integers(-size, size - 1))
        parts.append(draw(st.one_of(kinds)))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return tuple(parts)


def check_index(shape, index):
    array = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    expected = array[index]
    x = weft.input("x", shape, "float64")
    node = x[index]
    assert node.shape == expected.shape
    assert np.array_equal(weft.evaluate(node, {x: array}), expected)
    gradient = weft.evaluate(weft.grad(weft.sum(node * node), x), {x: array})
    counts = np.zeros(shape)
    np.add.at(counts, index, 1)
    assert np.array_equal(gradient, 2 * array * counts)


@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), basic_indices(s))))
def test_basic_indexing_is_numpys(case):
    check_index(*case)


@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), indices_with_an_array(s))))
def test_indexing_by_an_array_is_numpys(case):
    check_index(*case)


@given(
    st.integers(1, 6),
    SHAPES.flatmap(lambda s: st.tuples(st.just(s), basic_indices(s))),
)
def test_indexing_an_axis_of_symbolic_length(n, case):
    """Either it is refused, or it means what NumPy means for that length."""
    rest, index = case
    shape = (n, *rest)
    array = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    x = weft.input("x", ("n", *rest), "float64")
    for full in (index, (slice(1, None), index), (slice(None, -1), index)):
        full = full if isinstance(full, tuple) else (full,)
        if full and isinstance(full[-1], tuple):
            full = (full[0], *full[-1])
        try:
            value = weft.evaluate(x[full], {x: array})
        except WeftError:
            continue
        assert np.array_equal(value, array[full])


# Symbolic bounds ------------------------------------------------------------------

n = weft.as_dim("n")


@pytest.mark.parametrize(
    ("index", "length", "expected"),
    [
        (slice(None), "n", lambda a: a),
        (slice(1, None), "n-1", lambda a: a[1:]),
        (slice(None, -1), "n-1", lambda a: a[:-1]),
        (slice(1, -1), "n-2", lambda a: a[1:-1]),
        (slice(-2, None), 2, lambda a: a[-2:]),
        (slice(None, 3), 3, lambda a: a[:3]),
        (slice(None, None, -1), "n", lambda a: a[::-1]),
        (slice(None, n - 1), "n-1", lambda a: a[:-1]),
        (slice(None, "n-2"), "n-2", lambda a: a[:-2]),
        (slice(n - 1, None), 1, lambda a: a[-1:]),
        (slice(2, 1), 0, lambda a: a[2:1]),
        (slice(-1, -3), 0, lambda a: a[-1:-3]),
        (0, None, lambda a: a[0]),
        (-1, None, lambda a: a[-1]),
    ],
)
def test_slices_of_a_symbolic_axis(index, length, expected):
    x = weft.input("x", ("n", 2), "float64")
    node = x[index]
    assert node.shape == ((weft.as_dim(length), 2) if length is not None else (2,))
    for count in (3, 4, 7):
        array = np.random.default_rng(count).normal(size=(count, 2))
        value = weft.evaluate(node, {x: array})
        assert np.array_equal(value, expected(array))
        gradient = weft.evaluate(weft.grad(weft.sum(node * node), x), {x: array})
        assert np.isclose(gradient.sum(), 2 * expected(array).sum())


@pytest.mark.parametrize(
    ("index", "count"), [(slice(None, 3), 2), (slice(-3, None), 2), (2, 2), (-3, 2)]
)
def test_a_part_that_is_not_there_when_run(index, count):
    x = weft.input("x", ("n",), "float64")
    with pytest.raises(FeedError):
        weft.evaluate(x[index] * 1, {x: np.zeros(count)})


# Positions ------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (0,)])
def test_take(shape, axis):
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2, 3, 4))
    index = rng.integers(-array.shape[axis], array.shape[axis], shape)
    expected = np.take(array, index, axis)
    x = weft.input("x", array.shape, "float64")
    at = weft.input("at", shape, "int64")
    for node in (weft.take(x, at, axis), weft.take(x, index, axis)):
        assert node.shape == expected.shape
        assert np.array_equal(weft.evaluate(node, {x: array, at: index}), expected)
    assert np.array_equal(weft.take(array, index, axis), expected)


@pytest.mark.parametrize("position", [3, -4, 10**9])
def test_a_position_outside_is_an_error_never_a_wrong_row(position):
    x = weft.input("x", ("n", 2), "float64")
    at = weft.input("at", (2,), "int64")
    feed = {x: np.zeros((3, 2)), at: [0, position]}
    for node in (
        weft.take(x, at),
        x[at],
        weft.take_along_axis(x, weft.reshape(at, (1, 2)), 0),
        weft.scatter_add(weft.constant([1.0, 2.0]), at, 3),
        weft.one_hot(at, 3),
    ):
        with pytest.raises(FeedError, match=rf"position {position} is outside .* 3"):
            weft.evaluate(node, feed)


def test_a_batch_of_takes_keeps_each_to_its_own_entry():
    x, at = weft.input("x", (3, 2), "float64"), weft.input("at", (2,), "int64")
    xs = weft.input("xs", ("b", 3, 2), "float64")
    ats = weft.input("ats", ("b", 2), "int64")
    node = weft.vmap(weft.take(x, at), {x: xs, at: ats})
    arrays = np.arange(12.0).reshape(2, 3, 2)
    index = np.array([[-1, 0], [0, -3]])
    expected = np.stack([a[i] for a, i in zip(arrays, index, strict=True)])
    assert np.array_equal(weft.evaluate(node, {xs: arrays, ats: index}), expected)
    with pytest.raises(FeedError, match="position 3 is outside"):
        weft.evaluate(node, {xs: arrays, ats: [[3, 0], [0, 0]]})


@given(st.data())
def test_scatter_is_the_adjoint_of_take(data):
    length = data.draw(st.integers(1, 4))
    index = np.array(data.draw(st.lists(st.integers(-length, length - 1), max_size=5)))
    index = index.astype(int)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    axis = data.draw(st.integers(0, 1))
    shape = [2, 3]
    shape[axis] = length
    x, y = rng.normal(size=shape), None
    taken = weft.take(x, index, axis)
    y = rng.normal(size=taken.shape)
    scattered = weft.scatter_add(y, index, length, axis)
    assert scattered.shape == x.shape
    assert np.isclose(np.vdot(taken, y), np.vdot(x, scattered))


def test_scatter_counts_its_axis_from_the_end():
    x = weft.constant(np.ones((2, 3)))
    found = weft.scatter_add(x, [0, 0, 1], 2, axis=-1).numpy()
    assert np.array_equal(found, [[2, 1], [2, 1]])


def test_take_along_axis_is_numpys():
    rng = np.random.default_rng(1)
    array, index = rng.normal(size=(3, 4)), rng.integers(-4, 4, (3, 2))
    x = weft.constant(array)
    expected = np.take_along_axis(array, index, 1)
    assert np.array_equal(weft.take_along_axis(x, index, 1).numpy(), expected)
    check_grads(lambda x: weft.take_along_axis(x, index, 1), array)


def test_one_hot():
    index = np.array([[2, 0], [-1, 1]])
    expected = np.eye(3)[index]
    found = weft.one_hot(weft.constant(index), 3, "float64").numpy()
    assert np.array_equal(found, expected)
    assert weft.one_hot(weft.constant(index), 3).dtype == np.float32
    symbolic = weft.one_hot(weft.input("i", ("n",), "int32"), "k")
    assert symbolic.shape == (weft.as_dim("n"), weft.as_dim("k"))


# Order ----------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_order(axis):
    array = np.random.default_rng(2).integers(0, 3, (4, 5)).astype(float)
    x = weft.constant(array)
    expected = np.argsort(array, axis, kind="stable")
    assert np.array_equal(weft.argsort(x, axis).numpy(), expected)
    assert np.array_equal(weft.sort(x, axis).numpy(), np.sort(array, axis))
    assert np.array_equal(weft.argmax(x, axis).numpy(), np.argmax(array, axis))


def test_the_slope_of_sorting_goes_where_the_value_came_from():
    check_grads(lambda x: weft.sin(weft.sort(x)) * np.arange(4.0), [3.0, -1, 2, 0.5])


def test_arange():
    assert np.array_equal(weft.arange(4).numpy(), np.arange(4))
    x = weft.input("x", ("n",))
    counted = weft.arange("n") + weft.cast(x, "int64")
    assert np.array_equal(weft.evaluate(counted, {x: np.zeros(3)}), [0, 1, 2])
    with pytest.raises(ShapeError):
        weft.arange(-1)
