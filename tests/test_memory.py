"""Memory of models, against torch's allocator, against weak references while the model computes, and by hand.

Where `memory_table` reads shapes, both witnesses compute: the allocator's own record knows nothing of layers, storages
or Python, and the weak references fire when a storage of real data is freed.
"""

import copy
import gc
import warnings
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakValueDictionary, finalize

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from strategies import Forward, chains
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from convlab import ConvSpec, cost_table, memory_bytes, to_module
from convlab.model import ValuesNeeded
from convlab.reports.memory import MemoryTable, memory_table


class Block(nn.Module):
    """A residual block, whose addition and ReLU happen in place or not."""

    def __init__(self, channels, inplace, kernel=3, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, kernel, padding="same") for _ in range(2))
        self.bn1, self.bn2 = norm(channels), norm(channels)
        self.relu, self.inplace = nn.ReLU(inplace), inplace

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.inplace:
            y += x
        else:
            y = y + x
        return self.relu(y)


class Dense(nn.Module):
    """A dense block: each layer sees all outputs before it."""

    def __init__(self, channels, growth, layers, kernel=3):
        super().__init__()
        widths = range(channels, channels + layers * growth, growth)
        self.layers = nn.ModuleList(nn.Conv2d(width, growth, kernel, padding="same") for width in widths)

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(F.relu(layer(torch.cat(found, 1))))
        return torch.cat(found, 1)


class UNet(nn.Module):
    """Two steps down and up again, with the larger images kept on the way."""

    def __init__(self, width=5, kernel=3):
        super().__init__()
        conv = lambda channels, filters: nn.Conv2d(channels, filters, kernel, padding="same")  # noqa: E731
        self.down1, self.down2, self.middle = conv(3, width), conv(width, 2 * width), conv(2 * width, 3 * width)
        self.mix2, self.mix1 = conv(5 * width, width), conv(2 * width, 2)
        self.pool, self.up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)

    def forward(self, x):
        one = F.relu(self.down1(x))
        two = F.relu(self.down2(self.pool(one)))
        x = F.relu(self.middle(self.pool(two)))
        x = F.relu(self.mix2(torch.cat([two, self.up(x)], 1)))
        return self.mix1(torch.cat([one, self.up(x)], 1))


def chain(inplace, kernels=(3, (1, 3)), stride=2):
    one, two = (nn.Conv2d(*channels, kernel, stride) for channels, kernel in zip([(3, 8), (8, 6)], kernels))
    return nn.Sequential(one, nn.ReLU(inplace), two, nn.ReLU(inplace), nn.MaxPool2d(2))


def classifier():
    return nn.Sequential(*chain(True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(6, 5))


def views(x):
    x = x.transpose(1, 2).reshape(x.shape[0], -1, 4)  # copies
    y = x[:, 1:].reshape(x.shape[0], -1)
    return y.relu_().unsqueeze(1).expand(-1, 7, -1).contiguous()


def viewing():
    return Forward(lambda self, x: views(self.conv(x)), conv=nn.Conv2d(3, 4, 1))


def with_a_branch_cut_off():
    layers = {name: nn.Conv2d(3, 4, 1) for name in "ab"}
    return Forward(lambda self, x: self.a(x) + self.b(x.exp()).detach(), **layers)


IMAGE = (2, 3, 12, 20)
MODELS = {
    "chain": (lambda: chain(False), IMAGE),
    "chain with ReLU in place": (lambda: chain(True), IMAGE),
    "residual": (lambda: nn.Sequential(Block(3, False), Block(3, False)), IMAGE),
    "residual in place": (lambda: nn.Sequential(Block(3, True), Block(3, True)), IMAGE),
    "dense": (lambda: Dense(3, 4, 3), IMAGE),
    "U-shaped": (UNet, IMAGE),
    "views": (viewing, IMAGE),
    "classifier": (classifier, IMAGE),
    "shared layer": (lambda: nn.Sequential(*[nn.Linear(20, 20)] * 3, nn.GELU()), (3, 20)),
    "recurrent": (lambda: nn.GRU(6, 5, num_layers=2, bidirectional=True), (4, 3, 6)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, dropout=0.0), (3, 5, 8)),
    "float64": (lambda: chain(False).double(), IMAGE),
    "frozen start": (lambda: nn.Sequential(chain(False).requires_grad_(False), nn.Conv2d(6, 2, 1)), IMAGE),
    "branch cut off": (with_a_branch_cut_off, IMAGE),
}
WITHOUT_WORKSPACE = {  # the same shapes of networks, of operations that allocate nothing but their results
    "chain": (lambda: chain(False, (1, 1), 1), IMAGE),
    "chain with ReLU in place": (lambda: chain(True, (1, 1), 1), IMAGE),
    "residual": (lambda: nn.Sequential(*[Block(3, False, 1, nn.Identity) for _ in range(2)]), IMAGE),
    "residual in place": (lambda: nn.Sequential(*[Block(3, True, 1, nn.Identity) for _ in range(2)]), IMAGE),
    "dense": (lambda: Dense(3, 4, 3, 1), IMAGE),
    "U-shaped": (lambda: UNet(5, 1), IMAGE),
    "views": MODELS["views"],
    "shared layer": MODELS["shared layer"],
    "branch cut off": MODELS["branch cut off"],
}
everywhere = pytest.mark.parametrize("name", MODELS)
in_both_modes = pytest.mark.parametrize("training", [False, True])


def built(name, training=True):
    build, shape = MODELS[name]
    model = build().train(training)
    return model, torch.rand(shape, dtype=next(model.parameters()).dtype)


def columns(table):
    return [row[3:] for row in table.rows]


# Witnesses


class Alive(TorchDispatchMode):
    """Adds up the bytes of all storages that are alive while a model computes, but for its own."""

    def __init__(self, model, *inputs):
        super().__init__()
        self.own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
        self.known, self.now, self.peak = WeakValueDictionary(), 0, 0
        self.see(inputs)

    def see(self, value):
        for storage in [leaf.untyped_storage() for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]:
            if storage._cdata not in self.own and storage._cdata not in self.known:
                self.known[storage._cdata] = storage
                self.now += storage.nbytes()
                finalize(storage, self.free, storage.nbytes())
        self.peak = max(self.peak, self.now)

    def free(self, size):
        self.now -= size

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        self.see(out)
        return out


def allocated(run):
    """Return the most bytes that torch's allocator had given out at once, and those at the end, and run's result."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        result = run()
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak, now, result


def saved_in_training(model, *inputs):
    """Return the bytes that autograd holds after a forward on real data, without the model's own."""
    kept = WeakValueDictionary()

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor.detach()

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(*inputs)
    own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
    found = sum(storage.nbytes() for key, storage in kept.items() if key not in own)
    del output
    return found


@pytest.fixture(autouse=True)
def one_thread():
    """With more threads oneDNN takes a workspace for each, and torch's allocator counts it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def as_on_meta():
    """Attention as the chain of operations that it is on the meta device, not as one fused operation."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with sdpa_kernel(SDPBackend.MATH):
        yield
    torch.backends.mha.set_fastpath_enabled(fast)


def only_on_meta(model):
    """Return the bytes of the mean and the deviation of each channel, which in eval mode BatchNorm returns everywhere
    but on a CPU, one number for each BatchNorm."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d) and not model.training]
    return [2 * 4 * norm.num_features for norm in norms] or [0]


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"recurrent"}))  # a CPU computes some steps together
@in_both_modes
def test_the_peak_is_that_of_the_storages_alive_while_the_model_computes(name, training, as_on_meta):
    model, x = built(name, training)
    with torch.no_grad(), Alive(model, x) as alive:
        model(x)
    assert memory_table(model, x.shape).total.peak_bytes == alive.peak + max(only_on_meta(model))


@everywhere
@in_both_modes
def test_saved_is_what_autograd_holds_while_the_model_computes(name, training, as_on_meta):
    model, x = built(name, training)
    assert memory_table(model, x.shape).total.saved_bytes == saved_in_training(model, x) + sum(only_on_meta(model))


@everywhere
def test_saved_is_what_torchs_allocator_has_given_out_after_a_forward(name, as_on_meta):
    model, x = built(name)
    model(x)
    _, still_there, loss = allocated(
        lambda: tree_leaves(model(x.clone()))[0].sum()
    )  # of x and the output, what is saved
    assert memory_table(model, x.shape).total.saved_bytes == still_there - loss.nbytes


@pytest.mark.parametrize("name", WITHOUT_WORKSPACE)
def test_the_peak_is_that_of_torchs_allocator(name):
    build, shape = WITHOUT_WORKSPACE[name]
    model, x = build(), torch.rand(shape)
    with torch.no_grad():
        peak, _, _ = allocated(lambda: model(x))
    assert memory_table(model, shape).total.peak_bytes == x.nbytes + peak


def without_weights(self, x):
    one = F.relu(x)
    two = F.max_pool2d(torch.cat([one, x], 1), 2)
    return torch.cat([F.interpolate(two, scale_factor=2), one.exp_()], 1).sigmoid()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_peak_is_that_of_a_gpu():  # sizes are multiples of 512 bytes, which a GPU's allocator rounds up to
    model, x = Forward(without_weights), torch.rand(2, 32, 16, 24, device="cuda")
    before = torch.cuda.memory_allocated() - x.nbytes
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        model(x)
    assert memory_table(model, x.shape).total.peak_bytes == torch.cuda.max_memory_allocated() - before


# By hand


def test_the_rows_of_a_small_chain_are_those_counted_by_hand():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(inplace=True), nn.Linear(3, 5, bias=False), nn.Sigmoid())
    table = memory_table(model, (7, 2))
    x, y, z = 4 * 7 * 2, 4 * 7 * 3, 4 * 7 * 5
    assert [row.name for row in table.rows] == ["0", "1", "2", "3"]
    assert [row.kind for row in table.rows] == ["Linear", "ReLU", "Linear", "Sigmoid"]
    assert [row.output_shape for row in table.rows] == [(7, 3), (7, 3), (7, 5), (7, 5)]
    assert columns(table) == [
        (4 * (2 * 3 + 3), y, x, x + y),
        (0, 0, y, x + y),
        (4 * 3 * 5, z, 0, x + y + z),  # what it keeps, ReLU keeps already
        (0, z, z, x + z + z),  # keeps its output
    ]
    assert table.total == ("total", "", (7, 5), 36 + 60, y + 2 * z, x + y + z, x + 2 * z)


def test_the_peak_of_a_network_with_a_skip_is_the_one_counted_by_hand():
    def forward(self, x):
        y = self.wide(x)
        z = self.narrow(y)
        return torch.cat([x, z], 1)  # y is still a variable here

    model = Forward(forward, wide=nn.Conv2d(3, 8, 1), narrow=nn.Conv2d(8, 2, 1))
    table = memory_table(model, (2, 3, 5, 7))
    places = 4 * 2 * 5 * 7
    assert [row.peak_bytes for row in table.rows] == [places * (3 + 8), places * (3 + 8 + 2), places * (3 + 8 + 2 + 5)]
    assert [row.output_bytes for row in table.rows] == [places * 8, places * 2, places * 5]
    assert table.rows[-1][:3] == ("Forward", "Forward", (2, 5, 5, 7)) and table.total.peak_bytes == places * 18


def test_what_a_variable_lets_go_is_free():
    def forward(self, x):
        x = self.wide(x)
        x = self.narrow(x)
        return torch.cat([x, x], 1)

    model = Forward(forward, wide=nn.Conv2d(3, 8, 1), narrow=nn.Conv2d(8, 2, 1))
    assert [row.peak_bytes for row in memory_table(model, (2, 3, 5, 7)).rows] == [280 * 11, 280 * 13, 280 * (3 + 2 + 4)]


def test_max_pooling_makes_an_index_for_each_output_number_and_returns_none():
    (row,) = memory_table(nn.MaxPool2d(2), (2, 3, 8, 6)).rows
    outputs = 2 * 3 * 4 * 3
    assert (row.output_bytes, row.peak_bytes) == (4 * outputs, 4 * 2 * 3 * 8 * 6 + (4 + 8) * outputs)
    assert row.saved_bytes == 0  # nothing in it needs a gradient


def test_a_layer_called_twice_adds_up_and_its_weights_count_once():
    layer = nn.Linear(6, 6)
    (row,) = memory_table(nn.Sequential(layer, layer), (5, 6)).rows
    assert row[3:] == (4 * 42, 2 * 4 * 30, 2 * 4 * 30, 3 * 4 * 30)


def test_layers_and_functions_take_the_same():
    conv, linear = nn.Conv2d(3, 4, 3), nn.Linear(4 * 6 * 7, 5)
    layers = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear, nn.Softmax(1))
    functions = Forward(
        lambda self, x: self.linear(F.relu(self.conv(x)).flatten(1)).softmax(1), conv=conv, linear=linear
    )
    one, two = (memory_table(model, (2, 3, 8, 9)) for model in (layers, functions))
    assert one.total == two.total
    assert [row.name for row in two.rows] == ["conv", "Forward", "linear"]


def test_what_takes_the_place_of_a_tensor_of_the_model_is_an_activation():
    def forward(self, x):
        made = []
        while self.tables:
            self.tables.pop()  # its memory is free for the next tensor
            made.append(x.exp())
        return made

    (row,) = memory_table(Forward(forward, tables=[torch.zeros(2, 3) for _ in range(200)]), (2, 3)).rows
    assert (row.output_bytes, row.peak_bytes) == (200 * 24, 201 * 24)


def test_what_changes_the_input_in_place_returns_nothing_new():
    rows = memory_table(nn.Sequential(nn.ReLU(inplace=True), nn.Identity(), nn.Linear(3, 4)), (2, 3)).rows
    assert [(row.name, row.output_bytes, row.peak_bytes) for row in rows] == [("0", 0, 24), ("2", 32, 56)]


def test_a_layer_without_an_operation_is_listed_and_a_forward_of_views_is_not():
    dropout, linear = nn.Dropout().eval(), nn.Linear(12, 5)
    model = Forward(lambda self, x: self.linear(self.dropout(x.flatten(1))), dropout=dropout, linear=linear)
    rows = memory_table(model, (2, 3, 4)).rows
    assert [(row.name, row.output_bytes) for row in rows] == [("dropout", 0), ("linear", 40)]


def test_a_model_without_an_operation_holds_its_input():
    (row,) = memory_table(nn.Identity(), (2, 3)).rows
    assert row == ("Identity", "Identity", (2, 3), 0, 0, 0, 24)


def test_layers_inside_layers_may_be_many():
    model = nn.Linear(3, 3)
    for _ in range(400):
        model = nn.Sequential(model)
    assert memory_table(model, (2, 3)).total.peak_bytes == 48


# Weights


def test_weights_are_stated_by_type_and_buffers_apart():
    model = nn.Sequential(nn.Conv2d(3, 4, 3).half(), nn.Identity(), nn.BatchNorm2d(4))
    model[1].register_buffer("table", torch.zeros(5, dtype=torch.int16))
    half = lambda self, x: self.layers(x.half()).float()  # noqa: E731
    table = memory_table(Forward(half, layers=model[:2], norm=model[2]), torch.zeros(2, 3, 6, 7))
    assert table.weights == {"float16": 2 * 112, "float32": 4 * 8}
    assert table.total.weight_bytes == sum(table.weights.values())
    assert table.buffer_bytes == 2 * 5 + 4 * 8 + 8
    assert "Weights: 224 B float16 and 32 B float32; buffers, in no row: 50 B." in table.note
    assert [(row.name, row.kind, row.weight_bytes) for row in table.rows][-1] == ("norm", "not called", 32)


def test_tied_weights_count_in_the_first_layer_alone():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 6))
    model[2].weight = model[0].weight
    assert [row.weight_bytes for row in memory_table(model, (3, 4)).rows] == [4 * 30, 4 * 28, 4 * 6]


def test_weights_count_in_the_layer_that_uses_them():
    attention = nn.MultiheadAttention(8, 2)
    rows = memory_table(attention, (5, 2, 8), (5, 2, 8), (5, 2, 8)).rows
    assert [(row.name, row.weight_bytes) for row in rows] == [
        ("MultiheadAttention", 4 * (3 * 8 * 8 + 3 * 8 + 8 * 8 + 8))
    ]
    conv = parametrizations.weight_norm(nn.Conv2d(3, 5, 3))
    (row,) = memory_table(nn.Sequential(conv), (2, 3, 6, 7)).rows
    assert (row.name, row.weight_bytes) == ("0", 4 * (5 * 27 + 5 + 5))


# A chain of ConvSpecs


@given(chains())
def test_a_chain_takes_what_its_modules_take(chain):
    layers, shape = chain
    specs = [ConvSpec(**layer) for layer in layers]
    found, wanted = memory_table(specs, shape), memory_table(nn.Sequential(*map(to_module, specs)), shape)
    assert columns(found) == columns(wanted)
    assert found.total == wanted.total
    assert [row.kind for row in found.rows] == [row.kind for row in cost_table(specs, shape).rows]


@pytest.mark.parametrize("item_bytes", [1, 2, 4, 8])
def test_the_bytes_of_a_number_are_an_option(item_bytes):
    spec, shape = ConvSpec(3, 5, (2, 3), stride=2), (2, 3, 9, 8)
    (row,) = memory_table([spec], shape, item_bytes=item_bytes).rows
    size = memory_bytes(spec, shape, item_bytes)
    assert row[3:] == (size.weight_bytes, size.output_bytes, size.input_bytes, size.input_bytes + size.output_bytes)


# What is saved


def test_what_is_recomputed_is_not_saved():
    layers = nn.Sequential(nn.Linear(6, 50), nn.Sigmoid(), nn.Linear(50, 6))
    model = Forward(lambda self, x: checkpoint(self.layers, x, use_reentrant=False), layers=layers)
    assert memory_table(layers, (5, 6)).total.saved_bytes == 4 * 5 * (6 + 50)
    assert memory_table(model, (5, 6)).total.saved_bytes == 4 * 5 * 6


def test_a_tensor_beside_the_parameters_saves_what_its_gradient_needs():
    model = Forward(lambda self, x: x * self.scale)
    model.scale = torch.ones(3, requires_grad=True)
    assert memory_table(model, (2, 3)).total.saved_bytes == 4 * 2 * 3
    model.scale.requires_grad_(False)
    assert memory_table(model, (2, 3)).total.saved_bytes == 0


def test_the_parameters_of_a_layer_that_a_function_holds_are_not_saved_either():
    layer = nn.Linear(3, 5)
    assert memory_table(Forward(lambda self, x: layer(x)), (2, 3)).total.saved_bytes == 4 * 2 * 3


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_callers_gradient_mode_makes_no_difference(context):
    model, x = built("residual")
    wanted = columns(memory_table(model, x.shape))
    with context():
        assert columns(memory_table(model, x.shape)) == wanted


def test_on_real_data_a_model_takes_the_same():
    for name in ("chain", "residual in place", "dense", "U-shaped", "views"):
        model, x = built(name)
        assert columns(memory_table(model, x, real=True)) == columns(memory_table(model, x))


# Errors


def test_a_forward_that_looks_at_values_is_refused_with_the_way_out():
    model = Forward(lambda self, x: self.conv(x) if x.sum() > 0 else x, conv=nn.Conv2d(3, 2, 1))
    with pytest.raises(ValuesNeeded, match=r"Forward stopped.*\n.*give example tensors and real=True"):
        memory_table(model, (2, 3, 4, 5))
    assert memory_table(model, torch.ones(2, 3, 4, 5), real=True).total.output_bytes == 4 * 2 * 2 * 20 + 4 + 1


@pytest.mark.parametrize(
    ("model", "inputs", "named", "error", "message"),
    [
        (nn.Linear(3, 4), [], {}, TypeError, "no input; wanted a shape"),
        (nn.Linear(3, 4), [(2, 0)], {}, ValueError, r"number 2 of the input shape \(2, 0\)"),
        (nn.Linear(3, 4), [(2, 3)], {"item_bytes": 2}, TypeError, "item_bytes=2 beside an nn.Module; wanted it for"),
        (nn.Sequential(nn.Linear(3, 4)), [(2, 5)], {}, RuntimeError, r"0 \(Linear\) stopped with RuntimeError"),
        (nn.Sequential(nn.LazyLinear(3)), [(2, 5)], {}, ValueError, r"0 \(LazyLinear\) does not know its channels yet"),
        (
            Forward(lambda self, x: x.to_sparse()),
            [torch.eye(3)],
            {"real": True},
            RuntimeError,
            "layout torch.sparse_coo",
        ),
        (Forward(None, rows=(n for n in [])), [(2, 5)], {}, RuntimeError, "a copy of the model runs, and it cannot be"),
        ([ConvSpec(3, 4, 1)], [(1, 3, 5, 6)], {"item_bytes": 0}, ValueError, "item_bytes=0"),
        ([ConvSpec(3, 4, 1)], [(1, 3, 5, 6)], {"item_bytes": 2.5}, TypeError, "item_bytes=2.5"),
        ([ConvSpec(3, 4, 1)], [], {}, TypeError, "a chain of ConvSpecs with 0 inputs"),
        ([("mix", ConvSpec(3, 4, 1))], [(1, 2, 5, 6)], {}, ValueError, "mix: "),
        ([], [(1, 2, 5, 6)], {}, ValueError, r"layers=\[\] has no layer"),
        (3, [(1, 2, 5, 6)], {}, TypeError, "layers=3 is a int"),
    ],
)
def test_what_cannot_be_counted_is_refused(model, inputs, named, error, message):
    with pytest.raises(error, match=message):
        memory_table(model, *inputs, **named)


# The model is left as it was


class Restless(nn.Module):
    """A module whose forward changes whatever it can reach."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()
        self.calls, self.cache = 0, []

    def forward(self, x, fail=False):
        self.calls += 1
        self.cache.append(x)
        self.last = y = self.drop(self.norm(self.conv(x)))
        with torch.no_grad():
            self.conv.weight.add_(1)
            self.norm.bias.data = self.norm.weight * 2
        self.conv.weight.requires_grad_(False)
        self.norm.eval()
        x.add_(1)
        if fail:
            raise KeyError("failed")
        return y


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("fail", [False, True])
def test_the_model_its_inputs_and_the_random_state_are_left_as_they_were(fail, real):
    model, x = Restless(), torch.rand(2, 3, 6, 7)
    tensors = [*model.parameters(), *model.buffers(), x]
    before = [(tensor.clone(), tensor._version, tensor.requires_grad) for tensor in tensors]
    names, state, call = {*vars(model)}, torch.get_rng_state(), nn.Module._call_impl
    try:
        memory_table(model, x, fail=fail, real=real)
    except RuntimeError as error:
        assert fail and "stopped with KeyError" in str(error)
    after = [*model.parameters(), *model.buffers(), x]
    assert all(one is other for one, other in zip(tensors, after))
    assert all(torch.equal(one, old) for one, (old, _, _) in zip(after, before))
    assert [(tensor._version, tensor.requires_grad) for tensor in after] == [(v, g) for _, v, g in before]
    assert (model.calls, model.cache, model.norm.training, {*vars(model)}) == (0, [], True, names)
    assert torch.equal(torch.get_rng_state(), state) and nn.Module._call_impl is call


def test_no_copy_of_the_model_is_left_behind():
    class Chain(nn.Sequential):
        pass

    model = Chain(nn.Linear(3, 4), nn.Sigmoid(), nn.ReLU(inplace=True))
    memory_table(model, (2, 3))
    gc.collect()
    with warnings.catch_warnings(action="ignore"):  # some of what there is warns when it is looked at
        assert [found for found in gc.get_objects() if type(found) is Chain] == [model]


def test_a_backward_pass_that_waits_is_not_disturbed():
    model, x = Restless(), torch.rand(2, 3, 6, 7)
    loss = model.norm(model.conv(x)).square().sum()
    twin = copy.deepcopy(model)
    memory_table(model, (2, 3, 6, 7))
    loss.backward()
    twin.norm(twin.conv(x)).square().sum().backward()
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(model.parameters(), twin.parameters()) if p.grad is not None)
    assert model.conv.weight.grad is not None


def test_another_thread_may_run_the_same_model():
    model, x = built("U-shaped")
    wanted, table = model(x), columns(memory_table(model, x.shape))
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(model, x) for _ in range(20)]
        tables = [pool.submit(memory_table, model, x.shape) for _ in range(4)]
        costs = pool.submit(cost_table, model, x.shape)
    assert all(torch.equal(run.result(), wanted) for run in runs)
    assert all(columns(found.result()) == table for found in tables)
    assert costs.result().total == cost_table(model, x.shape).total


def test_a_layer_that_another_thread_calls_belongs_to_that_thread():
    def forward(self, x):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.other, torch.ones(2, 4, device=x.device)).result()
        return self.layer(x)

    table = memory_table(Forward(forward, layer=nn.Linear(3, 5), other=nn.Linear(4, 5)), (2, 3))
    assert [row.kind for row in table.rows if row.name == "other"] == ["not called"]
    assert str(table).endswith("NOT COUNTED: the work of other threads in other (Linear)")


def test_a_table_inside_a_forward_counts_for_itself():
    inner, outer = nn.Linear(3, 4), nn.Linear(3, 5)

    def forward(self, x):
        assert memory_table(inner, (2, 3)).total.output_bytes == 4 * 2 * 4
        return self.layer(x)

    table = memory_table(Forward(forward, layer=outer), (7, 3))
    assert columns(table) == columns(memory_table(outer, (7, 3)))
    assert memory_table(Forward(forward, layer=outer), torch.ones(7, 3), real=True).total == table.total


# How it looks


@pytest.fixture
def table():
    return memory_table(nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(inplace=True), nn.Linear(46, 1)), (2, 3, 34, 48))


def test_text_has_readable_bytes_and_the_convention(table):
    lines = str(table).splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "shape", "weights", "output", "saved", "peak"]
    assert lines[1].split() == "0 Conv2d (2, 64, 32, 46) 7.0 KiB 736.0 KiB 38.2 KiB 774.2 KiB".split()
    assert lines[2].split() == "1 ReLU (2, 64, 32, 46) – – 736.0 KiB 774.2 KiB".split()
    assert lines[4].split() == "total (2, 64, 32, 1) 7.2 KiB 752.0 KiB 774.2 KiB 790.2 KiB".split()
    assert " ".join(lines[5:]) == table.note
    assert "nothing holds it" in table.note and table.note.endswith("The model was in training mode.")
    assert "eval mode" in memory_table(nn.ReLU().eval(), (2, 3)).note


def test_html_is_a_table_with_the_note_below_and_the_names_escaped(table):
    html = table._repr_html_()
    assert html.count("<tr>") == 1 + len(table.rows) + 1
    assert table.note in html and "774.2 KiB" in html
    assert "&lt;b&gt;" in MemoryTable([table.rows[0]._replace(name="<b>")], {})._repr_html_()


def test_to_pandas_has_the_exact_bytes(table):
    frame = table.to_pandas()
    assert [tuple(row) for row in frame.itertuples(index=False)] == [*table.rows]
    assert frame["output_bytes"].sum() == table.total.output_bytes == 4 * 2 * 64 * 32 * (46 + 1)


@pytest.mark.parametrize("real", [False, True])
def test_a_layer_made_in_the_first_forward_belongs_to_the_model(real):
    def grows(m, x):
        m.second = nn.Linear(4, 5)
        return m.second(m.first(x))

    table = memory_table(Forward(grows, first=nn.Linear(3, 4)), (2, 3), real=real)
    assert table.total.weight_bytes == 4 * (4 * 3 + 4 + 5 * 4 + 5)
