"""Networks as descriptions: layers, units, output units, initialisers, penalties.

A description is frozen data that builds graph; it never holds a learnt value. Begin
with `mlp`:

>>> from weft import nn
>>> network = nn.mlp([64, 64], "relu", nn.Categorical(10), dropout=0.1)
>>> params = network.init(seed=0, in_features=784)
>>> sorted(params)
['0', '1', 'output']
"""

from weft.nn.composite import Dense, Sequential, Skip
from weft.nn.description import (
    Description,
    DescriptionError,
    from_data,
    register,
    to_data,
)
from weft.nn.distribution import (
    BernoulliDistribution,
    CategoricalDistribution,
    Distribution,
    DistributionError,
    LaplaceDistribution,
    NormalDistribution,
    PoissonDistribution,
)
from weft.nn.hidden import HiddenUnit
from weft.nn.initialisers import (
    Constant,
    Glorot,
    He,
    Initialiser,
    LeCun,
    Normal,
    Orthogonal,
    RandomPhase,
    Uniform,
    Zeros,
)
from weft.nn.layer import Layer, Parameter, is_weight
from weft.nn.layers import Affine, BatchNorm, Dropout, LayerNorm, LowRankAffine
from weft.nn.mode import Mode, Predict, Train
from weft.nn.network import Network, SymmetryWarning
from weft.nn.output import OutputUnit, TargetError
from weft.nn.output_units import (
    Bernoulli,
    Categorical,
    Gaussian,
    HeteroscedasticGaussian,
    Laplace,
    Poisson,
)
from weft.nn.pairing import OUTPUT_TYPES, Mismatched, OutputType, output_types, pair
from weft.nn.penalties import L1, L2, Constraint, MaxNorm, Penalty, weights_of
from weft.nn.perceptron import mlp
from weft.nn.rectifiers import (
    ELU,
    GELU,
    AbsoluteValue,
    LeakyReLU,
    Maxout,
    PReLU,
    ReLU,
    SiLU,
    Softplus,
)
from weft.nn.saturation import Finding, Saturation, lint, saturation
from weft.nn.units import (
    RBF,
    UNITS,
    Cos,
    HardTanh,
    Identity,
    Sigmoid,
    Tanh,
    Unit,
    unit,
)

__all__ = [
    # networks
    "Network",
    "mlp",
    "Train",
    "Predict",
    "Mode",
    "SymmetryWarning",
    # layers
    "Layer",
    "Parameter",
    "Affine",
    "LowRankAffine",
    "Dense",
    "Dropout",
    "LayerNorm",
    "BatchNorm",
    "Sequential",
    "Skip",
    "is_weight",
    # hidden units
    "HiddenUnit",
    "UNITS",
    "unit",
    "ReLU",
    "AbsoluteValue",
    "LeakyReLU",
    "PReLU",
    "Maxout",
    "ELU",
    "GELU",
    "SiLU",
    "Softplus",
    "Sigmoid",
    "Tanh",
    "HardTanh",
    "Cos",
    "RBF",
    "Identity",
    "Unit",
    # output units
    "OutputUnit",
    "Gaussian",
    "HeteroscedasticGaussian",
    "Laplace",
    "Bernoulli",
    "Categorical",
    "Poisson",
    "TargetError",
    # what goes with what, and where it stops to learn
    "OUTPUT_TYPES",
    "OutputType",
    "output_types",
    "pair",
    "Mismatched",
    "Saturation",
    "saturation",
    "Finding",
    "lint",
    # what they predict, in numbers
    "Distribution",
    "NormalDistribution",
    "LaplaceDistribution",
    "BernoulliDistribution",
    "CategoricalDistribution",
    "PoissonDistribution",
    "DistributionError",
    # initialisers
    "Initialiser",
    "Glorot",
    "He",
    "LeCun",
    "Orthogonal",
    "Uniform",
    "Normal",
    "Constant",
    "Zeros",
    "RandomPhase",
    # penalties and constraints
    "Penalty",
    "L1",
    "L2",
    "Constraint",
    "MaxNorm",
    "weights_of",
    # descriptions as data
    "Description",
    "DescriptionError",
    "register",
    "to_data",
    "from_data",
]
