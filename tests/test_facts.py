"""Facts: several answers in one call; and those of the U-Net's report, counted by hand and by loops over shapes."""

import pytest
import torch
from torch import nn

from convlab import check
from convlab.exercises.choices import Choices
from convlab.exercises.exercise import Exercise
from convlab.exercises.facts import Facts
from convlab.exercises.lesson_08 import INPUT_SHAPE
from convlab.networks.unet import UNet

LEGS = Exercise(lambda: 8, {"An insect has those.": lambda: 6}, (), "Four pairs.")
KIND = Choices([("b", {"a": "It has no wings.", "b": "It spins webs."})])
SPIDER = Facts({"legs": LEGS, "kind": KIND}, hints=["Count.", "8 and b."])
REPORT = {
    "parameters": 1_914,
    "MACs": 2_039_808,
    "2 × MACs": 4_079_616,
    "exact FLOPs": 4_018_176,
    "peak activation bytes": 479_232,
    "MACs of a training step": 5_455_872,
    "not counted": "a",
    "4.1 MFLOPs": "b",
}
NUMBERS = {name: question for name, question in check.unet_report.questions.items() if isinstance(question, Exercise)}


@pytest.mark.parametrize(
    ("answers", "outcome", "words"),
    [
        (None, "not yet", ["in place of None"]),
        ({"legs": None, "kind": ...}, "not yet", ["in place of None"]),
        ({"legs": 8, "kind": "b"}, "right", ["2 of 2 are right.", "legs: right. Four pairs.", "kind: right. It spins"]),
        ({"kind": " B ", "legs": 8}, "right", ["2 of 2", "kind: right. It spins"]),
        (
            {"legs": 6, "kind": "a"},
            "wrong",
            ["0 of 2 are", "legs: wrong. You said 6. An insect", "kind: wrong. It has no"],
        ),
        ({"legs": 8, "kind": None}, "not yet", ["1 of 2 is right.", "kind: not yet."]),
        ({"legs": 8}, "not yet", ["1 of 2 is right.", "kind: not yet."]),
        ({"legs": 8.0, "kind": "b"}, "nearly", ["legs: nearly. The value 8.0 is right, but it is a float"]),
        (
            {"legs": 9, "kind": "z"},
            "wrong",
            ["no mistake that is known", "kind: not yet. You gave 'z'. Wanted one of the letters"],
        ),
        ({"legs": 8, "eyes": 8}, "not yet", ["You gave ['legs', 'eyes']. Wanted a dict with the names legs, kind."]),
        (8, "not yet", ["You gave 8. Wanted a dict"]),
    ],
)
def test_each_fact_is_told_what_it_means(answers, outcome, words):
    reply = SPIDER(answers)
    assert reply.outcome == outcome, reply
    assert all(word in reply.message for word in words), reply


def test_hints_are_for_all_facts_together():
    assert SPIDER.hint(2).message == "8 and b."
    assert [check.unet_report.hint(n + 1).message for n in range(3)] == check.unet_report.hints


def test_the_report_by_hand_is_right_and_has_the_names_of_the_stub():
    assert [*REPORT] == [*check.unet_report.questions]
    assert check.unet_report(REPORT).outcome == "right"


@pytest.mark.parametrize("name", NUMBERS)
def test_each_mistake_in_the_report_is_told_by_its_own_reason(name):
    question = NUMBERS[name]
    for why, mistake in question.mistakes.items():
        reply = check.unet_report(REPORT | {name: mistake()})
        assert reply.outcome == "wrong"
        assert f"\n{name}: wrong. " in reply.message and why in reply.message
        assert reply.message.startswith("7 of 8 are right.")
    assert "no mistake that is known here" in check.unet_report(REPORT | {name: question.target() + 1}).message


def test_the_mistakes_that_tools_make_are_what_they_print():
    from thop import profile

    network, x = UNet().eval(), torch.zeros(INPUT_SHAPE)
    by_thop, _ = profile(network, inputs=(x,), verbose=False)
    assert "as thop does" in check.unet_report(REPORT | {"MACs": int(by_thop)}).message


def test_a_training_step_takes_what_hooks_on_each_layer_add_up():
    """Forward and both gradients of each layer, but for the first layer's input."""
    network, macs = UNet(), {}

    def hook(layer, inputs, output):
        positions = (inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output)[:, 0].numel()
        macs[layer] = layer.weight.numel() * positions

    for layer in network.children():
        layer.register_forward_hook(hook)
    network(torch.zeros(INPUT_SHAPE))
    assert sum(macs.values()) == REPORT["MACs"]
    assert 3 * sum(macs.values()) - macs[network.first] == REPORT["MACs of a training step"]
