"""The profile of a network draws the shares that torch counts, and its title and alt text say the same."""

import pytest
import torch
from matplotlib.patches import Rectangle
from strategies import raises
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlab import ConvSpec, CostTable, LayerCost, cost_table
from convlab.figures import describe_cost_profile, draw_cost_profile, show

NETWORK = nn.Sequential(
    nn.Conv2d(3, 12, 3, stride=2), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 10, (3, 5), groups=2), nn.Flatten()
)
NETWORK.append(nn.Linear(10 * 3 * 4, 7))


def network(*costs):
    """Return a network of rows "a", "b", … with these (MACs, parameters)."""
    rows = [
        LayerCost(name, "standard", (1,), params, macs, macs + 3 * params) for name, (macs, params) in zip("abc", costs)
    ]
    return "net", CostTable(rows)


def shares_by_torch(layers, x):
    """Return the share of the MACs and of the parameters of each layer that has one of them, counted as it runs."""
    counts = []
    for layer in layers:
        with FlopCounterMode(display=False) as counter:
            x = layer(x)
        counts.append((counter.get_total_flops(), sum(weight.numel() for weight in layer.parameters())))
    totals = [sum(column) for column in zip(*counts)]
    return [tuple(100 * n / total for n, total in zip(pair, totals)) for pair in counts if any(pair)]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_draw_cost_profile_has_a_bar_up_and_a_bar_down_for_each_layer_that_torch_counts():
    ax = draw_cost_profile(("small", cost_table(NETWORK, (2, 3, 12, 18))))
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    up, down = bars[: len(bars) // 2], bars[len(bars) // 2 :]
    wanted = shares_by_torch(NETWORK, torch.zeros(2, 3, 12, 18))
    for bar, low, pair in zip(up, down, wanted, strict=True):
        assert (bar.get_height(), -low.get_height()) == pytest.approx(pair)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "3", "5"]  # ReLU and Flatten have neither
    assert {bar.get_hatch() for bar in up} == {""} and {bar.get_hatch() for bar in down} == {"//"}


def test_draw_cost_profile_writes_each_share_at_its_bar():
    ax = draw_cost_profile(network((6000, 1), (4000, 0), (0, 9999)))
    assert words(ax)[:3] == ["60.0 %", "40.0 %", "0.0 %"]
    assert words(ax)[4:7] == ["< 0.1 %", "0.0 %", "100.0 %"]
    assert [words(ax)[n] for n in (3, 7)] == ["% of the\nMACs", "% of the\nparameters"]
    assert ax.yaxis.get_major_formatter()(-40) == ax.yaxis.get_major_formatter()(40) == "40"


@pytest.mark.parametrize(
    ("costs", "finding"),
    [
        ([(60, 10), (30, 20), (10, 70)], "net, a to b: 90 % of the MACs, 30 % of the parameters"),
        ([(60, 10), (20, 20), (20, 70)], "net, a: 60 % of the MACs, 10 % of the parameters"),
        ([(5, 60), (15, 30), (80, 10)], "net, a to b: 20 % of the MACs, 90 % of the parameters"),
        ([(3, 7)], "net, a: 100 % of the MACs, 100 % of the parameters"),
    ],
)
def test_a_cost_profile_names_the_place_where_the_two_shares_differ_most(costs, finding):
    assert draw_cost_profile(network(*costs)).get_title(loc="left") == finding
    assert describe_cost_profile(network(*costs)).startswith(f"{finding}. ")


def test_describe_cost_profile_says_both_shares_of_each_row():
    assert describe_cost_profile(network((60, 0), (0, 0), (40, 70))).endswith(
        "Share of the MACs and of the parameters: a 60.0 % and 0.0 %; c 40.0 % and 100.0 %."
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (network((1, 1))[1], TypeError, "is a CostTable; wanted (name, CostTable), such as"),
        (("net",), ValueError, "('net',) has length 1; wanted (name, CostTable)"),
        (("net", [ConvSpec(3, 8, 3)]), TypeError, "is a list; wanted (name, CostTable)"),
        (network((0, 5)), ValueError, "net has 0 MACs and 5 parameters; wanted some of both"),
        (network((5, 0)), ValueError, "net has 5 MACs and 0 parameters; wanted some of both"),
    ],
)
def test_a_cost_profile_says_what_is_wrong_and_what_was_wanted(data, error, message):
    for function in (draw_cost_profile, describe_cost_profile):
        with raises(error, message):
            function(data)


def test_draw_cost_profile_refuses_what_could_not_be_read():
    table = cost_table([ConvSpec(2, 2, 1)] * 9, (1, 2, 3, 3))
    with raises(ValueError, "rows=9 is too many to draw; wanted at most 8"):
        show(draw_cost_profile, ("net", table))
    with raises(ValueError, "a profile needs the width of the page; wanted one in a row, as with columns=1"):
        show(draw_cost_profile, network((1, 1)), network((1, 1)))
