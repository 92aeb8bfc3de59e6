"""Compiled kernels on disk: what one process has compiled, the next one only loads.

A kernel is kept under the digest of all that decides its code: its text, the target,
the version of LLVM. A file that is there is whole, for it is renamed into its place,
and its own digest is looked at before it is trusted. The folder is its owner's alone:
whoever could write to it could have their code run.

The environment variable ``WEFT_CACHE`` names another folder, or is ``off``.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import final

# Beyond so many kernels, some tens of megabytes, the older half is let go.
_MOST = 4000
# Looking through the folder takes some milliseconds: it is done at the first file that
# a process writes, and then once in so many.
_SELDOM = 1000
_DIGEST = hashlib.sha256().digest_size


@final
class Cache:
    """Objects by what they were made of.

    Parameters
    ----------
    folder : Path or None
        Made if it is not there. None, or a folder that others may write to or that
        cannot be written: nothing is kept.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder) / "kernels")
    ...     first = cache.get("text", lambda: b"code")
    ...     again = cache.get("text", lambda: b"never made")
    >>> first == again == b"code"
    True
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if folder is not None and _is_ours(folder) else None
        self._written = 0

    def get(self, text: str, make: Callable[[], bytes]) -> bytes:
        """Return the object made of a text, from the disk or by making it.

        Parameters
        ----------
        text : str
            All that decides what is made.
        make : callable

        Returns
        -------
        bytes
        """
        if self._folder is None:
            return make()
        path = self._folder / hashlib.sha256(text.encode()).hexdigest()
        found = _read(path)
        if found is None:
            found = make()
            with suppress(OSError):  # a full disk costs time and nothing else
                _write(path, found)
                self._make_room()
        return found

    def _make_room(self) -> None:
        """Now and then, forget what is oldest."""
        self._written += 1
        if self._folder is None or self._written % _SELDOM != 1:
            return
        paths = list(self._folder.iterdir())
        if len(paths) > _MOST:
            paths.sort(key=lambda path: path.stat().st_mtime)
            for path in paths[: len(paths) // 2]:
                path.unlink(missing_ok=True)


def default_folder() -> Path | None:
    """Return where kernels are kept: the user's cache, or what ``WEFT_CACHE`` says."""
    wanted = os.environ.get("WEFT_CACHE")
    if wanted == "off":
        return None
    if wanted:
        return Path(wanted)
    from platformdirs import user_cache_path

    return user_cache_path("weft", appauthor=False) / "kernels"


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder is there, this user's, and nobody else can write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):  # Windows: below the user's own profile
        return True
    shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == os.getuid() and not shared


def _read(path: Path) -> bytes | None:
    """Return what was written, or None if it is not there or not what it was."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    digest, content = whole[:_DIGEST], whole[_DIGEST:]
    return content if hashlib.sha256(content).digest() == digest else None


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it: others see all of it or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
