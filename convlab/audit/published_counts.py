"""The numbers that papers print for their networks, each beside the one that we compute."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING

import torch

from convlab.counting import cost_table
from convlab.networks.papers import alexnet, mobilenet_v1, mobilenet_v2, resnet50, resnext50_32x4d, shufflenet_v1, vgg16
from convlab.table import CostTable

if TYPE_CHECKING:
    from pandas import DataFrame

NETWORKS = {  # name: builder, height and width of the image
    "AlexNet": (alexnet, 227),
    "VGG-16": (vgg16, 224),
    "ResNet-50": (resnet50, 224),
    "ResNeXt-50 32×4d": (resnext50_32x4d, 224),
    "MobileNetV1": (mobilenet_v1, 224),
    "MobileNetV1, 3×3 layers": (partial(mobilenet_v1, separable=False), 224),
    **{f"MobileNetV1 ×{width}": (partial(mobilenet_v1, width), 224) for width in (0.75, 0.5, 0.25)},
    **{f"MobileNetV1 at {size}²": (mobilenet_v1, size) for size in (192, 160, 128)},
    "MobileNetV2": (mobilenet_v2, 224),
    "ShuffleNetV1, g = 3": (partial(shufflenet_v1, groups=3), 224),
}
COLUMNS = {"MACs": "macs", "parameters": "params"}  # quantity: its column in a CostTable
UNITS = {"": 1, "%": 0.01, "million": 10**6, "billion": 10**9}


@cache
def network_table(network: str) -> CostTable:
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
class PublishedCount:
    """One published number, beside ours, which counts every MAC of convolutions and linear layers, or every parameter.

    Args:
        network: a key of `NETWORKS`.
        quantity: "MACs" or "parameters".
        value: as it is printed, without separators.
        unit: a key of `UNITS`; "%" is a share of the whole network, "" no unit.
        source: where it is printed.
        layers: the kind, stage, block or layer that it is about; all layers, if left out.
        why: the reason, if our number does not round to the printed one.

    >>> row = PublishedCount("VGG-16", "parameters", "138", "million", "Simonyan & Zisserman 2014, table 2, D")
    >>> row.ours, row.agrees
    (138357544, True)
    """

    network: str
    quantity: str
    value: str
    unit: str
    source: str
    layers: str = ""
    why: str = ""

    @property
    def ours(self) -> int | float:
        """Our number: an integer, or a share from 0 to 1."""
        return self.count(attrgetter(COLUMNS[self.quantity]))

    @property
    def agrees(self) -> bool:
        """Whether our number rounds to the printed one."""
        return self.text(self.ours) == self.value

    def count(self, of: Callable) -> int | float:
        """Return the sum of `of(row)` over the layers; in the unit % its share of the sum over the whole network."""
        rows = network_table(self.network).rows
        chosen = [r for r in rows if self.layers in ("", r.kind, r.name) or r.name.startswith(f"{self.layers}.")]
        return sum(map(of, chosen)) / sum(map(of, rows)) if self.unit == "%" else sum(map(of, chosen))

    def text(self, number: float) -> str:
        """Return a number in the printed unit, rounded to the printed decimals."""
        return f"{number / UNITS[self.unit]:.{len(self.value.partition('.')[2])}f}"


# why a printed number is not ours
CUT = "cut, not rounded"
NO_LINEAR = "without the linear layers"
NO_BATCHNORM = "without BatchNorm"
NO_BATCHNORM_CUT = "without BatchNorm, and cut"
WEIGHTS = "without BatchNorm and biases"
SWAPPED = "a misprint of 1.91: the column adds up to 99.29, and with 1.91 to 100.01"
AT_160 = "the total at 224², times (160/224)², as if the linear layer shrank with the image"
UNKNOWN = "no reason found"

PUBLISHED = (
    PublishedCount("AlexNet", "parameters", "60", "million", "Krizhevsky et al. 2012, abstract", why=CUT),
    PublishedCount("VGG-16", "parameters", "138", "million", "Simonyan & Zisserman 2014, table 2, D"),
    PublishedCount("VGG-16", "MACs", "15.3", "billion", "He et al. 2015, section 4.1", why=NO_LINEAR),
    PublishedCount("ResNet-50", "MACs", "4.1", "billion", "Xie et al. 2017, table 1"),
    PublishedCount("ResNet-50", "parameters", "25.5", "million", "Xie et al. 2017, table 1", why=NO_BATCHNORM),
    PublishedCount("ResNeXt-50 32×4d", "MACs", "4.2", "billion", "Xie et al. 2017, table 1"),
    PublishedCount("ResNeXt-50 32×4d", "parameters", "25.0", "million", "Xie et al. 2017, table 1"),
    PublishedCount("MobileNetV1", "MACs", "94.86", "%", "Howard et al. 2017, table 2", "pointwise"),
    PublishedCount("MobileNetV1", "parameters", "74.59", "%", "Howard et al. 2017, table 2", "pointwise", why=WEIGHTS),
    PublishedCount("MobileNetV1", "MACs", "3.06", "%", "Howard et al. 2017, table 2", "depthwise"),
    PublishedCount("MobileNetV1", "parameters", "1.06", "%", "Howard et al. 2017, table 2", "depthwise", why=WEIGHTS),
    PublishedCount("MobileNetV1", "MACs", "1.19", "%", "Howard et al. 2017, table 2", "standard", why=SWAPPED),
    PublishedCount("MobileNetV1", "parameters", "0.02", "%", "Howard et al. 2017, table 2", "standard"),
    PublishedCount("MobileNetV1", "MACs", "0.18", "%", "Howard et al. 2017, table 2", "linear"),
    PublishedCount("MobileNetV1", "parameters", "24.33", "%", "Howard et al. 2017, table 2", "linear", why=WEIGHTS),
    PublishedCount("MobileNetV1, 3×3 layers", "MACs", "4866", "million", "Howard et al. 2017, table 4", why=NO_LINEAR),
    PublishedCount("MobileNetV1, 3×3 layers", "parameters", "29.3", "million", "Howard et al. 2017, table 4"),
    PublishedCount("MobileNetV1", "MACs", "569", "million", "Howard et al. 2017, tables 4, 6 and 7"),
    PublishedCount("MobileNetV1", "parameters", "4.2", "million", "Howard et al. 2017, tables 4, 6 and 7"),
    PublishedCount("MobileNetV1 ×0.75", "MACs", "325", "million", "Howard et al. 2017, tables 5 and 6"),
    PublishedCount("MobileNetV1 ×0.75", "parameters", "2.6", "million", "Howard et al. 2017, tables 5 and 6"),
    PublishedCount("MobileNetV1 ×0.5", "MACs", "149", "million", "Howard et al. 2017, table 6"),
    PublishedCount("MobileNetV1 ×0.5", "parameters", "1.3", "million", "Howard et al. 2017, table 6"),
    PublishedCount("MobileNetV1 ×0.25", "MACs", "41", "million", "Howard et al. 2017, table 6"),
    PublishedCount("MobileNetV1 ×0.25", "parameters", "0.5", "million", "Howard et al. 2017, table 6"),
    PublishedCount("MobileNetV1 at 192²", "MACs", "418", "million", "Howard et al. 2017, table 7"),
    PublishedCount("MobileNetV1 at 192²", "parameters", "4.2", "million", "Howard et al. 2017, table 7"),
    PublishedCount("MobileNetV1 at 160²", "MACs", "290", "million", "Howard et al. 2017, table 7", why=AT_160),
    PublishedCount("MobileNetV1 at 160²", "parameters", "4.2", "million", "Howard et al. 2017, table 7"),
    PublishedCount("MobileNetV1 at 128²", "MACs", "186", "million", "Howard et al. 2017, table 7"),
    PublishedCount("MobileNetV1 at 128²", "parameters", "4.2", "million", "Howard et al. 2017, table 7"),
    PublishedCount("MobileNetV1", "MACs", "575", "million", "Sandler et al. 2018, table 4", why=UNKNOWN),
    PublishedCount("MobileNetV1", "parameters", "4.2", "million", "Sandler et al. 2018, table 4"),
    PublishedCount("MobileNetV2", "MACs", "300", "million", "Sandler et al. 2018, table 4", why=CUT),
    PublishedCount("MobileNetV2", "parameters", "3.4", "million", "Sandler et al. 2018, table 4", why=NO_BATCHNORM_CUT),
    PublishedCount("ShuffleNetV1, g = 3", "MACs", "137", "million", "Zhang et al. 2018, table 1"),
    PublishedCount("ShuffleNetV1, g = 3", "parameters", "1.9", "million", "megvii-model/ShuffleNet-Series"),
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
