"""The progress bar: on a terminal it moves, in a pipe it is silent."""

import io
import threading

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


def test_the_steps_of_an_epoch_are_seen_from_another_thread():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((60_000, 32)).astype(np.float32)
    seen = []

    class Watch(train.Callback):
        def on_fit_begin(self, beginning):
            self.over = threading.Event()
            self.thread = threading.Thread(target=self.watch, args=(beginning,))
            self.thread.start()

        def watch(self, beginning):
            while not self.over.wait(1e-4):
                seen.append(beginning.position(done=0))

        def on_fit_end(self, fit):
            self.over.set()
            self.thread.join()
            seen.append(fit)

    train.fit(
        nn.mlp([64]), rows, rows[:, 0], epochs=1, batch_size=16, callbacks=[Watch()]
    )
    *positions, _ = seen
    assert any(0 < position < 1 for position in positions)
    assert max(positions) <= 1
