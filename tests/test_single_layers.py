"""The single layers: equal where they say so, counted by torch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from convlab.networks.single_layers import equal_macs, equal_shapes
from convlab.torch_layers import to_module

LABELS = ["standard", "2 groups", "4 groups", "8 groups", "32 groups", "depthwise", "pointwise", "separable"]


def counted(family):
    """Return label → MACs and output shape, by torch."""
    found = {}
    for label, (layers, shape) in family.items():
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            x = torch.empty(shape)
            for layer in layers:
                x = to_module(layer).to("meta")(x)
        found[label] = counter.get_total_flops() // 2, tuple(x.shape)
    return found


@pytest.mark.parametrize("batch", [1, 3])
def test_equal_shapes_maps_one_shape_to_one_shape(batch):
    found = counted(equal_shapes(batch))
    assert list(found) == LABELS
    assert {shape for _, shape in found.values()} == {(batch, 128, 28, 28)}
    shares = [found["standard"][0] / macs for macs, _ in found.values()]
    assert shares == pytest.approx([1, 2, 4, 8, 32, 128, 9, 1 / (1 / 128 + 1 / 9)])


@pytest.mark.parametrize("batch", [1, 3])
def test_equal_macs_takes_exactly_the_same_macs(batch):
    found = counted(equal_macs(batch))
    assert list(found) == LABELS
    assert {macs for macs, _ in found.values()} == {64 * 64 * 9 * 28 * 28 * batch}


@pytest.mark.parametrize("family", [equal_shapes(), equal_macs()], ids=["equal shapes", "equal MACs"])
def test_each_label_says_the_kind_of_the_layers(family):
    for label, (layers, _) in family.items():
        groups = [layer.groups for layer in layers]
        depthwise = layers[0].groups == layers[0].in_channels
        wanted = {"standard": groups == [1], "pointwise": groups == [1] and layers[0].kernel_size == (1, 1)}
        wanted |= {"depthwise": depthwise and len(layers) == 1, "separable": depthwise and groups[1:] == [1]}
        assert wanted.get(label, label == f"{groups[0]} groups"), label
