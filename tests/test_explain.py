"""Which convention gives a printed number: the published counts, the tools' recorded ones, and the answer itself."""

import csv
from functools import cache, partial

import pytest
import torch
from strategies import raises
from test_papers import ALL, BIASES, IN_ITS_LIST, IN_ITS_ROW, MORE, STATISTICS, on_meta
from thop import profile
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlab import ConvSpec, cost_table
from convlab.audit.published_counts import AT_160, CUT, NO_BATCHNORM, NO_BATCHNORM_CUT, NO_LINEAR, PUBLISHED, UNKNOWN
from convlab.forward.inputs import Call
from convlab.measuring.recordings import recorded_file
from convlab.networks.papers import mobilenet_v1, mobilenet_v2, resnet50, vgg16
from convlab.reports.explain import explain

IMAGE = (1, 3, 224, 224)
network = cache(on_meta)


def first(*args):
    match = explain(*args).matches[0]
    return match.convention, match.how


# The published counts, each of a whole network

COUNTS = [row for row in [*PUBLISHED, *MORE] if row.unit != "%" and not row.layers]
NO_LINEAR_MACS = "MACs, without the linear layers"
WITH_BIASES = "parameters with BatchNorm's running statistics and a bias in each convolution"
WANTED = {  # why a count is not ours: the convention of the first match, and how
    "": (None, "rounded"),
    CUT: (None, "cut"),
    IN_ITS_ROW: ("MACs", "cut"),
    IN_ITS_LIST: ("MACs + 4 for each BatchNorm number + averages, as thop", "rounded"),
    NO_LINEAR: (NO_LINEAR_MACS, "rounded"),
    NO_BATCHNORM: ("parameters without BatchNorm", "rounded"),
    NO_BATCHNORM_CUT: ("parameters without BatchNorm", "cut"),
    STATISTICS: ("parameters with BatchNorm's running statistics", "exactly"),
    BIASES: (WITH_BIASES, "exactly"),
    AT_160: ("MACs, without the linear layers", "rounded"),  # another reason that gives the digits too
}


@pytest.mark.parametrize("row", COUNTS, ids=lambda row: f"{row.network} {row.value} {row.source}")
def test_a_published_count_has_the_reason_that_was_found_by_hand(row):
    size, quantity = ALL[row.network][1], "params" if row.quantity == "parameters" else "FLOPs"
    answer = explain(network(row.network), (1, 3, size, size), f"{row.value} {row.unit} {quantity}")
    if row.why == UNKNOWN:
        assert answer.matches == [] and "None of" in str(answer)
        return
    convention, how = WANTED[row.why]
    plain = "MACs" if row.quantity == "MACs" else "all parameters"
    match = answer.matches[0]
    assert match.convention == (convention or plain)
    assert match.how == ("exactly" if not row.unit else how)


# The tools

RECORDED = list(csv.DictReader(recorded_file("cost.csv").read_text().splitlines()))
TOOLS = {
    "thop": "MACs + 4 for each BatchNorm number + averages, as thop",
    "fvcore": "MACs + 2 for each BatchNorm number + averages, as fvcore",
    "ptflops": "MACs + biases + 2 for each number of BatchNorm, ReLU and pooling, as ptflops",
    "torchinfo": "MACs + biases + BatchNorm parameters, as torchinfo",
    "torchprofile": "MACs + 1 for each BatchNorm number + averages, as torchprofile",
    "torch FlopCounterMode": "2 × MACs",
    "convlab": "MACs",
}


@pytest.mark.parametrize(
    "row",
    [row for row in RECORDED if row["network"] in ("ResNet-50", "MobileNetV2") and row["size_pixels"] != "1024"],
    ids=lambda row: "{network} {size_pixels} {batch} {tool}".format(**row),
)
def test_a_tools_recorded_count_is_explained_to_its_last_digit(row):
    shape = int(row["batch"]), 3, int(row["size_pixels"]), int(row["size_pixels"])
    (match,) = explain(network(row["network"]), shape, int(row["count"])).matches
    assert match == (TOOLS[row["tool"]], int(row["count"]), "exactly")


def small():
    return nn.Sequential(
        nn.Conv2d(3, 6, (3, 2), stride=(2, 1), groups=3),
        nn.BatchNorm2d(6, affine=False),
        nn.ReLU(),
        nn.Conv2d(6, 4, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 7),
        nn.Linear(7, 5),
    )


def test_thop_counts_a_layer_without_weights_and_an_average_as_its_convention_says():
    model, shape = small().eval(), (2, 3, 9, 11)
    by_thop, _ = profile(small().eval(), inputs=(torch.rand(shape),), verbose=False)
    assert explain(model, shape, int(by_thop)).matches == [(TOOLS["thop"], by_thop, "exactly")]
    answer = explain(model, shape, f"{int(2 * by_thop)} FLOPs")
    assert answer.matches[0][0] == f"2 × ({TOOLS['thop']})"


# Conventions, counted by hand: conv (6·4·10 numbers of 6 products), conv (4·4·10 of 6), linear 4·7 and 7·5; batch of 2

A, B, C, D = 6 * 4 * 10 * 6, 4 * 4 * 10 * 6, 4 * 7, 7 * 5
MACS, ADDED = 2 * (A + B + C + D), 2 * (6 * 4 * 10 + 7 + 5)
HAND = {
    "MACs": MACS,
    "2 × MACs": 2 * MACS,
    "MACs + bias additions": MACS + ADDED,
    "2 × (MACs + bias additions)": 2 * (MACS + ADDED),
    "exact FLOPs": 2 * MACS - 2 * 4 * 4 * 10,
    "MACs, without the linear layers": 2 * (A + B),
    "MACs, without the last linear layer": 2 * (A + B + C),
    "MACs, per image": MACS // 2,
    "MACs + bias additions, without the last linear layer": 2 * (A + B + C + 6 * 4 * 10 + 7),
    "all parameters": 36 + 6 + 24 + 8 + 35 + 40,
    "parameters without BatchNorm": 36 + 6 + 24 + 35 + 40,
    "parameters without biases": 36 + 24 + 8 + 28 + 35,
    "parameters without BatchNorm and biases": 36 + 24 + 28 + 35,
    "parameters with BatchNorm's running statistics": 36 + 6 + 24 + 8 + 35 + 40 + 12 + 8,
    "parameters with BatchNorm's running statistics and a bias in each convolution": 149 + 20 + 4,
    "all parameters, without the last linear layer": 36 + 6 + 24 + 8 + 35,
}


@pytest.mark.parametrize("convention", HAND)
def test_a_convention_counts_what_it_says(convention):
    unit = "params" if "param" in convention else "MACs"
    matches = explain(small(), (2, 3, 9, 11), f"{HAND[convention]} {unit}").matches
    assert (convention, HAND[convention], "exactly") in matches


def test_the_macs_of_the_hand_count_are_those_of_torchs_counter():
    with FlopCounterMode(display=False) as counter:
        small()(torch.rand(2, 3, 9, 11))
    assert counter.get_total_flops() == 2 * MACS == 2 * cost_table(small(), (2, 3, 9, 11)).total.macs


def test_matrix_products_are_left_out_of_convolutions_alone():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 1), nn.Linear(20, 3)

        def forward(self, x):
            y = self.conv(x)  # (1, 4, 5, 5)
            return self.head((y @ y).flatten(2)[..., :20])

    conv, product, head = 3 * 4 * 25, 4 * 5 * 5 * 5, 4 * 20 * 3
    assert first(Model(), (1, 3, 5, 5), f"{conv} MACs") == ("MACs, convolutions only", "exactly")
    assert first(Model(), (1, 3, 5, 5), f"{conv + product} MACs") == ("MACs, without the linear layers", "exactly")
    assert first(Model(), (1, 3, 5, 5), f"{conv + product + head} MACs") == ("MACs", "exactly")


def test_frozen_parameters_are_no_trainable_ones():
    model = small()
    model[0].requires_grad_(False)
    assert first(model, (2, 3, 9, 11), f"{149 - 42} params") == ("trainable parameters", "exactly")


def test_a_chain_is_explained_like_its_modules():
    chain = [ConvSpec(3, 4, (3, 2), bias=False), ("pool to 1", ConvSpec(4, 5, (3, 4))), ConvSpec(5, 7, 1)]
    shape = (2, 3, 5, 5)
    a, b, c = 2 * 4 * 3 * 4 * 18, 2 * 5 * 48, 2 * 5 * 7
    assert first(chain, shape, f"{a + b + c} MACs") == ("MACs", "exactly")
    assert first(chain, shape, f"{a + b} MACs") == ("MACs, without the linear layers", "exactly")
    assert first(chain, shape, f"{a + b + c + 2 * 5 + 2 * 7} MACs") == ("MACs + bias additions", "exactly")
    assert first(chain, shape, f"{72 + 245 + 42} params") == ("all parameters", "exactly")


def test_several_inputs_are_given_as_a_call():
    attention, tokens = nn.MultiheadAttention(8, 2, batch_first=True), (1, 5, 8)
    macs = cost_table(attention, tokens, tokens, tokens).total.macs
    assert first(attention, Call(tokens, tokens, tokens), f"{macs} MACs") == ("MACs", "exactly")


# Digits, units and the order

vgg, resnet, v1, v2 = map(cache, (vgg16, resnet50, mobilenet_v1, mobilenet_v2))


@pytest.mark.parametrize(
    ("build", "printed", "convention", "how"),
    [
        (vgg, "15.3 billion", "MACs, without the linear layers", "rounded"),
        (vgg, "138M", "all parameters", "rounded"),
        (resnet, 4.1e9, "MACs", "rounded"),
        (resnet, 4_100_000_000, "MACs", "rounded"),
        (resnet, "4.1e9", "MACs", "rounded"),
        (resnet, 4_089_184_256, "MACs", "exactly"),
        (resnet, "4_089_184_256", "MACs", "exactly"),
        (resnet, "4,089,184,256 MACs", "MACs", "exactly"),
        (resnet, 4089184256.0, "MACs", "exactly"),
        (resnet, "≈ 4.09 GMac", "MACs", "rounded"),
        (resnet, "4089.18 MMac", "MACs", "rounded"),
        (resnet, "8.2 GFLOPS", "2 × MACs", "rounded"),
        (resnet, "8.17 GFLOPs", "exact FLOPs", "rounded"),
        (resnet, "25.6M params", "all parameters", "rounded"),
        (resnet, "25.5 million parameters", "parameters without BatchNorm", "rounded"),
        (resnet, "25,636,712", WITH_BIASES, "exactly"),
        (v1, "569 million", "MACs", "rounded"),
        (v1, "569 million Mult-Adds", "MACs", "rounded"),
        (v1, "0.57B", "MACs", "rounded"),
        (v1, "568740 K", "MACs", "rounded"),
        (v2, "300 million", "MACs", "cut"),
        (v2, "3.4 million", "parameters without BatchNorm", "cut"),
        (v2, "3.40 million params", None, None),
        (v2, "300.0 million", None, None),
    ],
)  # fmt: skip
def test_a_number_is_read_to_its_printed_digits(build, printed, convention, how):
    matches = explain(build(), IMAGE, printed).matches
    assert (matches[0].convention, matches[0].how) == (convention, how) if convention else matches == []


def test_exact_comes_before_rounded_before_cut_and_fewer_assumptions_first():
    matches = explain(resnet(), IMAGE, "25.5M params").matches
    assert [match.how for match in matches] == ["rounded", "rounded", "cut", "cut"]
    assert matches[0].convention == "parameters without BatchNorm"
    assert matches[1].convention == "parameters without BatchNorm and biases"
    matches = explain(resnet(), IMAGE, "4.1 GMac").matches
    assert [match.convention for match in matches[1:4]] == ["MACs + bias additions", NO_LINEAR_MACS, TOOLS["thop"]]
    hows = [match.how for match in explain(vgg(), IMAGE, "15.3 billion MACs").matches]
    assert hows == ["rounded", "cut"]
    model = nn.Conv2d(5, 4, 5)  # 100 numbers of 125 products: 12,500 MACs, 12,600 with its biases
    matches = explain(model, (1, 5, 9, 9), "12.5 K").matches
    assert [tuple(match) for match in matches] == [("MACs", 12500, "exactly")]
    matches = explain(model, (1, 5, 9, 9), "0.012 M").matches
    assert [(match.convention, match.how) for match in matches] == [
        ("MACs", "rounded"),  # a half, which some round down
        ("MACs + bias additions", "cut"),
    ]


def test_an_answer_says_how_many_match_and_that_they_may_by_chance():
    answer = explain(resnet(), IMAGE, "4.1 G")
    assert (
        f"{len(answer.matches)} of " in str(answer) and "to its 2 digits" in str(answer) and "by chance" in str(answer)
    )
    assert "by chance" not in str(explain(resnet(), IMAGE, 4089184256))


def test_an_answer_says_when_the_unit_word_is_another_one():
    says = "The printed unit says {}; the first counts {}."
    assert says.format("FLOPs", "MACs") in " ".join(str(explain(resnet(), IMAGE, "4.1 GFLOPs")).split())
    assert says.format("MACs", "FLOPs") in " ".join(str(explain(resnet(), IMAGE, "8.18 GMac")).split())
    for printed in ("4.1 GMac", "8.18 GFLOPs", "4.1 G", "25.6M params"):
        assert "printed unit" not in str(explain(resnet(), IMAGE, printed))


def test_a_unit_word_chooses_between_operations_and_parameters():
    model = nn.Conv2d(3, 4, 1, bias=False)  # 12 parameters, and 12 MACs on one number
    both = [match.convention for match in explain(model, (1, 3, 1, 1), 12).matches]
    assert set(both) == {"MACs", "all parameters"}
    assert first(model, (1, 3, 1, 1), "12 MACs")[0] == "MACs"
    assert first(model, (1, 3, 1, 1), "12 ops")[0] == "MACs"
    assert first(model, (1, 3, 1, 1), "12 params")[0] == "all parameters"


def test_no_match_quotes_the_nearest_three_with_their_factors():
    answer = explain(resnet(), IMAGE, "4.3 GMac")
    assert answer.matches == []
    lines = str(answer).splitlines()
    assert lines[0].split()[-4:] == ["value", "printed", "÷", "value"] and len(lines) == 5
    assert lines[1].split()[-2:] == ["4,133,742,592", "1.04"]
    assert lines[4] == "None of 18 conventions gives 4.3 GMac; these are the nearest."


def test_an_answer_is_a_table_in_jupyter():
    html = explain(resnet(), IMAGE, "4.1 GFLOPs")._repr_html_()
    assert ">4,089,184,256</td>" in html and "The printed unit says FLOPs" in html
    assert repr(explain(resnet(), IMAGE, "4.1 G")) == str(explain(resnet(), IMAGE, "4.1 G"))


@pytest.mark.parametrize(
    "printed",
    ["", "four", "4.1 g", "4.1 Gbit", "-3", "0", 0, -4.1e9, "4.1 m", "94.86 %", "4,1 G", float("nan"), "312 TFLOP/s"],
)
def test_what_is_no_count_is_refused_with_the_forms_that_are(printed):
    with raises(
        ValueError, f"printed={printed!r}; wanted a positive number, such as 4.1e9, 4_089_184_256, '3.86 GMac'"
    ):
        explain(resnet(), IMAGE, printed)


@pytest.mark.parametrize("printed", [None, True, [4.1], 1j])
def test_what_is_neither_number_nor_text_is_a_type_error(printed):
    with raises(TypeError, f"printed={printed!r}; wanted a positive number"):
        explain(resnet(), IMAGE, printed)


@pytest.mark.parametrize("real", [False, True])
def test_a_model_stays_as_it_was(real):
    model = small()
    before, state = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    assert explain(model, (2, 3, 9, 11), MACS, real=real).matches[0].convention == "MACs"
    with raises(RuntimeError, "stopped with"):
        explain(model, (2, 4, 9, 11), MACS)
    assert not any(module._forward_hooks for module in model.modules()) and model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_hooks_of_the_users_own_stay():
    model, seen = small(), []
    hook = partial(lambda seen, *_: seen.append(1), seen)
    model[0].register_forward_hook(hook)
    explain(model, (2, 3, 9, 11), MACS)
    assert list(model[0]._forward_hooks.values()) == [hook]
