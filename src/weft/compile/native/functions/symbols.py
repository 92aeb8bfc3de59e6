"""Where other libraries' functions are in this process.

SciPy publishes its special functions in C, each in a capsule whose name is its
signature. An address goes into the code as a number, so such code is for this process
alone.
"""

import ctypes
from functools import cache

from weft.compile.native.ir import Value

_SIGNATURE = b"double (double, int __pyx_skip_dispatch)"


@cache
def scipy_function(name: str) -> Value:
    """Return the address of one of SciPy's functions of one double.

    Parameters
    ----------
    name : str
        As `scipy.special.cython_special` calls it.

    Returns
    -------
    Value
        A pointer. The function takes a double and an i32, which is 0.

    Raises
    ------
    LookupError
        If SciPy has no such function.

    Examples
    --------
    >>> scipy_function("gammaln").type
    'ptr'
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
            return Value(f"inttoptr (i64 {address} to ptr)", "ptr")
    raise LookupError(f"SciPy publishes no function {name} of one double")
