"""What lesson 05 says of thop and of torch's counter. A test that fails here names what has been mended there."""

from contextlib import suppress
from math import prod

import pytest
import torch
import torch.nn.functional as F
from strategies import raises
from thop import profile
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.flop_counter import FlopCounterMode

from convlab import ConvSpec, check, cost_table, flop_count, mac_count, output_shape, to_module
from convlab.networks.papers import mobilenet_v1

UNEQUAL = [  # M, C, g, height and width all differ; strides that do not divide; batches
    (ConvSpec(3, 6, 3, stride=3), (1, 3, 6, 6)),
    (ConvSpec(4, 10, (3, 2), stride=2, padding=1, groups=2), (3, 4, 9, 6)),
    (ConvSpec(6, 4, (2, 3), stride=(3, 2), dilation=2, bias=False), (2, 6, 11, 14)),
]
unequal = pytest.mark.parametrize(("spec", "shape"), UNEQUAL)


def by_thop(module, *inputs):
    return profile(module, inputs=inputs, verbose=False)


def by_torch(module, *inputs):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops()


def small_layer(**options):
    return nn.Conv2d(3, 6, 3, stride=3, **options)


class Subclassed(nn.Conv2d):
    pass


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = small_layer().parameters()

    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, stride=3)


class Shared(nn.Module):
    """One layer under two parents, called twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
        self.second = nn.Sequential(self.first[0])

    def forward(self, x):
        return self.second(self.first(x))


# thop.


@unequal
def test_thop_counts_the_macs_of_a_convolution_with_bias_and_without(spec, shape):
    assert by_thop(to_module(spec), torch.zeros(shape))[0] == mac_count(spec, shape)


@pytest.mark.parametrize(("groups", "macs"), [(1, 648), (3, 216)])
def test_thop_takes_the_batch_apart_when_the_comma_is_missing(groups, macs):
    x = torch.zeros(1, 3, 6, 6)
    assert by_thop(small_layer(groups=groups), x)[0] == macs
    assert profile(small_layer(groups=groups), inputs=(x), verbose=False)[0] == 2 * macs


@pytest.mark.parametrize("groups", [1, 3])
def test_thop_reads_the_height_of_an_image_without_batch_as_its_channels(groups):
    x = torch.zeros(3, 7, 8)
    wanted = 6 * 2 * 2 * (7 // groups) * 9
    assert by_thop(small_layer(groups=groups), x)[0] == wanted
    assert cost_table(small_layer(groups=groups), (3, 7, 8)).total.macs == 6 * 2 * 2 * (3 // groups) * 9


def test_thop_without_the_comma_stops_on_a_batch_of_two():
    with raises(TypeError, "Conv2d.forward() takes 2 positional arguments but 3 were given"):
        profile(small_layer(), inputs=(torch.zeros(2, 3, 6, 6)), verbose=False)


def test_thop_counts_no_parameters_of_a_bare_layer():
    x = torch.zeros(1, 3, 6, 6)
    assert by_thop(small_layer(), x)[1] == 0
    assert by_thop(nn.Sequential(small_layer()), x)[1] == 168
    assert cost_table(small_layer(), (1, 3, 6, 6)).total.params == 168


@pytest.mark.parametrize(
    "layer",
    [Functional(), Subclassed(3, 6, 3, stride=3), weight_norm(small_layer())],
    ids=["functional", "subclass", "weight_norm"],
)
def test_thop_counts_nothing_of_a_convolution_that_is_not_called_as_a_conv2d(layer):
    x = torch.zeros(2, 3, 12, 9)
    macs = 2 * 6 * 4 * 3 * 27
    assert by_thop(nn.Sequential(layer), x) == (0, 0)
    assert by_torch(layer, x) == 2 * macs
    assert cost_table(layer, (2, 3, 12, 9)).total.macs == macs


def test_thop_leaves_its_buffers_in_a_module_that_it_does_not_know():
    layer = Functional()
    by_thop(layer, torch.zeros(1, 3, 6, 6))
    assert list(layer.state_dict()) == ["weight", "bias", "total_ops", "total_params"]


def retried(model, x):
    """Return what thop gives after a call with a wrong shape, on the same model."""
    with suppress(RuntimeError):
        by_thop(model, torch.zeros(1, 1, 1, 1))
    return by_thop(model, x)[0]


def test_thop_counts_twice_after_a_call_that_failed_and_then_a_plain_forward_stops():
    model, x = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 4, 1)), torch.zeros(2, 3, 12, 10)
    macs = 2 * 8 * 6 * (8 * 75 + 4 * 8)
    with raises(RuntimeError, "Given groups=1, weight of size [8, 3, 5, 5]"):
        by_thop(model, torch.zeros(2, 4, 12, 10))
    assert {"0.total_ops", "2.total_params"} < set(model.state_dict())
    assert by_thop(model, x)[0] == 2 * macs
    with raises(AttributeError, "'Conv2d' object has no attribute 'total_ops'"):
        model(x)


def test_cost_table_counts_the_same_after_a_call_that_failed_and_leaves_the_model_alone():
    model = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 4, 1))
    names = list(model.state_dict())
    with pytest.raises(RuntimeError, match="0 \\(Conv2d\\) stopped"):
        cost_table(model, (2, 4, 12, 10))
    assert cost_table(model, (2, 3, 12, 10)).total.macs == 2 * 8 * 6 * (8 * 75 + 4 * 8)
    assert list(model.state_dict()) == names
    assert model(torch.zeros(2, 3, 12, 10)).shape == (2, 4, 8, 6)


def test_thop_counts_a_layer_under_two_parents_four_times():
    x, macs = torch.zeros(2, 3, 8, 10), 2 * 3 * 8 * 10 * 27
    assert by_thop(Shared(), x)[0] == 4 * 2 * macs
    assert by_torch(Shared(), x) == 2 * 2 * macs
    assert cost_table(Shared(), (2, 3, 8, 10)).total.macs == 2 * macs


@pytest.mark.parametrize(("affine", "operations"), [(True, 4), (False, 2)])
def test_thop_adds_operations_for_each_batchnorm_number_to_its_macs(affine, operations):
    block = nn.Sequential(small_layer(), nn.BatchNorm2d(6, affine=affine))
    x = torch.zeros(2, 3, 12, 9)
    macs, numbers = 2 * 6 * 4 * 3 * 27, 2 * 6 * 4 * 3
    assert by_thop(block, x)[0] == macs + operations * numbers
    assert by_torch(block.eval(), x) == 2 * macs
    assert cost_table(block, (2, 3, 12, 9)).total.macs == macs


@pytest.mark.parametrize("width", [1.0, 0.25])
def test_thop_adds_batchnorm_and_the_mean_at_the_end_of_mobilenet(width):
    network, shape = mobilenet_v1(width), (1, 3, 224, 224)
    table = cost_table(network, shape)
    norm = sum(prod(row.output_shape) for row in table.rows if row.kind == "BatchNorm2d")
    mean = int(1024 * width) * (7 * 7 + 1)
    assert by_thop(network, torch.zeros(shape))[0] == table.total.macs + 4 * norm + mean


TRANSPOSED = [
    ((6, 4, 2), {"stride": 2}, (1, 6, 5, 7)),
    ((4, 6, (3, 2)), {"stride": 2, "groups": 2, "padding": 1}, (3, 4, 6, 5)),
]


@pytest.mark.parametrize(("sizes", "options", "shape"), TRANSPOSED)
def test_thop_counts_a_transposed_convolution_at_its_output_and_torch_at_its_input(sizes, options, shape):
    layer, x = nn.ConvTranspose2d(*sizes, **options), torch.zeros(shape)
    positions = prod(layer(x).shape[2:])
    macs = prod(shape) * layer.weight[0].numel()
    assert by_thop(layer, x)[0] == shape[0] * layer.weight.numel() * positions
    assert by_torch(layer, x) == 2 * macs
    assert cost_table(layer, shape).total.macs == macs


def test_what_thop_prints_after_a_retry_leads_back_to_the_macs():
    models = [
        (nn.Sequential(small_layer(), nn.BatchNorm2d(6)), (1, 3, 6, 6)),
        (
            nn.Sequential(nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4)),
            (1, 3, 12, 12),
        ),
        (nn.Sequential(nn.Conv2d(4, 10, (3, 2), 2, 1, groups=2), nn.BatchNorm2d(10)), (3, 4, 9, 6)),
    ]
    cases, wanted = [], []
    for model, shape in models:
        table = cost_table(model, shape)
        numbers = sum(prod(row.output_shape) for row in table.rows if row.kind == "BatchNorm2d")
        cases.append((retried(model, torch.zeros(shape)), numbers))
        wanted.append(table.total.macs)
    assert cases == check.macs_behind.cases
    assert [check.macs_behind.target(*case) for case in check.macs_behind.cases] == wanted


# torch's counter.


@unequal
def test_torch_counts_two_for_each_mac_with_bias_and_without(spec, shape):
    count = by_torch(to_module(spec), torch.zeros(shape))
    assert count == 2 * mac_count(spec, shape)
    assert (count == flop_count(spec, shape)) == spec.bias


def test_torch_counts_nothing_of_attention_on_a_cpu():
    q = torch.zeros(1, 2, 5, 4)
    assert by_torch(F.scaled_dot_product_attention, q, q, q) == 0


@pytest.mark.parametrize("needs_grad", [False, True])
def test_torch_counts_the_matrix_products_of_an_attention_layer_in_training_mode(needs_grad):
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.zeros(1, 5, 8)
    projections, products = 5 * 8 * (24 + 8), 2 * 2 * 5 * 5 * 4
    with torch.set_grad_enabled(needs_grad), FlopCounterMode(display=False) as counter:
        layer(x, x, x)
    assert counter.get_total_flops() == 2 * (projections + products)
    with torch.set_grad_enabled(needs_grad), FlopCounterMode(display=False) as counter:
        layer(x, x, x, need_weights=False)
    assert counter.get_total_flops() == 2 * projections


@pytest.mark.parametrize("need_weights", [True, False])
def test_torch_counts_nothing_of_an_attention_layer_in_eval_mode_without_gradients(need_weights):
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.zeros(1, 5, 8)
    assert by_torch(lambda x: layer(x, x, x, need_weights=need_weights), x) == 0
    table = cost_table(layer, *[(1, 5, 8)] * 3, need_weights=need_weights)
    assert table.total.macs == 5 * 8 * (24 + 8) + 2 * 2 * 5 * 5 * 4
    assert by_thop(layer, x, x, x)[0] == 0


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize(("part", "factor"), [("input", lambda g: 1), ("weight", lambda g: g)])
def test_torch_counts_the_gradient_of_a_grouped_layers_weights_groups_times(groups, part, factor):
    layer = nn.Conv2d(12, 6, 3, groups=groups).requires_grad_(part == "weight")
    x = torch.zeros(1, 12, 7, 9, requires_grad=part == "input")
    forward = 2 * prod(output_shape(ConvSpec(12, 6, 3), x.shape)) * 9 * 12 // groups
    with FlopCounterMode(display=False) as counter:
        layer(x).sum().backward()
    assert counter.get_total_flops() == forward + factor(groups) * forward


def test_torch_says_nothing_of_what_it_cannot_count_and_cost_table_names_it():
    class Spectrum(nn.Module):
        def forward(self, x):
            return torch.fft.rfft2(x)

    model = nn.Sequential(nn.Conv2d(3, 6, 3), Spectrum())
    assert by_torch(model, torch.zeros(1, 3, 12, 9)) == 2 * 6 * 10 * 7 * 27
    with pytest.warns(UserWarning, match="not counted: aten._fft_r2c.default in 1 \\(Spectrum\\)"):
        table = cost_table(model, (1, 3, 12, 9))
    assert table.uncounted == ("aten._fft_r2c.default in 1 (Spectrum)",)
    assert table.total.macs == 6 * 10 * 7 * 27
