"""A request: what a command line asks for, as plain data that can be carried out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final


class Request(ABC):
    """Base of the commands' requests."""

    @abstractmethod
    def run(self) -> int:
        """Do what is asked, and return the exit code.

        Raises
        ------
        WeftError or OSError
            If it cannot be done as asked.
        """


@final
@dataclass(frozen=True)
class Reading:
    """How a text table is to be read, where a person says so.

    Attributes
    ----------
    header : bool or None
        Whether its first row holds names; None finds it out.
    columns : tuple of str
        Names for its columns.
    """

    header: bool | None = None
    columns: tuple[str, ...] = ()
