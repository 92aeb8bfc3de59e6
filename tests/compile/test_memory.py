"""Memory for time: the same bits in fewer bytes, and what it costs is told."""

import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import weft
from weft import nn
from weft.compile.recompute import scheduled
from weft.compile.tasks import Task, Work, hastened, peak
from weft.graph.errors import GraphError
from weft.graph.tree import flatten
from weft.testing.strategies import graphs

FEW = settings(max_examples=settings().max_examples // 5)


@dataclass(frozen=True)
class Net:
    """A training program in parts."""

    inputs: list
    outputs: object
    updates: dict
    state: dict

    def program(self, memory=None, threads=1):
        return weft.compile(
            self.inputs,
            self.outputs,
            self.updates,
            self.state,
            engine="native",
            threads=threads,
            memory=memory,
        )


def deep(layers=200, units=32, features=8):
    """Return a deep network of tanh units, trained by gradient descent."""
    rng = np.random.default_rng(0)
    x = weft.input("x", ("n", features), "float32")
    y = weft.input("y", ("n", 1), "float32")
    state = {}

    def held(name, *shape):
        leaf = weft.parameter(name, shape, "float32")
        state[leaf] = rng.normal(size=shape).astype("float32") / np.sqrt(shape[0])
        return leaf

    h = x
    for i in range(layers):
        W, b = held(f"W{i}", h.shape[1], units), held(f"b{i}", units)
        h = weft.tanh(h @ W + b)
    cost = weft.mean(weft.square(h @ held("v", units, 1) - y))
    slopes = weft.grad(cost, list(state))
    updates = {p: p - 0.1 * g for p, g in zip(state, slopes, strict=True)}
    return Net([x, y], cost, updates, state)


def rows(count, features=8, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, features)).astype("float32")
    return [x, np.sin(x[:, :1])]


def arena_of(program):
    """Return the bytes that a program has really taken for temporary values."""
    frames = [f for free in program._calls.values() for f in free]
    return max(f.arena.base.nbytes for f in [*frames, *program._runs.values()])


def saving_of(program):
    return list(program._within.values())[-1].saving


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())


def same_results(one, other):
    pairs = zip(flatten(one)[0], flatten(other)[0], strict=True)
    return all(same_bits(a, b) for a, b in pairs)


def same_state(one, other):
    return all(same_bits(one.state[p], other.state[p]) for p in one.state)


def least_of(call):
    """Return the least memory, as the error says that refuses one byte."""
    with pytest.raises(GraphError) as caught:
        call()
    return int(re.search(r"least found is (\d+) bytes", str(caught.value))[1])


# The figures ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    return deep()


@pytest.fixture(scope="module")
def plain(net):
    program = net.program()
    return program, [program(*rows(1024)) for _ in range(3)]


@pytest.mark.parametrize(("share", "passes"), [(6, 1), (10, 2)])
def test_200_layers_train_in_a_share_of_their_activations(net, plain, share, passes):
    activations = 200 * 32 * 4 * 1024
    program = net.program(activations // share)
    costs = [program(*rows(1024)) for _ in range(3)]
    assert arena_of(program) <= activations // share
    assert arena_of(plain[0]) >= activations
    assert same_results(costs, plain[1])
    assert same_state(program, plain[0])
    saving = saving_of(program)
    assert 0 < saving.passes <= passes
    # What is told is what is run.
    forward = [s for s in program.form.steps if "tanh" in str(s.nodes)]
    assert len(forward) >= 200
    assert len(saving.again) <= passes * (len(forward) + 2)


def test_the_flops_told_are_those_of_the_kernels(net):
    program = net.program(200 * 32 * 4 * 1024 // 6)
    program(*rows(1024))
    frame = program._latest[0]
    again = {id(frame.form.steps[i]) for i in frame.form.saving.again}
    flops = {True: 0, False: 0}
    for call, step in zip(frame.calls, frame.steps, strict=True):
        flops[id(step) in again] += call.flops
    # A call counts the product alone, without what is done with its tiles.
    assert flops[True] == pytest.approx(frame.form.saving.extra, rel=0.05)
    # Backward is about twice forward.
    assert flops[False] == pytest.approx(3 * frame.form.saving.forward, rel=0.05)


def test_programs_say_what_is_computed_again():
    program = deep(12).program(12 * 32 * 4 * 64)
    assert "planned once sizes are known" in str(program)
    program(*rows(64))
    again = [line for line in str(program).splitlines() if "again: " in line]
    assert len(again) == len(saving_of(program).again) > 0
    assert str(program).splitlines()[-1].startswith("memory: ")
    profiled = [row.name for row in program.profile().rows]
    assert sum(name.startswith("again: ") for name in profiled) == len(again)


def test_what_fits_is_left_alone():
    program = deep(4).program(1 << 24)
    program(*rows(64))
    assert not saving_of(program).again
    assert "again: " not in str(program)


@pytest.mark.parametrize("count", [1, 7, 64, 300])
def test_what_is_counted_is_the_peak_and_what_lies_beside(count):
    """The peak is the least; what a program says that it takes is enough, and exact."""
    net = deep(6)
    outputs = [net.outputs, *net.updates.values()]
    net = Net(net.inputs, outputs, {}, net.state)
    ample = net.program(1 << 40)
    ample(*rows(count))
    without = ample.saving.without
    assert without == ample.saving.bytes == arena_of(ample)
    assert weft.cost(outputs, n=count).peak_bytes <= without
    exact = net.program(without)
    exact(*rows(count))
    assert not exact.saving.again


# Runs -------------------------------------------------------------------------------


def described(layers):
    """Return a classifier of such layers, trained with momentum."""
    network = nn.Network(layers, nn.Categorical(3))
    params, first = network.symbols(8), network.init(0, 8)
    x, y = weft.input("x", ("n", 8), "float32"), weft.input("y", ("n",), "int64")
    step = weft.parameter("step", (), "int64")
    cost, moved = network.cost(params, x, y, nn.Train(seed=3, step=step))
    leaves, values = flatten(params)[0], flatten(first)[0]
    state = {**dict(zip(leaves, values, strict=True)), step: np.int64(0)}
    updates = {step: step + 1}
    assert not moved
    for p, g in zip(leaves, weft.grad(cost, leaves), strict=True):
        velocity = weft.parameter(f"{p.name}/velocity", p.shape, "float32")
        state[velocity] = np.zeros(p.shape, "float32")
        updates[velocity] = 0.9 * velocity + g
        updates[p] = p - 0.1 * (0.9 * velocity + g)
    # What a user may look at: the cost, and something as long as the batch.
    norm = weft.sqrt(sum(weft.sum(weft.square(p)) for p in leaves))
    return Net([x, y], {"cost": cost, "norm": norm}, updates, state)


def labelled(count, seed=1):
    x, _ = rows(count, seed=seed)
    return [x, np.argmax(x[:, :3], axis=1)]


def block():
    inner = [nn.LayerNorm(), nn.Affine(24), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Skip(nn.Sequential(*inner))


def block16():
    return nn.Skip(nn.Sequential(nn.Affine(16), nn.Tanh()))


def mixed(depth=6):
    return described([nn.Affine(24), nn.Tanh(), *(block() for _ in range(depth))])


@pytest.mark.parametrize("threads", [1, 2])
def test_epochs_with_dropout_and_a_partial_last_batch(threads):
    net = mixed()
    arrays, order = labelled(700), np.random.default_rng(2).permutation(700)
    plain = net.program()
    expected = [plain.run(arrays, order, 256) for _ in range(3)]
    assert plain._runs
    least = least_of(lambda: net.program(1).run(arrays, order, 256))
    assert least < 0.6 * arena_of(plain)
    program = net.program(least, threads)
    assert all(same_results(program.run(arrays, order, 256), e) for e in expected)
    assert same_state(program, plain)
    assert arena_of(program) <= least
    assert saving_of(program).again


def test_calls_and_runs_may_alternate():
    """State is one: a run goes on where calls have left it, under any budget."""
    net = mixed(3)
    plain = net.program()
    program = net.program(3 * arena_size(net, 200) // 4)
    for one in (program, plain):
        one(*labelled(200))
        one.run(labelled(500), None, 200)
        one(*labelled(64))
    assert same_state(program, plain)


def held_by(program):
    """Return the bytes of all blocks of memory that a program still has."""
    frames = [f for free in program._calls.values() for f in free]
    frames += program._runs.values()
    if program._latest is not None:
        frames.append(program._latest[0])
    blocks = {id(f.arena.base): f.arena.base.nbytes for f in frames}
    if program._arena is not None:
        blocks[id(program._arena.base)] = program._arena.base.nbytes
    return sum(blocks.values())


def test_the_budget_is_one_for_all_sizes():
    net = mixed(3)
    budget = arena_size(net, 200)
    plain, program = net.program(), net.program(budget)
    for count in (200, 199, 150, 64, 63, 62, 200):
        assert same_results(program(*labelled(count)), plain(*labelled(count)))
        assert held_by(program) <= budget
    for size in (150, 90, 7):
        found = program.run(labelled(400), None, size)
        assert same_results(found, plain.run(labelled(400), None, size))
        assert held_by(program) <= budget
    program(*labelled(180))
    assert held_by(program) <= budget
    assert not same_state(program, plain)
    plain(*labelled(180))
    assert same_state(program, plain)


def test_what_is_taken_in_a_run_and_in_threads_is_within_the_budget():
    """Traced from outside, over sizes of which each would fill the budget."""
    x = weft.input("x", ("n", 64), "float64")
    h = x
    for _ in range(6):
        h = weft.softmax(h * weft.sum(h, 0), 1)
    net = Net([x], weft.sum(h), {}, {})
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2000, 64))
    plain = net.program()
    expected = [plain(data[:n]) for n in range(1990, 2000)]
    budget = arena_of(plain)
    program = net.program(budget)
    program(data[:1999])  # compiles
    tracemalloc.start()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: program(data[:n]), range(1990, 2000)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert same_results(found, expected)
    assert most < 1.5 * budget


def arena_size(net, count):
    program = net.program()
    program(*labelled(count))
    return arena_of(program)


def test_a_program_goes_on_from_another_s_state():
    net = mixed(3)
    size = arena_size(net, 200)
    whole = net.program()
    for _ in range(4):
        whole(*labelled(200))
    first = net.program(3 * size // 4)
    for _ in range(2):
        first(*labelled(200))
    second = Net(net.inputs, net.outputs, net.updates, dict(first.state)).program(size)
    for _ in range(2):
        second(*labelled(200))
    assert same_state(second, whole)


# Any graph --------------------------------------------------------------------------


def batch_of(graph, count):
    rng = np.random.default_rng(count)
    inputs = [leaf for leaf in graph.leaves if leaf.op.name == "input"]
    values = [graph.feed[x] for x in inputs]
    return inputs, [v[rng.integers(0, len(v), count)] for v in values]


@FEW
@given(graph=graphs(kinks=True, batch="n"), share=st.floats(0, 1))
def test_any_budget_gives_the_same_bits(graph, share):
    inputs, arrays = batch_of(graph, 40)
    assume(all(node.ndim < 4 for node in weft.topological([graph.output])))
    note(weft.text(graph.output))
    held = {p: v for p, v in graph.feed.items() if p not in inputs}
    slopes = weft.grad(weft.mean(weft.sin(graph.output)), list(graph.leaves))
    outputs = [weft.mean(graph.output), *slopes]
    net = Net(inputs, outputs, {}, held)
    plain = net.program()
    expected = plain(*arrays)
    full = arena_of(plain)
    least = least_of(lambda: net.program(1)(*arrays))
    budget = int(least + share * max(full - least, 0))
    program = net.program(budget)
    assert same_results(program(*arrays), expected)
    assert arena_of(program) <= budget


LAYERS = {
    "affine": lambda: nn.Affine(16),
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
    "maxout": lambda: nn.Sequential(nn.Affine(32), nn.Maxout(2)),
    "norm": nn.LayerNorm,
    "dropout": lambda: nn.Dropout(0.5),
    "block": block16,
}


@FEW
@given(
    names=st.lists(st.sampled_from(sorted(LAYERS)), min_size=3, max_size=12),
    share=st.floats(0, 1),
)
def test_any_network_trains_the_same_within_any_budget(names, share):
    net = described([nn.Affine(16), *(LAYERS[name]() for name in names)])
    plain = net.program()
    expected = [plain(*labelled(96)) for _ in range(2)]
    least = least_of(lambda: net.program(1)(*labelled(96)))
    budget = int(least + share * (arena_of(plain) - least))
    program = net.program(budget, threads=2)
    for e in expected:
        assert same_results(program(*labelled(96)), e)
    assert same_state(program, plain)
    assert arena_of(program) <= budget


# Mistakes ---------------------------------------------------------------------------


def test_a_budget_that_cannot_be_met_says_what_can():
    net = deep(30)
    program = net.program(10_000)
    with pytest.raises(GraphError, match=r"memory=10000 .* for n = 256: the least"):
        program(*rows(256))
    # Nothing has happened, and a smaller batch may well fit.
    assert same_state(program, net.program())
    least = least_of(lambda: program(*rows(256)))
    net.program(least)(*rows(256))
    with pytest.raises(GraphError):
        net.program(least - 1)(*rows(256))


def test_without_symbols_it_is_said_at_once():
    x = weft.input("x", (64, 64), "float64")
    with pytest.raises(GraphError, match="memory=100 bytes is too little: the least"):
        weft.compile([x], weft.sum(weft.exp(x @ x)), engine="native", memory=100)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"memory": 0}, "no number of bytes"),
        ({"memory": 1.5}, "no number of bytes"),
        ({"memory": True}, "memory=True is no number of bytes"),
        ({"memory": np.bool(True)}, "no number of bytes"),
        ({"memory": np.int64(-1)}, "no number of bytes"),
        ({"memory": 1000, "engine": "reference"}, "engine='native'"),
    ],
)
def test_what_is_no_budget(given, said):
    x = weft.input("x", ("n",))
    with pytest.raises(GraphError, match=said):
        weft.compile([x], weft.exp(x), **given)


def test_a_budget_may_be_a_whole_number_of_numpy():
    x = weft.input("x", (8,))
    program = weft.compile([x], weft.exp(x), memory=np.int64(1 << 20))
    assert program(np.zeros(8)).tolist() == [1.0] * 8
    assert program.saving.budget == 1 << 20


# Plans ------------------------------------------------------------------------------


def chain(length, sizes=None):
    """Return a chain of tasks, and the way back along it."""
    forward = [Task((i - 1,) if i else (), (i,), 1) for i in range(length)]
    back = [
        Task((length - 1 - i, length - 1 + i) if i else (i,), (length + i,), 2)
        for i in range(length)
    ]
    given = sizes or [1] * length
    every = dict(enumerate([*given, *[1] * length]))
    return Work((*forward, *back), every, 2 * length, frozenset({2 * length - 1}))


def lowest(work, levels_budget):
    def needs(schedule):
        return peak(work, schedule)

    return scheduled(work, levels_budget, needs, needs)


@pytest.mark.parametrize("length", [10, 100, 2000])
def test_a_chain_needs_the_root_of_its_length(length):
    """One more pass at most for sqrt(2 length) and few values more."""
    work = chain(length)
    budget = int(np.sqrt(2 * length)) + 5
    schedule, needed, turn = lowest(work, budget)
    assert schedule is not None
    assert needed <= budget
    assert work.extra(schedule) <= turn
    check_schedule(work, schedule)


@given(
    st.lists(st.integers(1, 50), min_size=2, max_size=40),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_schedules_compute_what_is_read(sizes, share, random):
    """Every read finds a value, at any budget; what is promised is found."""
    tasks = []
    for i in range(len(sizes)):
        count = random.randint(0, min(i, 3))
        reads = random.sample(range(i), count)
        tasks.append(Task(tuple(sorted(reads)), (i,), random.randint(1, 9)))
    fence = random.randint(len(sizes) // 2, len(sizes))
    work = Work(
        tuple(tasks), dict(enumerate(sizes)), fence, frozenset({len(sizes) - 1})
    )
    order = hastened(work)
    assert sorted(order) == list(range(len(sizes)))
    check_schedule(work, order)
    _, least, _ = lowest(work, 0)
    budget = int(least + share * sum(sizes))
    schedule, needed, _ = lowest(work, budget)
    assert schedule is not None
    assert peak(work, schedule) == needed <= budget
    check_schedule(work, schedule)


def test_marks_that_leave_too_little_behind_them():
    """The room found is by other marks than those that are set."""
    reads = [(), (0,), (0,), (2,), (0, 2), (0, 2), (1, 3), (0,), (1,), (4,)]
    sizes = [128, 1024, 4096, 1024, 64, 1024, 128, 64, 128, 64]
    tasks = [Task(r, (i,), 1) for i, r in enumerate(reads)]
    work = Work(tuple(tasks), dict(enumerate(sizes)), 10, frozenset({9}))
    _, least, _ = lowest(work, 6624)
    schedule, needed, _ = lowest(work, least)
    assert needed <= least
    check_schedule(work, schedule)


@given(st.integers(3, 14), st.randoms(use_true_random=False))
@settings(max_examples=10 * settings().max_examples)
def test_any_work_is_planned_or_too_much(count, random):
    """At every budget there is a schedule that keeps to it, or none is claimed."""
    tasks, sizes = [], {}
    for i in range(count):
        reads = random.choices(range(i), k=random.randint(1, 3)) if i else ()
        tasks.append(Task(tuple(sorted(set(reads))), (i,), 1))
        sizes[i] = random.choice([64, 64, 128, 1024, 4096])
    work = Work(tuple(tasks), sizes, count, frozenset({count - 1}))
    full = peak(work, range(count))
    for share in (0.95, 0.9, 0.8, 0.7, 0.5):
        schedule, needed, _ = lowest(work, int(share * full))
        if schedule is None:
            assert needed > int(share * full)
        else:
            assert peak(work, schedule) == needed <= int(share * full)
            check_schedule(work, schedule)


def check_schedule(work, schedule):
    """Every task once at least, each behind what it reads; the fence holds."""
    made = set()
    for number in schedule:
        assert made.issuperset(work.tasks[number].reads)
        made.update(work.tasks[number].writes)
    assert set(schedule) == set(range(len(work.tasks)))
    behind = list(range(work.fence, len(work.tasks)))
    assert list(schedule)[len(schedule) - len(behind) :] == behind
