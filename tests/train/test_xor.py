"""XOR is learnt from (nearly) every start.

The recipe: eight rectifiers, orthogonal weights, a bias of 0.1 so that every unit is
active for some input at first, and two hundred steps of Adam with rate 0.05 over all
four rows. What still fails now and then is a start from which too many units die.
"""

import numpy as np

from weft import nn, train

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0, 1, 1, 0])
NETWORK = nn.mlp(
    [8], "relu", nn.Bernoulli(), weights=nn.Orthogonal(), bias=nn.Constant(0.1)
)


def learns(seed):
    fitted = train.fit(NETWORK, X, Y, optimizer=train.Adam(0.05), epochs=200, seed=seed)
    predicted = train.Evaluator(NETWORK, 2).predict(fitted.params, X)
    return bool((abs(predicted - Y) < 0.1).all())


def test_eight_rectifiers_learn_it_from_98_of_100_seeds(count):
    seeds = range(count(20, 100))
    learnt = sum(map(learns, seeds))
    assert learnt >= 0.98 * len(seeds)


def test_a_linear_model_does_not():
    linear = nn.mlp([], output=nn.Bernoulli())
    fitted = train.fit(linear, X, Y, optimizer=train.LBFGS(), epochs=200)
    predicted = train.Evaluator(linear, 2).predict(fitted.params, X)
    assert np.allclose(predicted, 0.5, atol=1e-3)
