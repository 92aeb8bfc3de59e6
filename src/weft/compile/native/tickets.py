"""Who computes which tile: each thread has a share, and helps with the others' shares.

The tiles of an entry are parted into shares of neighbours, one for each *party* (the
leader is party 0, its workers are the others), by their numbers alone. So a party meets
the same rows again in the next entry, and finds them in its own cache: to fetch what
another core has just written takes five times as long and more. Whoever is through
with its own share takes tiles from the far end of another's.

A share is told by a *ticket*, one word: a running number, the end, the next tile. A
tile is taken by a compare-and-swap of the whole word, so that nobody can take a tile of
an entry that is over. The entry's address lies beside it: one cache line brings both.

A worker counts the tiles that it has done, ever, in a line that only it writes. The
leader knows how many that were when an entry was opened, and waits for the rest.
"""

from weft.compile.native.control import PARTIES, PARTY, TICKETS, Cell
from weft.compile.native.ir import Function, Value, literal

# The words of a party: a ticket and the open entry, which the leader writes as well,
# and in a line of its own the tiles done.
_TICKET, _ENTRY, _DONE = 0, 1, 8
_BITS = 20
MOST_TILES = (1 << _BITS) - 1
MOST_HELPERS = PARTIES - 1


def get(f: Function, control: Value, cell: Cell) -> Value:
    """Read a word that another thread may write."""
    return _load(f, f.at(control, int(cell), "i64"))


def put(f: Function, control: Value, cell: Cell, value: Value) -> None:
    """Write a word that another thread may read."""
    _store(f, f.at(control, int(cell), "i64"), value)


def begin(f: Function, control: Value) -> None:
    """Note what workers have done before a run."""
    put(f, control, Cell.EXPECTED, _sum_done(f, control))


def offer(f: Function, control: Value, entry: Value, tiles: Value) -> None:
    """Open an entry: every party has a share of its tiles from here on."""
    address = f.op(f"ptrtoint {entry.text} to i64", "i64")
    following = f.add(number(f, control, literal(0, "i64")), 1)
    high = f.binary("shl", following, literal(2 * _BITS, "i64"))
    parties = _parties(f, control)
    with f.loop(0, parties, carried=[literal(0, "i64")]) as party:
        (start,) = party.carried
        share = f.mul(f.add(party.index, 1), tiles)
        end = f.binary("udiv", share, parties)
        span = f.binary("or", f.binary("shl", end, literal(_BITS, "i64")), start)
        ticket = f.binary("or", high, span)
        _store(f, _word(f, control, party.index, _ENTRY), address)
        _store(f, _word(f, control, party.index, _TICKET), ticket)
        party.carry(end)


def number(f: Function, control: Value, me: Value) -> Value:
    """Return the running number of the latest entry that a party was offered."""
    ticket = _load(f, _word(f, control, me, _TICKET))
    return f.binary("lshr", ticket, literal(2 * _BITS, "i64"))


def take(f: Function, control: Value, me: Value) -> tuple[Value, Value]:
    """Take a tile: return its number, -1 if there is none, and its entry."""
    parties = _parties(f, control)
    home = f.at(control, TICKETS + _ENTRY, "i64")
    before = f.block
    again, look, attempt, swap, other, out = (f.label() for _ in range(6))
    f.branch(again)
    f.start_block(again)
    following = f"%{other}k"
    k = f.op(f"phi i64 [ 0, %{before} ], [ {following}, %{other} ]", "i64")
    f.branch_if(f.compare("slt", k, parties), look, out)
    f.start_block(look)
    party = f.add(me, k)
    too_far = f.compare("sge", party, parties)
    party = f.select(too_far, f.sub(party, parties), party)
    place = _word(f, control, party, _TICKET)
    at_entry = _word(f, control, party, _ENTRY)
    f.branch(attempt)
    f.start_block(attempt)
    ticket = _load(f, place)
    first, end = _span(f, ticket)
    f.branch_if(f.compare("slt", first, end), swap, other)
    f.start_block(swap)
    own = f.compare("eq", k, 0)
    front, back = f.add(ticket, 1), f.sub(ticket, 1 << _BITS)
    new = f.select(own, front, back)
    text = f"cmpxchg {place.text}, {ticket.text}, {new.text} acq_rel monotonic"
    pair = f.op(text, "{ i64, i1 }")
    tile = f.select(own, first, f.sub(end, 1))
    # Beaten to it: the ticket is another now, and may still have tiles.
    f.branch_if(f.op(f"extractvalue {pair.text}, 1", "i1"), out, attempt)
    f.start_block(other)
    f.line(f"{following} = add i64 {k.name}, 1")
    f.branch(again)
    f.start_block(out)
    tile = f.op(f"phi i64 [ -1, %{again} ], [ {tile.name}, %{swap} ]", "i64")
    text = f"phi ptr [ {home.name}, %{again} ], [ {at_entry.name}, %{swap} ]"
    return tile, f.load(f.op(text, "ptr"), "ptr")


def count(f: Function, control: Value, me: Value) -> None:
    """Say that a tile that a worker has taken is done."""
    place = _word(f, control, me, _DONE)
    _store(f, place, f.add(_load(f, place), 1))


def done(f: Function, control: Value) -> Value:
    """Return how many tiles of the open entry workers have done."""
    return f.sub(_sum_done(f, control), get(f, control, Cell.EXPECTED))


def settle(f: Function, control: Value, tiles: Value) -> None:
    """Note that workers have done so many tiles of an entry that is over."""
    put(f, control, Cell.EXPECTED, f.add(get(f, control, Cell.EXPECTED), tiles))


def close(f: Function, control: Value, tiles: Value) -> Value:
    """Let nobody take another tile; return how many have been taken."""
    with f.loop(0, _parties(f, control), carried=[tiles]) as party:
        (taken,) = party.carried
        place = _word(f, control, party.index, _TICKET)
        number_only = literal(-1 << (2 * _BITS), "i64")
        text = f"atomicrmw and {place.text}, {number_only.text} acq_rel"
        old = f.op(text, "i64")
        first, end = _span(f, old)
        party.carry(f.sub(taken, f.sub(end, first)))
    return party.carried[0]


def _parties(f: Function, control: Value) -> Value:
    return f.add(get(f, control, Cell.WORKERS), 1)


def _word(f: Function, control: Value, party: Value, word: int) -> Value:
    return f.at(control, f.add(f.mul(party, PARTY), TICKETS + word), "i64")


def _sum_done(f: Function, control: Value) -> Value:
    stop = _parties(f, control)
    with f.loop(1, stop, carried=[literal(0, "i64")]) as party:
        (total,) = party.carried
        one = _load(f, _word(f, control, party.index, _DONE))
        party.carry(f.add(total, one))
    return party.carried[0]


def _span(f: Function, ticket: Value) -> tuple[Value, Value]:
    """Return a share's next tile and its end."""
    mask = literal(MOST_TILES, "i64")
    end = f.binary("lshr", ticket, literal(_BITS, "i64"))
    return f.binary("and", ticket, mask), f.binary("and", end, mask)


def _load(f: Function, place: Value) -> Value:
    return f.op(f"load atomic i64, {place.text} acquire, align 8", "i64")


def _store(f: Function, place: Value, value: Value) -> None:
    f.line(f"store atomic {value.text}, {place.text} release, align 8")
