"""The numbers that papers and documentations print for the networks, each beside the one that we compute."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import floor, prod
from typing import TYPE_CHECKING

import torch

from convlab.counting import cost_table
from convlab.networks.papers import (
    SHUFFLENET_V1,
    alexnet,
    alexnet_one_column,
    mobilenet_v1,
    mobilenet_v2,
    resnet,
    resnet50,
    resnext50_32x4d,
    shufflenet_v1,
    vgg16,
    vgg19,
    xception,
)

if TYPE_CHECKING:
    from pandas import DataFrame

NETWORKS = {  # name: builder, height and width of the image
    "AlexNet": (alexnet, 227),
    "AlexNet, one column": (alexnet_one_column, 224),
    "VGG-16": (vgg16, 224),
    "VGG-19": (vgg19, 224),
    "ResNet-50": (resnet50, 224),
    "ResNet-50, stride in 1×1": (partial(resnet50, stride_in_1x1=True), 224),
    "ResNet-101, stride in 1×1": (partial(resnet, (3, 4, 23, 3), stride_in_1x1=True), 224),
    "ResNet-152, stride in 1×1": (partial(resnet, (3, 8, 36, 3), stride_in_1x1=True), 224),
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
AT_160 = Convention(
    "the total at 224², times (160/224)², as if the linear layer shrank with the image",
    lambda row: row.macs * (25 / 49 if row.kind == "linear" else 1),
)
UNKNOWN = Convention("no reason found")


@dataclass(frozen=True)
class PublishedCount:
    """One published number: `value` as it is printed, in `unit`, for all layers or one kind, stage, block or layer.

    Our number counts every MAC of convolutions and linear layers, or every parameter. Where it does not round to the
    printed one, `convention` says why.

    >>> row = PublishedCount("VGG-16","MACs","15.3","billion","He et al. 2015, section 4.1", convention=NO_LINEAR)
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


def published(source, network, macs="", params="", layers="", macs_by=None, params_by=None) -> list[PublishedCount]:
    """Return what a row of a source prints: MACs and parameters as "value unit", and the conventions they differ by."""
    both = (("MACs", macs, macs_by), ("parameters", params, params_by))
    return [
        PublishedCount(network, what, *text.partition(" ")[::2], source, layers, by) for what, text, by in both if text
    ]


PUBLISHED = (
    *published("Krizhevsky et al. 2012, abstract", "AlexNet", params="60 million", params_by=CUT),
    *published("HPE Deep Learning Cookbook, Caffe's AlexNet", "AlexNet", params="60,965,224"),
    PublishedCount("AlexNet", "neurons", "253,440", "", "Krizhevsky et al. 2012, figure 2", "conv1", CONV1),
    PublishedCount("AlexNet", "neurons", "186,624", "", "Krizhevsky et al. 2012, figure 2", "conv2"),
    PublishedCount("AlexNet", "neurons", "64,896", "", "Krizhevsky et al. 2012, figure 2", "conv3"),
    PublishedCount("AlexNet", "neurons", "64,896", "", "Krizhevsky et al. 2012, figure 2", "conv4"),
    PublishedCount("AlexNet", "neurons", "43,264", "", "Krizhevsky et al. 2012, figure 2", "conv5"),
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


def compare_with_paper(paper: str, table: int) -> DataFrame:
    """Return what a paper's table prints, beside our numbers.

    Args:
        paper: how its source begins, such as "Howard".
        table: the number of the table.

    Raises:
        ValueError: nothing of such a table is in `PUBLISHED`.

    >>> print(compare_with_paper("Xie", table=1).loc["ResNet-50"].to_string(index=False))
      quantity printed    unit          ours  rounds to it
          MACs     4.1 billion 4,089,184,256          True
    parameters    25.5 million    25,557,032         False
    """
    from pandas import DataFrame  # here, so that the numbers can be read without it

    rows = [
        row for row in PUBLISHED if row.source.startswith(paper) and re.search(rf" tables? .*\b{table}\b", row.source)
    ]
    if not rows:
        sources = dict.fromkeys(row.source for row in PUBLISHED if " table" in row.source)
        raise ValueError(f"paper={paper!r}, table={table!r}; wanted one of: {'; '.join(sources)}")
    frame = DataFrame(
        {
            "layers": [row.layers for row in rows],
            "quantity": [row.quantity for row in rows],
            "printed": [row.value for row in rows],
            "unit": [row.unit for row in rows],
            "ours": [f"{row.ours:.4%}" if row.unit == "%" else f"{row.ours:,}" for row in rows],
            "rounds to it": [row.agrees for row in rows],
        },
        index=[row.network for row in rows],
    )
    return frame.loc[:, (frame != "").any()]
