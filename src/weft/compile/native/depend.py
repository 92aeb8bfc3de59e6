"""What depends on what, within fused loops: where each value has to be computed.

A value belongs to the outermost `Scope` that knows all it depends on. What depends on a
fold waits for the fold's pass: its stage counts the passes that have to be over.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import final

from weft.compile.native.loops import Instr, Loops, Operand

# What a value depends on, as bits of its level.
ROW, LANE, REDUCED = 1, 2, 4


@final
class Scope(IntEnum):
    """Where code stands, from the outside in."""

    FUNCTION = 0
    ROW = 1
    LANES = 2
    POINT = 3


@final
@dataclass(frozen=True)
class Dependence:
    """What the values of fused loops depend on.

    Parameters
    ----------
    loops : Loops
    levels : list of int
        By instruction: bits of `ROW`, `LANE`, `REDUCED`.
    stages : list of int
        By instruction: how many passes have to be over.
    """

    loops: Loops
    levels: list[int]
    stages: list[int]

    def scope(self, i: int) -> Scope:
        """Return the outermost scope that knows what value `i` depends on."""
        level = self.levels[i]
        if level & REDUCED:
            return Scope.POINT
        after_pass = self.stages[i] > 0
        if not self.loops.lane_reduced and (level & LANE or after_pass):
            return Scope.LANES
        return Scope.ROW if level & ROW or after_pass else Scope.FUNCTION

    def in_pass(self, i: int) -> int:
        """Return the pass that instruction `i` is done in, -1 if in none."""
        kind = self.loops.code[i].kind
        if kind == "fold":
            return self.stages[i] - 1
        if kind in ("store", "add", "scan") and self.levels[i] & REDUCED:
            return self.stages[i]
        return -1


def dependence(loops: Loops) -> Dependence:
    """Find out what the values of fused loops depend on."""
    found = Dependence(loops, [], [])
    for instr in loops.code:
        level, stage = _depends(instr, found)
        found.levels.append(level)
        found.stages.append(stage)
    return found


def _depends(instr: Instr, known: Dependence) -> tuple[int, int]:
    loops = known.loops
    level, stage = 0, 0
    for a in instr.args:
        level |= known.levels[a]
        stage = max(stage, known.stages[a])
    match instr.kind:
        case "load" | "store":
            level |= _moves(loops.operands[instr.detail], loops)
        case "pick" | "add":
            level |= _moves(loops.operands[instr.detail[0]], loops)
        case "index":
            loop, _ = instr.detail
            level |= {"row": ROW, "reduced": REDUCED, "lane": LANE}[loop]
            if loop == "lane" and loops.lane_reduced:
                level |= REDUCED
        case "scan":
            level |= REDUCED
        case "fold":
            level &= ~(REDUCED | LANE) if loops.lane_reduced else ~REDUCED
            stage += 1
    return level, stage


def _moves(operand: Operand, loops: Loops) -> int:
    lane = LANE | (REDUCED if loops.lane_reduced else 0)
    return (
        (ROW if any(operand.rows) else 0)
        | (REDUCED if any(operand.reduced) else 0)
        | (lane if operand.lane else 0)
    )
