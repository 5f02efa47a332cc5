"""One page on a model: what one has to know, and to say, before its numbers can be compared with anybody's."""

from __future__ import annotations

import platform
import warnings
from collections import Counter
from html import escape
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill

import torch
from torch import nn

from convlab.counting import cost_table
from convlab.forward.inputs import arguments, example, shapes_of
from convlab.reports.memory import memory_table, readable_bytes
from convlab.reports.training_step import training_table
from convlab.table import StyledTable
from convlab.wording import format_number, listed, percent, plural

NOT_COUNTED = "normalisation, activations, pooling and other element-wise work"


class Report:
    """Questions with their answers, and the sentence for a paper: text when printed, a table in Jupyter.

    Args:
        answers: question → answer.
        sentence: all that has to stand beside the numbers, to be pasted.
    """

    def __init__(self, answers: dict[str, str], sentence: str):
        self.answers, self.sentence = answers, sentence

    def __str__(self) -> str:
        wide = max(map(len, self.answers)) + 2
        lines = [fill(f"{q:{wide}}{a}", 100, subsequent_indent=" " * wide) for q, a in self.answers.items()]
        return "\n".join([*lines, "", fill(self.sentence, 100)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from pandas import DataFrame  # here, so that importing this stays fast

        frame = DataFrame(self.answers.items(), columns=["question", "answer"])
        looks = {"td": "text-align: left; vertical-align: top", "caption": "caption-side: bottom; text-align: left"}
        return StyledTable(frame, looks, str(self)).set_caption(escape(self.sentence)).to_html()


def _or_why_not(make):
    """Return what a function returns, or the first line of the error that says why there is nothing."""
    try:
        return make()
    except Exception as error:
        return f"not known: {str(error).strip().partition(chr(10))[0]}"


def _images(shapes) -> int:
    """Return how many images there are, if all inputs are (N, C, H, W) with one N; else 1: no axis says what it is."""
    firsts = {shape[0] if len(shape) == 4 else 1 for shape in shapes}
    return firsts.pop() if len(firsts) == 1 else 1


def report(model: nn.Module, /, *inputs, real: bool = False, **named_inputs) -> Report:
    """Return one page on a model: parameters, MACs, FLOPs, memory, a training step, convention, what is not counted.

    All numbers are for the whole batch, if nothing else stands beside them; for each image too if the inputs are
    (N, C, H, W). The model, its inputs and the random states are afterwards as they were.

    Args:
        model, inputs, real, named_inputs: as in `cost_table`.

    Raises:
        TypeError: no `nn.Module`.
        Exception: what `cost_table` raises. What memory or a training step cannot say is said in its place.

    >>> page = report(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)).eval(), (2, 3, 12, 12))
    >>> print(page.answers["MACs"])  # 27 * 8 * 2 * 100 + 8 * 4 * 2 * 100
    49,600 in all, 24,800 for each of 2 images
    >>> print(page.answers["training step"])
    105,600 MACs: forward 49,600, gradients of inputs 6,400, of weights 49,600
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{model!r} is a {type(model).__name__}; wanted an nn.Module")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not counted has a line of its own
        table = cost_table(model, *inputs, real=real, **named_inputs)
        memory = _or_why_not(lambda: memory_table(model, *inputs, real=real, **named_inputs))
        step = _or_why_not(lambda: training_table(model, *inputs, real=real, **named_inputs))
    shapes = shapes_of(example(arguments(inputs, named_inputs), torch.float32, "meta"))
    images, shown = _images(shapes), listed([*map(str, shapes)] or ["given"])
    total, params = table.total, [*model.parameters()]
    trainable = sum(param.numel() for param in params if param.requires_grad)
    dtypes = Counter()
    for param in params:
        dtypes[str(param.dtype).removeprefix("torch.")] += param.numel()
    mode = "training" if getattr(model, "training", False) else "eval"

    def for_each(count):
        each = f" in all, {format_number(count / images)} for each of {images:,} images" if images > 1 else ""
        return f"{count:,}{each}"

    shares = [(row.macs / total.macs, row.name) for row in table.grouped("kind").rows if row.macs]
    try:
        ours = f"convlab {version('convlab-course')}"
    except PackageNotFoundError:
        ours = "convlab"
    versions = f"{ours}, torch {torch.__version__}, Python {platform.python_version()}"
    answers = {
        "model": f"{type(model).__name__} in {mode} mode, {plural(len(table.rows), 'row')} in its table",
        "input": shown,
        "output": "–" if total.output_shape is None else str(total.output_shape),
        "parameters": f"{total.params:,}: {trainable:,} trainable, {total.params - trainable:,} frozen; "
        + (listed([f"{count:,} {dtype}" for dtype, count in dtypes.items()]) if dtypes else "none"),
        "MACs": for_each(total.macs),
        "2 × MACs": for_each(2 * total.macs),
        "exact FLOPs": for_each(total.flops),
        "where the MACs are": ", ".join(f"{kind} {percent(share)}" for share, kind in sorted(shares)[::-1])
        or "nowhere",
        "not counted": "; ".join([NOT_COUNTED, *table.uncounted]),
    }
    if isinstance(memory, str):
        answers["memory"] = memory
    else:
        bytes_of = memory.total
        answers["memory"] = (
            f"weights {readable_bytes(bytes_of.weight_bytes)}; peak of live activations in inference "
            f"{readable_bytes(bytes_of.peak_bytes)}; kept for the backward pass {readable_bytes(bytes_of.saved_bytes)}"
        )
    if isinstance(step, str):
        answers["training step"] = step
    else:
        _, _, forward, of_inputs, of_weights, both = step.total
        answers["training step"] = (
            f"{both:,} MACs: forward {forward:,}, gradients of inputs {of_inputs:,}, of weights {of_weights:,}"
        )
    answers["convention"] = (
        "1 MAC is one multiplication with its accumulation; exact FLOPs are multiplications plus additions; padding "
        "zeros count; 1 KiB is 1,024 bytes"
    )
    answers["versions"] = versions
    left_out = f" Not counted by any formula: {'; '.join(table.uncounted)}." if table.uncounted else ""
    sentence = (
        f"{type(model).__name__} has {total.params:,} parameters and takes {total.macs:,} MACs ({total.flops:,} FLOPs: "
        f"multiplications plus additions, without {NOT_COUNTED}) for an input of {shown} in {mode} mode, counted with "
        f"{versions}.{left_out}"
    )
    return Report(answers, sentence)
