"""The files a command is to write, looked at before any work is done.

The invariant: whoever is let through by `checked` can be written, unless the world
changes meanwhile; no file is written over another one of the same command, nor over the
table or the model it reads.
"""

from collections.abc import Mapping
from pathlib import Path

from weft.apps.cli.errors import CommandError


def checked(
    outputs: Mapping[str, str | None],
    inputs: Mapping[str, str] | None = None,
    force: bool = False,
) -> dict[str, Path]:
    """Return the paths to write to, if all of them can be written.

    Parameters
    ----------
    outputs : mapping of str to str or None
        What each option was given; None where nothing is to be written.
    inputs : mapping of str to str, optional
        What is read, by what it is called in a sentence.
    force : bool
        Whether files that are there already may be replaced.

    Returns
    -------
    dict of str to Path
        Only the options that were given.

    Raises
    ------
    CommandError
        If two of them are one file.
    ModelFileError
        If one cannot be written, or exists and must stay.
    """
    from weft.estimators.modelfile import check_writable

    given = {option: path for option, path in outputs.items() if path is not None}
    if "" in given.values():
        nameless = next(option for option, path in given.items() if not path)
        raise CommandError(f"the name of the {nameless} to write is empty")
    paths = {option: Path(path) for option, path in given.items()}
    seen = {_place(path): f"the {what}" for what, path in (inputs or {}).items()}
    for option, path in paths.items():
        own = f"the {option}"
        taken = seen.setdefault(_place(path), own)
        if taken != own:
            raise CommandError(
                f"the {option} {path} would be written over {taken}: name another file"
            )
    for path in paths.values():
        check_writable(path, force)
    return paths


def _place(path: str | Path) -> Path:
    """Where a path leads, links followed; also where there is nothing yet."""
    return Path(path).resolve()


def require_suffix(option: str, path: str | None, suffixes: tuple[str, ...]) -> None:
    """Raise an error if a file's name does not say what to write.

    Raises
    ------
    CommandError
    """
    if path is None or Path(path).suffix.lower() in suffixes:
        return
    known = ", ".join(suffixes[:-1]) + f" or {suffixes[-1]}"
    raise CommandError(f"{option} {path}: its name must end in {known}")
