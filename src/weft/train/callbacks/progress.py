"""A progress bar on a terminal; in a pipe, silence."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from weft.train.callbacks.base import Beginning, Callback
from weft.train.history import Epoch

if TYPE_CHECKING:
    from weft.train.result import Fit


@final
class ProgressBar(Callback):
    """Show the epochs as they pass, on standard error and only if it is a terminal.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw instead.

    Examples
    --------
    >>> from weft import train
    >>> bar = train.ProgressBar()
    """

    def __init__(self, console: Any = None) -> None:
        self._console = console
        self._progress: Any = None
        self._task: Any = None
        self._done = 0

    def on_fit_begin(self, beginning: Beginning) -> None:
        """Start the bar, if there is a terminal to draw on."""
        from rich.console import Console  # rich is slow to import
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

        console = self._console or Console(stderr=True)
        if not console.is_terminal:
            return
        self._done = 0
        self._progress = live_bar(
            lambda: beginning.position(self._done),
            TextColumn("epoch {task.fields[done]}/{task.total}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=False,
        )
        self._task = self._progress.add_task("", total=beginning.epochs, done=0)
        self._progress.start()

    def on_epoch_end(self, epoch: Epoch) -> bool | None:
        """Move the bar."""
        if self._progress is not None:
            self._done += 1
            words = describe(epoch)
            self._progress.update(self._task, description=words, done=self._done)
        return None

    def on_fit_end(self, fit: "Fit | None") -> None:
        """Stop the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def live_bar(position: Callable[[], float], *columns: Any, **options: Any) -> Any:
    """Return rich's `Progress`, which asks where it is whenever it is drawn.

    Parameters
    ----------
    position : callable
        Tells how much of the total is done.
    *columns, **options
        As `rich.progress.Progress` takes them.
    """
    from rich.progress import Progress

    class Live(Progress):
        def get_renderables(self) -> Any:
            for task in self.tasks:
                task.completed = position()
            yield from super().get_renderables()

    return Live(*columns, **options)


def describe(epoch: Epoch) -> str:
    """Say an epoch's cost and measures in a few words.

    Examples
    --------
    >>> describe(Epoch(1, 0.5, 0.5, 0.25, 0.1, 0.0, {"accuracy": 0.9}))
    'cost 0.5000  validation 0.2500  accuracy 0.9000'
    """
    words = [f"cost {epoch.cost:.4f}"]
    if epoch.validation == epoch.validation:
        words.append(f"validation {epoch.validation:.4f}")
    words += [f"{name} {value:.4f}" for name, value in epoch.metrics.items()]
    return "  ".join(words)
