"""The MACs of a training step, against backward passes written as loops, and against torch's counter."""

from itertools import product
from threading import Lock

import pytest
import torch
import torch.nn.functional as F
from strategies import Forward, raises
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from convlab import ConvSpec, cost_table
from convlab.networks.papers import mobilenet_v2
from convlab.reports.training_step import training_table


def parts(table):
    return {row.name: row[2:5] for row in table.rows}


# The definition: a place of the small side, a tap, and the place of the large side that they meet, on each axis.


def layer_by_loops(layer, x):
    """Return a layer's output and both gradients of the sum of its squares, with the multiplications of each."""
    is_transposed, w, groups = isinstance(layer, nn.ConvTranspose2d), layer.weight, layer.groups
    y_shape = layer(x).shape
    filters, depth = w.shape[0] // groups, w.shape[1]
    small, large = (x.shape, y_shape) if is_transposed else (y_shape, x.shape)
    pairs = []
    for n, group, a, c, i, j, u, v in product(*map(range, (len(x), groups, filters, depth, *small[2:], *w.shape[2:]))):
        row, column = (
            place * s + tap * d - p
            for place, tap, s, d, p in zip((i, j), (u, v), layer.stride, layer.dilation, layer.padding)
        )
        is_inside = 0 <= row < large[2] and 0 <= column < large[3]
        near, tap = (n, group * filters + a, i, j), (group * filters + a, c, u, v)
        far = (n, group * depth + c, row, column) if is_inside else None
        pairs.append((near, tap, far) if is_transposed else (far, tap, near))
    y, dx, dw = torch.zeros(y_shape), torch.zeros(x.shape), torch.zeros(w.shape)
    counts = [0, 0, 0]
    for at_x, tap, at_y in pairs:  # a number outside is a padding zero, and what would land there is cut off
        counts[0] += 1
        if at_x and at_y:
            y[at_y] += x[at_x] * w[tap]
    g = 2 * y
    for at_x, tap, at_y in pairs:
        counts[1] += 1
        if at_x and at_y:
            dx[at_x] += w[tap] * g[at_y]
    for at_x, tap, at_y in pairs:
        counts[2] += 1
        if at_x and at_y:
            dw[tap] += x[at_x] * g[at_y]
    return (y, dx, dw), tuple(counts)


LAYERS = {
    "plain": (nn.Conv2d(3, 4, (3, 2), bias=False), (2, 3, 5, 6)),
    "strided and padded": (nn.Conv2d(2, 3, (3, 2), stride=(2, 3), padding=(2, 1), bias=False), (2, 2, 6, 5)),
    "dilated": (nn.Conv2d(2, 3, (2, 3), padding=1, dilation=(3, 2), bias=False), (2, 2, 6, 5)),
    "grouped": (nn.Conv2d(6, 4, (3, 2), stride=2, padding=1, groups=2, bias=False), (2, 6, 5, 4)),
    "depthwise": (nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False), (2, 3, 4, 5)),
    "transposed": (nn.ConvTranspose2d(3, 4, (3, 2), stride=(2, 3), bias=False), (2, 3, 4, 3)),
    "transposed, padded, dilated, grouped": (
        nn.ConvTranspose2d(4, 6, (3, 2), stride=2, padding=(2, 1), output_padding=1, dilation=2, groups=2, bias=False),
        (2, 4, 4, 3),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_gradient_of_a_convolution_has_a_product_for_each_pair_that_the_forward_has(name):
    layer, shape = LAYERS[name]
    x = torch.randn(shape, requires_grad=True)
    with torch.no_grad():
        (y, dx, dw), counts = layer_by_loops(layer, x)
    torch.testing.assert_close(layer(x), y, rtol=1e-4, atol=1e-4)
    gradients = torch.autograd.grad((layer(x) ** 2).sum(), (x, layer.weight))
    torch.testing.assert_close(gradients, (dx, dw), rtol=1e-4, atol=1e-3)
    (row,) = training_table(layer, x).rows
    assert row[2:] == (*counts, sum(counts))


def test_each_gradient_of_a_matrix_product_has_a_product_for_each_triple():
    a, b = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 4, 5, requires_grad=True)
    triples, da, db = 0, torch.zeros(2, 3, 4), torch.zeros(2, 4, 5)
    for n, i, k, j in product(range(2), range(3), range(4), range(5)):  # the gradient of a plain sum is 1
        triples += 1
        da[n, i, k] += b[n, k, j].item()
        db[n, k, j] += a[n, i, k].item()
    torch.testing.assert_close(torch.autograd.grad((a @ b).sum(), (a, b)), (da, db))
    (row,) = training_table(Forward(lambda m, a, b: a @ b), a, b).rows
    assert row[2:5] == (triples, 2 * triples, 0)


# torch's counter, which takes 2 for a MAC; its count of a weight's gradient ignores groups

TOKENS = (2, 7, 32)
MODELS = {
    "convolutions": (
        nn.Sequential(
            nn.Conv2d(3, 5, (3, 2), 2, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 4, 1), nn.Flatten(), nn.Linear(60, 7)
        ),
        [(2, 3, 9, 5)],
    ),
    "linear on rank 3 without bias": (nn.Sequential(nn.Linear(32, 5, bias=False), nn.Linear(5, 3)), [TOKENS]),
    "attention": (nn.MultiheadAttention(32, 4, batch_first=True), [TOKENS] * 3),
    "attention in eval": (nn.MultiheadAttention(32, 4, batch_first=True).eval(), [TOKENS] * 3),
    "a transformer layer": (nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), [TOKENS]),
    "a recurrent layer": (nn.LSTM(8, 16, 2, bidirectional=True), [(5, 3, 8)]),
    "an image as columns": (Forward(lambda m, x: m.f1(F.unfold(x, 3).mT), f1=nn.Linear(27, 5)), [(2, 3, 6, 5)]),
    "weight_norm": (nn.utils.parametrizations.weight_norm(nn.Linear(32, 8)), [TOKENS]),
    "a layer called twice": (Forward(lambda m, x: m.f1(m.f1(x)), f1=nn.Linear(32, 32)), [TOKENS]),
    "an embedding": (nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)), [torch.ones(2, 5).long()]),
}  # fmt: skip


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_has_the_macs_that_torchs_counter_finds_in_forward_and_backward(name, real):
    model, inputs = MODELS[name]
    given = [torch.randn(x) if isinstance(x, tuple) else x for x in inputs]
    with (
        FlopCounterMode(display=False) as counter,
        torch.backends.mkldnn.flags(enabled=False, allow_tf32=None),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        output = model(*given)
        (output[0] if isinstance(output, tuple) else output).sum().backward()
    model.zero_grad()
    total = training_table(model, *inputs, real=real).total
    assert (2 * total.step_macs, total.forward_macs) == (
        counter.get_total_flops(),
        cost_table(model, *inputs).total.macs,
    )


# Which gradients are needed


def three():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 1), nn.Conv2d(6, 5, (1, 2)))


A, B, C = 27 * 4 * 2 * 4 * 6, 4 * 6 * 2 * 4 * 6, 12 * 5 * 2 * 4 * 5  # on (2, 3, 6, 8)


def step(model, shape=(2, 3, 6, 8)):
    return parts(training_table(model, shape))


def test_only_the_first_layer_has_no_input_gradient():
    assert step(three()) == {"0": (A, 0, A), "2": (B, B, B), "3": (C, C, C)}


def test_the_first_layer_has_an_input_gradient_if_the_image_requires_one():
    image = torch.zeros(2, 3, 6, 8, requires_grad=True)
    assert parts(training_table(three(), image))["0"] == (A, A, A)
    assert parts(training_table(Forward(lambda m, x: m.f1(x[0]), f1=three()), [image]))["f1.0"] == (A, A, A)


def test_a_frozen_layer_has_no_weight_gradient():
    model = three()
    model[2].requires_grad_(False)
    assert step(model) == {"0": (A, 0, A), "2": (B, B, 0), "3": (C, C, C)}


def test_frozen_layers_before_all_trainable_ones_have_no_gradient():
    model = three()
    model[0].requires_grad_(False)
    model[2].requires_grad_(False)
    assert step(model) == {"0": (A, 0, 0), "2": (B, 0, 0), "3": (C, 0, C)}


def test_a_frozen_weight_with_a_trainable_bias_has_no_weight_gradient_and_hands_one_on():
    model = three()
    model.requires_grad_(False)[0].bias.requires_grad_(True)
    assert step(model) == {"0": (A, 0, 0), "2": (B, B, 0), "3": (C, C, 0)}


def test_a_trainable_normalisation_before_a_layer_makes_it_need_an_input_gradient():
    assert step(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3))) == {"1": (A, A, A)}


def test_a_model_without_trainable_parameters_has_the_forward_alone():
    assert step(three().requires_grad_(False)) == {"0": (A, 0, 0), "2": (B, 0, 0), "3": (C, 0, 0)}


@pytest.mark.parametrize("how", ["detach", "no_grad", "unused"])
def test_a_layer_that_no_gradient_comes_back_to_has_the_forward_alone(how):
    def forward(m, x):
        if how == "unused":
            m.first(x)
        with torch.set_grad_enabled(how != "no_grad"):
            y = m.first[0](x)
        y = y.detach() if how == "detach" else y
        return m.last(x if how == "unused" else y)

    model = Forward(forward, first=nn.Sequential(nn.Conv2d(3, 3, 3, padding=1)), last=nn.Conv2d(3, 4, 3))
    first = step(model)["first.0"]
    assert first[0] > 0 and first[1:] == (0, 0)
    assert step(model)["last"] == (A, 0, A)


def test_a_gradient_comes_back_from_every_output_in_whatever_holds_it():
    class Output:
        def __init__(self, **heads):
            self.__dict__.update(heads)

    model = Forward(lambda m, x: Output(a=m.a(x), b=[m.b(x)]), a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(3, 4, 3))
    assert step(model) == {"a": (A, 0, A), "b": (A, 0, A)}


@pytest.mark.parametrize("real", [False, True])
def test_in_attention_the_products_of_activations_have_two_input_gradients(real):
    model = Forward(lambda m, x: F.scaled_dot_product_attention(m.q(x), x, x), q=nn.Linear(32, 32, bias=False))
    product_macs = 2 * 7 * 7 * 32
    q_macs = 14 * 32 * 32
    assert parts(training_table(model, TOKENS, real=real)) == {
        "q": (q_macs, 0, q_macs),
        "Forward": (2 * product_macs, 2 * product_macs, 0),  # of q and of the shares
    }


def test_a_backward_of_the_models_own_is_named():
    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return F.conv2d(x, w)

    model = Forward(lambda m, x: Own.apply(x, m.conv.weight), conv=nn.Conv2d(3, 4, 3))
    with pytest.warns(UserWarning, match="not counted: OwnBackward, which is the model's own"):
        table = training_table(model, (2, 3, 6, 8))
    assert table.total[2:5] == (A, 0, 0) and "NOT COUNTED: OwnBackward" in str(table)


def test_weights_may_stand_on_the_left():
    mixing = nn.Parameter(torch.ones(5, 7), requires_grad=False)
    model = Forward(lambda m, x: m.mixing @ m.f1(x), f1=nn.Linear(32, 3), mixing=mixing)
    assert list(step(model, (2, 7, 32)).values()) == [(14 * 32 * 3, 0, 14 * 32 * 3), (2 * 5 * 7 * 3, 2 * 5 * 7 * 3, 0)]


def test_a_layer_whose_weight_another_one_uses_has_the_row():
    model = Forward(lambda m, x: F.linear(x, m.f1.weight), f1=nn.Linear(4, 3))
    assert step(model, (2, 4)) == {"f1": (24, 0, 24)}


def test_a_model_that_cannot_be_copied_is_refused():
    model = Forward(lambda m, x: m.f1(x), f1=nn.Linear(4, 3), lock=Lock())
    with raises(RuntimeError, "a copy of the model runs, and it cannot be copied: cannot pickle"):
        training_table(model, (2, 4))


def test_recomputation_is_not_counted():
    model = Forward(lambda m, x: checkpoint(m.f1, x, use_reentrant=False), f1=three())
    assert list(step(model).values()) == list(step(three()).values())


def test_a_forward_that_does_other_work_with_gradients_is_refused():
    model = Forward(lambda m, x: m.f1(m.f1(x)) if torch.is_grad_enabled() else m.f1(x), f1=nn.Linear(4, 4))
    with raises(RuntimeError, "the forward takes 32 MACs, and 64 when gradients are recorded"):
        training_table(model, (2, 4))


def test_a_forward_that_looks_at_values_is_told_the_way_out():
    model = Forward(lambda m, x: m.f1(x) if x.sum() >= 0 else x, f1=nn.Linear(4, 3))
    with raises(RuntimeError, "give example tensors and real=True"):
        training_table(model, (2, 4))
    assert parts(training_table(model, (2, 4), real=True)) == {"f1": (24, 0, 24)}


# What stays, and how it looks


@pytest.mark.parametrize("real", [False, True])
def test_a_model_its_input_and_the_random_states_stay_as_they_were(real):
    model, x = nn.Sequential(three(), nn.BatchNorm2d(5), nn.Dropout()), torch.randn(2, 3, 6, 8, requires_grad=True)
    before, state = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    with torch.no_grad():
        total = training_table(model, x, real=real).total
        assert not torch.is_grad_enabled()
    assert total[2:] == (A + B + C, A + B + C, A + B + C, 3 * (A + B + C))
    assert torch.equal(state, torch.get_rng_state()) and model.training and x.grad is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(param.grad is None and param.device.type == "cpu" for param in model.parameters())


def test_a_chain_is_trained_but_for_its_image():
    chain = [("conv", ConvSpec(3, 4, 3)), ("conv", ConvSpec(4, 6, 1))]
    assert [row[2:5] for row in training_table(chain, (2, 3, 6, 8)).rows] == [(A, 0, A), (B, B, B)]


def test_a_step_of_a_network_is_three_forwards_but_for_its_first_layer():
    table, forward = training_table(mobilenet_v2(), (1, 3, 96, 128)), cost_table(mobilenet_v2(), (1, 3, 96, 128))
    first = forward.rows[0].macs
    assert table.total.step_macs == 3 * forward.total.macs - first
    assert [row.forward_macs for row in table.rows] == [row.macs for row in forward.rows if row.macs]


def test_a_table_prints_like_a_cost_table():
    table = training_table(three(), (2, 3, 6, 8))
    heading, first, *_, total = str(table).partition("\nOne step")[0].splitlines()
    assert heading.split("  ")[-1].strip() == "kind forward MACs input gradient MACs weight gradient MACs step MACs"
    assert first.split() == ["0", "standard", f"{A:,}", "–", f"{A:,}", f"{2 * A:,}"]
    assert total.split() == ["total", *(f"{n:,}" for n in (A + B + C, B + C, A + B + C, 3 * (A + B + C) - A))]
    assert repr(table) == str(table)
    assert f">{3 * (A + B + C) - A:,}</td>" in table._repr_html_()
    frame = table.to_pandas()
    assert frame.step_macs.sum() == table.total.step_macs and list(frame.name) == ["0", "2", "3"]
