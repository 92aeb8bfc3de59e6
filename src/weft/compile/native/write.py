"""The code of fused loops: scopes from the outside in, values where they belong.

A value is computed in the outermost scope that knows all it depends on: the function,
a row, a register of lanes, a point of the reduced dimensions. A fold is carried round
the loops of its pass; what depends on it is written behind them.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, final

import numpy as np

from weft.compile.native.call import begin
from weft.compile.native.control import Cell
from weft.compile.native.depend import LANE, REDUCED, Scope, dependence
from weft.compile.native.ir import (
    Function,
    Value,
    element_of,
    literal,
    memory_type,
    register_type,
    vector,
)
from weft.compile.native.library import Kernel
from weft.compile.native.loops import Instr, Loops, literal_value
from weft.compile.native.target import Target
from weft.compile.native.vector import VectorEmitter

# A sum over a long axis is a sum of sums over so many, and what the outer one loses is
# summed as well: its error does not grow with the length.
_BLOCK = 128


@cache
def kernel(loops: Loops, target: Target) -> Kernel:
    """Return the kernel of fused loops.

    Its words are: the sizes of the row dimensions, of the reduced ones, and of the
    lanes'; the symbols; the address of the error flag; and for each operand its address
    and its strides, in elements, along the dimensions on which it moves.

    Parameters
    ----------
    loops : Loops
    target : Target

    Returns
    -------
    Kernel
    """
    function = begin("loops", target)
    _Writer(function, loops).write()
    text = function.finish()
    # What it does is its name: another process calls it the same.
    name = f"loops_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    text = text.replace('@"loops"', f'@"{name}"', 1)
    return Kernel(name, text, frozenset(function.declarations))


_NEUTRAL = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf, "argmax": -np.inf}


def _neutral(how: str, dtype: str) -> Any:
    kind = np.dtype(dtype)
    value = _NEUTRAL[how]
    if kind.kind == "i" and how in ("max", "argmax"):
        return np.iinfo(kind).min
    if kind.kind == "i" and how == "min":
        return np.iinfo(kind).max
    return value


@final
class _Writer:
    """Writes one kernel: scopes from the outside in, values where they belong."""

    def __init__(self, function: Function, loops: Loops) -> None:
        self.f, self.loops = function, loops
        self.e = VectorEmitter(function)
        self.known = dependence(loops)
        self.lanes = 1 if loops.serial else self._lanes()
        self.memo: dict[int, Value] = {}
        self.mask: Value | None = None
        self.row: list[Value] = []
        self.lane: Value = literal(0, "i64")
        self.inner: list[Value] = []
        self.places: dict[int, Value] = {}
        self.symbols: list[Value] = []
        self.bases: list[Value] = []
        self.strides: list[list[Value | None]] = []

    def _lanes(self) -> int:
        sizes = [
            np.dtype(instr.dtype).itemsize
            for instr, level in zip(self.loops.code, self.known.levels, strict=True)
            if level & LANE and instr.dtype != "bool"
        ]
        return self.f.target.lanes(min(sizes, default=8))

    # Scopes --------------------------------------------------------------------------

    def write(self) -> None:
        """Write the whole kernel."""
        f, loops = self.f, self.loops
        words, r0, r1, c0, c1 = f.params
        place = iter(range(1 << 30))

        def word(type: str = "i64") -> Value:
            return f.load(f.at(words, next(place), "i64"), type)

        self.row_sizes = [word() for _ in range(loops.rows)]
        self.reduced_sizes = [word() for _ in range(loops.reduced)]
        self.lane_size = word()
        self.symbols = [word() for _ in range(loops.symbols)]
        self.error = word("ptr")
        for operand in loops.operands:
            self.bases.append(word("ptr"))
            moved = [*operand.rows, *operand.reduced, operand.lane == 2]
            self.strides.append([word() if moves else None for moves in moved])
        self._emit(Scope.FUNCTION, 0)
        if not loops.rows:
            self._row([], c0, c1)
            return
        if loops.by_columns:
            self._over_lanes(c0, c1, lambda at, mask: self._down(at, mask, r0, r1))
            return
        with f.loop(r0, r1) as loop:
            self._row(self._unflatten(loop.index), c0, c1)

    def _down(self, index: Value, mask: Value | None, r0: Value, r1: Value) -> None:
        """Go down all rows at some columns."""
        outer = dict(self.memo)
        for k, operand in enumerate(self.loops.operands):
            self.places[k] = self.bases[k]
            moves = any(operand.rows) or any(operand.reduced)
            if operand.lane and not moves:
                # The same for every row: read once.
                self.lane, self.mask = index, mask
                for i, instr in enumerate(self.loops.code):
                    if instr.kind == "load" and instr.detail == k:
                        self.memo[i] = self._compute(instr)
        with self.f.loop(r0, r1) as loop:
            self._place_row(self._unflatten(loop.index))
            kept = dict(self.memo)
            self._emit(Scope.ROW, 0)
            self._chunk(index, mask)
            self.memo = kept
        self.memo = outer

    def _unflatten(self, index: Value) -> list[Value]:
        found: list[Value] = []
        for size in reversed(self.row_sizes[1:]):
            found.append(self.f.binary("urem", index, size))
            index = self.f.binary("udiv", index, size)
        return [index, *reversed(found)]

    def _row(self, row: list[Value], c0: Value, c1: Value) -> None:
        self._place_row(row)
        outer = dict(self.memo)
        self._emit(Scope.ROW, 0)
        if self.loops.lane_reduced:
            self._passes()
        else:
            self._over_lanes(c0, c1, self._chunk)
        self.memo = outer

    def _place_row(self, row: list[Value]) -> None:
        """Find where each operand's row begins."""
        f = self.f
        self.row = row
        self.places = {}
        for k, operand in enumerate(self.loops.operands):
            at = self.bases[k]
            for moves, index, stride in zip(
                operand.rows, row, self.strides[k], strict=False
            ):
                if moves:
                    assert stride is not None
                    at = f.at(at, f.mul(index, stride), memory_type(operand.dtype))
            self.places[k] = at

    def _chunk(self, index: Value, mask: Value | None) -> None:
        outer = dict(self.memo)
        self.lane, self.mask = index, mask
        self._emit(Scope.LANES, 0)
        self._passes()
        self.memo = outer

    def _over_lanes(self, c0: Value, c1: Value, body: Any) -> None:
        """Go through a range of lanes; what is left over, behind a mask."""
        f, width = self.f, self.lanes
        if width == 1:
            with f.loop(c0, c1) as loop:
                body(loop.index, None)
        elif f.target.masks:
            with f.loop(c0, c1, width) as loop:
                body(loop.index, self._below(loop.index, c1))
        else:
            whole = f.binary("and", f.sub(c1, c0), literal(-width, "i64"))
            main = f.add(c0, whole)
            with f.loop(c0, main, width) as loop:
                body(loop.index, None)
            with f.loop(main, c1, width) as loop:
                body(loop.index, self._below(loop.index, c1))

    def _below(self, index: Value, stop: Value) -> Value:
        f = self.f
        left = f.minimum(f.sub(stop, index), self.lanes)
        short = f.op(f"trunc {left.text} to i32", "i32")
        return f.compare("slt", f.iota(self.lanes, "i32"), f.splat(short, self.lanes))

    def _passes(self) -> None:
        """Pass through the reduced dimensions, once for each stage."""
        for stage in range(max(self.known.stages, default=0) + 1):
            todo = [
                i for i in range(len(self.loops.code)) if self.known.in_pass(i) == stage
            ]
            if todo:
                self._pass(todo)
            if stage:
                continue
            self._stores(0)
        # What waits for a fold is emitted behind its pass, in `_pass`.

    def _stores(self, stage: int) -> None:
        """Store what is known per kept point once `stage` is reached."""
        for i, instr in enumerate(self.loops.code):
            kept = not self.known.levels[i] & REDUCED
            if (
                instr.kind in ("store", "add")
                and kept
                and self.known.stages[i] == stage
            ):
                self._write(instr)

    def _emit(self, scope: Scope, stage: int) -> None:
        """Compute the values that belong to a scope and stage."""
        for i, instr in enumerate(self.loops.code):
            if instr.kind in ("store", "add", "fold", "scan") or i in self.memo:
                continue
            if self.known.scope(i) == scope and self.known.stages[i] == stage:
                self.memo[i] = self._compute(instr)

    # One pass ------------------------------------------------------------------------

    def _pass(self, todo: list[int]) -> None:
        code = self.loops.code
        running = [i for i in todo if code[i].kind in ("fold", "scan")]
        start = [v for i in running for v in self._beginning(i)]
        outer_lane, outer_mask = self.lane, self.mask
        end = self._nest(0, start, running, todo)
        self.lane, self.mask = outer_lane, outer_mask
        at = 0
        for i in running:
            width = len(self._beginning(i))
            values = end[at : at + width]
            at += width
            if code[i].kind == "fold":
                # Of an argmax the position is wanted, of others the only value.
                self.memo[i] = self._across(code[i], values[-1])
        stages = {self.known.stages[i] for i in running if code[i].kind == "fold"}
        for stage in sorted(stages):
            self._emit(Scope.ROW if self.loops.lane_reduced else Scope.LANES, stage)
            self._stores(stage)

    def _beginning(self, i: int) -> list[Value]:
        """Return what a fold or scan starts from."""
        instr = self.loops.code[i]
        argument = self.loops.code[instr.args[0]]
        lanes = self.lanes if self._is_wide(instr) else 1
        kind = vector(register_type(argument.dtype), lanes)
        neutral = literal(_neutral(instr.detail, argument.dtype), kind)
        if instr.detail == "argmax":
            return [neutral, literal(0, vector("i64", lanes))]
        return [neutral]

    def _is_wide(self, instr: Instr) -> bool:
        return self.loops.lane_reduced or bool(self.known.levels[instr.args[0]] & LANE)

    def _nest(
        self, depth: int, carried: list[Value], running: list[int], todo: list[int]
    ) -> list[Value]:
        """Write the loops over the reduced dimensions, from `depth` inwards."""
        f, loops = self.f, self.loops
        if depth == 0:
            self.inner = []
        if depth < loops.reduced:
            size = self._unless_stopped(depth, self.reduced_sizes[depth])
            if depth == loops.reduced - 1 and not loops.lane_reduced:

                def point(at: Value, _: Value, so_far: list[Value]) -> list[Value]:
                    self.inner.append(at)
                    found = self._point(so_far, running, todo)
                    self.inner.pop()
                    return found

                start = literal(0, "i64")
                return self._loop(start, size, 1, carried, running, point)
            with f.loop(0, size, carried=carried) as loop:
                self.inner.append(loop.index)
                loop.carry(*self._nest(depth + 1, loop.carried, running, todo))
                self.inner.pop()
            return loop.carried
        if not loops.lane_reduced:
            return self._point(carried, running, todo)
        return self._along_lanes(carried, running, todo)

    def _unless_stopped(self, depth: int, size: Value) -> Value:
        """Return a loop's length; of one within another, 0 once there is a stop."""
        if not depth or not self.loops.stoppable:
            return size
        f = self.f
        flag = f.at(self.error, int(Cell.STOP) - int(Cell.ERROR), "i64")
        asked = f.op(f"load atomic i64, {flag.text} monotonic, align 8", "i64")
        return f.select(f.compare("ne", asked, 0), literal(0, "i64"), size)

    def _along_lanes(
        self, carried: list[Value], running: list[int], todo: list[int]
    ) -> list[Value]:
        """Write the innermost loop, over the lanes' dimension."""
        f, width = self.f, self.lanes
        size = self._unless_stopped(self.loops.reduced, self.lane_size)
        start = literal(0, "i64")
        parts = [(start, size, width > 1)]
        if width > 1 and not f.target.masks:
            main = f.binary("and", size, literal(-width, "i64"))
            parts = [(start, main, False), (main, size, True)]

        for first, stop, masked in parts:
            point = partial(self._lanes_at, masked, running, todo)
            carried = self._loop(first, stop, width, carried, running, point)
        return carried

    def _lanes_at(
        self,
        masked: bool,
        running: list[int],
        todo: list[int],
        index: Value,
        stop: Value,
        carried: list[Value],
    ) -> list[Value]:
        """Do at one register of the lanes' dimension what the pass is for."""
        self.lane = index
        self.mask = self._below(index, stop) if masked else None
        return self._point(carried, running, todo)

    def _loop(
        self,
        start: Value,
        stop: Value,
        step: int,
        carried: list[Value],
        running: list[int],
        body: Callable[[Value, Value, list[Value]], list[Value]],
    ) -> list[Value]:
        """Write an innermost reduced loop; a long one in blocks that have their sums.

        ``body(index, stop, carried)`` writes one round and returns what it carries on.
        """
        f = self.f
        if not self.loops.long:
            with f.loop(start, stop, step, carried=carried) as loop:
                loop.carry(*body(loop.index, stop, loop.carried))
            return loop.carried
        sums = [
            self.loops.code[i].kind == "fold" and self.loops.code[i].detail == "sum"
            for i in running
            for _ in self._beginning(i)
        ]
        fresh = [v for i in running for v in self._beginning(i)]
        exact = [s and v.element in ("float", "double") for s, v in zip(sums, fresh)]  # noqa: B905
        lost = [literal(0, v.type) for v, e in zip(fresh, exact, strict=True) if e]
        with f.loop(start, stop, _BLOCK * step, carried=[*carried, *lost]) as outer:
            end = f.minimum(f.add(outer.index, _BLOCK * step), stop)
            so_far, errors = outer.carried[: len(fresh)], outer.carried[len(fresh) :]
            begin = [
                new if is_sum else old
                for new, old, is_sum in zip(fresh, so_far, sums, strict=True)
            ]
            with f.loop(outer.index, end, step, carried=begin) as loop:
                loop.carry(*body(loop.index, end, loop.carried))
            following, rest = [], iter(errors)
            lost = []
            for total, part, is_sum, is_exact in zip(
                so_far, loop.carried, sums, exact, strict=True
            ):
                following.append(self.e.add(total, part) if is_sum else part)
                if is_exact:
                    error = self._rounded(total, part, following[-1])
                    lost.append(self.e.add(next(rest), error))
            outer.carry(*following, *lost)
        rest = iter(outer.carried[len(fresh) :])
        return [
            self._corrected(total, next(rest)) if is_exact else total
            for total, is_exact in zip(outer.carried, exact)  # noqa: B905
        ]

    def _rounded(self, x: Value, y: Value, total: Value) -> Value:
        """Return what the sum of x and y has lost: Knuth's TwoSum."""
        e = self.e
        back = e.sub(total, x)
        return e.add(e.sub(x, e.sub(total, back)), e.sub(y, back))

    def _corrected(self, total: Value, lost: Value) -> Value:
        """Return a sum and what it has lost, which is unknown of an infinite one."""
        e = self.e
        return e.select(e.equal(lost, lost), e.add(total, lost), total)

    def _point(
        self, carried: Sequence[Value], running: list[int], todo: list[int]
    ) -> list[Value]:
        """Do at one point (of as many lanes as there are) what the pass is for."""
        outer = dict(self.memo)
        following: list[Value] = []
        code = self.loops.code
        for i in todo:
            if code[i].kind in ("store", "add"):
                continue
            width = len(self._beginning(i))
            at = len(following)
            following.extend(self._folded(i, list(carried[at : at + width])))
            if code[i].kind == "scan":
                self.memo[i] = following[-1]
        for i in todo:
            if code[i].kind in ("store", "add"):
                self._write(code[i])
        self.memo = outer
        return following

    def _folded(self, i: int, so_far: list[Value]) -> list[Value]:
        e, instr = self.e, self.loops.code[i]
        x = self.value(instr.args[0])
        wide = so_far[0].lanes
        x = self.f.splat(x, wide)
        if self.mask is not None and self.loops.lane_reduced:
            neutral = literal(
                _neutral(instr.detail, self.loops.code[instr.args[0]].dtype), x.type
            )
            x = self.f.select(self.mask, x, neutral)
        match instr.detail:
            case "sum":
                return [e.add(so_far[0], x)]
            case "prod":
                return [e.mul(so_far[0], x)]
            case "max":
                return [e.max(so_far[0], x)]
            case "min":
                return [e.min(so_far[0], x)]
        best, position = so_far
        better = e.less(best, x)
        if x.element in ("float", "double"):
            # The first NaN counts as the largest.
            first_nan = e.logical_and(e.equal(best, best), e.logical_not(e.equal(x, x)))
            better = e.logical_or(better, first_nan)
        here = self.f.splat(self.inner[-1], wide)
        return [e.select(better, x, best), self.f.select(better, here, position)]

    def _across(self, instr: Instr, value: Value) -> Value:
        """Bring the lanes of a fold together, in a fixed tree."""
        if not self.loops.lane_reduced:
            return value
        f, e = self.f, self.e
        combine = {"sum": e.add, "prod": e.mul, "max": e.max, "min": e.min}
        while value.lanes > 1:
            half = value.lanes // 2
            kind = vector(value.element, half)
            halves = []
            for first in (0, half):
                wanted = ", ".join(f"i32 {first + k}" for k in range(half))
                text = f"shufflevector {value.text}, {value.type} poison, "
                if half == 1:
                    text = f"extractelement {value.text}, i64 {first}"
                else:
                    text += f"<{half} x i32> <{wanted}>"
                halves.append(f.op(text, kind))
            value = combine[instr.detail](*halves)
        return value

    # Values --------------------------------------------------------------------------

    def value(self, i: int) -> Value:
        """Return a value, computing it here if it is not yet known."""
        if i not in self.memo:
            self.memo[i] = self._compute(self.loops.code[i])
        return self.memo[i]

    def _compute(self, instr: Instr) -> Value:
        f = self.f
        match instr.kind:
            case "load":
                return self._read(instr.detail, None)
            case "literal":
                number = literal_value(instr.detail, instr.dtype)
                return literal(number, register_type(instr.dtype))
            case "symbol":
                which: int = instr.detail
                return self.symbols[which]
            case "index":
                return self._position(*instr.detail)
            case "apply":
                op, params = instr.detail
                args = self._together([self.value(a) for a in instr.args])
                applied: Value = op.emit(self.e, *args, **dict(params))
                return applied
            case "inside":
                return self._inside(self.value(instr.args[0]), instr.detail)
            case "pick":
                operand, word = instr.detail
                index = self.value(instr.args[0])
                stride = f.splat(self.symbols[word], index.lanes)
                return self._read(operand, f.mul(index, stride))
        raise AssertionError(instr.kind)

    def _together(self, values: list[Value]) -> list[Value]:
        lanes = max(v.lanes for v in values)
        return [self.f.splat(v, lanes) for v in values]

    def _position(self, loop: str, which: int) -> Value:
        if loop == "row":
            return self.row[which]
        if loop == "reduced":
            return self.inner[which]
        return self._lane_index()

    def _lane_index(self) -> Value:
        f = self.f
        if self.lanes == 1:
            return self.lane
        return f.add(f.splat(self.lane, self.lanes), f.iota(self.lanes))

    def _inside(self, index: Value, word: int) -> Value:
        f = self.f
        if index.element != "i64":
            wide = vector("i64", index.lanes)
            index = f.op(f"sext {index.text} to {wide}", wide)
        length = f.splat(self.symbols[word], index.lanes)
        negative = f.compare("slt", index, 0)
        index = f.select(negative, f.add(index, length), index)
        outside = f.compare("uge", index, length)
        wrong = outside
        if self.mask is not None and index.lanes > 1:
            wrong = f.binary("and", outside, self.mask)
        if wrong.lanes > 1:
            packed = f"i{wrong.lanes}"
            bits = f.op(f"bitcast {wrong.text} to {packed}", packed)
            wrong = f.compare("ne", bits, 0)
        with f.when(wrong):
            f.store(literal(1, "i64"), self.error)
        return f.select(outside, literal(0, index.type), index)

    # Memory --------------------------------------------------------------------------

    def _place(self, k: int, further: Value | None) -> tuple[Value, bool]:
        """Return where lane 0, or each lane, finds its element; and whether each."""
        f, operand = self.f, self.loops.operands[k]
        element = memory_type(operand.dtype)
        at = self.places.get(k, self.bases[k])
        count = len(operand.rows)
        for j, moves in enumerate(operand.reduced):
            if moves:
                stride = self.strides[k][count + j]
                assert stride is not None
                at = f.at(at, f.mul(self.inner[j], stride), element)
        apart = operand.lane == 2 and self.lanes > 1
        if further is not None and further.lanes == 1:
            at = f.at(at, further, element)
        elif further is not None:
            apart = True
        if not apart:
            if operand.lane == 1:
                return f.at(at, self.lane, element), False
            if operand.lane == 2:
                stride = self.strides[k][-1]
                assert stride is not None
                return f.at(at, f.mul(self.lane, stride), element), False
            return at, False
        index = further if further is not None and further.lanes > 1 else None
        if operand.lane:
            along = self._lane_index()
            if operand.lane == 2:
                stride = self.strides[k][-1]
                assert stride is not None
                along = f.mul(along, f.splat(stride, self.lanes))
            index = along if index is None else f.add(index, along)
        assert index is not None
        return f.at(at, index, element), True

    def _read(self, k: int, further: Value | None) -> Value:
        f, operand = self.f, self.loops.operands[k]
        at, apart = self._place(k, further)
        lanes = self.lanes if apart or operand.lane else 1
        kind = vector(memory_type(operand.dtype), lanes)
        if apart:
            found = f.gather(at, kind, self.mask)
        elif lanes > 1 and self.mask is not None:
            found = f.load_masked(at, kind, self.mask)
        else:
            found = f.load(at, kind)
        if element_of(kind) == "i8":
            return f.compare("ne", found, 0)
        return found

    def _write(self, instr: Instr) -> None:
        f = self.f
        value = self.value(instr.args[0])
        further = None
        if instr.kind == "add":
            k, word = instr.detail
            further = f.mul(self.value(instr.args[1]), self.symbols[word])
        else:
            k = instr.detail
        operand = self.loops.operands[k]
        at, apart = self._place(k, further)
        if instr.kind == "add":
            value = self.e.add(f.load(at, memory_type(operand.dtype)), value)
        lanes = self.lanes if operand.lane else 1
        value = f.splat(value, lanes)
        if value.element == "i1":
            wide = vector("i8", lanes)
            value = f.op(f"zext {value.text} to {wide}", wide)
        if apart:
            f.scatter(value, at, self.mask)
        elif lanes > 1 and self.mask is not None:
            f.store_masked(value, at, self.mask)
        else:
            f.store(value, at)
