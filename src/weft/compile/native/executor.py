"""What runs a program: one native function that takes steps, others that help it.

The *leader* goes through the entries of a table, step after step, and never comes back
to Python in between. An entry with several tiles is shared with *workers* (`tickets`).
The leader takes tiles too, at the end those of others, and waits only for those that
were taken, so a worker that the machine has put to sleep holds nothing up. Which thread
computes a tile does not show in it.
"""

from weft.compile.native.call import begin
from weft.compile.native.control import Cell
from weft.compile.native.ir import Function, Value, literal
from weft.compile.native.library import Kernel
from weft.compile.native.target import Target
from weft.compile.native.tickets import begin as begin_sharing
from weft.compile.native.tickets import (
    close,
    count,
    done,
    get,
    number,
    offer,
    put,
    settle,
    take,
)

# The words of an entry.
ENTRY = ("code", "words", "rows", "cols", "tile_rows", "tile_cols", "tiles", "across")

# Rounds of waiting before a worker goes to sleep, some tens of microseconds, and for
# how many microseconds it does.
_PATIENCE = 500
_NAP = 50
# How often the leader looks before it asks the clock, and how much longer than its own
# part it waits, in ticks: some tens of microseconds.
_ROUNDS = 64
_SLACK = 150_000
# For how many times as long as it was kept waiting the leader goes on alone: the least
# and the most, in units of 1 / _UNIT. It doubles each time, and shrinks by
# 1 / _FORGIVES with every entry that was shared well.
_UNIT, _FORGIVES = 256, 64
_ALONE_LEAST, _ALONE_MOST = 2 * _UNIT, 32 * _UNIT
# Below how many bytes a row is copied in place rather than by a call.
_SHORT = 256


def leader(target: Target) -> Kernel:
    """Return the function that takes steps.

    ``i64 weft_leader(control)`` returns how many steps it has taken: fewer than asked
    where it was stopped or a position was outside. The state is that of the last whole
    step.
    """
    f = Function("weft_leader", [("ptr", "control")], target, "i64")
    (control,) = f.params

    def asked(cell: Cell, type: str = "i64") -> Value:
        return f.load(f.at(control, int(cell), "i64"), type)

    full, last, ticks = (
        asked(cell, "ptr") for cell in (Cell.FULL, Cell.LAST, Cell.TICKS)
    )
    steps, has_last, batch, workers = (
        asked(cell) for cell in (Cell.STEPS, Cell.HAS_LAST, Cell.BATCH, Cell.WORKERS)
    )
    counts = [asked(cell) for cell in (Cell.ENTRIES, Cell.LAST_ENTRIES)]
    commits = [asked(cell) for cell in (Cell.COMMIT_AT, Cell.LAST_COMMIT_AT)]
    alone = f.compare("eq", workers, 0)
    timed = f.compare("ne", f.op(f"ptrtoint {ticks.text} to i64", "i64"), 0)
    final_step = f.sub(steps, has_last)
    begin_sharing(f, control)
    _forgive(f, control)
    with f.loop(0, steps) as step:
        put(f, control, Cell.STEP, step.index)
        put(f, control, Cell.ROW, f.mul(step.index, batch))
        is_last = f.compare("sge", step.index, final_step)
        table = f.select(is_last, last, full)
        entries = f.select(is_last, counts[1], counts[0])
        commit_at = f.select(is_last, commits[1], commits[0])
        with f.loop(0, entries) as at:
            early = f.compare("slt", at.index, commit_at)
            with f.when(f.compare("eq", at.index, commit_at)):
                _return_if_wanted(f, control, step.index)
            entry = f.at(table, f.mul(at.index, len(ENTRY)), "i64")
            began = _clock(f, timed)
            _take_entry(f, control, entry, alone, early, step.index)
            with f.when(timed):
                place = f.at(ticks, at.index, "i64")
                spent = f.sub(_clock(f, None), began)
                f.store(f.add(f.load(place, "i64"), spent), place)
        with f.when(f.compare("ne", get(f, control, Cell.ERROR), 0)):
            _return(f, step.index)
        # Without updates the end of a step is where a stop counts.
        with f.when(f.compare("eq", entries, commit_at)):
            _return_if_wanted(f, control, step.index)
        put(f, control, Cell.PROGRESS, f.add(step.index, 1))
    return Kernel(f.name, f.finish(steps), frozenset(f.declarations))


def _take_entry(
    f: Function, control: Value, entry: Value, alone: Value, early: Value, step: Value
) -> None:
    """Do an entry: in one call, tile by tile, or with whoever helps."""
    tiles = _field(f, entry, "tiles")
    one, many, after = f.label(), f.label(), f.label()
    f.branch_if(f.compare("sle", tiles, 1), one, many)
    f.start_block(one)
    _call(f, entry, None)
    f.branch(after)
    f.start_block(many)
    serial, shared = f.label(), f.label()
    by_itself = f.binary("or", alone, _is_alone(f, control))
    f.branch_if(by_itself, serial, shared)
    f.start_block(serial)
    with f.loop(0, tiles) as tile:
        with f.when(early):
            _return_if_wanted(f, control, step)
        _call(f, entry, tile.index)
    f.branch(after)
    f.start_block(shared)
    _share(f, control, entry, tiles, early, step)
    f.branch(after)
    f.start_block(after)


def worker(target: Target) -> Kernel:
    """Return the function of a helping thread.

    ``void weft_worker(control, party)``, the party being a number from 1 on.
    """
    f = Function("weft_worker", [("ptr", "control"), ("i64", "party")], target)
    control, me = f.params
    # Once no tile of an entry is left, only a worker's own ticket tells it of another:
    # to look at those of others would take the cache line away from them.
    seen = f.op("alloca i64", "ptr")
    f.store(literal(-1, "i64"), seen)
    again, drain, work, home = (f.label() for _ in range(4))
    f.branch(again)
    f.start_block(again)
    patience = literal(_PATIENCE, "i64")
    with f.loop(0, patience):
        with f.when(f.compare("ne", get(f, control, Cell.QUIT), 0)):
            f.branch(home)
            f.start_block(f.label())
        latest = number(f, control, me)
        with f.when(f.compare("ne", latest, f.load(seen, "i64"))):
            f.store(latest, seen)
            f.branch(drain)
            f.start_block(drain)
            tile, entry = take(f, control, me)
            f.branch_if(f.compare("sge", tile, 0), work, again)
            f.start_block(work)
            _call(f, entry, tile)
            count(f, control, me)
            f.branch(drain)
            f.start_block(f.label())
        _pause(f)
        # A machine without room for two is left to the leader.
        with f.when(_is_alone(f, control)):
            _nap(f, control)
    _nap(f, control)
    f.branch(again)
    f.start_block(home)
    return Kernel(f.name, f.finish(), frozenset(f.declarations))


def clock(target: Target) -> Kernel:
    """Return the function that reads the clock by which the leader times entries.

    ``i64 weft_clock()``, in ticks of the machine's own.
    """
    f = Function("weft_clock", [], target, "i64")
    return Kernel(f.name, f.finish(_clock(f, None)), frozenset(f.declarations))


def gather(target: Target) -> Kernel:
    """Return the kernel that fetches the rows of a batch.

    Words: source, destination, bytes per row, address of the order, of the control,
    rows per step. The order goes on for a step behind its end.
    """
    f = begin("weft_gather", target)
    words, r0, r1, _, _ = f.params
    source, to = (f.load(f.at(words, i, "i64"), "ptr") for i in (0, 1))
    size = f.load(f.at(words, 2, "i64"), "i64")
    order, control = (f.load(f.at(words, i, "i64"), "ptr") for i in (3, 4))
    batch = f.load(f.at(words, 5, "i64"), "i64")
    first = get(f, control, Cell.ROW)
    order = f.at(order, first, "i64")
    whole = f.binary("and", size, literal(-8, "i64"))
    with f.loop(r0, r1) as row:
        # Rows lie anywhere: the machine is told a step ahead where the next ones begin
        # and end.
        which = f.load(f.at(order, f.add(row.index, batch), "i64"), "i64")
        coming = f.at(source, f.mul(which, size), "i8")
        hints = [literal(number, "i32") for number in (0, 2, 1)]
        for place in (coming, f.at(coming, f.sub(size, 1), "i8")):
            f.call("llvm.prefetch.p0", "void", place, *hints)
        which = f.load(f.at(order, row.index, "i64"), "i64")
        here = f.at(source, f.mul(which, size), "i8")
        there = f.at(to, f.mul(row.index, size), "i8")
        short, long, done = f.label(), f.label(), f.label()
        f.branch_if(f.compare("slt", size, _SHORT), short, long)
        f.start_block(short)
        with f.loop(0, whole, 8) as at:
            value = f.load(f.at(here, at.index, "i8"), "i64", align=1)
            f.store(value, f.at(there, at.index, "i8"), align=1)
        with f.loop(whole, size) as at:
            value = f.load(f.at(here, at.index, "i8"), "i8")
            f.store(value, f.at(there, at.index, "i8"))
        f.branch(done)
        f.start_block(long)
        _copy(f, there, here, size)
        f.branch(done)
        f.start_block(done)
    return Kernel(f.name, f.finish(), frozenset(f.declarations))


def advance(target: Target) -> Kernel:
    """Return the kernel that copies between one step's place in a longer array and a
    buffer.

    Words: source, bytes by which it moves per step, destination, the same, bytes to
    copy, address of the control.
    """
    f = begin("weft_advance", target)
    words = f.params[0]
    source, to, control = (f.load(f.at(words, i, "i64"), "ptr") for i in (0, 2, 5))
    by, along, size = (f.load(f.at(words, i, "i64"), "i64") for i in (1, 3, 4))
    step = get(f, control, Cell.STEP)
    _copy(
        f, f.at(to, f.mul(step, along), "i8"), f.at(source, f.mul(step, by), "i8"), size
    )
    return Kernel(f.name, f.finish(), frozenset(f.declarations))


def _copy(f: Function, to: Value, source: Value, size: Value) -> None:
    f.call("llvm.memcpy.p0.p0.i64", "void", to, source, size, literal(False, "i1"))


# Tiles ------------------------------------------------------------------------------


def _field(f: Function, entry: Value, name: str, type: str = "i64") -> Value:
    return f.load(f.at(entry, ENTRY.index(name), "i64"), type)


def _call(f: Function, entry: Value, tile: Value | None) -> None:
    """Call an entry's kernel on one of its tiles; on all of it, if there is but one."""
    code, words = (_field(f, entry, name, "ptr") for name in ("code", "words"))
    rows, cols = _field(f, entry, "rows"), _field(f, entry, "cols")
    zero = literal(0, "i64")
    if tile is None:
        f.call_pointer(code, "void", words, zero, rows, zero, cols)
        return
    across = _field(f, entry, "across")
    tile_rows, tile_cols = (_field(f, entry, n) for n in ("tile_rows", "tile_cols"))
    r0 = f.mul(f.binary("udiv", tile, across), tile_rows)
    c0 = f.mul(f.binary("urem", tile, across), tile_cols)
    r1 = f.minimum(f.add(r0, tile_rows), rows)
    c1 = f.minimum(f.add(c0, tile_cols), cols)
    f.call_pointer(code, "void", words, r0, r1, c0, c1)


def _share(
    f: Function, control: Value, entry: Value, tiles: Value, early: Value, step: Value
) -> None:
    """Offer an entry's tiles, take part, and wait for those that others took."""
    began = _clock(f, None)
    offer(f, control, entry, tiles)
    before = f.block
    again, work, wait = f.label(), f.label(), f.label()
    f.branch(again)
    f.start_block(again)
    # How many tiles this thread has done itself.
    following = f"%{work}own"
    own = f.op(f"phi i64 [ 0, %{before} ], [ {following}, %{work} ]", "i64")
    with f.when(early), f.when(_wanted(f, control)):
        # Nobody takes another tile; those that were taken are waited for.
        taken = close(f, control, tiles)
        _wait(f, control, f.sub(taken, own), began)
        _return(f, step)
    tile, _ = take(f, control, literal(0, "i64"))
    f.branch_if(f.compare("sge", tile, 0), work, wait)
    f.start_block(work)
    _call(f, entry, tile)
    f.line(f"{following} = add i64 {own.name}, 1")
    f.branch(again)
    f.start_block(wait)
    _wait(f, control, f.sub(tiles, own), began)


def _wait(f: Function, control: Value, tiles: Value, began: Value) -> None:
    """Wait until workers have done so many tiles.

    Who has taken them may have been put to sleep by the machine, which is busy with
    something else. If that takes much longer than this thread's own part did, the
    leader goes on alone for some times as long as it has lost: a few times where that
    is rare, more where it goes on.
    """
    again, late, nap, regret, fine, over = (f.label() for _ in range(6))
    now = _clock(f, None)
    patience = f.add(f.mul(f.sub(now, began), 2), _SLACK)
    f.branch(again)
    f.start_block(again)
    with f.loop(0, literal(_ROUNDS, "i64")):
        finished = f.compare("sge", done(f, control), tiles)
        with f.when(finished):
            f.branch(fine)
            f.start_block(f.label())
        _pause(f)
    waited = f.sub(_clock(f, None), now)
    f.branch_if(f.compare("sgt", waited, patience), late, again)
    f.start_block(late)
    f.branch(nap)
    f.start_block(nap)
    _nap(f, control)
    f.branch_if(f.compare("sge", done(f, control), tiles), regret, nap)
    f.start_block(regret)
    ended = _clock(f, None)
    penalty = get(f, control, Cell.PENALTY)
    lost = f.binary("udiv", f.mul(f.sub(ended, now), penalty), literal(_UNIT, "i64"))
    put(f, control, Cell.ALONE, f.add(ended, lost))
    put(f, control, Cell.PENALTY, f.minimum(f.mul(penalty, 2), _ALONE_MOST))
    f.branch(over)
    f.start_block(fine)
    _forgive(f, control)
    f.branch(over)
    f.start_block(over)
    settle(f, control, tiles)


def _forgive(f: Function, control: Value) -> None:
    """Lower what being kept waiting costs, down to the least."""
    penalty = get(f, control, Cell.PENALTY)
    less = f.sub(penalty, f.binary("udiv", penalty, literal(_FORGIVES, "i64")))
    low = f.compare("slt", less, _ALONE_LEAST)
    put(f, control, Cell.PENALTY, f.select(low, literal(_ALONE_LEAST, "i64"), less))


def _is_alone(f: Function, control: Value) -> Value:
    """Tell whether the leader takes no help for the moment."""
    return f.compare("slt", _clock(f, None), get(f, control, Cell.ALONE))


def _pause(f: Function) -> None:
    if f.target.name == "neon":
        f.call("llvm.aarch64.hint", "void", literal(1, "i32"))
    else:
        f.call("llvm.x86.sse2.pause", "void")


def _nap(f: Function, control: Value) -> None:
    function = get(f, control, Cell.SLEEP)
    with f.when(f.compare("ne", function, 0)):
        pointer = f.op(f"inttoptr {function.text} to ptr", "ptr")
        f.call_pointer(pointer, "void", literal(_NAP, "i32"))


def _clock(f: Function, timed: Value | None) -> Value:
    """Read the clock; without being asked for, it is left alone."""
    name = "llvm.readsteadycounter"
    if f.target.name != "neon":
        name = "llvm.readcyclecounter"
    if timed is None:
        return f.call(name, "i64")
    before = f.block
    read, out = f.label(), f.label()
    f.branch_if(timed, read, out)
    f.start_block(read)
    ticks = f.call(name, "i64")
    f.branch(out)
    f.start_block(out)
    return f.op(f"phi i64 [ 0, %{before} ], [ {ticks.name}, %{read} ]", "i64")


# Stopping ---------------------------------------------------------------------------


def _wanted(f: Function, control: Value) -> Value:
    stop, error = get(f, control, Cell.STOP), get(f, control, Cell.ERROR)
    return f.compare("ne", f.binary("or", stop, error), 0)


def _return_if_wanted(f: Function, control: Value, step: Value) -> None:
    with f.when(_wanted(f, control)):
        _return(f, step)


def _return(f: Function, value: Value) -> None:
    f.line(f"ret {value.text}")
    f.start_block(f.label())
