"""Where other libraries' functions are in this process.

SciPy publishes its special functions in C, each in a capsule whose name is its
signature. Code calls them by name and is linked to where they are: so it is the same
code in every process.
"""

import ctypes
from collections.abc import Iterable
from functools import cache

_addresses: dict[str, int] = {}
_SIGNATURE = b"double (double, int __pyx_skip_dispatch)"


@cache
def scipy_function(name: str) -> str:
    """Return the symbol of one of SciPy's functions of one double.

    Parameters
    ----------
    name : str
        As `scipy.special.cython_special` calls it.

    Returns
    -------
    str
        What code calls it. The function takes a double and an i32, which is 0.

    Raises
    ------
    LookupError
        If SciPy has no such function.

    Examples
    --------
    >>> scipy_function("gammaln")
    'scipy_gammaln'
    """
    from scipy.special import cython_special  # SciPy is slow to import

    api = ctypes.pythonapi
    api.PyCapsule_IsValid.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    # A function of several types has one capsule for each.
    for key in (name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"):
        capsule = cython_special.__pyx_capi__.get(key)
        if capsule is not None and api.PyCapsule_IsValid(capsule, _SIGNATURE):
            address = api.PyCapsule_GetPointer(capsule, _SIGNATURE)
            _addresses[f"scipy_{name}"] = address
            return f"scipy_{name}"
    raise LookupError(f"SciPy publishes no function {name} of one double")


def symbols(declarations: Iterable[str]) -> dict[str, int]:
    """Return the symbols of this module that are declared, and where they are.

    Examples
    --------
    >>> name = scipy_function("gammaln")
    >>> list(symbols([f"declare double @{name}(double, i32)"]))
    ['scipy_gammaln']
    """
    declared = {text.partition("@")[2].partition("(")[0] for text in declarations}
    return {name: at for name, at in _addresses.items() if name in declared}
