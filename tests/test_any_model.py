"""Whatever a forward does, its work is counted or named, and what the user holds is as it was, in both modes."""

import functools
import random
import threading
import warnings
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from strategies import Forward, raises
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.flop_counter import FlopCounterMode

from convlab import cost_table
from convlab.forward.inputs import Call, as_is
from convlab.model import ValuesNeeded

both_modes = pytest.mark.parametrize("real", [False, True], ids=["shapes", "real"])


def weight(*sizes, dtype=torch.float32):
    return torch.ones(sizes, dtype=dtype)


def transposed_in_place(m, x):
    x = x + 0
    x.transpose_(0, 1)
    return x @ m.w


def filled_in_steps(m, x):
    out = torch.zeros(3, 5)
    for row in range(3):
        out[row] = x[row] @ m.w
    return out @ m.v


def as_often_as_a_buffer_says(m, x):
    m.steps.add_(2)
    for _ in range(int(m.steps.item())):
        x = x @ m.w
    return x


def numbered(m, x):
    keep = torch.zeros(6, dtype=torch.long)
    keep[1:4] = torch.arange(3)
    return x[:, keep[1:4]] @ m.w


def in_a_generator(m, x):
    for _ in range(3):
        yield x @ m.w


def with_steps(model):
    model.register_buffer("steps", torch.tensor(1))
    return model


def relu_between(x, w):
    return torch.relu(x @ w) @ w


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # torch would rather compile
    scripted = torch.jit.script(relu_between)
    traced = torch.jit.trace(relu_between, (torch.ones(3, 4), torch.ones(4, 4)))
BAG = nn.EmbeddingBag(9, 4, mode="sum")

COUNTED = {  # what: model, inputs, MACs by hand
    "linear by keywords": (
        Forward(lambda m, x: F.linear(weight=m.w, input=x), w=weight(5, 3)),
        [(2, 7, 3)],
        2 * 7 * 15,
    ),
    "convolution by keywords": (
        Forward(lambda m, x: F.conv1d(weight=m.w, input=x, stride=2), w=weight(5, 3, 2)),
        [(2, 3, 9)],
        2 * 5 * 4 * 6,
    ),
    "addition with alpha": (Forward(lambda m, x: (x @ m.w).add_(2.0, alpha=3), w=weight(4, 3)), [(5, 4)], 60),
    "transposed in place": (Forward(transposed_in_place, w=weight(6, 3)), [(6, 4)], 4 * 6 * 3),
    "filled in steps": (Forward(filled_in_steps, w=weight(4, 5), v=weight(5, 2)), [(3, 4)], 3 * 20 + 3 * 10),
    "a buffer written and read": (with_steps(Forward(as_often_as_a_buffer_says, w=weight(4, 4))), [(2, 4)], 3 * 32),
    "an index made in the forward": (Forward(numbered, w=weight(3, 2)), [(5, 6)], 5 * 6),
    "a scripted function": (Forward(lambda m, x: scripted(x, m.w), w=weight(4, 4)), [(3, 4)], 2 * 48),
    "a traced function": (Forward(lambda m, x: traced(x, m.w), w=weight(4, 4)), [(3, 4)], 2 * 48),
    "a generator": (Forward(in_a_generator, w=weight(4, 2)), [(5, 4)], 3 * 40),
    "vmap of a layer": (
        Forward(lambda m, x: torch.func.vmap(m.l)(x), l=nn.Conv2d(3, 4, 3)),
        [(2, 3, 5, 6)],
        2 * 12 * 108,
    ),
    "vmap over weights": (
        Forward(lambda m, x: torch.func.vmap(lambda w: F.linear(x, w))(m.w), w=weight(7, 5, 4)),
        [(2, 4)],
        7 * 2 * 20,
    ),
    "complex linear": (
        Forward(lambda m, x: F.linear(x, m.w), w=weight(5, 3, dtype=torch.cfloat)),
        [torch.ones(2, 3, dtype=torch.cfloat)],
        30,
    ),
    "complex 1×1 convolution": (
        Forward(lambda m, x: F.conv2d(x, m.w), w=weight(5, 3, 1, 1, dtype=torch.cfloat)),
        [torch.ones(2, 3, 1, 1, dtype=torch.cfloat)],
        30,
    ),
    "out= of a matrix product": (
        Forward(lambda m, x: torch.mm(x, m.w, out=torch.empty(3, 5)), w=weight(4, 5)),
        [(3, 4)],
        60,
    ),
    "moved to the parameters' device": (
        Forward(lambda m, x: x.to(m.w.device, torch.float64).float() @ m.w, w=weight(4, 5)),
        [(3, 4)],
        60,
    ),
    "attention": (
        Forward(lambda m, q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True)),
        [(2, 3, 5, 8), (2, 3, 5, 8)],
        2 * 2 * 3 * 25 * 8,
    ),
    "an LSTM": (nn.LSTM(4, 5, bidirectional=True), [(7, 2, 4)], 14 * 2 * (20 * 4 + 20 * 5)),
    "300 Sequentials": (functools.reduce(lambda m, _: nn.Sequential(m), range(300), nn.Linear(3, 4)), [(2, 3)], 24),
}


@both_modes
@pytest.mark.parametrize("what", COUNTED)
def test_the_work_is_counted(what, real):
    model, inputs, macs = COUNTED[what]
    table = cost_table(model, *inputs, real=real)
    assert (table.total.macs, table.uncounted) == (macs, ())


NAMED = {  # what: model, inputs, the words that name it
    "a sum of products": (Forward(lambda m, x: (x * m.w).mean(1), w=weight(4)), [(3, 4)], "aten.mean.dim in Forward"),
    "the same, in parts": (Forward(lambda m, x: (x * m.w).chunk(2, 1)[1].sum(1), w=weight(4)), [(3, 4)], "aten.sum"),
    "vecdot": (Forward(lambda m, x: torch.linalg.vecdot(x, x)), [(3, 4)], "vecdot"),
    "cosine similarity": (nn.CosineSimilarity(), [(3, 4), (3, 4)], "cosine_similarity"),
    "linear interpolation": (nn.Upsample(scale_factor=3, mode="linear"), [(1, 2, 5)], "upsample_linear1d"),
    "trilinear": (nn.Upsample(scale_factor=2, mode="trilinear"), [(1, 2, 3, 4, 5)], "upsample_trilinear3d"),
    "a grid": (
        Forward(lambda m, x, at: F.grid_sample(x, at, align_corners=False)),
        [(1, 2, 4, 5), (1, 3, 3, 2)],
        "grid_sampler",
    ),
    "weighted bags": (
        Forward(lambda m, x: m.bag(torch.tensor([[1, 2], [3, 4]]), per_sample_weights=x), bag=BAG),
        [(2, 2)],
        "_embedding_bag",
    ),
    "a sparse product": (Forward(lambda m, x: torch.eye(4).to_sparse() @ x), [(4, 3)], "in Forward"),
    "a complex transposed convolution": (
        nn.ConvTranspose2d(4, 5, 2, dtype=torch.cfloat),
        [torch.ones(2, 4, 3, 3, dtype=torch.cfloat)],
        "conv_transpose2d",
    ),
    "gradients by torch.func": (
        Forward(lambda m, x: torch.func.grad(lambda z: m.l(z).sum())(x), l=nn.Conv2d(3, 4, 3)),
        [(1, 3, 6, 7)],
        "convolution_backward",
    ),
    "a coroutine": (Forward(lambda m, x: asleep(x)), [(2, 3)], "coroutine"),
    "an endless generator": (Forward(lambda m, x: iter(lambda: x, None)), [(2, 3)], "callable_iterator"),
}


async def asleep(x):
    return x @ x.mT


@both_modes
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.parametrize("what", NAMED)
def test_work_without_a_formula_is_named(what, real):
    model, inputs, words = NAMED[what]
    with pytest.warns(UserWarning, match="not counted: "):
        table = cost_table(model, *inputs, real=real)
    assert any(words in name for name in table.uncounted), table.uncounted
    assert f"NOT COUNTED: {table.uncounted[0]}"[:60] in str(table).replace("\n", " ")


def test_work_in_threads_of_the_forward_is_named_or_refused():
    def in_a_pool(m, x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(m.l, x).result()

    model = Forward(in_a_pool, l=nn.Linear(4, 5))
    with pytest.warns(UserWarning, match=r"the work of other threads in l \(Linear\)"):
        cost_table(model, (2, 4), real=True)
    with pytest.raises(RuntimeError, match="real=True"):
        cost_table(model, (2, 4))


@pytest.mark.parametrize("change", ["forward", "_conv_forward", "class", "wraps", "function", "hook"])
def test_a_layer_that_somebody_changed_is_not_taken_for_torchs(change, monkeypatch):
    conv = nn.Conv2d(3, 3, 1)
    plain, twice = nn.Conv2d.forward, lambda self, x: plain(self, plain(self, x))
    if change == "forward":
        conv.forward = lambda x: twice(conv, x)
    elif change == "_conv_forward":
        conv._conv_forward = lambda x, w, b: F.conv2d(F.conv2d(x, w, b), w, b)
    elif change in ("class", "wraps"):
        monkeypatch.setattr(nn.Conv2d, "forward", functools.wraps(plain)(twice) if change == "wraps" else twice)
    elif change == "function":
        torchs = F.conv2d
        monkeypatch.setattr(F, "conv2d", lambda x, w, b, *rest: torchs(torchs(x, w, b, *rest), w, b, *rest))
    else:
        conv.register_forward_hook(lambda module, args, output: plain(module, output))
    assert cost_table(nn.Sequential(conv), (2, 3, 4, 5)).total.macs == 2 * 2 * 9 * 20


# What the user holds.


class Frozen(OrderedDict):
    """A dict that lets nobody change it by its own methods, as those of some libraries."""

    def __setitem__(self, key, value):
        if "shut" in vars(self):
            raise TypeError("frozen")
        super().__setitem__(key, value)

    def clear(self, *args):
        raise TypeError("frozen")

    update = pop = __delitem__ = clear

    def __reduce__(self):
        return Frozen, (dict(self),)


class Slots:
    __slots__ = "count", "log"

    def __init__(self):
        self.count, self.log = 1, [1]


class Counts(dict):
    pass


class Greedy(nn.Module):
    """Changes whatever it holds, and what its inputs hold."""

    def __init__(self):
        super().__init__()
        self.linear, self.table = nn.Linear(4, 4), nn.Embedding(9, 4, max_norm=0.1)
        self.first, self.layers = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.ModuleList()
        self.config, self.slots, self.counts = Frozen(a=1), Slots(), Counts(a=[1])
        self.config.shut = True
        self.nested, self.queue, self.set = {"a": [1, {"b": 2}]}, deque([1, 2], maxlen=3), {1}
        self.bytes, self.array, self.order = bytearray(b"ab"), np.zeros(3), {"a": 1, "b": 2}
        self.generators = torch.Generator(), random.Random(3), np.random.default_rng(3)
        self.handle = self.first.register_forward_pre_hook(self.once)
        self.kept = []
        self.first[1].register_forward_hook(lambda module, args, output: self.kept.append(output))

    def once(self, module, args):
        self.handle.remove()
        module[0].register_forward_hook(lambda *args: None)

    def forward(self, x, given):
        OrderedDict.__setitem__(self.config, "b", 2)
        self.config.__dict__["seen"] = True
        self.slots.count += 1
        self.slots.log.append(2)
        self.counts["a"].append(2)
        self.nested["a"][1]["b"] = self.nested["c"] = 3
        self.queue.append(3), self.set.add(2), self.bytes.extend(b"c")
        self.array += 1
        self.order["a"] = self.order.pop("a")
        torch.rand(1, generator=self.generators[0]), self.generators[1].random(), self.generators[2].random()
        self.layers.append(nn.Linear(4, 4))
        self.first[1] = nn.Tanh()
        self.linear.weight.mul_(2)
        torch._foreach_add_([self.linear.bias], 1.0)
        self.linear.weight.data[0] = 7
        self.linear.bias.note = "seen"
        self.linear.bias.requires_grad_(False)
        given["list"].append(1)
        given["tensor"].add_(1)
        torch.set_default_dtype(torch.float64)
        torch.set_default_dtype(torch.float32)
        return self.first(self.linear(x)) + self.table(torch.tensor([1, 2])) + self.layers[0](x)


def seen_of(model, given):
    """Return all that Greedy changes, in a form that == compares."""
    tensors = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    flags = [(param.requires_grad, sorted(vars(param))) for param in model.parameters()]
    hooks = [[*vars(module)[name]] for module in model.modules() for name in vars(module) if "_hooks" in name]
    parts = [type(module).__name__ for module in model.modules()]
    held = [
        dict(model.config),
        vars(model.config),
        model.slots.count,
        model.slots.log,
        dict(model.counts),
        model.nested,
    ]
    held += [[*model.queue], model.set, bytes(model.bytes), model.array.tolist(), [*model.order], len(model.kept)]
    torchs, pythons, numpys = model.generators
    held += [torchs.get_state().tolist(), pythons.getstate(), numpys.bit_generator.state, sorted(vars(model))]
    return repr((tensors, flags, hooks, parts, held, given))


@both_modes
@pytest.mark.parametrize("fails", [False, True])
def test_everything_that_a_forward_changes_is_put_back(real, fails):
    torch.manual_seed(0)
    model, given = Greedy(), {"list": [], "tensor": torch.zeros(2)}
    before = seen_of(model, given)
    if fails:
        model.first[0].register_forward_hook(lambda *args: 1 / 0)
        before = seen_of(model, given)
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            cost_table(model, (2, 4), as_is(given), real=real)
    else:
        cost_table(model, (2, 4), as_is(given), real=real)
    assert seen_of(model, given) == before


def test_one_thing_that_cannot_be_put_back_does_not_stop_the_others():
    class Shut(list):
        pass

    class Stubborn(nn.Linear):
        def forward(self, x):
            self.log.append(1)
            self.array.resize((2, 3), refcheck=False)  # np.copyto cannot fill it any more
            return super().forward(x)

    model = Stubborn(3, 4)
    model.array, model.log = np.zeros(5), Shut()
    with pytest.warns(UserWarning, match="could not be put back as before: ndarray"):
        cost_table(model, (2, 3))
    assert model.log == []


# What a forward is given.


def test_what_looks_like_a_shape_can_be_given_as_it_is():
    model = Forward(lambda m, x, size, scale=None: F.interpolate(x, size=size) @ m.w, w=weight(7, 2))
    assert cost_table(model, (1, 3, 4, 4), as_is((6, 7)), scale=as_is([0.5, 1.0])).total.macs == 3 * 6 * 14
    with raises(
        TypeError, "number 1 of the input shape (0.5, 1.0)=0.5 is a float", "as_is(…) hands on what is no shape"
    ):
        cost_table(model, (1, 3, 4, 4), (0.5, 1.0))


def test_a_call_holds_arguments_with_any_name():
    model = Forward(lambda m, x, real, model, inputs=1: x @ m.w, w=weight(4, 5))
    assert cost_table(model, Call((3, 4), real=(1,), model=2, inputs=3)).total.macs == 60
    assert cost_table(Forward(lambda m: torch.ones(3, 4) @ m.w, w=weight(4, 5)), Call()).total.macs == 60
    with raises(TypeError, "a Call holds all arguments"):
        cost_table(model, Call((3, 4)), (3, 4))


def test_one_tensor_given_twice_is_one_tensor_and_two_equal_shapes_are_two():
    model = Forward(lambda m, x, y: x @ m.w if x is y else x, w=weight(4, 5))
    x = torch.ones(3, 4)
    assert [cost_table(model, *given).total.macs for given in ((x, x), ((3, 4), (3, 4)))] == [60, 0]


def test_packed_sequences_are_counted_on_real_data_and_refused_with_the_way_out_on_shapes():
    packed, lstm = pack_sequence([torch.ones(3, 4), torch.ones(2, 4)]), nn.LSTM(4, 5)
    assert cost_table(lstm, packed, real=True).total.macs == 5 * (20 * 4 + 20 * 5)
    with pytest.raises(ValuesNeeded, match="give example tensors and real=True"):
        cost_table(lstm, packed)


# Other threads.


def test_a_real_count_leaves_the_numbers_of_another_threads_forward_as_they_are():
    net, x, stop = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)), torch.rand(4, 8, 24, 24), threading.Event()
    with torch.no_grad():
        wanted, found = net(x), []

    def infer():
        with torch.no_grad():
            while not stop.is_set():
                found.append(torch.equal(net(x), wanted))

    worker = threading.Thread(target=infer)
    worker.start()
    try:
        for _ in range(5):
            cost_table(nn.LSTM(4, 5), (7, 2, 4), real=True)
    finally:
        stop.set()
        worker.join()
    assert found and all(found)


# Tables.


def test_the_total_has_the_output_shape_of_the_model():
    model = Forward(lambda m, x: F.interpolate(m.conv(x), scale_factor=2).argmax(1), conv=nn.Conv2d(3, 5, 3))
    assert cost_table(model, (2, 3, 6, 7)).total.output_shape == (2, 8, 10)


def test_a_class_called_like_a_kind_of_layer_stays_apart():
    class standard(nn.Module):
        def forward(self, x):
            return x @ x.mT

    kinds = [row.name for row in cost_table(nn.Sequential(nn.Conv2d(3, 5, 3), standard()), (2, 3, 6, 7)).grouped().rows]
    assert kinds == ["standard", "matmul"]
    assert cost_table(nn.Sequential(standard()), (2, 3)).rows[0].kind == "matmul"


def test_names_with_signs_that_a_terminal_obeys_are_written_out():
    model = nn.Sequential(OrderedDict({"\x1b[31mred": nn.Linear(3, 4), "$x$ <b>": nn.Linear(4, 5)}))
    table = cost_table(model, (2, 3))
    assert "\x1b" not in str(table) and r"\x1b[31mred" in str(table)
    assert "mathjax_ignore" in table._repr_html_() and "&lt;b&gt;" in table._repr_html_()


@pytest.mark.parametrize("by", ["name", "kind", "output_shape", "params", "macs", "flops"])
def test_a_table_is_grouped_by_any_column_and_shown(by):
    table = cost_table(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4)), (2, 3)).grouped(by=by)
    assert sum(row.macs for row in table.rows) == 24 + 32
    assert "56" in str(table) and "56" in table._repr_html_()


def test_a_table_is_grouped_by_the_depth_of_the_names():
    inner = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
    model = nn.Sequential(OrderedDict(a=inner, b=nn.Sequential(nn.Sequential(nn.Linear(4, 5)), nn.Linear(5, 6))))
    table = cost_table(model, (2, 3))
    assert [(row.name, row.macs) for row in table.grouped(depth=1).rows] == [("a", 24 + 32), ("b", 40 + 60)]
    assert [row.name for row in table.grouped(depth=2).rows] == ["a.0", "a.1", "b.0", "b.1"]
    with raises(ValueError, "depth=0 is too small"):
        table.grouped(depth=0)


def test_two_macs_are_a_column_and_the_caption_says_what_the_numbers_are():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)).eval()
    table = cost_table(model, (2, 3, 6, 7), two_macs=True)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(2, 3, 6, 7))
    assert table.to_pandas().two_macs.sum() == counter.get_total_flops() == 2 * table.total.macs
    text = str(table).replace("\n", " ")
    assert "2 × MACs" in text and f"{2 * table.total.macs:,}" in text
    assert "For the input (2, 3, 6, 7), the whole batch, in eval mode. FLOPs are exact" in text
    assert "in training mode" in str(cost_table(model.train(), (2, 3, 6, 7))).replace("\n", " ")


# What a forward leaves behind.


def test_a_tensor_that_the_forward_keeps_elsewhere_can_still_be_trained_with():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return self.linear(x) @ mask(4)

    @functools.lru_cache
    def mask(size):
        return torch.ones(size, size).tril()

    model = Masked()
    for real in (False, True):
        cost_table(model, (2, 4), real=real)
    model(torch.ones(2, 4)).sum().backward()
    assert model.linear.weight.grad is not None


def test_what_a_forward_keeps_on_its_class_is_gone():
    class Base(nn.Module):
        cache: ClassVar = {}

    class Cached(Base):
        mask = None

        def forward(self, x):
            Cached.mask = self.cache["mask"] = x.new_ones(4)
            Base.extra = 1
            return x * self.mask

    cost_table(Cached(), (2, 4))
    assert (Cached.mask, Base.cache, hasattr(Base, "extra")) == (None, {}, False)


def test_gradients_that_a_forward_clears_are_still_there():
    def forward(m, x):
        m.linear.weight.grad.zero_()
        m.linear.zero_grad()
        return m.linear(x)

    model = Forward(forward, linear=nn.Linear(4, 4))
    model.linear(torch.ones(2, 4)).sum().backward()
    wanted = model.linear.weight.grad.clone()
    cost_table(model, (2, 4))
    assert torch.equal(model.linear.weight.grad, wanted)
