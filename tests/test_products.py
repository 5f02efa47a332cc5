"""Sums of element-wise products are named, whatever lies between the products and their sum; pooling is not."""

import threading
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from strategies import Forward
from torch import nn

from convlab import cost_table

both_modes = pytest.mark.parametrize("real", [False, True])


def into_a_buffer(x, w, gate):
    buffer = torch.zeros_like(x)
    buffer[:, 2:4] = (x * w)[:, 2:4]
    return buffer.sum(1)


def into_a_view(x, w, gate):
    buffer = torch.zeros_like(x)
    buffer[:, 2].add_((x * w)[:, 2])
    return buffer.sum((1, 2))


def multiplied_into_a_view(x, w, gate):
    buffer = torch.zeros(2, *x.shape, device=x.device)
    torch.mul(x, w, out=buffer[1])
    return buffer.sum(2)


def of_a_list_in_place(x, w, gate):
    several = [x[0].clone(), x[1].clone()]
    torch._foreach_mul_(several, [w, w])
    return several[1].sum()


SUMS = {  # x: (2, 8, 6, 6), w: (8, 6, 6), gate: (8, 1, 1)
    "scaled": lambda x, w, gate: (x * w / 3).sum(),
    "masked": lambda x, w, gate: (x * w).masked_fill(w > 0, 0.0).sum(),
    "chosen": lambda x, w, gate: torch.where(w > 0, x * w, 0.0).sum(1),
    "added to": lambda x, w, gate: (x * w + gate).sum(1),
    "subtracted": lambda x, w, gate: (1 - x * w).sum(1),
    "pooled": lambda x, w, gate: F.avg_pool2d(x * w, 2),
    "pooled to one": lambda x, w, gate: F.adaptive_avg_pool2d(x * w, 1),
    "unbound": lambda x, w, gate: (x * w).unbind(0)[0].sum(),
    "stacked": lambda x, w, gate: torch.stack([x * w, x]).sum(1),
    "joined": lambda x, w, gate: torch.cat([x, x * w], 1).mean(1),
    "permuted": lambda x, w, gate: (x * w).permute(0, 2, 3, 1).reshape(2, -1, 8).sum(-1),
    "picked": lambda x, w, gate: (x * w)[:, [0, 1]].sum(1),
    "added at an index": lambda x, w, gate: torch.zeros_like(x).index_add_(1, torch.arange(8).to(x.device), x * w),
    "scattered": lambda x, w, gate: torch.zeros_like(x).scatter_add(1, torch.zeros_like(x).long(), x * w),
    "into a buffer": into_a_buffer,
    "into a view": into_a_view,
    "multiplied into a view": multiplied_into_a_view,
    "sorted": lambda x, w, gate: (x * w).sort(1)[0].sum(1),
    "the largest": lambda x, w, gate: (x * w).topk(3, 1)[0].sum(1),
    "put and accumulated": lambda x, w, gate: torch.zeros_like(w).index_put(
        (torch.zeros(8).long(),), (x * w)[0], accumulate=True
    ),
    "folded": lambda x, w, gate: F.fold((x * w).reshape(2, 8, 36)[:, :4], (7, 7), 2),
    "of a list": lambda x, w, gate: torch._foreach_mul([x, x], [w, gate])[0].sum(),
    "of a list in place": of_a_list_in_place,
    "addcmul": lambda x, w, gate: torch.addcmul(x, x, w).sum(1),
    "lerp": lambda x, w, gate: torch.lerp(x, x + 1, w.expand_as(x)).sum(1),
    "dropped out": lambda x, w, gate: F.dropout(x * w, 0.5, True).sum(1),
    "in place": lambda x, w, gate: (x + 0).mul_(w).sum(1),
    "added in place": lambda x, w, gate: (x + 0).add_(x * w).sum(1),
    "of another type": lambda x, w, gate: (x * w).double().sum(1),
    "cumulative": lambda x, w, gate: (x * w).cumsum(1),
    "without nan": lambda x, w, gate: (x * w).nansum(),
    "gates along the channels": lambda x, w, gate: (x * gate).sum(1),
    "gates along the channels, permuted": lambda x, w, gate: (x * gate).permute(0, 2, 3, 1).sum(3),
    "gates along the channels, flat": lambda x, w, gate: (x * gate).flatten(1).sum(1),
    "gates along the channels after pooling": lambda x, w, gate: (x * gate).mean((2, 3)).sum(1),
}
NO_SUMS = {
    "gates, then their map's mean": lambda x, w, gate: (x * gate).mean((2, 3)),
    "the same, expanded": lambda x, w, gate: (x * gate.expand_as(x)).mean((2, 3)),
    "the same, permuted": lambda x, w, gate: (x * gate).permute(0, 2, 3, 1).mean((1, 2)),
    "the same, flat": lambda x, w, gate: (x * gate).flatten(2).mean(2),
    "gates, then pooling": lambda x, w, gate: F.adaptive_avg_pool2d(x * gate, 1),
    "gates, pooling, gates, pooling": lambda x, w, gate: F.avg_pool2d(gate * (F.avg_pool2d(x * gate, 2) - 1), 3),
    "gates, pooling, more pooling": lambda x, w, gate: (x * gate).mean(3).mean(2),
    "gated maps, joined": lambda x, w, gate: torch.cat([x, x * gate], 1).mean((2, 3)),
    "a scaled branch": lambda x, w, gate: (x + gate * x.relu()).mean((-2, -1)),
    "relu of products": lambda x, w, gate: F.relu(x * w).sum(1),
    "relu in place": lambda x, w, gate: F.relu(x * w, inplace=True).sum(1),
    "relu of products added in place": lambda x, w, gate: F.relu((x * w).add_(x)).sum(1),
    "normalised": lambda x, w, gate: F.layer_norm(x * w, (6, 6)).sum(1),
    "an outer product": lambda x, w, gate: (x[0, :, :1, :1] * w[:1]).sum((1, 2)),
    "scaled by a number": lambda x, w, gate: (x * 3).sum(1),
    "squares": lambda x, w, gate: (x * x).sum(1) + x.pow(2).sum(1),
    "no sum": lambda x, w, gate: x * w + x,
}


def named_work(way, real):
    model = Forward(lambda m, x: way(x, m.w, m.gate), w=torch.ones(8, 6, 6), gate=torch.ones(8, 1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cost_table(model, (2, 8, 6, 6), real=real).uncounted


@both_modes
@pytest.mark.parametrize("between", SUMS)
def test_a_sum_of_products_is_named_whatever_happens_between(between, real):
    assert named_work(SUMS[between], real)


@both_modes
@pytest.mark.parametrize("what", NO_SUMS)
def test_what_is_pooled_or_bent_is_no_sum_of_products(what, real):
    assert named_work(NO_SUMS[what], real) == ()


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=2, max_size=4), st.randoms(), st.data()
)
def test_a_sum_is_named_where_its_result_depends_on_how_the_factors_are_paired(axes, shuffle, data):
    """Σ aᵢ·bᵢ changes when a is turned around on its own along the axes of the sum; (Σ aᵢ)·(Σ bᵢ) does not."""
    sizes = [[3 if varies else 1 for varies in pair[:2]] for pair in axes]
    along = [n for n, (*_, summed) in enumerate(axes) if summed] or [0]
    order = data.draw(st.permutations(range(len(axes))))
    torch.manual_seed(shuffle.randrange(1000))
    a, b = torch.randn([one for one, _ in sizes]), torch.randn([other for _, other in sizes])

    def way(x, y):
        return (x * y).permute(order).sum([order.index(n) for n in along])

    pairing_matters = any(not torch.allclose(way(a, b), way(a.flip(n), b), atol=1e-5) for n in along)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = cost_table(Forward(lambda m, x: way(x, m.b), b=b), tuple(a.shape))
    assert bool(table.uncounted) == pairing_matters


def test_what_numpy_does_with_the_numbers_is_named():
    model = Forward(lambda m, x: torch.from_numpy(x.numpy() @ np.ones((4, 2), np.float32)))
    with pytest.warns(UserWarning, match=r"outside torch with the numbers of numpy\(\) in Forward"):
        cost_table(model, (3, 4), real=True)


@pytest.mark.parametrize("hook", ["register_hook", "register_post_accumulate_grad_hook"])
@both_modes
def test_hooks_that_a_forward_puts_on_a_parameter_are_gone(hook, real):
    def hooked(m, x):
        getattr(m.w, hook)(lambda grad: None)
        return x @ m.w

    model = Forward(hooked, w=torch.ones(4, 2))
    mine = model.w.register_hook(lambda grad: 3 * grad)
    cost_table(model, (3, 4), real=real)
    assert (len(model.w._backward_hooks), model.w._post_accumulate_grad_hooks) == (1, None)
    mine.remove()
    cost_table(model, (3, 4), real=real)
    assert not model.w._backward_hooks and model.w._post_accumulate_grad_hooks is None


def test_functions_that_a_forward_hands_to_a_thread_are_named():
    def aside(m, x):
        thread = threading.Thread(target=lambda: torch.relu(torch.ones(2)))
        thread.start()
        thread.join()
        return m.l(x)

    for real in (False, True):
        with pytest.warns(UserWarning, match="what Forward hands to other threads"):
            cost_table(Forward(aside, l=nn.Linear(4, 5)), (2, 4), real=real)
