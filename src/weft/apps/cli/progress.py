"""The progress of a fit: a bar on a terminal, silence in a pipe.

It also remembers how the fit began, which is known only once the rows are parted.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from weft.train import Beginning, Callback, Epoch, Fit
from weft.train.callbacks import live_bar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar


@final
class Progress(Callback):
    """Shows a fit while it goes on, and leaves nothing behind on the terminal.

    Parameters
    ----------
    console : rich.console.Console or None
        Where to show it; None shows nothing.
    begun : callable, optional
        Told of the beginning, before the bar is shown.
    """

    def __init__(
        self,
        console: "Console | None" = None,
        begun: Callable[[Beginning], None] | None = None,
    ) -> None:
        self._console = console
        self._begun = begun
        self._bar: Bar | None = None
        self._task: Any = None
        self._done = 0
        self.beginning: Beginning | None = None

    def on_fit_begin(self, beginning: Beginning) -> None:
        """Show the bar."""
        self.beginning = beginning
        if self._begun is not None:
            self._begun(beginning)
        if self._console is None:
            return
        self._done = 0
        self._bar = _bar(self._console, lambda: beginning.position(self._done))
        self._task = self._bar.add_task("", total=beginning.epochs, said="", done=0)
        self._bar.start()

    def on_epoch_end(self, epoch: Epoch) -> bool | None:
        """Move the bar, and say what the epoch came to."""
        if self._bar is not None:
            self._done += 1
            self._bar.update(self._task, said=said(epoch), done=self._done)
        return None

    def on_fit_end(self, fit: Fit | None) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(console: "Console", position: Callable[[], float]) -> "Bar":
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    bar: Bar = live_bar(
        position,
        TextColumn("  epoch {task.fields[done]}/{task.total}", style="bold"),
        BarColumn(bar_width=24, complete_style="green", finished_style="green"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    return bar


def said(epoch: Epoch) -> str:
    """Return what an epoch came to, in a few words.

    Examples
    --------
    >>> said(Epoch(1, 0.5, 0.5, 0.25, 0.1, 0.0))
    'cost 0.500, validation 0.250'
    """
    words = f"cost {epoch.cost:.3f}"
    if epoch.validation == epoch.validation:
        words += f", validation {epoch.validation:.3f}"
    return words
