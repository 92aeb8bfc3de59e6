"""Whole files or none.

The invariant: a file is either as it was before or complete; a reader never meets half
of one.
"""

import os
from pathlib import Path

from weft.apps.report.outcome import ReportError


def write_whole(path: str | os.PathLike[str], content: bytes, force: bool) -> Path:
    """Write `content` beside `path`, then put it in its place.

    Parameters
    ----------
    path : path
    content : bytes
    force : bool
        Whether a file that is there already may be replaced.

    Returns
    -------
    Path

    Raises
    ------
    ReportError
        If there is something at `path` that must stay.
    OSError
        If it cannot be written there.
    """
    path = Path(path)
    if path.is_dir():
        raise ReportError(f"{path} is a folder; name a file to write to")
    if path.exists() and not force:
        raise ReportError(
            f"{path} exists already; choose another name, or say that it may be "
            "replaced (--force, or force=True)"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
