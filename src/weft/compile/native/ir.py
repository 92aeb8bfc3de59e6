"""LLVM's language, written as text.

A `Function` collects lines; every instruction gives a `Value`, a name with a type. Text
is the quickest way into LLVM from Python, and the one that can be read.

Loops carry their running values through phi nodes, which are filled in when the loop is
closed; so the code is in SSA form as it stands and needs no pass to become so.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, final

import numpy as np

from weft.compile.native.target import Target

# How a dtype is held in memory, and in a register.
_MEMORY = {
    "bool": "i8",
    "int32": "i32",
    "int64": "i64",
    "float32": "float",
    "float64": "double",
}


class Value(NamedTuple):
    """Something computed: LLVM's name of it, or a literal, and its type."""

    name: str
    type: str

    @property
    def text(self) -> str:
        """Type and name, as operands are written."""
        return f"{self.type} {self.name}"

    @property
    def element(self) -> str:
        """The type of one lane: ``float`` of ``<16 x float>``."""
        return element_of(self.type)

    @property
    def lanes(self) -> int:
        """How many lanes: 1 of a plain value."""
        return lanes_of(self.type)


def memory_type(dtype: Any) -> str:
    """Return how LLVM calls an element of `dtype` in memory.

    Examples
    --------
    >>> memory_type("float32"), memory_type("bool")
    ('float', 'i8')
    """
    return _MEMORY[np.dtype(dtype).name]


def register_type(dtype: Any) -> str:
    """Return how LLVM calls an element of `dtype` in a register.

    Examples
    --------
    >>> register_type("bool")
    'i1'
    """
    kind = memory_type(dtype)
    return "i1" if kind == "i8" else kind


def vector(element: str, lanes: int) -> str:
    """Return the type of `lanes` elements; of one, the element's own.

    Examples
    --------
    >>> vector("float", 16), vector("float", 1)
    ('<16 x float>', 'float')
    """
    return element if lanes == 1 else f"<{lanes} x {element}>"


def element_of(type: str) -> str:
    """Return the type of one lane."""
    return type[1:-1].split(" x ")[1] if type[0] == "<" else type


def lanes_of(type: str) -> int:
    """Return the number of lanes."""
    return int(type[1:].split(" ")[0]) if type[0] == "<" else 1


def literal(value: Any, type: str) -> Value:
    """Return a number as an operand, the same in every lane.

    Floats are written by their bits, so that nothing is lost and NaN and infinity have
    a spelling.

    Examples
    --------
    >>> literal(1.0, "float").text
    'float 0x3FF0000000000000'
    >>> literal(3, "<2 x i64>").text
    '<2 x i64> splat (i64 3)'
    """
    element = element_of(type)
    if element == "i1":
        name = "true" if value else "false"
    elif element[0] == "i":
        name = str(int(value))
    else:
        with np.errstate(all="ignore"):
            kind = np.float32 if element == "float" else np.float64
            bits = np.float64(kind(value)).view(np.uint64)
        name = f"0x{int(bits):016X}"
    return Value(name if type == element else f"splat ({element} {name})", type)


@final
class Loop:
    """An open loop: its index, and the values that go round."""

    def __init__(self, index: Value, carried: list[Value], label: str) -> None:
        self.index = index
        self.carried = carried
        self.label = label
        self._next: list[Value] = carried

    def carry(self, *values: Value) -> None:
        """Say what the carried values are in the next round."""
        self._next = list(values)

    @property
    def next(self) -> list[Value]:
        """What is carried into the next round, and out after the last."""
        return self._next


@final
class Function:
    """A function being written.

    Parameters
    ----------
    name : str
    params : sequence of (str, str)
        Type (with attributes) and name of each parameter.
    target : Target
    returns : str
        The type of what it returns.
    """

    def __init__(
        self,
        name: str,
        params: Sequence[tuple[str, str]],
        target: Target,
        returns: str = "void",
    ) -> None:
        self.name, self.target, self.returns = name, target, returns
        self.params = [Value(f"%{n}", t.split(" ")[0]) for t, n in params]
        self._head = ", ".join(f"{t} %{n}" for t, n in params)
        self._lines: list[str] = ["entry:"]
        self._count = 0
        self._labels = 0
        self._block = "entry"
        self.declarations: set[str] = set()

    # Instructions -------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Write an instruction that gives no value."""
        self._lines.append(text)

    def op(self, text: str, type: str) -> Value:
        """Write an instruction and return its value, of `type`."""
        self._count += 1
        name = f"%v{self._count}"
        self._lines.append(f"{name} = {text}")
        return Value(name, type)

    def binary(self, opcode: str, x: Value, y: Value) -> Value:
        """Write ``opcode x, y`` of two values of one type."""
        return self.op(f"{opcode} {x.type} {x.name}, {y.name}", x.type)

    def call(self, name: str, type: str, *args: Value) -> Value:
        """Call a function that is declared outside, an intrinsic for instance."""
        kinds = ", ".join(a.type for a in args)
        self.declarations.add(f"declare {type} @{name}({kinds})")
        text = ", ".join(a.text for a in args)
        if type == "void":
            self.line(f"call void @{name}({text})")
            return Value("", "void")
        return self.op(f"call {type} @{name}({text})", type)

    def call_pointer(self, address: Value, type: str, *args: Value) -> Value:
        """Call the function at an address."""
        text = ", ".join(a.text for a in args)
        if type == "void":
            self.line(f"call void {address.name}({text})")
            return Value("", "void")
        return self.op(f"call {type} {address.name}({text})", type)

    def add(self, x: Value, y: Value | int) -> Value:
        """Integer sum."""
        return self._integer("add", x, y, 0)

    def sub(self, x: Value, y: Value | int) -> Value:
        """Integer difference."""
        return self._integer("sub", x, y, 0)

    def mul(self, x: Value, y: Value | int) -> Value:
        """Integer product."""
        return self._integer("mul", x, y, 1)

    def _integer(self, opcode: str, x: Value, y: Value | int, neutral: int) -> Value:
        if isinstance(y, int):
            if y == neutral:
                return x
            y = literal(y, x.type)
        return self.binary(opcode, x, y)

    def compare(self, how: str, x: Value, y: Value | int) -> Value:
        """Compare integers: ``"slt"``, ``"eq"``, ..."""
        if isinstance(y, int):
            y = literal(y, x.type)
        kind = vector("i1", x.lanes)
        return self.op(f"icmp {how} {x.type} {x.name}, {y.name}", kind)

    def select(self, condition: Value, x: Value, y: Value) -> Value:
        """`x` where the condition holds, else `y`."""
        return self.op(
            f"select {condition.text}, {x.text}, {y.text}",
            x.type,
        )

    def minimum(self, x: Value, y: Value | int) -> Value:
        """The smaller of two signed integers."""
        if isinstance(y, int):
            y = literal(y, x.type)
        return self.select(self.compare("slt", x, y), x, y)

    def splat(self, x: Value, lanes: int) -> Value:
        """The same value in every lane."""
        if lanes == 1 or x.lanes > 1:
            return x
        kind = vector(x.type, lanes)
        if x.name[0] != "%":
            return Value(f"splat ({x.text})", kind)
        one = self.op(f"insertelement {kind} poison, {x.text}, i64 0", kind)
        mask = f"<{lanes} x i32> zeroinitializer"
        return self.op(f"shufflevector {one.text}, {kind} poison, {mask}", kind)

    def iota(self, lanes: int, type: str = "i64") -> Value:
        """0, 1, 2, ... in the lanes."""
        if lanes == 1:
            return literal(0, type)
        text = ", ".join(f"{type} {i}" for i in range(lanes))
        return Value(f"<{text}>", vector(type, lanes))

    # Memory -------------------------------------------------------------------------

    def at(self, base: Value, index: Value | int, element: str) -> Value:
        """The address of element `index`, counted from `base`."""
        if isinstance(index, int):
            if index == 0:
                return base
            index = literal(index, "i64")
        kind = base.type if index.lanes == 1 else vector("ptr", index.lanes)
        return self.op(f"getelementptr {element}, {base.text}, {index.text}", kind)

    def load(self, address: Value, type: str, align: int = 0) -> Value:
        """Read a value; by default aligned as its element is."""
        align = align or _BYTES[element_of(type)]
        return self.op(f"load {type}, {address.text}, align {align}", type)

    def store(self, value: Value, address: Value, align: int = 0) -> None:
        """Write a value."""
        align = align or _BYTES[value.element]
        self.line(f"store {value.text}, {address.text}, align {align}")

    def load_masked(self, address: Value, type: str, mask: Value) -> Value:
        """Read the lanes that the mask names; 0 in the others."""
        name = f"llvm.masked.load.{_mangled(type)}.p0"
        return self._masked(name, type, address, mask, Value("zeroinitializer", type))

    def store_masked(self, value: Value, address: Value, mask: Value) -> None:
        """Write the lanes that the mask names."""
        name = f"llvm.masked.store.{_mangled(value.type)}.p0"
        self._masked(name, "void", address, mask, value)

    def gather(self, addresses: Value, type: str, mask: Value | None) -> Value:
        """Read each lane from an address of its own; 0 where the mask is off."""
        name = f"llvm.masked.gather.{_mangled(type)}.{_mangled(addresses.type)}"
        other = Value("zeroinitializer", type)
        return self._masked(name, type, addresses, mask, other)

    def scatter(self, value: Value, addresses: Value, mask: Value | None) -> None:
        """Write each lane to an address of its own."""
        name = f"llvm.masked.scatter.{_mangled(value.type)}.{_mangled(addresses.type)}"
        self._masked(name, "void", addresses, mask, value)

    def _masked(
        self, name: str, type: str, at: Value, mask: Value | None, value: Value
    ) -> Value:
        if mask is None:
            mask = literal(True, vector("i1", value.lanes))
        align = literal(_BYTES[value.element], "i32")
        if type == "void":
            return self.call(name, type, value, at, align, mask)
        return self.call(name, type, at, align, mask, value)

    # Control ------------------------------------------------------------------------

    @property
    def block(self) -> str:
        """The name of the block that is being written."""
        return self._block

    def label(self) -> str:
        """Return a new name for a block."""
        self._labels += 1
        return f"b{self._labels}"

    def start_block(self, label: str) -> None:
        """Go on in a new block."""
        self._lines.append(f"{label}:")
        self._block = label

    def branch(self, label: str) -> None:
        """Jump."""
        self.line(f"br label %{label}")

    def branch_if(self, condition: Value, yes: str, no: str) -> None:
        """Jump here or there."""
        self.line(f"br {condition.text}, label %{yes}, label %{no}")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do what is written inside only where a condition holds."""
        yes, done = self.label(), self.label()
        self.branch_if(condition, yes, done)
        self.start_block(yes)
        yield
        self.branch(done)
        self.start_block(done)

    @contextmanager
    def loop(
        self,
        start: Value | int,
        stop: Value,
        step: Value | int = 1,
        carried: Sequence[Value] = (),
        index_type: str = "i64",
    ) -> Iterator[Loop]:
        """Repeat what is written inside while the index is below `stop`.

        Behind it, ``loop.carried`` are the final values of what it carried.
        """
        first = literal(start, index_type) if isinstance(start, int) else start
        before, head, body, done = self._block, self.label(), self.label(), self.label()
        self.branch(head)
        self.start_block(head)
        at = len(self._lines)
        index = Value(f"%{head}i", index_type)
        phis = [Value(f"%{head}c{k}", v.type) for k, v in enumerate(carried)]
        self._lines.extend("" for _ in range(1 + len(phis)))
        self.branch_if(self.compare("slt", index, stop), body, done)
        self.start_block(body)
        loop = Loop(index, phis, head)
        yield loop
        following = self.add(index, step)
        last = self._block
        self.branch(head)
        rounds = [
            (index, first, following),
            *zip(phis, carried, loop.next, strict=True),
        ]
        for k, (phi, into, back) in enumerate(rounds):
            self._lines[at + k] = (
                f"{phi.name} = phi {phi.type} [ {into.name}, %{before} ], "
                f"[ {back.name}, %{last} ]"
            )
        self.start_block(done)

    def finish(self, value: Value | None = None) -> str:
        """Return the whole text of the function."""
        self.line("ret void" if value is None else f"ret {value.text}")
        body = "\n".join(self._lines)
        return f'define {self.returns} @"{self.name}"({self._head}) #0 {{\n{body}\n}}\n'


_BYTES = {"i1": 1, "i8": 1, "i32": 4, "float": 4, "i64": 8, "double": 8, "ptr": 8}


def _mangled(type: str) -> str:
    """Return a type as the names of intrinsics spell it: ``v16f32``."""
    element = element_of(type)
    short = {"float": "f32", "double": "f64", "ptr": "p0"}.get(element, element)
    return short if type == element else f"v{lanes_of(type)}{short}"
