"""A report answers every question from the tables, says what it does not know, and ends in a sentence to paste."""

import pytest
import torch
from strategies import raises
from torch import nn

from convlab import cost_table
from convlab.reports.memory import memory_table, readable_bytes
from convlab.reports.report import report
from convlab.reports.training_step import training_table


class UNet(nn.Module):
    """Down, up by a transposed convolution, and the two side by side."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.last = nn.Conv2d(7, 2, 1)
        self.down.weight.requires_grad_(False)

    def forward(self, x):
        return self.last(torch.cat([x, self.up(torch.relu(self.down(x)))], dim=1))


MODELS = {
    "a U-Net": (UNet(), [(2, 3, 8, 12)]),
    "a transformer": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), [(3, 5, 8)]),
    "a recurrent network": (nn.GRU(4, 6, batch_first=True), [(2, 7, 4)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_report_has_the_numbers_of_the_tables(name):
    model, inputs = MODELS[name]
    page, total = report(model, *inputs), cost_table(model, *inputs).total
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    each = (
        f" in all, {total.macs / 2:,.0f} for each of 2 images" if name == "a U-Net" else ""
    )  # else no axis says its name
    assert page.answers["MACs"] == f"{total.macs:,}{each}"
    assert page.answers["2 × MACs"].startswith(f"{2 * total.macs:,}")
    assert page.answers["exact FLOPs"].startswith(f"{total.flops:,}")
    assert page.answers["parameters"].startswith(f"{total.params:,}: {trainable:,} trainable, ")
    assert f"{total.params:,} float32" in page.answers["parameters"]
    memory, step = memory_table(model, *inputs).total, training_table(model, *inputs).total
    for count in (memory.weight_bytes, memory.peak_bytes, memory.saved_bytes):
        assert readable_bytes(count) in page.answers["memory"]
    assert page.answers["training step"].startswith(f"{step.step_macs:,} MACs: forward {total.macs:,}")
    for text in (f"{total.params:,} parameters", f"{total.macs:,} MACs", str(inputs[0]), f"torch {torch.__version__}"):
        assert text in page.sentence


def test_a_report_shows_every_answer_as_text_and_as_html():
    page = report(*MODELS["a U-Net"][:1], (1, 3, 8, 12))
    for shown in (str(page), page._repr_html_()):
        for question, answer in page.answers.items():
            assert question in shown and answer.split()[0] in shown
    assert " ".join(str(page).split()).endswith(page.sentence)
    assert "for each of" not in page.answers["MACs"]  # of one image


def test_what_is_not_counted_is_in_the_report_and_in_its_sentence():
    page = report(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2, mode="bilinear")), (1, 3, 8, 8))
    assert "upsample_bilinear2d" in page.answers["not counted"] and "upsample_bilinear2d" in page.sentence


def test_what_a_table_cannot_say_is_said_in_its_place():
    class NotCopied(nn.Linear):
        def __deepcopy__(self, memo):
            raise TypeError("one of a kind")

    page = report(NotCopied(4, 5), (2, 4))
    assert page.answers["MACs"] == "40"
    assert page.answers["memory"].startswith("not known: ") and "one of a kind" in page.answers["memory"]
    assert page.answers["training step"].startswith("not known: ")


def test_a_report_of_no_module_is_refused():
    with raises(TypeError, "7 is a int; wanted an nn.Module"):
        report(7, (1, 3, 8, 8))
