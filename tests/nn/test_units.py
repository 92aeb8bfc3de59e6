"""Hidden units: values, gradients, initialisers, names, and one's own."""

import math

import numpy as np
import pytest
from scipy import special

import weft
from weft import nn
from weft.testing import check_grads

Z = np.array([[-3.0, -0.7, -0.01, 0.02, 0.4, 2.5]])

REFERENCE = {
    nn.ReLU(): lambda z: np.maximum(z, 0),
    nn.AbsoluteValue(): np.abs,
    nn.LeakyReLU(): lambda z: np.where(z > 0, z, 0.01 * z),
    nn.LeakyReLU(0.2): lambda z: np.where(z > 0, z, 0.2 * z),
    nn.Maxout(2): lambda z: z.reshape(1, 3, 2).max(2),
    nn.Maxout(3): lambda z: z.reshape(1, 2, 3).max(2),
    nn.ELU(): lambda z: np.where(z > 0, z, np.expm1(z)),
    nn.ELU(0.5): lambda z: np.where(z > 0, z, 0.5 * np.expm1(z)),
    nn.GELU(): lambda z: z * special.ndtr(z),
    nn.SiLU(): lambda z: z * special.expit(z),
    nn.Softplus(): lambda z: np.logaddexp(0, z),
    nn.Sigmoid(): special.expit,
    nn.Tanh(): np.tanh,
    nn.HardTanh(): lambda z: np.clip(z, -1, 1),
    nn.Cos(): np.cos,
    nn.RBF(): np.exp,
    nn.Identity(): lambda z: z,
    nn.Unit(lambda z: z * weft.tanh(z)): lambda z: z * np.tanh(z),
}
ALL = [*REFERENCE, nn.PReLU()]


def label(value):
    """Name a case; the name of a function would hold its address."""
    if isinstance(value, nn.Unit):
        return "Unit"
    return repr(value) if isinstance(value, nn.Description) else None


@pytest.mark.parametrize(("unit", "reference"), REFERENCE.items(), ids=label)
def test_values(unit, reference):
    value = unit.value({}, weft.constant(Z))
    assert np.allclose(value.numpy(), reference(Z), rtol=1e-12, atol=0)


def test_prelu_has_a_slope_per_unit():
    alpha = weft.constant(np.linspace(0, 1, 6))
    value = nn.PReLU().value({"alpha": alpha}, weft.constant(Z)).numpy()
    assert np.allclose(value, np.where(Z > 0, Z, np.linspace(0, 1, 6) * Z))
    assert nn.PReLU(0.1).own_parameters(4)["alpha"].shape == (4,)


def test_a_leaky_rectifier_of_slope_minus_one_is_the_absolute_value():
    value = nn.LeakyReLU(-1.0).value({}, weft.constant(Z)).numpy()
    assert np.array_equal(value, np.abs(Z))


@pytest.mark.parametrize("unit", ALL, ids=label)
def test_the_gradient_of_a_hidden_layer(unit):
    """Of a whole layer, in its input and every parameter, to the second order.

    The seed is one for which no pre-activation lies close to a kink.
    """
    rng = np.random.default_rng(3)
    layer = nn.Dense(3, unit)
    x = weft.input("x", ("n", 4), "float64")
    params = layer.init(rng, (4,))
    leaves = {
        name: weft.parameter(name, value.shape, "float64")
        for name, value in params.items()
    }
    node, updates = layer(leaves, x, nn.Predict())
    assert updates == {} and [str(d) for d in node.shape] == ["n", "3"]
    feed = {leaf: params[name] for name, leaf in leaves.items()}
    check_grads(node, {**feed, x: rng.normal(size=(5, 4))})


@pytest.mark.parametrize(
    ("unit", "slope"),
    [
        (nn.ReLU(), (0, 1)),
        (nn.AbsoluteValue(), (-1, 1)),
        (nn.Unit(lambda z: weft.maximum(z, 0)), (0, 1)),
        (nn.Unit(lambda z: weft.where(z >= 0, z, 0)), (0, 1)),
    ],
    ids=label,
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_slope_at_a_kink_is_one_sided_as_asked(unit, slope, side):
    z = weft.input("z", (), "float64")
    found = weft.evaluate(weft.grad(unit.value({}, z), z, kink=side), {z: 0.0})
    assert found == slope[side == "right"]


# Initialisers -----------------------------------------------------------------------


def test_each_unit_knows_the_initialiser_that_suits_it():
    assert nn.ReLU().weights == nn.He()
    assert nn.LeakyReLU(0.3).weights == nn.He(slope=0.3)
    assert nn.Tanh().weights == nn.Glorot()
    assert nn.Cos().bias == nn.RandomPhase()
    assert nn.Unit(weft.sin, weights=nn.Normal(1.0)).weights == nn.Normal(1.0)


@pytest.mark.parametrize(
    "unit",
    [nn.ReLU(), nn.LeakyReLU(0.2), nn.PReLU(), nn.AbsoluteValue(), nn.Maxout(2)],
    ids=label,
)
def test_signals_keep_their_size_through_ten_layers(unit):
    """The reason for He and LeCun weights: E h^2 neither grows nor fades."""
    network = nn.mlp([200] * 10, unit, nn.Gaussian())
    evaluator = weft.train.Evaluator(network, 200, "float64")
    params = network.init(seed=1, in_features=200, dtype="float64")
    rows = np.random.default_rng(2).normal(size=(200, 200))
    size = np.mean(evaluator.hidden(params, rows, 9) ** 2)
    assert 0.4 < size < 2.5


def test_cosine_units_start_with_slopes_and_differ():
    network = nn.mlp([300], "cos", nn.Gaussian())
    params = network.init(seed=0, in_features=10)["0"]
    slopes = np.sin(params["b"])
    assert 0.4 < np.mean(slopes**2) < 0.6


def test_radial_units_start_with_typical_exponents_near_minus_one():
    network = nn.mlp([300], "rbf", nn.Gaussian())
    params = network.init(seed=0, in_features=50)
    rows = np.random.default_rng(0).normal(size=(100, 50))
    h = weft.train.Evaluator(network, 50).hidden(params, rows)
    assert -1.3 < np.mean(np.log(h)) < -0.7


def test_radial_units_measure_the_distance_from_their_centres():
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    params = {
        "centres": weft.constant(c),
        "log_beta": weft.constant(np.log([0.5, 2.0])),
    }
    node, _ = nn.Dense(2, nn.RBF())(params, weft.constant(x), nn.Predict())
    distance = ((x[:, :, None] - c) ** 2).sum(axis=1)
    assert np.allclose(node.numpy(), np.exp(-np.array([0.5, 2.0]) * distance))


def test_maxout_counts():
    stated = nn.Dense(5, nn.Maxout(3)).parameters((4,))
    assert stated["W"].shape == (4, 15) and stated["b"].shape == (15,)
    assert nn.Maxout(3).out_shape((15,)) == (5,)


# Names ------------------------------------------------------------------------------


def test_every_name_gives_its_unit():
    for name in nn.UNITS:
        assert isinstance(nn.unit(name), nn.HiddenUnit)
        assert nn.unit(name.upper()) == nn.unit(name)
    assert nn.unit(nn.Cos()) == nn.Cos()
    assert nn.unit(weft.sin) == nn.Unit(weft.sin)


@pytest.mark.parametrize(
    ("name", "meant"), [("rleu", "relu"), ("Tahn", "tanh"), ("leakyrelu", "leaky_relu")]
)
def test_a_wrong_name_is_answered_with_the_nearest(name, meant):
    with pytest.raises(nn.DescriptionError, match=f"did you mean '{meant}'"):
        nn.unit(name)


@pytest.mark.parametrize("given", [3, None, nn.ReLU, nn.Affine(3)])
def test_what_is_no_unit_is_refused(given):
    with pytest.raises(nn.DescriptionError, match="is no unit"):
        nn.unit(given)


def test_radial_units_need_a_layer_of_their_own():
    with pytest.raises(
        weft.ShapeError, match=r"layer 0 \(RBF\(\)\).*Dense\(n, RBF\(\)"
    ):
        nn.Sequential(nn.RBF()).parameters((3,))


# One's own --------------------------------------------------------------------------


def test_a_unit_of_ones_own_must_keep_the_shape():
    unit = nn.Unit(lambda z: weft.sum(z, axis=1))
    with pytest.raises(weft.ShapeError, match="same shape"):
        unit.value({}, weft.constant(Z))


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z * weft.tanh(weft.softplus(z)),
        lambda z: weft.where(z > 0, z, 0.1 * z) + 0.5,
        lambda z: weft.minimum(weft.relu(z), 6.0),
        lambda z: weft.sin(3 * z) ** 2,
        weft.erf,
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_unit_of_ones_own_is_written_as_a_graph(function, dtype):
    unit = nn.Unit(function, bias=nn.Constant(0.1))
    data = nn.to_data(unit)
    assert "lambda" not in str(data)
    again = nn.from_data(data)
    z = weft.constant(Z.astype(dtype))
    assert again.value({}, z) is unit.value({}, z)  # the very same graph
    assert again.value({}, z).dtype == dtype
    assert nn.to_data(again) == data and again.bias == nn.Constant(0.1)


def test_a_unit_of_ones_own_prints_what_it_computes():
    unit = nn.Unit(lambda z: z * weft.tanh(z), bias=nn.Constant(0.1))
    assert repr(unit) == "Unit(lambda z: (z * tanh(z)), bias=Constant(0.1))"
    assert repr(nn.from_data(nn.to_data(unit))) == repr(unit)
    twice = nn.Unit(lambda z: weft.exp(z) + weft.sin(weft.exp(z)))
    assert repr(twice) == "Unit(lambda z: (a + sin(a)), where a = exp(z))"
    assert repr(nn.Unit(weft.softmax)).startswith("Unit(<function softmax")


def test_what_is_no_function_of_one_number_cannot_be_written():
    other = weft.parameter("other", (), "float64")
    for function in (
        lambda z: weft.softmax(z),
        lambda z: z + other,
        lambda z: weft.constant(1.0),
        lambda z: z > 0,
    ):
        with pytest.raises(nn.DescriptionError, match="function of a unit"):
            nn.to_data(nn.Unit(function))


def test_a_damaged_unit_is_refused():
    data = nn.to_data(nn.Unit(weft.sin))
    data["graph"] = data["graph"].replace("sin", "no_such_op")
    with pytest.raises(weft.WeftError, match="no_such_op"):
        nn.from_data(data).value({}, weft.constant(Z))


def test_sigmoid_and_tanh_are_one_function():
    z = np.linspace(-20, 20, 401)
    tanh = nn.Tanh().value({}, weft.constant(z)).numpy()
    twice = nn.Sigmoid().value({}, weft.constant(2 * z)).numpy()
    assert np.allclose(tanh, 2 * twice - 1, rtol=0, atol=2 * math.ulp(1.0))
