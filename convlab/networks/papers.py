"""Networks whose cost was published, each written as its paper's table reads.

The published numbers are in `convlab.audit.published_counts`.

A builder returns a `torch.nn` network for 1000 classes. Built under `with torch.device("meta"):` it takes no memory and
can still be counted. A layer's name says where it sits: `conv1`, `stage3.2.conv2`, `fc`. What stands before the first
dot is its stage; then comes the block, counted from 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn


def chain(layers: dict) -> nn.Sequential:
    """Return the layers of a {name: layer} dictionary, one after the other."""
    return nn.Sequential(OrderedDict(layers))


def conv_bn(name: str, in_channels, out_channels, kernel_size, stride=1, groups=1, relu=nn.ReLU) -> dict:
    """Return a convolution padded by (K − 1)/2 and without bias, its BatchNorm and its ReLU (none if None)."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
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
            y = getattr(self, name)(y)
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


def alexnet(groups: int = 2) -> nn.Sequential:
    """Return AlexNet of 2012 for 227×227 images: the halves that ran on two GPUs are groups in conv2, conv4 and conv5.

    The paper says 224×224, which would give 54×54 and not its 55×55 in conv1. `groups=1` connects all channels.

    >>> with torch.device("meta"):
    ...     alexnet().conv2.weight.shape  # 256 kernels of 5×5×48
    torch.Size([256, 48, 5, 5])

    Source: Krizhevsky et al. 2012, section 3.5 and figure 2.
    """

    def conv(name, *sizes, groups=1, norm=False, pool=False, **options):
        layers = {name: nn.Conv2d(*sizes, groups=groups, **options), f"{name}_relu": nn.ReLU()}
        if norm:  # the paper's alpha is 1e-4; torch divides alpha by the 5 neighbours
            layers[f"{name}_norm"] = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        return layers | ({f"{name}_pool": nn.MaxPool2d(3, stride=2)} if pool else {})

    layers = conv("conv1", 3, 96, 11, stride=4, norm=True, pool=True)
    layers |= conv("conv2", 96, 256, 5, padding=2, groups=groups, norm=True, pool=True)
    layers |= conv("conv3", 256, 384, 3, padding=1)
    layers |= conv("conv4", 384, 384, 3, padding=1, groups=groups)
    layers |= conv("conv5", 384, 256, 3, padding=1, groups=groups, pool=True)
    return chain(layers | fc6_to_fc8(256 * 6 * 6))


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


def resnet(blocks=(3, 4, 6, 3), narrow=4, groups=1, stride_in_1x1=False) -> nn.Sequential:
    """Return a residual network with so many bottleneck blocks in its four stages, `narrow` times thinner inside.

    A stage's stride is in its first 3×3 layer, as in torchvision, or in its first 1×1 layer, as in the paper.

    >>> with torch.device("meta"):
    ...     resnet().stage3[0].conv2.stride, resnet(stride_in_1x1=True).stage3[0].conv1.stride
    ((2, 2), (2, 2))
    """

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


def resnet50() -> nn.Sequential:
    """Return ResNet-50, its strides in the 3×3 layers as in torchvision. Source: He et al. 2015, table 1, 50-layer."""
    return resnet()


def resnext50_32x4d() -> nn.Sequential:
    """Return ResNeXt-50: twice the channels in the 3×3 layers, in 32 groups. Source: Xie et al. 2017, table 1."""
    return resnet(narrow=2, groups=32)


MOBILENET_V1 = [(64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2)]  # channels, blocks, first stride


def mobilenet_v1(width: float = 1.0, separable: bool = True) -> nn.Sequential:
    """Return MobileNetV1 with `width` times the channels; `separable=False` has full 3×3 convolutions (table 4).

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

    rows = [(int(channels * width), blocks, stride) for channels, blocks, stride in MOBILENET_V1]
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
    start = conv_bn("conv1", 3, 24, 3, 2) | {"pool": nn.MaxPool2d(3, stride=2, padding=1)}
    c = SHUFFLENET_V1[groups]
    return chain(start | stages(unit, 24, [(c, 4, 2), (2 * c, 8, 2), (4 * c, 4, 2)], first=2) | head(4 * c))
