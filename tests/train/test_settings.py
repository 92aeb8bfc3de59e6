"""Settings of the wrong kind: one clear line each."""

import numpy as np
import pytest

from weft import nn, train

X, Y = np.zeros((4, 1)), np.arange(4.0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optimizer": "adam"}, "optimizer is 'adam': give an object such as"),
        ({"optimizer": train.Adam}, "optimizer is <class"),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"early_stopping": 5}, "early_stopping is 5"),
        ({"callbacks": [lambda epoch: None]}, "is no callback"),
    ],
    ids=["name", "class", "schedule", "stopping", "callback"],
)
def test_a_setting_of_another_kind(settings, says):
    with pytest.raises(train.FitError, match=says):
        train.fit(nn.mlp([2]), X, Y, epochs=1, **settings)


def test_a_fit_prints_in_one_line():
    fitted = train.fit(nn.mlp([2]), X, Y, epochs=1)
    assert "\n" not in repr(fitted)
    assert repr(fitted).startswith("Fit(Network([Dense(2, ReLU())]")
