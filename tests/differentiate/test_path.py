"""The way from `grad(tanh(x))` to a number, as a new reader would follow it.

`pytest -s tests/differentiate/test_path.py` prints it. What lies on the way is found by
running it: the functions of weft that are open at the moment when tanh's own derivative
is asked for, and at the moment when NumPy computes. Helpers that have returned by then
are not on the way.
"""

import sys
from pathlib import Path

import numpy as np

import weft

PACKAGE = str(Path(weft.__file__).parent) + "/"


def name_of(code):
    """Module and outermost function: what is defined inside one belongs to it."""
    module = code.co_filename.removeprefix(PACKAGE).removesuffix(".py")
    return f"{module.replace('/', '.')}.{code.co_qualname.split('.<locals>')[0]}"


def open_functions(frame):
    """The functions of weft that are open, outermost first, each once."""
    path = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            path.append((name_of(code), code))
        frame = frame.f_back
    return list(dict(reversed(path)).items())


def follow(run, until):
    """Run, and return what was open when a function named `until` was first entered."""
    found = []

    def look(frame, event, _):
        code = frame.f_code
        inside = event == "call" and code.co_filename.startswith(PACKAGE)
        if inside and not found and name_of(code) == until:
            found.extend(open_functions(frame))

    sys.setprofile(look)
    try:
        result = run()
    finally:
        sys.setprofile(None)
    return result, found


def test_from_call_to_number_in_about_six_functions():
    x = weft.input("x", (), "float64")
    y = weft.tanh(x)

    gradient, to_graph = follow(lambda: weft.grad(y, x), "ops.special.<lambda>")
    value, to_number = follow(
        lambda: weft.evaluate(gradient, {x: 0.5}), "ops.arithmetic.<lambda>"
    )

    print("\ngrad(tanh(x)), from call to number:")
    way = to_graph + to_number
    for step, (name, code) in enumerate(way, 1):
        place = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
        print(f"{step}. weft.{name}  ({place})")
    print(f"   {weft.text(gradient)} = {value}")

    assert [name for name, _ in to_graph] == [
        "differentiate.reverse.grad",  # a scalar's cotangent is 1
        "differentiate.reverse.vjp",  # which nodes matter
        "differentiate.reverse.accumulate",  # Algorithm 6.2
        "ops.record._from_partials",  # cotangent times partial
        "ops.special.<lambda>",  # 1 - square(out), in the record of tanh
    ]
    assert [name for name, _ in to_number] == [
        "compile.interpret.evaluate",
        "compile.interpret.Tape.run",  # Algorithm 6.1
        "ops.arithmetic.<lambda>",  # the NumPy meaning of square
    ]
    assert np.isclose(value, 1 - np.tanh(0.5) ** 2)
    assert weft.text(gradient) == "(1 - tanh(x)**2)"
