"""The cost of any nn.Module, against the definition, torch's counter and hand counts; and the model left as it was."""

import copy
import random
import warnings
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from strategies import Forward
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.grid import exact_work, layers
from convlab import ConvSpec, cost_table, flop_count, mac_count, to_module
from convlab.table import CostTable

GRID = list(layers())
KINDS = sorted({layer.name.removeprefix("Sequential(").partition("(")[0] for layer in GRID})


def torch_macs(model, *inputs):
    """Return the multiplications that torch's own counter finds in one forward."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2


def rows(table):
    return [(row.name, row.kind, row.macs) for row in table.rows]


# The grid


def test_the_grid_has_at_least_3000_layers():
    assert len(GRID) >= 3000
    assert len({(layer.name, layer.input_shape) for layer in GRID}) == len(GRID)
    assert len(KINDS) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_layer_costs_what_the_definition_says(kind):
    wrong = []
    for layer in GRID:
        if layer.name.removeprefix("Sequential(").startswith(f"{kind}("):
            with torch.device("meta"):
                module = layer.build()
                out = module(torch.empty(layer.input_shape))
            work, total = exact_work(layer.build, layer.input_shape), cost_table(module, layer.input_shape).total
            params = sum(param.numel() for param in module.parameters())
            wanted = (work.multiplications, work.multiplications + work.additions, params, tuple(out.shape))
            if (total.macs, total.flops, total.params, total.output_shape) != wanted:
                wrong.append((layer.name, total, wanted))
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_layer_has_the_macs_of_torchs_counter(kind):
    wrong = []
    for layer in GRID:
        if layer.name.startswith(f"{kind}("):
            with torch.device("meta"):
                module, x = layer.build(), torch.empty(layer.input_shape)
            found, wanted = cost_table(module, layer.input_shape).total.macs, torch_macs(module, x)
            if found != wanted:
                wrong.append((layer.name, found, wanted))
    assert wrong == []


@pytest.mark.parametrize("bias", [True, False])
def test_a_module_costs_what_its_spec_does(bias):
    spec, shape = (
        ConvSpec(6, 9, (3, 2), stride=(2, 3), padding=(1, 2), dilation=(2, 1), groups=3, bias=bias),
        (2, 6, 13, 11),
    )
    (row,) = cost_table(to_module(spec), shape).rows
    (chain,) = cost_table([spec], shape).rows
    assert (row.macs, row.flops, row.params) == (mac_count(spec, shape), flop_count(spec, shape), chain.params)
    assert (row.kind, row.output_shape) == (chain.kind, chain.output_shape)


# Other layers and other ways to write them: (model, inputs, MACs, exact FLOPs), counted by hand

X, TOKENS = (2, 3, 8, 10), (2, 7, 32)
CONV = 27 * 5 * 2 * 6 * 8  # Conv2d(3, 5, 3) on X
HEADS = 2 * 2 * 7 * 7 * 32  # queries times keys, and weights times values
BILSTM = 5 * 3 * 2 * 64 * (8 + 16)  # 5 steps, batch 3, 2 directions, 4 gates of 16


class ConvFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        return F.conv2d(x, w)


class Subclass(nn.Conv2d):
    pass


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this form deprecated
        return nn.utils.weight_norm(layer)


W = torch.ones(5, 3, 3, 3)
CASES = {
    "linear on rank 1": (nn.Linear(32, 8), [(32,)], 256, 512),
    "linear on rank 3": (nn.Linear(32, 8, bias=False), [(4, 7, 32)], 7168, 63 * 8 * 28),
    "F.conv2d": (Forward(lambda m, x: F.conv2d(x, m.w), w=W), [X], CONV, 2 * CONV - 480),
    "F.conv2d with bias": (Forward(lambda m, x: F.conv2d(x, m.w, m.b), w=W, b=W[:, 0, 0, 0]), [X], CONV, 2 * CONV),
    "a subclass": (Subclass(3, 5, 3), [X], CONV, 2 * CONV),
    "weight_norm": (parametrizations.weight_norm(nn.Conv2d(3, 5, 3)), [X], CONV, 2 * CONV),
    "old weight_norm": (old_weight_norm(nn.Conv2d(3, 5, 3)), [X], CONV, 2 * CONV),
    "half precision": (nn.Conv2d(3, 5, 3).half(), [X], CONV, 2 * CONV),
    "an autograd function": (Forward(lambda m, x: ConvFunction.apply(x, m.w), w=W), [X], CONV, 2 * CONV - 480),
    "im2col": (Forward(lambda m, x: m.w.flatten(1) @ F.unfold(x, 3), w=W), [X], CONV, 2 * CONV - 480),
    "matmul": (Forward(lambda m, x: x @ m.w, w=torch.ones(3, 5)), [(2, 4, 3)], 120, 200),
    "addmm": (Forward(lambda m, x: torch.addmm(m.b, x, m.w), w=torch.ones(3, 5), b=torch.ones(5)), [(4, 3)], 60, 120),
    "addbmm": (Forward(lambda m, x: torch.addbmm(m.w, x, x), w=torch.ones(3, 3)), [(4, 3, 3)], 108, 216),
    "mv and dot": (Forward(lambda m, x: torch.dot(x @ m.w, m.w), w=torch.ones(3)), [(3, 3)], 9 + 3, 15 + 5),
    "einsum": (Forward(lambda m, x: torch.einsum("nchw,mc->nmhw", x, m.w), w=W[:, :, 0, 0]), [X], 2400, 4000),
    "inference mode": (Forward(torch.inference_mode()(lambda m, x: x @ m.w), w=W[0, 0]), [(2, 4, 3)], 72, 120),
    "vmap": (Forward(lambda m, x: torch.vmap(lambda v: m.w @ v)(x), w=torch.ones(4, 3)), [(5, 3)], 60, 100),
    "attention": (nn.MultiheadAttention(32, 4, batch_first=True), [TOKENS] * 3, 14 * 32 * 128 + HEADS, None),
    "attention in eval": (nn.MultiheadAttention(32, 4, batch_first=True).eval(), [TOKENS] * 3, 14 * 4096 + HEADS, None),
    "a transformer layer": (
        nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval(), [TOKENS], 14 * 8192 + HEADS, None
    ),
    "a fused attention": (
        Forward(lambda m, q, k: F.scaled_dot_product_attention(q, k, k)),
        [(2, 4, 7, 8), (2, 4, 9, 8)],
        2 * 8 * 63 * 8,
        None,
    ),
    "an LSTM": (nn.LSTM(8, 16, batch_first=True, bidirectional=True), [(3, 5, 8)], BILSTM, None),
    "a GRU": (nn.GRU(8, 16), [(5, 3, 8)], 15 * 48 * 24, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_layer_is_counted_however_it_is_written(name):
    model, inputs, macs, flops = CASES[name]
    table = cost_table(model, *inputs)
    assert table.total.macs == macs
    assert flops is None or table.total.flops == flops
    assert table.total.params == sum(param.numel() for param in model.parameters())
    assert "not called" not in [row.kind for row in table.rows]
    assert table.uncounted == ()


@pytest.mark.parametrize("name", [name for name in CASES if name != "old weight_norm"])
def test_a_real_forward_gives_the_same_counts(name):
    model, inputs, macs, flops = CASES[name]
    table = cost_table(model, *inputs, real=True)
    assert (table.total.macs, table.uncounted) == (macs, ())
    assert flops is None or table.total.flops == flops
    assert table.total.params == sum(param.numel() for param in model.parameters())


def test_a_model_that_cannot_be_copied_is_an_error_for_a_real_forward():
    with pytest.raises(RuntimeError, match="a copy of the model runs, and it cannot be copied: Only Tensors"):
        cost_table(old_weight_norm(nn.Conv2d(3, 5, 3)), X, real=True)


def test_a_layer_called_twice_is_counted_twice_and_its_parameters_once():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    table = cost_table(nn.Sequential(conv, nn.ReLU(), nn.Sequential(conv)), (1, 3, 8, 10))
    assert rows(table) == [("0", "standard", 2 * 81 * 80), ("1", "ReLU", 0)]
    assert table.total.params == 84


def test_a_tied_weight_is_counted_where_it_works_and_its_parameters_once():
    tied = nn.Sequential(OrderedDict(embed=nn.Embedding(11, 4), mix=nn.Linear(4, 4), head=nn.Linear(4, 11, bias=False)))
    tied.head.weight = tied.embed.weight
    table = cost_table(tied, torch.zeros(2, 5, dtype=torch.long))
    assert rows(table) == [("embed", "Embedding", 0), ("mix", "linear", 160), ("head", "linear", 440)]
    assert [row.params for row in table.rows] == [44, 20, 0]


def test_a_function_counts_for_the_layer_that_owns_its_weight():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Conv2d(3, 5, 3)

        def forward(self, x):
            return F.conv2d(x, self.inner.weight, self.inner.bias)

    table = cost_table(nn.Sequential(OrderedDict(block=Block())), X)
    assert rows(table) == [("block.inner", "standard", CONV)]
    assert table.total.params == 140


def test_what_computes_a_weight_belongs_to_its_layer():
    table = cost_table(nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 5, 3))), X)
    assert [(row.name, row.kind, row.params) for row in table.rows] == [("0", "standard", 135 + 5 + 5)]


def test_parameters_that_no_layer_uses_are_listed():
    model = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 5, 3), spare=nn.Linear(4, 6)))
    model.forward = lambda x: model.conv(x)
    table = cost_table(model, X)
    assert rows(table) == [("conv", "standard", CONV), ("spare", "not called", 0)]
    assert table.total.params == 140 + 30


def test_other_layers_are_listed_with_their_parameters_and_no_macs():
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.PReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Identity()
    )
    table = cost_table(model, X)
    assert rows(table) == [("0", "standard", CONV), ("1", "BatchNorm2d", 0), ("2", "PReLU", 0), ("3", "MaxPool2d", 0)]
    assert [row.params for row in table.rows] == [140, 10, 1, 0]
    assert [row.output_shape for row in table.rows] == [(2, 5, 6, 8)] * 3 + [(2, 5, 3, 4)]
    assert "does other work, which is not counted" in str(table).replace("\n", " ")
    assert "–" in str(table).splitlines()[2]


# Shapes of what is answered without torch


SHAPED = {
    "max pool, 1-D": (nn.MaxPool1d(3, 2, 1), (2, 3, 11)),
    "max pool": (nn.MaxPool2d((3, 2), (2, 1), (1, 0), dilation=(2, 1)), (2, 3, 11, 9)),
    "max pool, by its function": (Forward(lambda m, x: F.max_pool2d(x, 2)), (2, 3, 8, 11)),
    "max pool, rounded up": (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 3, 8, 12)),
    "max pool, unbatched": (nn.MaxPool2d(2), (3, 7, 9)),
    "average pool": (nn.AvgPool2d(3, 2, 1), (2, 3, 8, 11)),
    "average pool, rounded up": (nn.AvgPool2d(3, 2, ceil_mode=True), (2, 3, 8, 12)),
    "average pool, 3-D": (nn.AvgPool3d(2), (2, 3, 4, 7, 5)),
    "adaptive pool": (nn.AdaptiveAvgPool2d((None, 2)), (2, 3, 8, 11)),
    "adaptive pool, unbatched": (nn.AdaptiveAvgPool2d(1), (3, 8, 11)),
    "adaptive max pool": (nn.AdaptiveMaxPool2d(2), (2, 3, 8, 11)),
    "batch norm": (nn.BatchNorm2d(3), (2, 3, 5, 4)),
    "batch norm, 1-D": (nn.BatchNorm1d(3), (2, 3)),
    "layer norm": (nn.LayerNorm((5, 4)), (2, 3, 5, 4)),
    "group norm": (nn.GroupNorm(3, 6), (2, 6, 5, 4)),
    "relu": (nn.ReLU(inplace=True), (2, 3)),
    "gelu": (nn.GELU(), (2, 3)),
    "dropout": (nn.Dropout(), (2, 3)),
    "broadcast": (Forward(lambda m, x: x * x.mean((2, 3), keepdim=True) + m.w, w=torch.ones(4)), (2, 3, 5, 4)),
    "cat": (Forward(lambda m, x: torch.cat([x, m.w.expand_as(x)], 1), w=torch.ones(4)), (2, 3, 5, 4)),
    "view": (Forward(lambda m, x: x.view(2, 3, 2, 5).transpose(1, 2).flatten(1)), (2, 3, 10)),
    "an output reshaped in place": (Forward(lambda m, x: (F.relu(x).unsqueeze_(0), x)[1]), (2, 3, 4)),
    "a layer's output reshaped in place": (Forward(lambda m, x: (nn.ReLU()(x).unsqueeze_(0), x)[1]), (2, 3, 4)),
    "shape arithmetic": (Forward(lambda m, x: x.reshape(x.shape[0], -1, x.size(3))), (2, 3, 5, 4)),
    "same padding": (nn.Conv2d(3, 5, (2, 3), padding="same", dilation=(1, 2)), (2, 3, 5, 4)),
    "a changed copy of a parameter": (Forward(lambda m, x: m.w.clone().clamp_(0, 1) * x, w=torch.ones(4)), (2, 3, 4)),
}


@pytest.mark.parametrize("name", SHAPED)
def test_an_answered_layer_has_the_shape_that_torch_gives(name):
    layer, shape = SHAPED[name]
    model = nn.Sequential(layer, Forward(lambda m, x: x.flatten(1) @ x.flatten(1).T))  # counts what arrives
    x = torch.rand(shape)
    out = copy.deepcopy(layer)(x.clone())
    assert tuple(out.shape) == cost_table(layer, shape).rows[-1].output_shape
    assert cost_table(model, shape).rows[-1].macs == out.flatten(1).numel() * out.shape[0]


def test_the_real_values_of_parameters_may_steer_the_forward():
    gated = Forward(
        lambda m, x: F.linear(x, m.w) if (m.gate.sigmoid() + m.gate).item() > 0.5 else x,
        w=torch.ones(4, 3),
        gate=torch.ones(()),
    )
    assert cost_table(gated, (2, 3)).total.macs == 24


# Inputs


def test_inputs_may_be_shapes_tensors_lists_and_keywords():
    model = Forward(lambda m, xs, scale, mask=None: torch.cat(xs, 1) @ mask * scale)
    table = cost_table(model, [(2, 3), torch.ones(2, 4)], 0.5, mask=(7, 5))
    assert table.total.macs == 2 * 7 * 5


def test_the_shape_may_be_named_as_for_a_chain():
    assert cost_table(nn.Conv2d(3, 5, 3), input_shape=X).total.macs == CONV


def test_a_batch_of_eight_costs_eight_times_one():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 2, 3, groups=1))
    one, eight = cost_table(model, (1, 3, 9, 8)).total, cost_table(model, (8, 3, 9, 8)).total
    assert (eight.macs, eight.flops, eight.params) == (8 * one.macs, 8 * one.flops, one.params)


def test_a_model_on_the_meta_device_is_counted_without_memory():
    with torch.device("meta"):
        model = nn.Linear(10**6, 10**6)  # 4 terabytes of weights
    assert cost_table(model, (3, 10**6)).total.macs == 3 * 10**12


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ([], TypeError, r"no input; wanted a shape such as"),
        ([(1, 3.5, 8, 8)], TypeError, r"number 2 of the input shape \(1, 3.5, 8, 8\)=3.5 is a float"),
        ([(1, 3, 8, -8)], ValueError, r"number 4 of the input shape .*=-8 is too small"),
        ([(1, True, 8, 8)], TypeError, r"number 2 .*=True is a bool"),
        ([(1, 4, 8, 8)], RuntimeError, r"(?s)0 \(Conv2d\) .* 4 channels; wanted 3.*given \[\(1, 4, 8, 8\)\]"),
        ([(1, 1, 3, 8, 8)], RuntimeError, r"(?s)0 \(Conv2d\) .* 3D .*given \[\(1, 1, 3, 8, 8\)\]"),
        ([(1, 3, 2, 8)], RuntimeError, r"(?s)0 \(Conv2d\) .* Kernel size .*given \[\(1, 3, 2, 8\)\]"),
        ([(1, 3, 8, 8), (1, 3)], RuntimeError, r"Sequential stopped with TypeError: .*takes 2 positional arguments"),
    ],
)
def test_a_wrong_input_is_an_error_that_says_what_was_wanted(inputs, error, message):
    with pytest.raises(error, match=message):
        cost_table(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), *inputs)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(4), nn.LayerNorm(7), Forward(lambda m, x: F.batch_norm(x, m.w, m.w), w=W[0])]
)
def test_a_normalisation_of_another_width_is_an_error(norm):
    with pytest.raises(RuntimeError, match=rf"1 \({type(norm).__name__}\) stopped"):
        cost_table(nn.Sequential(nn.Conv2d(3, 5, 3), norm), X)


def test_a_reflection_wider_than_the_image_is_an_error():
    with pytest.raises(RuntimeError, match=r"Conv2d stopped .* Padding size"):
        cost_table(nn.Conv2d(3, 5, 3, padding=4, padding_mode="reflect"), (1, 3, 4, 9))


def test_integers_need_an_example():
    with pytest.raises(RuntimeError, match=r"(?s)Embedding stopped.*for integers give an example tensor"):
        cost_table(nn.Embedding(5, 2), (1, 3))


def test_what_is_no_layer_is_a_type_error():
    with pytest.raises(TypeError, match="'conv' is a str; wanted a list of ConvSpec"):
        cost_table("conv", X)
    with pytest.raises(TypeError, match="with 2 inputs; wanted one input_shape"):
        cost_table([ConvSpec(3, 5, 3)], X, X)
    with pytest.raises(TypeError, match="wanted one input_shape"):
        cost_table([ConvSpec(3, 5, 3)], shape=X)


# What cannot be counted is said


@pytest.mark.parametrize(
    ("model", "inputs", "operation"),
    [
        (Forward(lambda m, x: torch.fft.fft2(x).real), [X], "_fft_c2c"),
        (Forward(lambda m, x: torch.linalg.inv(x)), [torch.eye(4)], "linalg_inv_ex"),
        (Forward(lambda m, x: torch.cdist(x, x)), [(2, 4, 4)], "_cdist_forward"),
        (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], "_trilinear"),
    ],
)
def test_an_operation_without_a_formula_is_named_in_the_table_and_in_a_warning(model, inputs, operation):
    for real in (False, True):
        with pytest.warns(UserWarning, match=f"not counted: aten.{operation}.default in"):
            table = cost_table(model, *inputs, real=real)
        assert len(table.uncounted) == 1
        for text in (str(table), table._repr_html_(), str(table.grouped())):
            assert f"NOT COUNTED: aten.{operation}" in text


def test_a_custom_operator_is_named():
    @torch.library.custom_op("convlab_test::triple", mutates_args=())
    def triple(x: torch.Tensor) -> torch.Tensor:
        return 3 * x

    triple.register_fake(torch.empty_like)
    with pytest.warns(UserWarning, match="not counted: convlab_test.triple.default in 1"):
        table = cost_table(nn.Sequential(nn.Linear(3, 4), Forward(lambda m, x: triple(x))), (2, 3))
    assert table.total.macs == 24


BRANCH = nn.Sequential(OrderedDict(first=nn.Linear(3, 4), gate=Forward(lambda m, x: x if x.sum() > 0 else -x)))


@pytest.mark.parametrize("f", [lambda m, x: x if x.sum() > 0 else -x, lambda m, x: x * x.max().item(),
                               lambda m, x: torch.tensor(x.tolist()), lambda m, x: x[x > 0]])  # fmt: skip
def test_a_forward_that_looks_at_values_is_an_error_that_names_it_and_the_way_out(f):
    model = nn.Sequential(OrderedDict(first=nn.Linear(3, 4), gate=Forward(f)))
    with pytest.raises(RuntimeError, match=r"(?s)^gate \(Forward\) stopped with .*looks at values.*real=True"):
        cost_table(model, (2, 3))
    assert cost_table(model, torch.ones(2, 3), real=True).total.macs == 24


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("wrap", [torch.jit.script, lambda conv: torch.jit.trace(conv, torch.ones(X))])
def test_a_script_module_is_refused_by_name_and_counted_for_real(wrap):
    model = nn.Sequential(OrderedDict(relu=nn.ReLU(), hidden=wrap(nn.Conv2d(3, 5, 3))))
    with pytest.raises(ValueError, match=r"hidden \(\w+\) is a ScriptModule, .* wanted real=True"):
        cost_table(model, X)
    assert cost_table(model, X, real=True).total.macs == CONV


def test_a_lazy_module_is_refused_by_name_and_stays_lazy():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.LazyConv2d(4, 3))
    for real in (False, True):
        with pytest.raises(ValueError, match=r"1 \(LazyConv2d\) does not know its channels yet"):
            cost_table(model, X, real=real)
    assert isinstance(model[1], nn.LazyConv2d)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # of torch's own, on import of the compiler
def test_a_compiled_module_is_refused():
    with pytest.raises(ValueError, match=r"the model \(OptimizedModule\) comes from torch.compile"):
        cost_table(torch.compile(nn.Conv2d(3, 5, 3)), X)


# The model and the random states stay as they were


class Careless(nn.Module):
    """A model whose forward writes wherever it can."""

    def __init__(self, fails):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Dropout()
        self.frozen = nn.BatchNorm2d(5).eval()
        self.normed = parametrizations.spectral_norm(nn.Conv2d(5, 5, 1))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(5))
        self.log, self.cache, self.last, self.fails = [], {}, None, fails
        self.hook = self.norm.register_forward_hook(lambda module, inputs, output: None)
        self.conv.weight.requires_grad_(False)

    def forward(self, x):
        self.steps += 1
        self.mean.mul_(0.9).add_(1)
        self.mean.data = torch.ones(5)
        self.conv.weight.data.clamp_(0, 0)
        self.norm.weight.requires_grad_(False)
        torch.rand(3), random.random(), np.random.rand()
        nn.init.normal_(self.norm.weight)
        x = self.drop(self.normed(self.frozen(self.norm(self.conv(x)))))
        self.frozen.train()
        self.last, self.extra = x, nn.Linear(2, 2)
        self.cache["x"] = x
        self.log.append(x)
        if self.fails:
            raise KeyError("in the last line")
        return x


def state(model):
    """Return everything that a count must not change, in a form that == compares."""
    return {
        "tensors": {name: (id(t), t.tolist(), str(t.device)) for name, t in model.state_dict(keep_vars=True).items()},
        "requires_grad": [param.requires_grad for param in model.parameters()],
        "training": [module.training for module in model.modules()],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "hooks": [
            [list(value) for name, value in vars(module).items() if "hooks" in name] for module in model.modules()
        ],
        "own": (list(model.log), dict(model.cache), model.last),
        "torch": torch.get_rng_state().tolist(),
        "python": random.getstate(),
        "numpy": [*np.random.get_state()[1].tolist(), np.random.get_state()[2]],
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("real", [False, True])
def test_the_model_and_the_random_states_are_untouched(training, fails, real):
    model = Careless(fails).train(training)
    model.frozen.eval()
    x, before = torch.rand(X), state(model)
    if fails:
        with pytest.raises(RuntimeError, match=r"Careless stopped with KeyError: 'in the last line'"):
            cost_table(model, x, real=real)
    else:
        assert cost_table(model, x, real=real).total.macs > CONV
    assert state(model) == before
    assert nn.Module._call_impl.__qualname__ == "Module._call_impl"


def test_a_model_computes_the_same_after_a_count():
    model, x = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True)).eval(), torch.rand(X)
    before = model(x)
    cost_table(model, X)
    assert torch.equal(model(x), before)


def test_an_example_tensor_is_untouched():
    x = torch.rand(2, 3)
    before = x.clone()
    for real in (False, True):
        cost_table(nn.Sequential(nn.ReLU(inplace=True), Forward(lambda m, y: y.neg_())), x, real=real)
    assert torch.equal(x, before)


def test_a_hook_of_the_users_still_runs_during_a_count():
    model, seen = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Linear(8, 2)), []
    model[1].register_forward_hook(lambda module, inputs, output: (seen.append(output), output[:, :1])[1])
    assert cost_table(model, X).total.output_shape == (2, 1, 6, 2)
    assert seen == []  # what a hook keeps is put back, as everything is


def test_a_count_after_a_failed_count_is_right():
    model = nn.Sequential(nn.Conv2d(3, 5, 3))
    with pytest.raises(RuntimeError):
        cost_table(model, (1, 4, 8, 8))
    assert cost_table(model, X).total.macs == CONV


def test_a_layer_that_fails_inside_a_caught_error_does_not_shift_the_names():
    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.wrong, self.right = nn.Linear(4, 4), nn.Linear(3, 4)

        def forward(self, x):
            try:
                return self.wrong(x)
            except RuntimeError:
                return self.right(x)

    model = nn.Sequential(OrderedDict(a=Tries(), b=nn.Linear(4, 2)))
    model.forward = lambda x: model.a(x) @ torch.ones(4, 5)
    table = cost_table(model, (2, 3))
    wanted = [
        ("a.right", "linear", 24),
        ("Sequential", "matmul", 40),
        ("a.wrong", "not called", 0),
        ("b", "not called", 0),
    ]
    assert rows(table) == wanted
    assert table.total.params == sum(param.numel() for param in model.parameters())


def test_a_layer_made_during_the_run_counts_for_the_one_that_makes_it():
    model = nn.Sequential(OrderedDict(block=Forward(lambda m, x: nn.Linear(3, 4)(x))))
    assert rows(cost_table(model, (2, 3))) == [("block", "linear", 24)]


# The table


def test_the_total_is_the_sum_of_the_rows_and_grouping_keeps_it():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU()
    )
    table = cost_table(model, X)
    for grouped in (table, table.grouped(), table.grouped(by="kind"), table.grouped(lambda row: row.name > "1")):
        assert isinstance(grouped, CostTable)
        for column in ("params", "macs", "flops"):
            wanted = sum(getattr(row, column) for row in table.rows)
            assert sum(getattr(row, column) for row in grouped.rows) == wanted == getattr(grouped.total, column)
    assert [(row.name, row.kind) for row in table.grouped().rows] == [
        ("standard", "1"),
        ("depthwise", "1"),
        ("pointwise", "2"),
        ("ReLU", "1"),
    ]
    assert str(table).split()[:2] == ["layer", "kind"] and str(table.grouped()).split()[:2] == ["kind", "layers"]
    assert "output shape" in str(table) and "output shape" not in str(table.grouped())
    with pytest.raises(ValueError, match="by='type' is no column; wanted a function of a row, or one of name, kind"):
        table.grouped("type")


def test_a_model_without_work_has_one_row_and_no_share():
    table = cost_table(nn.Identity(), (2, 3))
    assert rows(table) == [("Identity", "Identity", 0)]
    assert list(table.to_pandas().share) == [0]


def test_the_note_and_the_names_are_escaped_in_html():
    html = CostTable(cost_table(nn.Identity(), (2, 3)).rows, "a < b", ("x<y>",))._repr_html_()
    assert "a &lt; b" in html and "x&lt;y&gt;" in html and "<y>" not in html


# Other threads, and counts inside counts.


class Waits(nn.Module):
    """Waits inside its forward for what another thread does meanwhile."""

    def __init__(self, reached: Event, go_on: Event):
        super().__init__()
        self.inner, self.reached, self.go_on = nn.Conv2d(3, 4, 3), reached, go_on

    def forward(self, x):
        self.reached.set()
        assert self.go_on.wait(30)
        return self.inner(x)


def test_a_forward_of_another_thread_computes_while_a_model_is_counted():
    reached, go_on = Event(), Event()
    net, x = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), torch.rand(2, 3, 6, 7)
    wanted = net(x)
    with ThreadPoolExecutor() as pool:
        count = pool.submit(cost_table, Waits(reached, go_on), (1, 3, 8, 8))
        assert reached.wait(30)
        found = net(x)
        go_on.set()
        table = count.result(30)
    assert torch.equal(found, wanted)
    assert [(row.name, row.macs) for row in table.rows] == [("inner", 4 * 27 * 36)]


def test_counts_of_several_threads_are_right_and_leave_torch_as_it_was():
    before = nn.Module._call_impl
    nets = [nn.Sequential(nn.Conv2d(3, n, 3), nn.GELU(), nn.Flatten(), nn.Linear(36 * n, n)) for n in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        tables = [*pool.map(lambda net: cost_table(net, (1, 3, 8, 8)), nets * 5)]
    assert [table.total.macs for table in tables] == [n * 27 * 36 + 36 * n * n for n in range(1, 9)] * 5
    assert nn.Module._call_impl is before


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("inner_real", [False, True])
def test_a_count_inside_a_forward_is_right_and_adds_nothing_to_the_outer_one(real, inner_real):
    def forward(self, x):
        inner = torch.zeros(x.shape) if inner_real else tuple(x.shape)
        assert cost_table(self.layers, inner, real=inner_real).total.macs == macs
        return self.layers(x) @ torch.ones(5, 3)

    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), Forward(lambda self, x: x @ x.mT), nn.Linear(6, 5))
    model, macs = Forward(forward, layers=layers), 4 * 27 * 36 + 4 * 6 * 6 * 6 + 4 * 6 * 6 * 5
    assert cost_table(model, (1, 3, 8, 8), real=real).total.macs == macs + 4 * 6 * 5 * 3


def test_a_count_that_fails_lets_the_next_one_count():
    with pytest.raises(RuntimeError):
        cost_table(nn.Conv2d(3, 4, 3), (1, 2, 8, 8))
    assert cost_table(nn.Conv2d(3, 4, 3), (1, 3, 8, 8)).total.macs == 4 * 27 * 36


@pytest.mark.parametrize("real", [False, True])
def test_a_weighted_embedding_bag_is_named_and_a_plain_one_is_not(real):
    bag, rows = nn.EmbeddingBag(10, 4, mode="sum"), torch.tensor([1, 2, 4, 5])
    arguments = bag, rows, torch.tensor([0, 2])
    assert cost_table(*arguments, real=real).uncounted == ()
    with pytest.warns(UserWarning, match=r"not counted: aten\._embedding_bag.* in EmbeddingBag"):
        table = cost_table(*arguments, per_sample_weights=torch.rand(4), real=real)
    assert len(table.uncounted) == 1
