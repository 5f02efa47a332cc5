"""Every network has its paper's layers and sizes, and every published number is ours or has its reason."""

from functools import partial
from math import floor, prod
from operator import attrgetter

import pytest
import torch
from strategies import raises
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlab.audit import published_counts
from convlab.audit.published_counts import (
    AT_160,
    COLUMNS,
    CUT,
    NETWORKS,
    NO_BATCHNORM,
    NO_BATCHNORM_CUT,
    NO_LINEAR,
    PUBLISHED,
    SWAPPED,
    UNITS,
    UNKNOWN,
    WEIGHTS,
    PublishedCount,
    compare_with_paper,
    network_table,
)
from convlab.exercises import lesson_07
from convlab.networks import papers
from convlab.networks.papers import Block


def shallow_mobilenet() -> nn.Sequential:
    """MobileNetV1 without the five layers of 14×14×512 (Howard et al. 2017, table 5)."""
    model = papers.mobilenet_v1()
    model.stage4 = model.stage4[:1]
    return model


# Networks that no lesson shows, and the numbers that are published for them or by others.

ALL = NETWORKS | {
    "VGG-19": (papers.vgg19, 224),
    "ResNet-50, stride in 1×1": (partial(papers.resnet, stride_in_1x1=True), 224),
    "ResNet-101, stride in 1×1": (partial(papers.resnet, (3, 4, 23, 3), stride_in_1x1=True), 224),
    "ResNet-152, stride in 1×1": (partial(papers.resnet, (3, 8, 36, 3), stride_in_1x1=True), 224),
    "MobileNetV1, shallow": (shallow_mobilenet, 224),
    "MobileNetV1 ×0.75 at 160²": (partial(papers.mobilenet_v1, 0.75), 160),
    "MobileNetV1 ×0.25 at 192²": (partial(papers.mobilenet_v1, 0.25), 192),
    **{f"ShuffleNetV1, g = {groups}": (partial(papers.shufflenet_v1, groups), 224) for groups in (1, 2, 4, 8)},
}
STATISTICS = "with BatchNorm's running mean and variance"
BIASES = "with those, and a bias in each convolution"
IN_ITS_ROW = "no reason found: cutting gives 3.8, but 7.5 and 11.2 for the 7.6 and 11.3 in the same row"
IN_ITS_LIST = "no reason found: with BatchNorm as thop counts it, but no other number of the list"
TABLE_3 = "Howard et al. 2017, table 3"
MORE = [
    PublishedCount("AlexNet", "parameters", "60965224", "", "HPE Deep Learning Cookbook, Caffe's AlexNet"),
    PublishedCount("VGG-19", "parameters", "144", "million", "Simonyan & Zisserman 2014, table 2, E"),
    PublishedCount("VGG-19", "MACs", "19.6", "billion", "He et al. 2015, section 4.1"),
    PublishedCount("VGG-16", "MACs", "15.47", "billion", "torchvision documentation"),
    PublishedCount("VGG-16", "parameters", "138357544", "", "torchvision documentation"),
    PublishedCount("ResNet-50, stride in 1×1", "MACs", "3.8", "billion", "He et al. 2015, table 1", why=IN_ITS_ROW),
    PublishedCount("ResNet-101, stride in 1×1", "MACs", "7.6", "billion", "He et al. 2015, table 1"),
    PublishedCount("ResNet-152, stride in 1×1", "MACs", "11.3", "billion", "He et al. 2015, table 1"),
    PublishedCount("ResNet-50", "MACs", "4.09", "billion", "torchvision documentation"),
    PublishedCount("ResNet-50", "parameters", "25557032", "", "torchvision documentation"),
    PublishedCount("ResNet-50", "parameters", "25636712", "", "Keras 2 documentation", why=BIASES),
    PublishedCount("ResNeXt-50 32×4d", "MACs", "4.23", "billion", "torchvision documentation"),
    PublishedCount("ResNeXt-50 32×4d", "parameters", "25028904", "", "torchvision documentation"),
    PublishedCount("ResNeXt-50 32×4d", "parameters", "25097128", "", "Keras 2 documentation", why=STATISTICS),
    PublishedCount("MobileNetV1, 3×3 layers", "MACs", "462", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1, 3×3 layers", "parameters", "2.36", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1", "MACs", "52.3", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1", "parameters", "0.27", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1 ×0.75", "MACs", "29.6", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1 ×0.75", "parameters", "0.15", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1 ×0.75 at 160²", "MACs", "15.1", "million", TABLE_3, "stage4.1"),
    PublishedCount("MobileNetV1, shallow", "MACs", "307", "million", "Howard et al. 2017, table 5"),
    PublishedCount("MobileNetV1, shallow", "parameters", "2.9", "million", "Howard et al. 2017, table 5"),
    PublishedCount("MobileNetV1 at 160²", "MACs", "291", "million", "TensorFlow models, slim"),
    PublishedCount("MobileNetV1 ×0.75", "MACs", "317", "million", "TensorFlow models, slim", why=UNKNOWN),
    PublishedCount("MobileNetV1 ×0.25 at 192²", "MACs", "34", "million", "TensorFlow models, slim", why=IN_ITS_LIST),
    PublishedCount("MobileNetV1", "parameters", "4253864", "", "Keras 2 documentation", why=STATISTICS),
    PublishedCount("MobileNetV2", "MACs", "300", "million", "TensorFlow models, slim", why=CUT),
    PublishedCount("MobileNetV2", "parameters", "3.47", "million", "TensorFlow models, slim", why=NO_BATCHNORM),
    PublishedCount("MobileNetV2", "MACs", "0.30", "billion", "torchvision documentation"),
    PublishedCount("MobileNetV2", "parameters", "3504872", "", "torchvision documentation"),
    PublishedCount("MobileNetV2", "parameters", "3538984", "", "Keras 2 documentation", why=STATISTICS),
    PublishedCount("ShuffleNetV1, g = 1", "MACs", "143", "million", "Zhang et al. 2018, table 1"),
    PublishedCount("ShuffleNetV1, g = 2", "MACs", "140", "million", "Zhang et al. 2018, table 1", why=NO_LINEAR),
    PublishedCount("ShuffleNetV1, g = 4", "MACs", "133", "million", "Zhang et al. 2018, table 1", why=NO_LINEAR),
    PublishedCount("ShuffleNetV1, g = 8", "MACs", "137", "million", "Zhang et al. 2018, table 1", why=NO_LINEAR),
    PublishedCount("ShuffleNetV1, g = 3", "MACs", "138", "million", "megvii-model/ShuffleNet-Series", why=UNKNOWN),
    PublishedCount("ShuffleNetV1, g = 8", "MACs", "138", "million", "megvii-model/ShuffleNet-Series"),
    PublishedCount("ShuffleNetV1, g = 8", "parameters", "2.4", "million", "megvii-model/ShuffleNet-Series"),
]


def times_batchnorm(factor):
    """Return a count of parameters in which those of a BatchNorm, 2 for each channel, are multiplied."""
    return lambda row: row.params * (factor if row.kind == "BatchNorm2d" else 1)


REASONS = {  # why: what is counted of each layer; beside these, digits are cut, or no count gives the number
    NO_LINEAR: lambda row: 0 if row.kind == "linear" else row.macs,
    NO_BATCHNORM: times_batchnorm(0),
    NO_BATCHNORM_CUT: times_batchnorm(0),
    WEIGHTS: lambda row: row.macs // prod(row.output_shape[2:]),
    STATISTICS: times_batchnorm(4 / 2),
    BIASES: times_batchnorm(5 / 2),
    AT_160: lambda row: row.macs * (25 / 49 if row.kind == "linear" else 1),
}


@pytest.fixture(autouse=True)
def all_networks(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(published_counts, "NETWORKS", ALL)


def on_meta(network: str) -> nn.Module:
    with torch.device("meta"):
        return ALL[network][0]()


def cut(row: PublishedCount, number: float) -> str:
    last_digit = UNITS[row.unit] / 10 ** len(row.value.partition(".")[2])
    return row.text(floor(number / last_digit) * last_digit)


# The counts.


@pytest.mark.parametrize("network", ALL)
def test_the_flop_counter_of_torch_finds_the_same_macs_and_numel_the_same_parameters(network):
    model, size = on_meta(network).eval(), ALL[network][1]
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, size, size, device="meta"))
    total = network_table(network).total
    assert counter.get_total_flops() == 2 * total.macs
    assert sum(param.numel() for param in model.parameters()) == total.params
    assert network_table(network).uncounted == ()


@pytest.mark.parametrize("row", [*PUBLISHED, *MORE], ids=lambda row: f"{row.network} {row.value} {row.source}")
def test_a_published_number_is_ours_rounded_or_has_its_reason(row):
    assert row.agrees == (not row.why), f"{row.value} {row.unit} is printed, ours is {row.text(row.ours)}"
    if row.why not in (SWAPPED, UNKNOWN, IN_ITS_ROW, IN_ITS_LIST):
        number = row.count(REASONS[row.why]) if row.why in REASONS else row.ours
        assert row.value == (cut(row, number) if row.why in (CUT, NO_BATCHNORM_CUT) else row.text(number))


def test_the_misprint_of_table_2_is_two_digits_that_changed_places():
    row = next(row for row in PUBLISHED if row.why == SWAPPED)
    assert (row.value, row.text(row.ours)) == ("1.19", "1.91")


def test_no_cutting_and_no_rounding_gives_the_whole_row_of_the_ResNet_paper():
    rows = [row for row in MORE if row.source == "He et al. 2015, table 1"]
    assert [cut(row, row.ours) for row in rows] == ["3.8", "7.5", "11.2"]
    assert [row.text(row.ours) for row in rows] == ["3.9", "7.6", "11.3"]


def without(row: PublishedCount, kind: str) -> int:
    return row.count(lambda layer: 0 if layer.kind == kind else attrgetter(COLUMNS[row.quantity])(layer))


@pytest.mark.parametrize(("network", "quantity", "printed", "given", "more"), lesson_07.PRINTED)
def test_lesson_07_tells_what_its_four_rules_give(network, quantity, printed, given, more):
    row = next(row for row in PUBLISHED if (row.network, row.quantity, row.value) == (network, quantity, printed))
    no_batchnorm = row.text(without(row, "BatchNorm2d")) if quantity == "parameters" else None
    assert given == (row.text(row.ours), cut(row, row.ours), row.text(without(row, "linear")), no_batchnorm)


def test_of_the_rules_for_290_only_that_of_the_area_gives_the_other_numbers_of_its_table():
    rows = [row for row in PUBLISHED if row.quantity == "MACs" and row.source.endswith(" 7")]
    wanted, total = ["569", "418", "290", "186"], rows[0].ours
    assert [row.value for row in rows] == wanted
    assert [row.text(total * (NETWORKS[row.network][1] / 224) ** 2) for row in rows] == wanted
    assert [cut(row, row.ours) for row in rows] == ["568", "418", "290", "186"]
    assert [row.text(without(row, "linear")) for row in rows] == ["568", "417", "290", "185"]


@pytest.mark.parametrize(("size", "millions"), [(224, 300), (192, 221), (160, 154), (128, 99), (96, 56)])
def test_the_authors_code_cuts_the_macs_of_MobileNetV2(size, millions):
    """The table in the README of TensorFlow's slim/nets/mobilenet, at five sizes."""
    with FlopCounterMode(display=False) as counter:
        on_meta("MobileNetV2").eval()(torch.empty(1, 3, size, size, device="meta"))
    assert counter.get_total_flops() // 2 // 10**6 == millions


def test_figure_2_of_AlexNet_has_our_neurons_but_in_conv1():
    shapes = {row.name: row.output_shape for row in network_table("AlexNet").rows}
    neurons = [prod(shapes[f"conv{n}"]) for n in range(1, 6)]
    assert neurons == [55 * 55 * 96, 186_624, 64_896, 64_896, 43_264]
    assert 253_440 == 55 * 48 * 96  # as printed for conv1: a guess, with the 48 maps on one GPU in place of a 55


def test_a_table_is_found_beside_ours():
    frame = compare_with_paper("Howard", table=7)
    assert list(frame.printed) == ["569", "4.2", "418", "4.2", "290", "4.2", "186", "4.2"]
    assert "layers" not in frame and list(compare_with_paper("Howard", 2).layers[:2]) == ["pointwise", "pointwise"]
    with raises(ValueError, "paper='Howard', table=9; wanted one of: ", "Howard et al. 2017, table 2;"):
        compare_with_paper("Howard", table=9)


@pytest.mark.parametrize(
    ("layers", "params"),
    [
        ("", 4_231_976),
        ("pointwise", 3_139_584),
        ("conv1", 864),  # not conv1_bn
        ("stage4.1", 9 * 512 + 512 * 512 + 4 * 512),
        ("stage1", 9 * 32 + 32 * 64 + 2 * (32 + 64)),
    ],
)
def test_a_published_number_is_of_all_layers_or_of_a_kind_a_layer_a_block_a_stage(layers, params):
    assert PublishedCount("MobileNetV1", "parameters", "0", "", "nowhere", layers).ours == params


def test_network_table_names_the_networks_it_has():
    with raises(ValueError, "network='MobileNet V1'; wanted one of: AlexNet; VGG-16; ResNet-50;"):
        network_table("MobileNet V1")


# The layers.

SIZES = {  # channels, height and width in the papers' tables
    "AlexNet": {"conv1": (96, 55), "conv1_pool": (96, 27), "conv5_pool": (256, 6)},
    "VGG-16": {"stage1.conv2": (64, 224), "stage5.conv3": (512, 14)},
    "VGG-19": {"stage5.conv4": (512, 14)},
    "ResNet-50": {
        **{"conv1": (64, 112), "stage2.2.conv3": (256, 56), "stage3.0.conv1": (128, 56), "stage3.3.conv3": (512, 28)},
        **{"stage4.5.conv3": (1024, 14), "stage5.2.conv3": (2048, 7)},
    },
    "ResNet-50, stride in 1×1": {"stage3.0.conv1": (128, 28), "stage5.2.conv3": (2048, 7)},
    "ResNeXt-50 32×4d": {"stage2.0.conv2": (128, 56), "stage5.2.conv2": (1024, 7)},
    "MobileNetV1": {
        **{"stage1.0.pointwise": (64, 112), "stage2.1.depthwise": (128, 56), "stage3.0.depthwise": (128, 28)},
        **{"stage4.5.pointwise": (512, 14), "stage5.1.pointwise": (1024, 7)},
    },
    "MobileNetV1 ×0.75": {"stage5.1.pointwise": (768, 7)},
    "MobileNetV1, 3×3 layers": {"stage5.1.conv": (1024, 7)},
    "MobileNetV2": {
        **{"stage1.0.project": (16, 112), "stage2.1.expand": (144, 56), "stage4.3.project": (64, 14)},
        **{"stage7.0.project": (320, 7), "conv2": (1280, 7)},
    },
    "ShuffleNetV1, g = 3": {"pool": (24, 56), "stage2.0.relu": (240, 28), "stage3.7.relu": (480, 14)},
    "ShuffleNetV1, g = 8": {"stage4.3.relu": (1536, 7)},
}


@pytest.mark.parametrize("network", SIZES)
def test_a_layer_has_the_output_size_of_its_papers_table(network):
    shapes = {row.name: row.output_shape for row in network_table(network).rows}
    for layer, (channels, size) in SIZES[network].items():
        assert shapes[layer] == (1, channels, size, size), layer


@pytest.mark.parametrize(
    ("network", "kinds"),
    [
        ("AlexNet", {"standard": 2, "grouped": 3, "linear": 3}),
        ("VGG-16", {"standard": 13, "linear": 3}),
        ("VGG-19", {"standard": 16, "linear": 3}),
        ("ResNet-50", {"standard": 17, "pointwise": 32 + 4, "linear": 1}),  # 50 layers, and 4 shortcuts
        ("ResNet-101, stride in 1×1", {"standard": 34, "pointwise": 66 + 4, "linear": 1}),
        ("ResNet-152, stride in 1×1", {"standard": 51, "pointwise": 100 + 4, "linear": 1}),
        ("ResNeXt-50 32×4d", {"standard": 1, "grouped": 16, "pointwise": 32 + 4, "linear": 1}),
        ("MobileNetV1", {"standard": 1, "depthwise": 13, "pointwise": 13, "linear": 1}),  # "28 layers"
        ("MobileNetV1, 3×3 layers", {"standard": 14, "linear": 1}),
        ("MobileNetV2", {"standard": 1, "depthwise": 17, "pointwise": 16 + 17 + 1, "linear": 1}),
        ("ShuffleNetV1, g = 1", {"standard": 1, "depthwise": 16, "pointwise": 32, "linear": 1}),
        ("ShuffleNetV1, g = 3", {"standard": 1, "depthwise": 16, "pointwise": 1, "grouped": 31, "linear": 1}),
    ],
)
def test_a_network_has_as_many_layers_of_each_kind_as_its_paper_says(network, kinds):
    counted = [row.kind for row in network_table(network).rows if row.macs]
    assert {kind: counted.count(kind) for kind in set(counted)} == kinds


@pytest.mark.parametrize("network", NETWORKS)
def test_a_convolution_before_a_BatchNorm_has_no_bias_and_every_other_one_has(network):
    modules = list(on_meta(network).modules())
    has_batchnorm = any(isinstance(module, nn.BatchNorm2d) for module in modules)
    biases = {module.bias is not None for module in modules if isinstance(module, nn.Conv2d)}
    assert biases == {not has_batchnorm}


def test_MobileNetV2_cuts_its_activations_at_6():
    assert {type(m) for m in on_meta("MobileNetV2").modules() if isinstance(m, nn.ReLU | nn.ReLU6)} == {nn.ReLU6}


def test_a_name_says_the_stage_and_the_block():
    stages = {row.name.split(".")[0] for row in network_table("ResNet-50").rows if row.macs}
    assert stages == {"conv1", "stage2", "stage3", "stage4", "stage5", "fc"}
    names = [name for name, _ in on_meta("MobileNetV1").stage4[5].named_children()]
    assert names == ["depthwise", "depthwise_bn", "depthwise_relu", "pointwise", "pointwise_bn", "pointwise_relu"]


def test_AlexNets_first_layer_has_its_55_positions_on_227_and_not_on_224():
    conv = on_meta("AlexNet").conv1
    for size, positions in ((227, 55), (224, 54)):
        assert conv(torch.empty(1, 3, size, size, device="meta")).shape == (1, 96, positions, positions)


def test_AlexNet_normalises_over_five_neighbours_as_in_section_3_3():
    layers = dict(on_meta("AlexNet").named_children())
    assert [name for name in layers if name.endswith("_norm")] == ["conv1_norm", "conv2_norm"]
    x = torch.randn(2, 7, 3, 4, dtype=torch.float64) * 50
    wanted = torch.empty_like(x)
    for i in range(7):
        squares = sum(x[:, j] ** 2 for j in range(max(0, i - 2), min(6, i + 2) + 1))
        wanted[:, i] = x[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(layers["conv1_norm"](x), wanted)


@pytest.mark.parametrize(
    ("network", "strides"), [("ResNet-50", (1, 2)), ("ResNeXt-50 32×4d", (1, 2)), ("ResNet-50, stride in 1×1", (2, 1))]
)
def test_the_stride_of_a_ResNet_stage_is_in_its_first_3x3_or_its_first_1x1(network, strides):
    model = on_meta(network)
    for stage in (model.stage3, model.stage4, model.stage5):
        assert (stage[0].conv1.stride, stage[0].conv2.stride) == tuple((s, s) for s in strides)
        assert all(block.conv1.stride == block.conv2.stride == (1, 1) for block in stage[1:])
    assert model.stage2[0].conv1.stride == model.stage2[0].conv2.stride == (1, 1)


def test_MobileNetV2_adds_its_input_where_the_shape_stays():
    model = on_meta("MobileNetV2")
    added = [isinstance(block, Block) for n in range(1, 8) for block in model.get_submodule(f"stage{n}")]
    assert added == [n not in (0, 1, 3, 6, 10, 13, 16) for n in range(17)]
    assert not any(name.endswith("project_relu") for name, _ in model.named_modules())  # linear bottlenecks


def test_a_stage_of_ShuffleNet_begins_with_an_average_past_its_layers():
    model = on_meta("ShuffleNetV1, g = 3")
    for stage in (model.stage2, model.stage3, model.stage4):
        assert repr(stage[0].shortcut) == "AvgPool2d(kernel_size=3, stride=2, padding=1)"
        assert [unit.concatenate for unit in stage] == [True] + [False] * (len(stage) - 1)


@pytest.mark.parametrize(("shuffled", "reached"), [(True, [True, True, True]), (False, [True, False, False])])
def test_the_shuffle_lets_an_output_channel_see_every_group(shuffled, reached):
    unit = papers.shufflenet_v1(3).stage2[1].eval()
    if not shuffled:
        unit.shuffle = nn.Identity()
    x = torch.randn(2, 240, 3, 4, requires_grad=True)
    y = x
    for name in unit.row:  # the layers without the shortcut
        y = unit.get_submodule(name)(y)
    y[:, 5].sum().backward()
    assert [bool(part.any()) for part in x.grad.split(80, dim=1)] == reached


def test_ShuffleNet_refuses_groups_that_the_table_lacks():
    with raises(ValueError, "groups=5; wanted one of the table's: 1, 2, 3, 4, 8"):
        papers.shufflenet_v1(5)


# The forward.


def test_a_block_adds_its_layers_to_its_input():
    x = torch.randn(2, 3, 4, 5)
    conv = nn.Conv2d(3, 3, 3, padding=1)
    torch.testing.assert_close(Block({"conv": conv})(x), x + conv(x))


def test_a_block_passes_its_input_through_the_shortcut_and_the_sum_through_the_ReLU():
    x, conv, shortcut = torch.randn(2, 3, 4, 5), nn.Conv2d(3, 6, 3, stride=2), nn.Conv2d(3, 6, 3, stride=2)
    wanted = (shortcut(x) + conv(x)).clamp(min=0)
    torch.testing.assert_close(Block({"conv": conv}, shortcut, nn.ReLU())(x), wanted)
    assert (wanted == 0).any()


def test_a_block_puts_the_shortcuts_channels_before_its_layers():
    x, conv = torch.randn(2, 3, 6, 4), nn.Conv2d(3, 5, 3, stride=2, padding=1)
    y = Block({"conv": conv}, nn.AvgPool2d(3, stride=2, padding=1), concatenate=True)(x)
    torch.testing.assert_close(y, torch.cat([nn.functional.avg_pool2d(x, 3, 2, 1), conv(x)], dim=1))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (papers.alexnet, (2, 3, 227, 227)),
        (papers.vgg16, (1, 3, 224, 224)),
        (papers.resnet50, (2, 3, 64, 96)),
        (papers.resnext50_32x4d, (2, 3, 64, 96)),
        (papers.mobilenet_v1, (2, 3, 64, 96)),
        (lambda: papers.mobilenet_v1(0.25, separable=False), (2, 3, 64, 96)),
        (papers.mobilenet_v2, (2, 3, 64, 96)),
        (lambda: papers.shufflenet_v1(1), (2, 3, 64, 96)),
        (lambda: papers.shufflenet_v1(8), (2, 3, 64, 96)),
    ],
)
def test_a_forward_on_real_images_gives_one_number_for_each_class(build, shape):
    with torch.no_grad():
        y = build().eval()(torch.randn(shape))
    assert y.shape == (shape[0], 1000)
    assert y.isfinite().all() and y.std() > 0
