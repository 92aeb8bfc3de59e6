"""Dimensions: linear forms over symbols, and the laws they keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.graph import Dim, FeedError, ShapeError, as_dim, as_shape
from weft.graph.dim import bind, product, resolve, same_size

NAMES = ("n", "m", "batch", "k2")


@st.composite
def forms(draw):
    """A dimension, built by arithmetic; possibly a plain number."""
    form = draw(st.integers(-5, 5))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3)):
        form = form + draw(st.integers(-3, 3)) * as_dim(name)
    return form


numbers = st.integers(-5, 5)


# Ring laws ------------------------------------------------------------------------


@given(forms(), forms(), forms())
def test_sums(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + 0 == a
    assert a - a == 0
    assert a - b == a + -b
    negated = -a
    assert -negated == a


@given(forms(), forms(), numbers, numbers)
def test_products_with_numbers(a, b, p, q):
    assert p * a == a * p
    assert p * (a + b) == p * a + p * b
    assert (p + q) * a == p * a + q * a
    assert (p * q) * a == p * (q * a)
    assert 1 * a == a
    assert 0 * a == 0


@given(forms())
def test_a_form_without_symbol_is_an_int(a):
    assert isinstance(a, (int, Dim))
    assert isinstance(a, int) or a.symbols


@given(forms(), forms())
def test_equal_forms_are_equal_and_hash_so(a, b):
    again = a + b - b
    assert again == a
    assert hash(again) == hash(a)
    assert type(again) is type(a)


@given(forms(), st.fixed_dictionaries(dict.fromkeys(NAMES, numbers)))
def test_a_form_means_its_value(a, values):
    expected = a
    if isinstance(a, Dim):
        expected = a.constant + sum(c * values[s] for s, c in a.terms)
    if expected < 0 and isinstance(a, Dim):
        with pytest.raises(FeedError, match="would be"):
            resolve(a, values)
    else:
        assert resolve(a, values) == expected


def test_products_of_symbols_are_refused():
    with pytest.raises(ShapeError, match=r"product .* n and m .* name of its own"):
        as_dim("n") * as_dim("m")


@pytest.mark.parametrize("other", [0.5, "m", None])
def test_arithmetic_with_no_number_is_refused(other):
    with pytest.raises(TypeError):
        as_dim("n") + other
    with pytest.raises(TypeError):
        as_dim("n") * other


# Text -----------------------------------------------------------------------------


@given(forms())
def test_print_and_parse(a):
    if isinstance(a, Dim):
        assert as_dim(str(a)) == a
        assert as_dim(f"  {a} ") == a


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("n", "n"),
        ("2n", "2n"),
        ("2 * n - 1", "2n-1"),
        ("n - 1", "n-1"),
        ("-1 + n", "n-1"),
        ("m+n", "m+n"),
        ("n + m", "m+n"),
        ("3 - n", "-n+3"),
        ("n + n", "2n"),
        ("batch_size2", "batch_size2"),
    ],
)
def test_spellings(text, printed):
    assert str(as_dim(text)) == printed
    assert repr(as_dim(text)) == f"'{printed}'"


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("n - n + 2", 2), ("2+3", 5)])
def test_text_of_numbers(text, value):
    assert as_dim(text) == value


@pytest.mark.parametrize(
    "given",
    [
        *("", " ", "n m", "2 3", "n*m", "n**2", "2*", "*n", "n+", "--n", "n/2", "1.5"),
        *("-3", "n-n-1", "ñ!", "(n)", -1, 1.5, None, [], object()),
    ],
)
def test_no_dimension(given):
    with pytest.raises(ShapeError):
        as_dim(given)


@pytest.mark.parametrize(
    ("given", "shape"),
    [(3, (3,)), ("n", ("n",)), ((), ()), ([2, "n"], (2, "n")), (as_dim("n"), ("n",))],
)
def test_shapes(given, shape):
    assert as_shape(given) == tuple(as_dim(size) for size in shape)


@pytest.mark.parametrize("given", [None, 1.5, [None], [[1]], [1.5], object()])
def test_no_shape(given):
    with pytest.raises(ShapeError):
        as_shape(given)


# Sizes ----------------------------------------------------------------------------

linear = st.sampled_from([1, 2, 3, as_dim("n"), as_dim("m"), as_dim("2n-1")])


@given(st.lists(linear, max_size=4), st.randoms(use_true_random=False))
def test_same_size_ignores_order(shape, random):
    shuffled = random.sample(shape, len(shape))
    assert same_size(shape, shuffled)
    assert same_size([*shape, 1], shuffled)
    assert not same_size([*shape, 2], shuffled)


@given(st.lists(linear, max_size=4), st.lists(linear, max_size=4))
def test_same_size_is_same_for_all_values(a, b):
    points = [{"n": n, "m": m} for n in (1, 2, 5, 11) for m in (1, 3, 7, 13)]

    def count(shape, values):
        total = 1
        for size in shape:
            total *= resolve(size, values)
        return total

    if same_size(a, b):
        assert all(count(a, p) == count(b, p) for p in points)
    else:
        assert any(count(a, p) != count(b, p) for p in points)


def test_product():
    assert product([]) == 1
    assert product([2, 3]) == 6
    assert product(as_shape((2, "n", 3))) == as_dim("6n")
    assert product(as_shape(("2n-1", 2))) == as_dim("4n-2")
    assert product(as_shape((0, "n"))) == 0
    with pytest.raises(ShapeError, match="name of its own"):
        product(as_shape(("n", "m")))


# Binding --------------------------------------------------------------------------


@given(
    st.lists(st.tuples(*[linear] * 2), max_size=4),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_bind_solves_what_was_fed(shapes, n, m):
    true = {"n": n, "m": m}
    lengths = [tuple(resolve(size, true) for size in shape) for shape in shapes]
    found = bind([(f"x{i}", s) for i, s in enumerate(shapes)], lengths)
    assert found == {name: true[name] for name in found}
    named = {
        s for shape in shapes for d in shape if isinstance(d, Dim) for s in d.symbols
    }
    assert set(found) == named


def bind_one(shape, *lengths):
    return bind([(f"x{i}", as_shape(shape)) for i in range(len(lengths))], lengths)


def test_bind_solves_forms():
    assert bind_one(("2n-1",), (7,)) == {"n": 4}
    shapes = [("s", as_shape(("n+m",))), ("x", as_shape(("n",)))]
    assert bind(shapes, [(5,), (2,)]) == {"n": 2, "m": 3}


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((3,), [(4,)], r"x0 has shape \(3,\), but an array of shape \(4,\) was fed"),
        (("n", 2), [(5,)], r"\('n', 2\).*\(5,\)"),
        (("n",), [(5, 1)], r"array\[:, 0\]"),
        (("n", 1), [(5,)], r"array\[:, None\]"),
        (("n",), [(5,), (6,)], r"x1 .* n is 5 by x0"),
        (("2n",), [(5,)], r"\(5,\)"),
        (("n+3",), [(2,)], r"\(2,\)"),
        (("n+m",), [(2,)], "cannot be solved"),
    ],
)
def test_bind_refuses(shape, lengths, message):
    with pytest.raises(FeedError, match=message):
        bind_one(shape, *lengths)


def test_a_missing_symbol_is_named():
    with pytest.raises(FeedError, match="'m' is not known"):
        resolve(as_dim("n+m"), {"n": 1})
