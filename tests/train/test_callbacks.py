"""The progress bar: on a terminal it moves, in a pipe it is silent."""

import io

import numpy as np
import pytest
from rich.console import Console

from weft import nn, train

X = np.arange(6.0)[:, None]


def shown(terminal):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100)
    bar = train.ProgressBar(console)
    train.fit(
        nn.mlp([2]), X, X[:, 0], epochs=3, validation=(X, X[:, 0]), callbacks=[bar]
    )
    return stream.getvalue()


def test_a_terminal_shows_epochs_and_costs():
    text = shown(terminal=True)
    assert "3/3" in text and "cost" in text and "validation" in text


def test_a_pipe_shows_nothing():
    assert shown(terminal=False) == ""


def test_standard_error_that_is_no_terminal_stays_empty(capsys):
    train.fit(nn.mlp([2]), X, X[:, 0], epochs=2, callbacks=[train.ProgressBar()])
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""


def test_the_bar_ends_after_an_error():
    class Broken(train.Callback):
        def on_epoch_end(self, epoch):
            raise ZeroDivisionError

    stream = io.StringIO()
    bar = train.ProgressBar(Console(file=stream, force_terminal=True))
    with pytest.raises(ZeroDivisionError):
        train.fit(nn.mlp([2]), X, X[:, 0], callbacks=[bar, Broken()])
    assert stream.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is back
