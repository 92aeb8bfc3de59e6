"""What machine the code is for: vector width, registers, and LLVM's names for it.

A `Target` is chosen once per process, from what LLVM reads off the host, or by the
environment variable ``WEFT_TARGET`` (a name of `TARGETS` that the host can run).
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import final

from weft.graph.errors import GraphError

# From the narrowest to the widest; "neon" is the only one beside x86's.
TARGETS = ("sse2", "avx2", "avx512", "neon")


@final
@dataclass(frozen=True)
class Target:
    """A kind of vector unit.

    Parameters
    ----------
    name : str
        One of `TARGETS`.
    cpu, features : str
        As LLVM calls them.
    vector_bytes : int
        The width of a register.
    registers : int
        How many vector registers there are.
    fma : bool
        Whether a product and a sum are one instruction.
    masks : bool
        Whether masked loads and stores cost what plain ones do.
    """

    name: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool
    masks: bool

    def lanes(self, itemsize: int) -> int:
        """Return how many elements of so many bytes a register holds."""
        return self.vector_bytes // itemsize


@cache
def available() -> tuple[str, ...]:
    """Return the names of the targets that this machine can run, narrowest first.

    Examples
    --------
    >>> set(available()) <= set(TARGETS)
    True
    """
    import llvmlite.binding as llvm

    triple = llvm.get_default_triple()
    if triple.startswith(("aarch64", "arm64")):
        return ("neon",)
    features = llvm.get_host_cpu_features()
    found = ["sse2"]
    if features.get("avx2") and features.get("fma"):
        found.append("avx2")
        if all(features.get(f"avx512{part}") for part in ("f", "vl", "dq", "bw")):
            found.append("avx512")
    return tuple(found)


@cache
def target(name: str | None = None) -> Target:
    """Return the target to compile for.

    Parameters
    ----------
    name : str, optional
        By default what the environment variable ``WEFT_TARGET`` says, else the widest
        that the machine can run.

    Returns
    -------
    Target

    Raises
    ------
    GraphError
        If the machine cannot run it.

    Examples
    --------
    >>> target(available()[0]).name == available()[0]
    True
    """
    import llvmlite.binding as llvm

    wanted = name or os.environ.get("WEFT_TARGET") or available()[-1]
    if wanted not in available():
        raise GraphError(
            f"this machine cannot run code for {wanted!r}: set WEFT_TARGET to one of "
            + ", ".join(available())
        )
    host = llvm.get_host_cpu_name()
    if wanted == "neon":
        features = llvm.get_host_cpu_features().flatten()
        return Target("neon", host, features, 16, 32, fma=True, masks=False)
    if wanted == "sse2":
        return Target("sse2", "x86-64", "", 16, 16, fma=False, masks=False)
    # Tuned for this very machine only where it is used to its full width.
    full = wanted == available()[-1]
    cpu = host if full else "x86-64-v3"
    features = llvm.get_host_cpu_features().flatten() if full else ""
    if wanted == "avx2":
        return Target("avx2", cpu, features, 32, 16, fma=True, masks=False)
    features += ",-prefer-256-bit"
    return Target("avx512", cpu, features, 64, 32, fma=True, masks=True)
