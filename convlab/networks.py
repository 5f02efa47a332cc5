"""Networks whose cost was published, each written as its paper's table reads, and the published numbers.

A builder returns a `torch.nn` network for 1000 classes. Built under `with torch.device("meta"):` it takes no memory and
can still be counted. A layer's name says where it sits: `conv1`, `stage3.2.conv2`, `fc`. What stands before the first
dot is its stage; then comes the block, counted from 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import floor, prod

import torch
from torch import nn

from convlab import cost_table


def chain(layers: dict) -> nn.Sequential:
    """Return the layers of a {name: layer} dictionary, one after the other."""
    return nn.Sequential(OrderedDict(layers))


def conv_bn(name: str, in_channels, out_channels, kernel_size, stride=1, groups=1, relu=nn.ReLU, padding=None) -> dict:
    """Return a convolution without bias, its BatchNorm and its ReLU (none if None), padded by (K − 1)/2 if not told."""
    padding = kernel_size // 2 if padding is None else padding
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    return {name: conv, f"{name}_bn": nn.BatchNorm2d(out_channels)} | ({f"{name}_relu": relu()} if relu else {})


class Block(nn.Sequential):
    """Layers in a row, and a shortcut past them from which the input is added, or put in front of their channels."""

    def __init__(self, layers: dict, shortcut=None, relu=None, concatenate=False):
        super().__init__(OrderedDict(layers))
        self.row, self.concatenate = tuple(layers), concatenate
        self.shortcut, self.relu = shortcut, relu

    def forward(self, x):
        """Return the sum, or the channels of the shortcut and then the layers', after the ReLU if there is one."""
        y = x
        for name in self.row:
            y = self.get_submodule(name)(y)
        x = x if self.shortcut is None else self.shortcut(x)
        y = torch.cat([x, y], dim=1) if self.concatenate else x + y
        return y if self.relu is None else self.relu(y)


def stages(block: Callable, in_channels: int, rows: list, first: int = 1) -> dict:
    """Return a stage for each row of a table: (…, out_channels, blocks, stride); its first block has the stride."""
    layers = {}
    for number, (*options, out_channels, blocks, stride) in enumerate(rows, first):
        rest = [block(*options, out_channels, out_channels, 1) for _ in range(blocks - 1)]
        layers[f"stage{number}"] = nn.Sequential(block(*options, in_channels, out_channels, stride), *rest)
        in_channels = out_channels
    return layers


def head(channels: int) -> dict:
    """Return the end of most networks: the mean over all positions, and a linear layer."""
    return {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(channels, 1000)}


def fc6_to_fc8(features: int) -> dict:
    """Return the three linear layers at the end of AlexNet and of VGG."""
    layers = {"flatten": nn.Flatten()}
    for name, size in (("fc6", features), ("fc7", 4096)):
        layers |= {name: nn.Linear(size, 4096), f"{name}_relu": nn.ReLU(), f"{name}_dropout": nn.Dropout()}
    return layers | {"fc8": nn.Linear(4096, 1000)}


ALEXNET = [  # kernels, size, stride, padding, split between the two GPUs, what follows
    (96, 11, 4, 0, False, "norm pool"),
    (256, 5, 1, 2, True, "norm pool"),
    (384, 3, 1, 1, False, ""),
    (384, 3, 1, 1, True, ""),
    (256, 3, 1, 1, True, "pool"),
]
ALEXNET_ONE_COLUMN = [
    (64, 11, 4, 2, False, "pool"),
    (192, 5, 1, 2, False, "pool"),
    (384, 3, 1, 1, False, ""),
    (256, 3, 1, 1, False, ""),
    (256, 3, 1, 1, False, "pool"),
]


def _alexnet(rows, groups=1) -> nn.Sequential:
    layers, channels = {}, 3
    for n, (kernels, size, stride, padding, split, after) in enumerate(rows, 1):
        conv = nn.Conv2d(channels, kernels, size, stride, padding, groups=groups if split else 1)
        layers |= {f"conv{n}": conv, f"conv{n}_relu": nn.ReLU()}
        if "norm" in after:  # the paper's alpha is 1e-4; torch divides alpha by the 5 neighbours
            layers[f"conv{n}_norm"] = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        if "pool" in after:
            layers[f"conv{n}_pool"] = nn.MaxPool2d(3, stride=2)
        channels = kernels
    return chain(layers | fc6_to_fc8(channels * 6 * 6))


def alexnet(groups: int = 2) -> nn.Sequential:
    """Return AlexNet of 2012 for 227×227 images: the halves that ran on two GPUs are groups in conv2, conv4 and conv5.

    The paper says 224×224, which would give 54×54 and not its 55×55 in conv1. `groups=1` connects all channels.

    >>> with torch.device("meta"):
    ...     alexnet().conv2.weight.shape  # 256 kernels of 5×5×48
    torch.Size([256, 48, 5, 5])

    Source: Krizhevsky et al. 2012, section 3.5 and figure 2.
    """
    return _alexnet(ALEXNET, groups)


def alexnet_one_column() -> nn.Sequential:
    """Return AlexNet for one GPU, 224×224 images. Source: Krizhevsky 2014, as in `torchvision.models.alexnet`."""
    return _alexnet(ALEXNET_ONE_COLUMN)


VGG16 = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]  # channels, 3×3 convolutions before a pool
VGG19 = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]


def _vgg(rows) -> nn.Sequential:
    layers, in_channels = {}, 3
    for number, (channels, convs) in enumerate(rows, 1):
        inside = {}
        for n in range(1, convs + 1):
            inside |= {f"conv{n}": nn.Conv2d(in_channels, channels, 3, padding=1), f"conv{n}_relu": nn.ReLU()}
            in_channels = channels
        layers[f"stage{number}"] = chain(inside | {"pool": nn.MaxPool2d(2)})
    return chain(layers | fc6_to_fc8(in_channels * 7 * 7))


def vgg16() -> nn.Sequential:
    """Return VGG-16 for 224×224 images. Source: Simonyan & Zisserman 2014, table 1, column D."""
    return _vgg(VGG16)


def vgg19() -> nn.Sequential:
    """Return VGG-19 for 224×224 images. Source: Simonyan & Zisserman 2014, table 1, column E."""
    return _vgg(VGG19)


def _resnet(blocks=(3, 4, 6, 3), narrow=4, groups=1, stride_in_1x1=False) -> nn.Sequential:
    def bottleneck(in_channels, out_channels, stride):
        inner, (s1, s2) = out_channels // narrow, (stride, 1) if stride_in_1x1 else (1, stride)
        layers = conv_bn("conv1", in_channels, inner, 1, s1) | conv_bn("conv2", inner, inner, 3, s2, groups)
        layers |= conv_bn("conv3", inner, out_channels, 1, relu=None)
        if in_channels == out_channels:
            return Block(layers, relu=nn.ReLU())
        return Block(layers, chain(conv_bn("conv", in_channels, out_channels, 1, stride, relu=None)), nn.ReLU())

    start = conv_bn("conv1", 3, 64, 7, 2) | {"pool": nn.MaxPool2d(3, stride=2, padding=1)}
    rows = list(zip((256, 512, 1024, 2048), blocks, (1, 2, 2, 2)))  # conv2_x to conv5_x of the table
    return chain(start | stages(bottleneck, 64, rows, first=2) | head(2048))


def resnet50(stride_in_1x1: bool = False) -> nn.Sequential:
    """Return ResNet-50, with the stride in the 3×3 layers as in torchvision, or in the first 1×1 as in the paper.

    >>> with torch.device("meta"):
    ...     resnet50().stage3[0].conv2.stride, resnet50(stride_in_1x1=True).stage3[0].conv1.stride
    ((2, 2), (2, 2))

    Source: He et al. 2015, table 1, 50-layer.
    """
    return _resnet(stride_in_1x1=stride_in_1x1)


def resnext50_32x4d() -> nn.Sequential:
    """Return ResNeXt-50: twice the channels in the 3×3 layers, in 32 groups. Source: Xie et al. 2017, table 1."""
    return _resnet(narrow=2, groups=32)


MOBILENET_V1 = [(64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2)]  # channels, blocks, first stride


def mobilenet_v1(width: float = 1.0, separable: bool = True, shallow: bool = False) -> nn.Sequential:
    """Return MobileNetV1 with `width` times the channels.

    `separable=False` has full 3×3 convolutions (table 4), `shallow=True` no five layers of 14×14×512 (table 5).
    Table 1 prints stride 2 for the last depthwise layer, but its sizes need stride 1.

    >>> mobilenet_v1(0.25).stage4[5].pointwise.weight.shape
    torch.Size([128, 128, 1, 1])

    Source: Howard et al. 2017, table 1.
    """

    def block(in_channels, out_channels, stride):
        if not separable:
            return chain(conv_bn("conv", in_channels, out_channels, 3, stride))
        depthwise = conv_bn("depthwise", in_channels, in_channels, 3, stride, groups=in_channels)
        return chain(depthwise | conv_bn("pointwise", in_channels, out_channels, 1))

    rows = [(int(c * width), 1 if shallow and c == 512 else n, s) for c, n, s in MOBILENET_V1]
    first, last = int(32 * width), int(1024 * width)
    return chain(conv_bn("conv1", 3, first, 3, 2) | stages(block, first, rows) | head(last))


MOBILENET_V2 = [  # t, c, n, s of the table: expansion, channels, blocks, first stride
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


def mobilenet_v2() -> nn.Sequential:
    """Return MobileNetV2; an expansion by 1 takes no layer. Source: Sandler et al. 2018, table 2."""

    def bottleneck(expansion, in_channels, out_channels, stride):
        inner = expansion * in_channels
        layers = conv_bn("expand", in_channels, inner, 1, relu=nn.ReLU6) if expansion > 1 else {}
        layers |= conv_bn("depthwise", inner, inner, 3, stride, groups=inner, relu=nn.ReLU6)
        layers |= conv_bn("project", inner, out_channels, 1, relu=None)
        return Block(layers) if stride == 1 and in_channels == out_channels else chain(layers)

    start, end = conv_bn("conv1", 3, 32, 3, 2, relu=nn.ReLU6), conv_bn("conv2", 320, 1280, 1, relu=nn.ReLU6)
    return chain(start | stages(bottleneck, 32, MOBILENET_V2) | end | head(1280))


SHUFFLENET_V1 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # groups: channels of stage 2


def shufflenet_v1(groups: int = 3) -> nn.Sequential:
    """Return ShuffleNetV1 with 1, 2, 3, 4 or 8 groups in every 1×1 convolution but the first, and a shuffle between.

    >>> shufflenet_v1().stage2[1].conv1
    Conv2d(240, 60, kernel_size=(1, 1), stride=(1, 1), groups=3, bias=False)

    Source: Zhang et al. 2018, table 1 and figure 2.
    """

    def unit(in_channels, out_channels, stride):
        inner, new = out_channels // 4, out_channels - (in_channels if stride == 2 else 0)
        layers = conv_bn("conv1", in_channels, inner, 1, groups=1 if in_channels == 24 else groups)
        layers |= {"shuffle": nn.ChannelShuffle(groups)}
        layers |= conv_bn("depthwise", inner, inner, 3, stride, groups=inner, relu=None)
        layers |= conv_bn("conv2", inner, new, 1, groups=groups, relu=None)
        shortcut = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None
        return Block(layers, shortcut, nn.ReLU(), concatenate=stride == 2)

    if groups not in SHUFFLENET_V1:
        raise ValueError(f"groups={groups}; wanted one of the table's: {', '.join(map(str, SHUFFLENET_V1))}")
    start, c = conv_bn("conv1", 3, 24, 3, 2) | {"pool": nn.MaxPool2d(3, stride=2, padding=1)}, SHUFFLENET_V1[groups]
    return chain(start | stages(unit, 24, [(c, 4, 2), (2 * c, 8, 2), (4 * c, 4, 2)], first=2) | head(4 * c))


def xception_separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return Xception's separable convolution: depthwise 3×3, pointwise, BatchNorm; no ReLU in between.

    >>> [name for name, layer in xception_separable(64, 128).named_children()]
    ['depthwise', 'pointwise', 'pointwise_bn']

    Source: Chollet 2017, figures 4 and 5.
    """
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return chain({"depthwise": depthwise} | conv_bn("pointwise", in_channels, out_channels, 1, relu=None))


def xception() -> nn.Sequential:
    """Return Xception for 299×299 images; as in Keras, conv1 and conv2 do not pad. Source: Chollet 2017, figure 5."""

    def module(*channels, pool=False):
        layers = {}  # the figure has no first ReLU in the first module: its input comes out of one
        for n in range(1, len(channels)):
            layers |= {f"relu{n}": nn.ReLU(), f"separable{n}": xception_separable(channels[n - 1], channels[n])}
        if not pool:
            return Block(layers)
        shortcut = chain(conv_bn("conv", channels[0], channels[-1], 1, 2, relu=None))
        return Block(layers | {"pool": nn.MaxPool2d(3, stride=2, padding=1)}, shortcut)

    start = conv_bn("conv1", 3, 32, 3, 2, padding=0) | conv_bn("conv2", 32, 64, 3, padding=0)
    last = {"separable1": xception_separable(1024, 1536), "relu1": nn.ReLU()}
    last |= {"separable2": xception_separable(1536, 2048), "relu2": nn.ReLU()}
    flows = {
        "entry": [module(64, 128, 128, pool=True), module(128, 256, 256, pool=True), module(256, 728, 728, pool=True)],
        "middle": [module(728, 728, 728, 728) for _ in range(8)],
        "exit": [module(728, 728, 1024, pool=True), chain(last)],
    }
    return chain(start | {name: nn.Sequential(*modules) for name, modules in flows.items()} | head(2048))


# The published numbers, and how each is computed.

NETWORKS = {  # name: builder, height and width of the image
    "AlexNet": (alexnet, 227),
    "AlexNet, one column": (alexnet_one_column, 224),
    "VGG-16": (vgg16, 224),
    "VGG-19": (vgg19, 224),
    "ResNet-50": (resnet50, 224),
    "ResNet-50, stride in 1×1": (partial(resnet50, stride_in_1x1=True), 224),
    "ResNet-101, stride in 1×1": (partial(_resnet, (3, 4, 23, 3), stride_in_1x1=True), 224),
    "ResNet-152, stride in 1×1": (partial(_resnet, (3, 8, 36, 3), stride_in_1x1=True), 224),
    "ResNeXt-50 32×4d": (resnext50_32x4d, 224),
    "MobileNetV1": (mobilenet_v1, 224),
    "MobileNetV1, 3×3 layers": (partial(mobilenet_v1, separable=False), 224),
    "MobileNetV1, shallow": (partial(mobilenet_v1, shallow=True), 224),
    **{f"MobileNetV1 ×{width}": (partial(mobilenet_v1, width), 224) for width in (0.75, 0.5, 0.25)},
    **{f"MobileNetV1 at {size}²": (mobilenet_v1, size) for size in (192, 160, 128)},
    "MobileNetV1 ×0.75 at 160²": (partial(mobilenet_v1, 0.75), 160),
    "MobileNetV2": (mobilenet_v2, 224),
    **{f"ShuffleNetV1, g = {groups}": (partial(shufflenet_v1, groups), 224) for groups in SHUFFLENET_V1},
    "Xception": (xception, 299),
}
QUANTITIES = {
    "MACs": lambda row: row.macs,
    "parameters": lambda row: row.params,
    "neurons": lambda row: prod(row.output_shape),
}
UNITS = {"": 1, "%": 0.01, "million": 10**6, "billion": 10**9}


@cache
def network_table(network: str):
    """Return the cost table of one of `NETWORKS`, for one image.

    >>> network_table("MobileNetV1 ×0.25").total.macs
    41030272
    """
    if network not in NETWORKS:
        raise ValueError(f"network={network!r}; wanted one of: {'; '.join(NETWORKS)}")
    build, size = NETWORKS[network]
    with torch.device("meta"):
        model = build()
    return cost_table(model, (1, 3, size, size))


@dataclass(frozen=True)
class Convention:
    """Why a printed number is not ours: `of(row)` is counted of each layer, or digits are cut; or no count tells."""

    why: str
    of: Callable | None = None
    cut: bool = False


def batchnorm_times(factor: float) -> Callable:
    """Return a count of parameters in which those of a BatchNorm, 2 for each channel, are multiplied."""
    return lambda row: int(row.params * (factor if row.kind == "BatchNorm2d" else 1))


CUT = Convention("cut, not rounded", cut=True)
NO_LINEAR = Convention("without the linear layers", lambda row: 0 if row.kind == "linear" else row.macs)
NO_BATCHNORM = Convention("without BatchNorm", batchnorm_times(0))
NO_BATCHNORM_CUT = Convention("without BatchNorm, and cut", batchnorm_times(0), cut=True)
WEIGHTS = Convention("without BatchNorm and biases", lambda row: row.macs // prod(row.output_shape[2:]))
STATISTICS = Convention("with BatchNorm's running mean and variance", batchnorm_times(4 / 2))
BIASES = Convention(f"{STATISTICS.why}, and a bias in each convolution", batchnorm_times(5 / 2))
CONV1 = Convention("a guess: 55·48·96, with 48, the maps on one GPU, in place of a 55", lambda row: 55 * 48 * 96)
SWAPPED = Convention("a misprint of 1.91: the column adds up to 99.29, and with 1.91 to 100.01")
RESNET_50 = Convention("no reason found: cutting gives 3.8, but 7.5 and 11.2 for the 7.6 and 11.3 in the same row")
AT_160 = Convention("no reason found: cut or without the linear layer it is 290, but either way 569 would be 568")
UNKNOWN = Convention("no reason found")


@dataclass(frozen=True)
class Printed:
    """One published number: `value` as it is printed, in `unit`, for all layers or one kind, stage, block or layer.

    Our number counts every MAC of convolutions and linear layers, or every parameter. Where it does not round to the
    printed one, `convention` says why.

    >>> row = Printed("VGG-16","MACs","15.3","billion","He et al. 2015, section 4.1", convention=NO_LINEAR)
    >>> row.ours, row.agrees, row.theirs, row.convention.why
    (15470264320, False, 15346630656, 'without the linear layers')
    """

    network: str
    quantity: str
    value: str
    unit: str
    source: str
    layers: str = ""
    convention: Convention | None = None

    @property
    def ours(self) -> int | float:
        """Our number: an integer, or a share from 0 to 1."""
        return self.count(QUANTITIES[self.quantity])

    @property
    def theirs(self) -> int | float | None:
        """The number by the convention, not yet cut; None where no count explains the printed number."""
        counts = self.convention and (self.convention.of or self.convention.cut)
        return self.count(self.convention.of or QUANTITIES[self.quantity]) if counts else None

    @property
    def agrees(self) -> bool:
        """Whether our number rounds to the printed one."""
        return self.text(self.ours) == self.value

    def count(self, of: Callable) -> int | float:
        """Return the sum of `of(row)` over the layers; in the unit % its share of the sum over the whole network."""
        rows = network_table(self.network).rows
        chosen = [r for r in rows if self.layers in ("", r.kind, r.name) or r.name.startswith(f"{self.layers}.")]
        return sum(map(of, chosen)) / sum(map(of, rows)) if self.unit == "%" else sum(map(of, chosen))

    def text(self, number: float, cut: bool = False) -> str:
        """Return a number in the printed unit, rounded or cut to the printed decimals."""
        decimals, number = len(self.value.partition(".")[2]), number / UNITS[self.unit]
        number = floor(number * 10**decimals) / 10**decimals if cut else number
        return f"{number:{',' if ',' in self.value else ''}.{decimals}f}"


def published(source, network, macs="", params="", layers="", macs_by=None, params_by=None) -> list[Printed]:
    """Return what a row of a source prints: MACs and parameters as "value unit", and the conventions they differ by."""
    both = (("MACs", macs, macs_by), ("parameters", params, params_by))
    return [Printed(network, what, *text.partition(" ")[::2], source, layers, by) for what, text, by in both if text]


PRINTED = (
    *published("Krizhevsky et al. 2012, abstract", "AlexNet", params="60 million", params_by=CUT),
    *published("HPE Deep Learning Cookbook, Caffe's AlexNet", "AlexNet", params="60,965,224"),
    Printed("AlexNet", "neurons", "253,440", "", "Krizhevsky et al. 2012, figure 2", "conv1", CONV1),
    Printed("AlexNet", "neurons", "186,624", "", "Krizhevsky et al. 2012, figure 2", "conv2"),
    Printed("AlexNet", "neurons", "64,896", "", "Krizhevsky et al. 2012, figure 2", "conv3"),
    Printed("AlexNet", "neurons", "64,896", "", "Krizhevsky et al. 2012, figure 2", "conv4"),
    Printed("AlexNet", "neurons", "43,264", "", "Krizhevsky et al. 2012, figure 2", "conv5"),
    *published("torchvision documentation", "AlexNet, one column", "0.71 billion", "61100840 "),
    *published("Simonyan & Zisserman 2014, table 2, D", "VGG-16", params="138 million"),
    *published("Simonyan & Zisserman 2014, table 2, E", "VGG-19", params="144 million"),
    *published("He et al. 2015, section 4.1", "VGG-16", "15.3 billion", macs_by=NO_LINEAR),
    *published("He et al. 2015, section 4.1", "VGG-19", "19.6 billion"),
    *published("torchvision documentation", "VGG-16", "15.47 billion", "138357544 "),
    *published("He et al. 2015, table 1", "ResNet-50, stride in 1×1", "3.8 billion", macs_by=RESNET_50),
    *published("He et al. 2015, table 1", "ResNet-101, stride in 1×1", "7.6 billion"),
    *published("He et al. 2015, table 1", "ResNet-152, stride in 1×1", "11.3 billion"),
    *published("Xie et al. 2017, table 1", "ResNet-50", "4.1 billion", "25.5 million", params_by=NO_BATCHNORM),
    *published("torchvision documentation", "ResNet-50", "4.09 billion", "25557032 "),
    *published("Keras 2 documentation", "ResNet-50", params="25,636,712", params_by=BIASES),
    *published("Xie et al. 2017, table 1", "ResNeXt-50 32×4d", "4.2 billion", "25.0 million"),
    *published("torchvision documentation", "ResNeXt-50 32×4d", "4.23 billion", "25028904 "),
    *published("Keras 2 documentation", "ResNeXt-50 32×4d", params="25,097,128", params_by=STATISTICS),
    *published("Howard et al. 2017, table 2", "MobileNetV1", "94.86 %", "74.59 %", "pointwise", None, WEIGHTS),
    *published("Howard et al. 2017, table 2", "MobileNetV1", "3.06 %", "1.06 %", "depthwise", None, WEIGHTS),
    *published("Howard et al. 2017, table 2", "MobileNetV1", "1.19 %", "0.02 %", "standard", SWAPPED),
    *published("Howard et al. 2017, table 2", "MobileNetV1", "0.18 %", "24.33 %", "linear", None, WEIGHTS),
    *published("Howard et al. 2017, table 3", "MobileNetV1, 3×3 layers", "462 million", "2.36 million", "stage4.1"),
    *published("Howard et al. 2017, table 3", "MobileNetV1", "52.3 million", "0.27 million", "stage4.1"),
    *published("Howard et al. 2017, table 3", "MobileNetV1 ×0.75", "29.6 million", "0.15 million", "stage4.1"),
    *published("Howard et al. 2017, table 3", "MobileNetV1 ×0.75 at 160²", "15.1 million", "0.15 million", "stage4.1"),
    *published("Howard et al. 2017, table 4", "MobileNetV1, 3×3 layers", "4866 million", macs_by=NO_LINEAR),
    *published("Howard et al. 2017, table 4", "MobileNetV1, 3×3 layers", params="29.3 million"),
    *published("Howard et al. 2017, tables 4, 6 and 7", "MobileNetV1", "569 million", "4.2 million"),
    *published("Howard et al. 2017, table 5", "MobileNetV1, shallow", "307 million", "2.9 million"),
    *published("Howard et al. 2017, tables 5 and 6", "MobileNetV1 ×0.75", "325 million", "2.6 million"),
    *published("Howard et al. 2017, table 6", "MobileNetV1 ×0.5", "149 million", "1.3 million"),
    *published("Howard et al. 2017, table 6", "MobileNetV1 ×0.25", "41 million", "0.5 million"),
    *published("Howard et al. 2017, table 7", "MobileNetV1 at 192²", "418 million", "4.2 million"),
    *published("Howard et al. 2017, table 7", "MobileNetV1 at 160²", "290 million", "4.2 million", macs_by=AT_160),
    *published("Howard et al. 2017, table 7", "MobileNetV1 at 128²", "186 million", "4.2 million"),
    *published("TensorFlow models, slim", "MobileNetV1 at 160²", "291 million"),
    *published("Sandler et al. 2018, table 4", "MobileNetV1", "575 million", "4.2 million", macs_by=UNKNOWN),
    *published("Keras 2 documentation", "MobileNetV1", params="4,253,864", params_by=STATISTICS),
    *published("Sandler et al. 2018, table 4", "MobileNetV2", "300 million", "3.4 million", "", CUT, NO_BATCHNORM_CUT),
    *published("TensorFlow models, slim", "MobileNetV2", "300 million", "3.47 million", "", CUT, NO_BATCHNORM),
    *published("torchvision documentation", "MobileNetV2", "0.30 billion", "3504872 "),
    *published("Keras 2 documentation", "MobileNetV2", params="3,538,984", params_by=STATISTICS),
    *published("Zhang et al. 2018, table 1", "ShuffleNetV1, g = 1", "143 million"),
    *published("Zhang et al. 2018, table 1", "ShuffleNetV1, g = 2", "140 million", macs_by=NO_LINEAR),
    *published("Zhang et al. 2018, table 1", "ShuffleNetV1, g = 3", "137 million"),
    *published("Zhang et al. 2018, table 1", "ShuffleNetV1, g = 4", "133 million", macs_by=NO_LINEAR),
    *published("Zhang et al. 2018, table 1", "ShuffleNetV1, g = 8", "137 million", macs_by=NO_LINEAR),
    *published("megvii-model/ShuffleNet-Series", "ShuffleNetV1, g = 3", "138 million", "1.9 million", macs_by=UNKNOWN),
    *published("megvii-model/ShuffleNet-Series", "ShuffleNetV1, g = 8", "138 million", "2.4 million"),
    *published("Chollet 2017, table 3", "Xception", params="22,855,952"),
    *published("Keras 2 documentation", "Xception", params="22,910,480", params_by=STATISTICS),
)
