"""Every network has its paper's layers and sizes, and every printed number is ours or has its reason."""

import pytest
import torch
from strategies import raises
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlab import networks
from convlab.networks.papers import Block
from convlab.audit.published_counts import CUT, NETWORKS, NO_LINEAR, PUBLISHED, Convention, PublishedCount, beside, network_table

SEPARABLE_BLOCK = "depthwise, depthwise_bn, depthwise_relu, pointwise, pointwise_bn, pointwise_relu"


@pytest.fixture(autouse=True)
def same_random_numbers():
    torch.manual_seed(0)


def on_meta(network: str) -> nn.Module:
    with torch.device("meta"):
        return NETWORKS[network][0]()


def layer_row(network: str, layer: str):
    return next(row for row in network_table(network).rows if row.name == layer)


def printed(network: str, value: str) -> PublishedCount:
    return next(row for row in PUBLISHED if (row.network, row.value) == (network, value))


# The counts.


@pytest.mark.parametrize("network", NETWORKS)
def test_the_flop_counter_of_torch_finds_the_same_macs_and_numel_the_same_parameters(network):
    model, size = on_meta(network).eval(), NETWORKS[network][1]
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, size, size, device="meta"))
    total = network_table(network).total
    assert counter.get_total_flops() == 2 * total.macs
    assert sum(param.numel() for param in model.parameters()) == total.params
    assert network_table(network).uncounted == ()


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.network} {row.quantity} {row.value} {row.source}")
def test_a_printed_number_is_ours_rounded_or_has_its_reason(row):
    assert row.agrees == (row.convention is None), f"{row.value} {row.unit} is printed, ours is {row.text(row.ours)}"
    if row.theirs is not None:
        assert row.text(row.theirs, row.convention.cut) == row.value


def test_the_printed_numbers_that_no_count_explains_are_these():
    unexplained = {(row.network, row.quantity, row.value) for row in PUBLISHED if row.convention and row.theirs is None}
    assert unexplained == {
        ("ResNet-50, stride in 1×1", "MACs", "3.8"),
        ("MobileNetV1", "MACs", "1.19"),
        ("MobileNetV1", "MACs", "575"),
        ("ShuffleNetV1, g = 3", "MACs", "138"),
    }
    for row in PUBLISHED:
        if row.convention and row.theirs is None:
            assert row.value == "1.19" or row.convention.why.startswith("no reason found")


def test_every_network_has_a_printed_number():
    assert {row.network for row in PUBLISHED} == set(NETWORKS)


def test_the_shares_of_table_2_show_that_1_19_is_a_misprint_of_1_91():
    shares = [row for row in PUBLISHED if row.source.endswith("table 2") and row.quantity == "MACs"]
    total = sum(float(row.value) for row in shares)
    assert f"{total:.2f}" == "99.29" and f"{total - 1.19 + 1.91:.2f}" == "100.01"
    assert printed("MobileNetV1", "1.19").text(printed("MobileNetV1", "1.19").ours) == "1.91"


def test_no_cutting_and_no_rounding_gives_the_whole_row_of_the_ResNet_paper():
    rows = [row for row in PUBLISHED if row.source == "He et al. 2015, table 1"]
    assert [row.value for row in rows] == ["3.8", "7.6", "11.3"]
    assert [row.text(row.ours, cut=True) for row in rows] == ["3.8", "7.5", "11.2"]
    assert [row.text(row.ours) for row in rows] == ["3.9", "7.6", "11.3"]


def test_one_rule_gives_the_four_numbers_of_table_7_and_two_others_do_not():
    rows = [printed(name, value) for name, value in (("MobileNetV1", "569"), ("MobileNetV1 at 192²", "418"))]
    rows += [printed(name, value) for name, value in (("MobileNetV1 at 160²", "290"), ("MobileNetV1 at 128²", "186"))]
    total = rows[0].ours
    assert [f"{total * (size / 224) ** 2 / 1e6:.0f}" for size in (224, 192, 160, 128)] == [row.value for row in rows]
    assert rows[2].theirs == pytest.approx(total * (160 / 224) ** 2, rel=1e-12)
    for row, text in ((rows[2], "290"), (rows[0], "568")):
        assert row.text(row.ours, cut=True) == text
        assert row.text(row.count(NO_LINEAR.of)) == text


def test_a_table_is_found_beside_ours():
    frame = compare_with_paper("Howard", table=7)
    assert list(frame.printed) == ["569", "4.2", "418", "4.2", "290", "4.2", "186", "4.2"]
    assert list(frame["rounds to it"]) == [True] * 4 + [False] + [True] * 3
    assert "layers" not in frame and list(compare_with_paper("Howard", 2).layers[:2]) == ["pointwise", "pointwise"]
    with pytest.raises(ValueError, match=r"paper='Howard', table=9; wanted one of: .*Howard et al. 2017, table 2;"):
        compare_with_paper("Howard", table=9)


@pytest.mark.parametrize(("size", "millions"), [(224, 300), (192, 221), (160, 154), (128, 99), (96, 56)])
def test_the_authors_code_cuts_the_macs_of_MobileNetV2(size, millions):
    """The table in the README of TensorFlow's slim/nets/mobilenet, at five sizes."""
    with FlopCounterMode(display=False) as counter:
        on_meta("MobileNetV2").eval()(torch.empty(1, 3, size, size, device="meta"))
    assert counter.get_total_flops() // 2 // 10**6 == millions


def test_all_five_complexities_of_ShuffleNet_are_without_the_linear_layer():
    rows = [row for row in PUBLISHED if row.source == "Zhang et al. 2018, table 1"]
    assert len(rows) == 5
    assert [row.text(row.count(NO_LINEAR.of)) for row in rows] == [row.value for row in rows]


def test_a_number_is_rounded_or_cut_to_the_printed_decimals():
    row = PublishedCount("MobileNetV1", "MACs", "0.57", "billion", "nowhere")
    assert row.ours == 568_740_352 and isinstance(row.ours, int)
    assert (row.text(row.ours), row.text(row.ours, cut=True), row.agrees) == ("0.57", "0.56", True)
    assert PublishedCount("MobileNetV1", "parameters", "4,200,000", "", "nowhere").text(4_231_976) == "4,231,976"
    assert PublishedCount("MobileNetV1", "parameters", "4200000", "", "nowhere").text(4_231_976) == "4231976"
    assert PublishedCount("MobileNetV1", "MACs", "94.9", "%", "nowhere", "pointwise").text(0.94857) == "94.9"


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
def test_a_printed_number_is_of_all_layers_or_of_a_kind_a_layer_a_block_a_stage(layers, params):
    assert PublishedCount("MobileNetV1", "parameters", "0", "", "nowhere", layers).ours == params


def test_theirs_is_None_where_the_convention_counts_nothing():
    row = PublishedCount("MobileNetV1", "MACs", "1", "million", "nowhere")
    assert row.theirs is None
    assert PublishedCount(*list(vars(row).values())[:-1], Convention("no reason found")).theirs is None
    assert PublishedCount(*list(vars(row).values())[:-1], CUT).theirs == row.ours


# The layers.


@pytest.mark.parametrize(
    ("network", "layer", "shape"),
    [
        ("AlexNet", "conv1", (96, 55, 55)),
        ("AlexNet", "conv1_pool", (96, 27, 27)),
        ("AlexNet", "conv5_pool", (256, 6, 6)),
        ("AlexNet, one column", "conv1", (64, 55, 55)),
        ("AlexNet, one column", "conv5", (256, 13, 13)),
        ("VGG-16", "stage1.conv2", (64, 224, 224)),
        ("VGG-16", "stage5.conv3", (512, 14, 14)),
        ("VGG-19", "stage5.conv4", (512, 14, 14)),
        ("ResNet-50", "conv1", (64, 112, 112)),
        ("ResNet-50", "stage2.2.conv3", (256, 56, 56)),
        ("ResNet-50", "stage3.3.conv3", (512, 28, 28)),
        ("ResNet-50", "stage4.5.conv3", (1024, 14, 14)),
        ("ResNet-50", "stage5.2.conv3", (2048, 7, 7)),
        ("ResNet-50", "stage3.0.conv1", (128, 56, 56)),
        ("ResNet-50, stride in 1×1", "stage3.0.conv1", (128, 28, 28)),
        ("ResNet-50, stride in 1×1", "stage5.2.conv3", (2048, 7, 7)),
        ("ResNeXt-50 32×4d", "stage2.0.conv2", (128, 56, 56)),
        ("ResNeXt-50 32×4d", "stage5.2.conv2", (1024, 7, 7)),
        ("MobileNetV1", "stage1.0.pointwise", (64, 112, 112)),
        ("MobileNetV1", "stage2.1.depthwise", (128, 56, 56)),
        ("MobileNetV1", "stage3.0.depthwise", (128, 28, 28)),
        ("MobileNetV1", "stage4.5.pointwise", (512, 14, 14)),
        ("MobileNetV1", "stage5.1.pointwise", (1024, 7, 7)),
        ("MobileNetV1 ×0.75", "stage5.1.pointwise", (768, 7, 7)),
        ("MobileNetV1, 3×3 layers", "stage5.1.conv", (1024, 7, 7)),
        ("MobileNetV1, shallow", "stage4.0.pointwise", (512, 14, 14)),
        ("MobileNetV2", "stage1.0.project", (16, 112, 112)),
        ("MobileNetV2", "stage2.1.expand", (144, 56, 56)),
        ("MobileNetV2", "stage4.3.project", (64, 14, 14)),
        ("MobileNetV2", "stage7.0.project", (320, 7, 7)),
        ("MobileNetV2", "conv2", (1280, 7, 7)),
        ("ShuffleNetV1, g = 3", "pool", (24, 56, 56)),
        ("ShuffleNetV1, g = 3", "stage2.0.relu", (240, 28, 28)),
        ("ShuffleNetV1, g = 3", "stage3.7.relu", (480, 14, 14)),
        ("ShuffleNetV1, g = 8", "stage4.3.relu", (1536, 7, 7)),
        ("Xception", "conv2", (64, 147, 147)),
        ("Xception", "middle.7.separable3.pointwise", (728, 19, 19)),
        ("Xception", "exit.0.pool", (1024, 10, 10)),
        ("Xception", "exit.1.separable2.pointwise", (2048, 10, 10)),
    ],
)
def test_a_layer_has_the_output_size_of_its_papers_table(network, layer, shape):
    assert layer_row(network, layer).output_shape == (1, *shape)


@pytest.mark.parametrize(
    ("network", "kinds"),
    [
        ("AlexNet", {"standard": 2, "grouped": 3, "linear": 3}),
        ("AlexNet, one column", {"standard": 5, "linear": 3}),
        ("VGG-16", {"standard": 13, "linear": 3}),
        ("VGG-19", {"standard": 16, "linear": 3}),
        ("ResNet-50", {"standard": 17, "pointwise": 32 + 4, "linear": 1}),  # 50 layers, and 4 shortcuts
        ("ResNet-101, stride in 1×1", {"standard": 34, "pointwise": 66 + 4, "linear": 1}),
        ("ResNet-152, stride in 1×1", {"standard": 51, "pointwise": 100 + 4, "linear": 1}),
        ("ResNeXt-50 32×4d", {"standard": 1, "grouped": 16, "pointwise": 32 + 4, "linear": 1}),
        ("MobileNetV1", {"standard": 1, "depthwise": 13, "pointwise": 13, "linear": 1}),  # "28 layers"
        ("MobileNetV1, shallow", {"standard": 1, "depthwise": 8, "pointwise": 8, "linear": 1}),
        ("MobileNetV1, 3×3 layers", {"standard": 14, "linear": 1}),
        ("MobileNetV2", {"standard": 1, "depthwise": 17, "pointwise": 16 + 17 + 1, "linear": 1}),
        ("ShuffleNetV1, g = 1", {"standard": 1, "depthwise": 16, "pointwise": 32, "linear": 1}),
        ("ShuffleNetV1, g = 3", {"standard": 1, "depthwise": 16, "pointwise": 1, "grouped": 31, "linear": 1}),
        ("Xception", {"standard": 2, "depthwise": 34, "pointwise": 34 + 4, "linear": 1}),  # "36 convolutional layers"
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
    stages = {row.name.split(".")[0] for row in network_table("Xception").rows if row.macs}
    assert stages == {"conv1", "conv2", "entry", "middle", "exit", "fc"}
    names = [name for name, _ in on_meta("MobileNetV1").stage4[5].named_children()]
    assert ", ".join(names) == SEPARABLE_BLOCK


def test_AlexNets_first_layer_has_its_55_positions_on_227_and_not_on_224():
    conv = on_meta("AlexNet").conv1
    for size, positions in ((227, 55), (224, 54)):
        assert conv(torch.empty(1, 3, size, size, device="meta")).shape == (1, 96, positions, positions)


def test_the_groups_of_AlexNet_halve_conv2_conv4_and_conv5():
    with torch.device("meta"):
        one, two = networks.alexnet(groups=1), networks.alexnet()
    ratios = {}
    for n in range(1, 6):
        ratios[n] = one.get_submodule(f"conv{n}").weight.numel() / two.get_submodule(f"conv{n}").weight.numel()
    assert ratios == {1: 1, 2: 2, 3: 1, 4: 2, 5: 2}


def test_AlexNet_normalises_over_five_neighbours_as_in_section_3_3():
    layers = dict(on_meta("AlexNet").named_children())
    assert [name for name in layers if name.endswith("_norm")] == ["conv1_norm", "conv2_norm"]
    x = torch.randn(2, 7, 3, 4, dtype=torch.float64) * 50
    wanted = torch.empty_like(x)
    for i in range(7):
        squares = sum(x[:, j] ** 2 for j in range(max(0, i - 2), min(6, i + 2) + 1))
        wanted[:, i] = x[:, i] / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(layers["conv1_norm"](x), wanted)


@pytest.mark.parametrize(("option", "strides"), [(False, (1, 2)), (True, (2, 1))])
def test_the_stride_of_a_ResNet_stage_is_in_its_first_3x3_or_its_first_1x1(option, strides):
    with torch.device("meta"):
        model = networks.resnet50(stride_in_1x1=option)
    for stage in (model.stage3, model.stage4, model.stage5):
        assert (stage[0].conv1.stride, stage[0].conv2.stride) == tuple((s, s) for s in strides)
        assert all(block.conv1.stride == block.conv2.stride == (1, 1) for block in stage[1:])
    assert model.stage2[0].conv1.stride == model.stage2[0].conv2.stride == (1, 1)


def test_ResNeXt_has_32_groups_of_4_channels_in_its_first_stage():
    conv = on_meta("ResNeXt-50 32×4d").stage2[0].conv2
    assert (conv.groups, conv.weight.shape[0] // conv.groups, conv.kernel_size) == (32, 4, (3, 3))


def test_MobileNetV2_adds_its_input_where_the_shape_stays():
    model = on_meta("MobileNetV2")
    added = [isinstance(block, Block) for n in range(1, 8) for block in model.get_submodule(f"stage{n}")]
    assert added == [n not in (0, 1, 3, 6, 10, 13, 16) for n in range(17)]
    assert not any(name.endswith("project_relu") for name, _ in model.named_modules())  # linear bottlenecks


@pytest.mark.parametrize("groups", networks.SHUFFLENET_V1)
def test_the_first_1x1_layer_of_ShuffleNet_alone_is_not_grouped(groups):
    found = [
        m.groups for m in on_meta(f"ShuffleNetV1, g = {groups}").modules() if getattr(m, "kernel_size", 0) == (1, 1)
    ]
    assert found == [1] + [groups] * 31


def test_a_stage_of_ShuffleNet_begins_with_an_average_past_its_layers():
    model = on_meta("ShuffleNetV1, g = 3")
    for stage in (model.stage2, model.stage3, model.stage4):
        assert repr(stage[0].shortcut) == "AvgPool2d(kernel_size=3, stride=2, padding=1)"
        assert [unit.concatenate for unit in stage] == [True] + [False] * (len(stage) - 1)


@pytest.mark.parametrize(("shuffled", "reached"), [(True, [True, True, True]), (False, [True, False, False])])
def test_the_shuffle_lets_an_output_channel_see_every_group(shuffled, reached):
    unit = networks.shufflenet_v1(3).stage2[1].eval()
    if not shuffled:
        unit.shuffle = nn.Identity()
    x = torch.randn(2, 240, 3, 4, requires_grad=True)
    y = x
    for name in unit.row:  # the layers without the shortcut
        y = unit.get_submodule(name)(y)
    y[:, 5].sum().backward()
    assert [bool(part.any()) for part in x.grad.split(80, dim=1)] == reached


def test_Xceptions_separable_convolution_is_two_linear_layers_and_a_BatchNorm():
    layer = networks.xception_separable(4, 6).eval()
    x = torch.randn(2, 4, 5, 7)
    depthwise, pointwise = layer.depthwise.weight, layer.pointwise.weight
    full = depthwise[:, 0] * pointwise.view(6, 4, 1, 1)  # rank 1: one kernel for each input channel, weighed
    wanted = nn.functional.conv2d(x, full, padding=1) / (1 + layer.pointwise_bn.eps) ** 0.5
    torch.testing.assert_close(layer(x), wanted)


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
    assert y.shape == (2, 8, 3, 2)
    torch.testing.assert_close(y[:, 3:], conv(x))
    torch.testing.assert_close(y[:, :3], nn.functional.avg_pool2d(x, 3, 2, 1))


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (networks.alexnet, (2, 3, 227, 227)),
        (networks.alexnet_one_column, (2, 3, 224, 224)),
        (networks.vgg16, (1, 3, 224, 224)),
        (networks.resnet50, (2, 3, 64, 96)),
        (networks.resnext50_32x4d, (2, 3, 64, 96)),
        (networks.mobilenet_v1, (2, 3, 64, 96)),
        (lambda: networks.mobilenet_v1(0.25, separable=False), (2, 3, 64, 96)),
        (lambda: networks.mobilenet_v1(0.25, shallow=True), (2, 3, 64, 96)),
        (networks.mobilenet_v2, (2, 3, 64, 96)),
        (lambda: networks.shufflenet_v1(1), (2, 3, 64, 96)),
        (lambda: networks.shufflenet_v1(8), (2, 3, 64, 96)),
        (networks.xception, (2, 3, 75, 96)),
    ],
)
def test_a_forward_on_real_images_gives_one_number_for_each_class(build, shape):
    model = build().eval()
    with torch.no_grad():
        y = model(torch.randn(shape))
    assert y.shape == (shape[0], 1000)
    assert y.isfinite().all() and y.std() > 0


def test_ShuffleNet_refuses_groups_that_the_table_lacks():
    with raises(ValueError, "groups=5; wanted one of the table's: 1, 2, 3, 4, 8"):
        networks.shufflenet_v1(5)


def test_network_table_names_the_networks_it_has():
    with raises(ValueError, "network='MobileNet V1'; wanted one of: AlexNet; AlexNet, one column; VGG-16; VGG-19;"):
        network_table("MobileNet V1")
