"""A design: every reply of the check, networks that cheat, and attempts that outlive a restart."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from functools import partial
from math import sqrt
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import ttest_1samp
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from convlab import check, cost_table, memory_table
from convlab.exercises import design
from convlab.exercises.attempts import attempt, attempts
from convlab.exercises.design import BUDGET, LOW_MEMORY, SEEDS, Budget, Design, Measured, measure, starter
from convlab.measuring.digits_training import INPUT_SHAPE, measure_accuracy, split_digits, train, train_and_test

LOOSE = Budget(accuracy=0.2, params=10**6, macs=10**9, peak_bytes=10**9)
DIGITS = load_digits()
IMAGES, LABELS = torch.tensor(DIGITS.images, dtype=torch.float32)[:, None] / 16, torch.tensor(DIGITS.target)


def quick(build, budget=LOOSE, seeds=(7, 8)):
    return Design(budget, [], seeds, epochs=1)(build)


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def flat(x):
    return x.flatten(1)


HEAD = partial(nn.Linear, 64, 10)


def network(forward, head=HEAD, **attributes):
    """Return a function that builds networks with this forward(self, x), a new `head` and new attributes."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()
            for name, make in attributes.items():
                setattr(self, name, make())

    Network.forward = forward
    return Network


# What is no design, or none that works.


def unwritten():
    raise NotImplementedError


@pytest.mark.parametrize("answer", [None, ..., lambda: None, lambda: ..., unwritten])
def test_an_empty_answer_is_not_yet(answer):
    assert check.design(answer).outcome == "not yet"


def test_a_function_that_raises_is_quoted_with_its_line():
    def build():
        return nn.Conv2d(3, 8, 3, groups=2)

    message = quick(build).message
    assert "Your function stopped with ValueError: in_channels must be divisible by groups" in message
    assert message.endswith("at `return nn.Conv2d(3, 8, 3, groups=2)`.")


def view_by(limit):
    return network(lambda self, x: self.head(x.view(-1 if len(x) <= limit else 25, 64)))


def fail_in_training(self, x):
    if self.training and torch.is_grad_enabled():
        raise OverflowError("too much. ")
    return self.head(flat(x))


REFUSED = {  # name → (answer, what the reply says)
    "a number": (3, "You gave something of type int. Wanted a function"),
    "a network": (linear(), "You gave something of type Sequential. Wanted a function"),
    "a tensor": (lambda: torch.zeros(10), "a Tensor. Wanted an nn.Module"),
    "needs an argument": (lambda width: linear(), "missing 1 required positional argument"),
    "wrong shape": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "shape (1, 9). Wanted shape (1, 10)"),
    "one output for the batch": (
        network(lambda self, x: self.head(flat(x)).mean(0, keepdim=True)),
        "For 2 images the network returns shape (1, 10). Wanted shape (2, 10)",
    ),
    "no tensor": (network(lambda self, x: [x]), "returns a list"),
    "no forward": (nn.Module, "stopped with NotImplementedError"),
    "fails": (lambda: nn.Sequential(nn.Linear(64, 10)), "Is nn.Flatten() missing before a linear layer?"),
    "fails on some batch sizes": (view_by(49), "given 50 of the images, stopped with RuntimeError"),
    "fails on the held-out batch": (view_by(50), "given 597 of the images, stopped with RuntimeError"),
    "fails in training alone": (
        network(fail_in_training),
        "The network in training mode, given 50 of the images, stopped with OverflowError: too much.",
    ),
    "not finite": (network(lambda self, x: self.head(flat(x)) / 0), "not finite"),
    "no gradient": (
        network(lambda self, x: self.head(flat(x)).detach()),
        "The training from seed 7 stopped with RuntimeError: element 0 of tensors does not require grad",
    ),
    "depends on the batch": (network(lambda self, x: self.head(flat(x - x.mean(0)))), "depend on the other images"),
    "outputs by chance": (network(lambda self, x: self.head(F.dropout(flat(x), 0.5))), "or on chance"),
    "lazy": (
        lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
        "1 (LazyLinear) does not know its channels yet. Wanted",
    ),
}


# The budget.


def test_a_design_may_meet_the_budget_and_may_not_pass_it_by_one():
    exact = Budget(0.2, 650, 640, peak_bytes=4 * (64 + 10))
    assert quick(linear, exact).outcome == "right"
    assert "296 bytes at the peak: over by 1; at most 295." in quick(linear, exact._replace(peak_bytes=295)).message
    assert "650 parameters: over by 1; at most 649." in quick(linear, exact._replace(params=649)).message
    assert "640 MACs: over by 1; at most 639." in quick(linear, exact._replace(macs=639)).message


def test_what_is_over_the_budget_is_not_trained(monkeypatch):
    monkeypatch.setattr(design, "train", lambda *_: pytest.fail("it was trained"))
    reply = check.design(starter)
    assert reply.outcome == "wrong"
    assert f"not trained. 16,794 parameters: over by {16_794 - BUDGET.params:,}" in reply.message
    assert f"378,176 MACs: over by {378_176 - BUDGET.macs:,}" in reply.message
    assert f"bytes at the peak: over by {PEAK_OF_STARTER - BUDGET.peak_bytes:,}" in reply.message


PEAK_OF_STARTER = memory_table(starter().eval(), INPUT_SHAPE).total.peak_bytes


# The two tasks.


def costs(build):
    model = build().eval()
    total, peak_bytes = cost_table(model, INPUT_SHAPE).total, memory_table(model, INPUT_SHAPE).total.peak_bytes
    return total.params, total.macs, peak_bytes


def model_answers():
    """Return the networks of the two solutions of the lesson."""
    lesson = nbformat.read(Path(__file__).parent.parent / "notebooks" / "12-design-under-a-budget.ipynb", as_version=4)
    found = [cell.source for cell in lesson.cells if "solution" in cell.metadata.get("tags", [])]
    names = {"nn": nn}
    for source in found:
        exec(re.search(r"```python\n(.*?)```", source, re.DOTALL)[1], names)
    return [value for name, value in names.items() if name.startswith("my_")]


def test_each_model_answer_meets_the_costs_of_its_own_task_alone():
    few_parameters, little_memory = model_answers()
    assert not BUDGET.over(*costs(few_parameters)) and LOW_MEMORY.over(*costs(few_parameters))
    assert not LOW_MEMORY.over(*costs(little_memory)) and BUDGET.over(*costs(little_memory))


def test_each_limit_of_cost_bites():
    """The model answers use more than nine tenths of each, so that no limit is far away."""
    for answer, budget in zip(model_answers(), (BUDGET, LOW_MEMORY), strict=True):
        used = [cost / most for cost, most in zip(costs(answer), budget[1:], strict=True)]
        assert min(used) > 0.9, used


@pytest.mark.parametrize("budget", [BUDGET, LOW_MEMORY])
def test_the_networks_that_need_no_tool_of_the_course_are_over_a_limit_of_cost(budget):
    three_layers = nn.Sequential(
        *(nn.Conv2d(1, 12, 3, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        nn.Linear(108, 10),
    )
    two_linear = nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 19), nn.BatchNorm1d(19), nn.ReLU(), nn.Linear(19, 10)),
    )
    assert costs(lambda: three_layers)[:2] == (1222, 4968)
    for model in (three_layers, two_linear, starter(), starter(3)):
        assert budget.over(*costs(lambda model=model: model))


# The accuracy.


def test_a_measured_design_is_told_its_accuracy_with_the_interval_and_all_margins():
    for budget, outcome, distance in ((LOOSE, "right", "above 20"), (LOOSE._replace(accuracy=1), "wrong", "below 100")):
        reply = quick(linear, budget, seeds=range(7, 13))
        assert reply.outcome == outcome
        assert f"points {distance}.00%: the mean of 6 runs, ± " in reply.message
        assert "650 parameters, 999,350 to spare. 640 MACs, 999,999,360 to spare. 296 bytes at" in reply.message


@pytest.mark.parametrize(
    ("accuracies", "limit", "outcome"),
    [
        ((0.6, 0.8), 0.705, "undecided"),
        ((0.74, 0.76), 0.705, "undecided"),  # more than two standard errors, and inside the interval of two runs
        ((0.718, 0.720), 0.705, "undecided"),  # outside the interval that takes the splits to be independent
        ((0.729, 0.731), 0.705, "right"),
        ((0.659, 0.661), 0.705, "wrong"),
        ((0.25, 0.75), 0.5, "undecided"),  # the limit met exactly
    ],
)
def test_a_result_whose_corrected_95_percent_interval_includes_the_limit_is_undecided(
    monkeypatch, accuracies, limit, outcome
):
    given = iter([0, accuracies[0], 0, accuracies[1]])
    monkeypatch.setattr(design, "share_right", lambda *_: next(given))
    reply = quick(linear, LOOSE._replace(accuracy=limit))
    low, high = ttest_1samp(accuracies, 0).confidence_interval(0.95)
    half, middle = (high - low) / 2 * sqrt((1 / 2 + 597 / 1200) / (1 / 2)), (high + low) / 2
    assert f"the mean of 2 runs, ± {100 * half:.2f} points (95 % interval)" in reply.message
    assert reply.outcome == outcome
    assert (middle - half <= limit <= middle + half) == (outcome == "undecided")
    assert reply.message.startswith("The interval includes the limit, so these runs do not tell.") == (
        outcome == "undecided"
    )


def test_no_run_begins_after_the_seconds_are_over_but_two_are_made():
    assert measure(linear, seeds=range(4), epochs=1, max_seconds=0).seeds == (0, 1)
    assert measure(linear, seeds=range(4), epochs=1).seeds == (0, 1, 2, 3)


def test_the_accuracy_is_that_of_training_on_the_training_images_and_testing_on_the_others(monkeypatch):
    seen = []
    monkeypatch.setattr(design, "train", lambda model, *rest: seen.append((model, *rest)) or train(model, *rest))
    message = quick(linear).message
    expected = []
    for (model, images, labels, epochs, seed), wanted in zip(seen, (7, 8), strict=True):
        split = split_digits(seed)
        assert (seed, epochs) == (wanted, 1)
        assert torch.equal(images, split.images) and torch.equal(labels, split.labels)
        expected.append(measure_accuracy(model, split.held_out_images, split.held_out_labels))
    assert f"{sum(expected) / 2:.2%}" in message


def test_no_code_of_a_design_sees_a_held_out_image():
    seen = []

    def forward(self, x):
        seen.extend(() if x.is_meta else x.flatten(1).tolist())
        return self.head(flat(x))

    assert "of the held-out images" in quick(network(forward), seeds=(7, 7)).message
    assert {tuple(image) for image in seen} <= {tuple(image) for image in split_digits(7).images.flatten(1).tolist()}


def test_the_check_uses_none_of_the_seeds_of_the_attempts():
    assert set(check.design.seeds).isdisjoint(SEEDS)


# Networks that cheat.


def knowing():
    """Return a linear network that was trained on all 1,797 images."""
    torch.manual_seed(0)
    model = linear()
    train(model, IMAGES, LABELS, 5, 0)
    assert measure_accuracy(model, IMAGES, LABELS) > 0.9
    return model


MODEL, SHARED = knowing(), nn.Linear(64, 64)


def nearest(x):
    return F.one_hot(LABELS[(flat(x)[:, None] - flat(IMAGES)).square().sum(2).argmin(1)], 10).float()


class With(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.extra = nn.Parameter(torch.rand(10))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(10, 64))

    def forward(self, x):
        return F.linear(flat(x), self.weight)


class OwnParameters(nn.Module):
    """Layers that no table of torch sees, and that are trained all the same."""

    def __init__(self):
        super().__init__()
        self.plain = [nn.Linear(64, 128), nn.Linear(128, 10)]
        self.head = nn.Linear(10, 10)

    def parameters(self, recurse=True):
        return [weight for layer in (*self.plain, self.head) for weight in layer._parameters.values()]

    def forward(self, x):
        return self.head(self.plain[1](self.plain[0](flat(x)).relu()))


class Hiding(nn.Linear):
    def named_modules(self, *args, **kwargs):
        return iter(())

    def train(self, mode=True):
        return self


class Learning(nn.Sequential):
    """A network that learns all images, the held-out ones too, when its training is over."""

    def __init__(self):
        super().__init__(*linear())

    def train(self, mode=True):
        if not mode and torch.is_grad_enabled():
            train(nn.Sequential(*self), IMAGES, LABELS, 5, 0)
        return super().train(mode)


class Answering(nn.Module):
    """A network that answers from a table of images once it has been trained."""

    def __init__(self):
        super().__init__()
        self.head, self.steps = nn.Linear(64, 10), 0
        self.table = {image.numpy().tobytes(): int(label) for image, label in zip(IMAGES, LABELS)}

    def forward(self, x):
        self.steps += self.training and torch.is_grad_enabled()
        out = self.head(flat(x))
        if self.steps > 20 and not x.is_meta:
            digits = [self.table.get(image.numpy().tobytes(), 0) for image in x]
            out = torch.stack([torch.arange(10) == digit for digit in digits]) + 0 * out
        return out


class Loading(nn.Sequential):
    def __init__(self):
        super().__init__(*linear())

    def train(self, mode=True):
        if mode and hasattr(self, "training") and len(self):
            self.load_state_dict(MODEL.state_dict())
        return super().train(mode)


def load_when(now):
    def forward(self, x):
        if now(self):
            self.head.load_state_dict(MODEL[1].state_dict())
        return self.head(flat(x))

    return network(forward)


def asserting(self, x):
    assert x.min() >= 0
    return self.head(flat(x))


def with_buffer():
    model = linear()
    model[0].register_buffer("images", IMAGES.clone())
    return model


def by_numbers():
    weight = MODEL[1].weight.tolist()

    def forward(self, x):
        pixels = flat(x).unbind(1)
        outputs = [sum(w * pixel for w, pixel in zip(row, pixels)) for row in weight]
        return torch.stack(outputs, 1) + 0 * self.head(flat(x))

    return network(forward)


def times(count):
    """Return a function that builds networks which do their work `count(self, x)` times."""
    return network(lambda self, x: sum(self.head(flat(x)) for _ in range(count(self, x))))


def twice_when_trained(self, x):
    self.is_trained = getattr(self, "is_trained", False) or (self.training and torch.is_grad_enabled())
    return 1 + self.is_trained


def growing(*sizes):
    """Return a function whose next networks have these sizes."""
    sizes = iter(sizes)
    return lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, size := next(sizes)), nn.Linear(size, 10))


def summed(norm, add=Tensor.sum, flat=False):
    """Return a function that builds networks whose first layer, 64 → 14, is made of a normalisation and a sum."""

    def forward(self, x):
        x = x.flatten(2).expand(-1, 14, -1)
        x = self.norm(x.reshape(len(x), -1)).view(-1, 14, 64) if flat else self.norm(x)
        return self.head(add(x, 2))

    return network(forward, partial(nn.Linear, 14, 10), norm=norm)


FOREIGN, UNSEEN = "neither its input nor a parameter", "the weights of a normalisation or PReLU are summed by aten."
CHEATS = {  # name → (answer, what the reply says)
    "parameters() of its own": (OwnParameters, "OwnParameters has its own parameters()"),
    "methods of its own, inside": (
        lambda: nn.Sequential(nn.Flatten(), Hiding(64, 10)),
        "Hiding has its own named_modules(). Wanted a layer whose methods are those of nn.Module",
    ),
    "a method replaced": (
        lambda: setattr(one := linear(), "eval", lambda: one) or one,
        "Sequential has its own eval()",
    ),
    "training on all images in train(False)": (Learning, "Learning has its own train()"),
    "answers by image, once trained": (Answering, "does not do the same operations with each image"),
    "a layer as a normalisation and a sum": (summed(lambda: nn.LayerNorm((14, 64), bias=False)), UNSEEN),
    "a layer as a batch normalisation and a sum": (summed(lambda: nn.BatchNorm1d(896), flat=True), UNSEEN),
    "a layer as groups normalised and a sum": (summed(lambda: nn.GroupNorm(1, 896), flat=True), UNSEEN),
    "a layer as an RMS norm and a mean": (summed(lambda: nn.RMSNorm((14, 64)), Tensor.mean), "cannot count aten.mean"),
    "a layer as PReLU and a sum": (summed(lambda: nn.PReLU(896), flat=True), UNSEEN),
    "a layer as a function and a sum": (
        network(
            lambda self, x: self.head(F.layer_norm(x.flatten(2).expand(-1, 14, -1), (14, 64), self.norm.weight).sum(2)),
            partial(nn.Linear, 14, 10),
            norm=lambda: nn.LayerNorm((14, 64), bias=False),
        ),
        UNSEEN,
    ),
    "the same network each time": (lambda: MODEL, "the same layers each time"),
    "one shared layer": (lambda: nn.Sequential(nn.Flatten(), SHARED, nn.Linear(64, 10)), "the same layers each time"),
    "one shared parameter": (lambda: setattr(one := linear(), "extra", MODEL[1].bias) or one, "the same layers"),
    "another size at a later call": (growing(9, 1), "networks of different costs"),
    "parameters of its own": (Own, "The network (Own) has parameters of its own"),
    "parameters beside those of a layer": (
        lambda: nn.Sequential(nn.Flatten(), With(64, 10)),
        "1 (With) has parameters of its own",
    ),
    "images in a buffer": (with_buffer, "0 (Flatten) has the buffer 'images' of shape (1797, 1, 8, 8)"),
    "weights loaded in training mode": (load_when(lambda self: self.training), "a tensor of shape (10, 64) that is"),
    "weights loaded when gradients are recorded": (load_when(lambda self: torch.is_grad_enabled()), FOREIGN),
    "weights loaded by train()": (Loading, "Loading has its own train()"),
    "weights loaded in the forward": (
        network(lambda self, x: self.head.weight.data.copy_(MODEL[1].weight) * 0 @ flat(x).T),
        FOREIGN,
    ),
    "weights in an attribute": (
        network(lambda self, x: flat(x) @ self.table + self.head(flat(x)), table=partial(torch.rand, 64, 10)),
        FOREIGN,
    ),
    "images in a closure": (network(lambda self, x: nearest(x) + 0 * self.head(flat(x))), FOREIGN),
    "features in a closure": (network(lambda self, x: self.head(nearest(x)), partial(nn.Linear, 10, 10)), FOREIGN),
    "images in NumPy": (network(lambda self, x: flat(x) @ torch.as_tensor(DIGITS.data[:10].T).float()), FOREIGN),
    "a list made a tensor": (network(lambda self, x: self.head(flat(x)) * torch.tensor([1.0] * 9 + [2.0])), FOREIGN),
    "layers in a plain list": (
        network(lambda self, x: self.plain[0](self.head(flat(x))), plain=lambda: [nn.Linear(10, 10)]),
        "Use nn.ModuleList.",
    ),
    "channels in an order": (network(lambda self, x: self.head(flat(x)[:, [*range(64)]])), "Use nn.ChannelShuffle."),
    "weights as Python numbers": (by_numbers(), "It has the answers from elsewhere"),
    "an assertion": (network(asserting), "looks at values of the image (assert, if, .item()). Leave that out."),
    "values that decide": (
        network(lambda self, x: self.head(flat(x)) * (2 if x.sum() > 0 else 1)),
        "looks at values of the image",
    ),
    "no work at all": (lambda: nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10)), "does 0 MACs for one image"),
    "a weight used outside its layer": (
        network(lambda self, x: flat(x) @ self.head.weight.T),
        "Call the layer itself in your forward",
    ),
    "work without a formula": (
        network(lambda self, x: self.head(flat(torch.fft.fft2(x).real))),
        "cost_table cannot count aten._fft",
    ),
    "products written out": (
        network(lambda self, x: (flat(x)[:, None] * self.head.weight).sum(2)),
        "cost_table cannot count aten.sum",
    ),
    "a table by pixel": (
        network(lambda self, x: self.head(flat((16 * x).long())).sum(1), partial(nn.Embedding, 17, 10)),
        "no counted MACs",
    ),
    "more work for a batch": (
        times(lambda self, x: 1 + (len(x) > 1)),
        "does 640 MACs for one image, and 64,000 for 50 images",
    ),
    "more work on real images": (
        times(lambda self, x: 2 - x.is_meta),
        "does 640 MACs for one image, and 64,000 for 50 images",
    ),
    "more work after training": (times(twice_when_trained), "no longer 650 parameters, 640 MACs and"),
}


@pytest.mark.parametrize(("answer", "phrase"), (table := REFUSED | CHEATS).values(), ids=table)
def test_what_does_not_work_or_cheats_is_refused_and_told_why(answer, phrase):
    reply = quick(answer)
    assert reply.outcome == "wrong"
    assert phrase in reply.message


def test_the_numbers_of_a_normalisation_count_as_its_weights_or_as_its_statistics():
    for affine in (True, False):
        wide = network(
            lambda self, x: self.head(self.norm(flat(x).repeat(1, 25)).view(-1, 25, 64).amax(1)),
            norm=lambda affine=affine: nn.BatchNorm1d(1600, affine=affine),
        )
        message = quick(wide, LOOSE._replace(params=1000)).message
        assert "3,850 parameters: over by 2,850" in message  # 2·1600 and 650


def test_parameters_are_all_numbers_in_their_memory():
    def build():
        model = linear()
        model[1].bias = nn.Parameter(torch.rand(2000)[:10])
        return model

    assert "2,640 parameters: over by 1,640" in quick(build, LOOSE._replace(params=1000)).message


def leaving(now):
    return network(lambda self, x: sys.exit("gone") if now(self) else self.head(flat(x)))


@pytest.mark.parametrize(
    ("build", "phrase"),
    [
        (lambda: sys.exit("gone"), "Your function stopped with SystemExit: gone"),
        (leaving(lambda self: True), "given 1 of the images, stopped with SystemExit: gone"),
        (leaving(lambda self: self.training), "in training mode, given 50 of the images, stopped with SystemExit"),
    ],
    ids=["build", "forward", "training mode"],
)
def test_a_design_that_leaves_python_is_refused(build, phrase):
    reply = quick(build)
    assert reply.outcome == "wrong" and phrase in reply.message


def test_what_a_forward_does_in_training_mode_rests_on_honesty_as_the_check_says():
    """A network that trains itself on all images while it is trained is not seen."""

    def forward(self, x):
        self.steps = getattr(self, "steps", 0) + (self.training and torch.is_grad_enabled())
        if self.steps == 20 and self.training:
            self.steps += 1
            train(nn.Sequential(nn.Flatten(), self.head), IMAGES, LABELS, 9, 0)
        return self.head(flat(x))

    assert quick(network(forward)).message.split()[0] > quick(linear).message.split()[0]
    assert "images that a network trains itself on inside its forward in training mode" in design.__doc__


def test_a_larger_network_at_a_later_call_is_over_the_budget():
    assert "over by" in quick(growing(1, 9), LOOSE._replace(macs=100)).message


class MyLinear(nn.Linear):
    pass


class Remembering(nn.Linear):
    def reset_parameters(self):
        pass


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: None,
        lambda layer: setattr(layer, "__class__", MyLinear),
        lambda layer: setattr(layer, "__class__", Remembering),
        lambda layer: setattr(layer, "reset_parameters", lambda: None),
    ],
    ids=["a copy", "of an own class", "of a class without a reset", "with its reset replaced"],
)
def test_weights_that_were_trained_on_all_images_bring_no_advantage(change):
    def build():
        model = deepcopy(MODEL)
        change(model[1])
        return model

    assert quick(build).message == quick(linear).message


def test_weights_in_the_statistics_of_a_normalisation_are_started_anew_too():
    def build():
        statistics = nn.BatchNorm1d(640, affine=False)
        statistics.running_mean.copy_(MODEL[1].weight.detach().flatten())
        return statistics

    def forward(self, x):
        return flat(x) @ self.statistics.running_mean.view(10, 64).T + 0 * self.head(flat(x))

    assert "points below 20.00%" in quick(network(forward, statistics=build)).message


def test_a_network_that_is_refused_keeps_its_weights():
    weights = deepcopy(MODEL.state_dict())
    quick(lambda: MODEL)
    assert all(torch.equal(value, weights[name]) for name, value in MODEL.state_dict().items())


def test_the_function_cannot_read_the_seed_of_a_split():
    seen = []
    quick(lambda: seen.append(torch.initial_seed()) or linear())
    assert seen and set(seen).isdisjoint((7, 8))


def test_the_check_and_an_attempt_leave_the_random_state_and_the_gradient_mode_as_they_were(tmp_path):
    before = torch.get_rng_state()
    for answer in (linear, lambda: nn.Linear(1, 1), lambda: MODEL):
        quick(answer)
    attempt("one", linear, tmp_path / "attempts.jsonl", seeds=[0], epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_two_checks_of_a_design_give_one_reply():
    replies = []
    for seed in (1, 2):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            replies.append(quick(starter).message)
    assert replies[0] == replies[1]


# Networks that do not cheat.


class MyConv(nn.Conv2d):
    def __init__(self, channels, filters):
        super().__init__(channels, filters, 3, padding=1, bias=False)


class MyNorm(nn.BatchNorm2d):
    pass


HONEST = {  # layers that a design may well use
    "norms and activations": lambda: nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.PReLU(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.LayerNorm(32), nn.RMSNorm(32), nn.Dropout(0.1), nn.GELU(), nn.Linear(32, 10)),
    ),
    "shuffle and residual": network(
        lambda self, x: self.head(flat(F.relu(self.block(x) + F.pad(x, (0, 0, 0, 0))))),
        partial(nn.Linear, 256, 10),
        block=lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ChannelShuffle(2), nn.BatchNorm2d(4)),
    ),
    "one layer used twice": network(
        lambda self, x: self.head(self.square(self.square(flat(x)))), square=partial(nn.Linear, 64, 64)
    ),
    "attention": network(
        lambda self, x: self.head(self.attend(*[x.flatten(2).unfold(2, 8, 8).squeeze(1)] * 3)[0].flatten(1)),
        attend=lambda: nn.MultiheadAttention(8, 2, batch_first=True),
    ),
    "normalised weights": lambda: nn.Sequential(
        *(weight_norm(nn.Conv2d(1, 4, 3)), nn.ReLU(), nn.Flatten(), weight_norm(nn.Linear(144, 10))),
    ),
    "norms, then pooling": lambda: nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.AvgPool2d(2), nn.ChannelShuffle(2)),
        *(nn.InstanceNorm2d(8, affine=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(nn.BatchNorm1d(8, affine=False), nn.PReLU(8), nn.Linear(8, 10)),
    ),
    "a scalar": network(lambda self, x: self.head(flat(x)) * torch.tensor(2.0)),
    "positions made in the forward": network(lambda self, x: self.head(flat(x + torch.arange(8) + torch.ones_like(x)))),
    "own classes of layers": lambda: nn.Sequential(MyConv(1, 2), MyNorm(2), nn.Flatten(), nn.Linear(128, 10)),
}


@pytest.mark.parametrize("build", HONEST.values(), ids=HONEST)
def test_an_honest_network_is_measured(build):
    assert "of the held-out images" in quick(build).message


def test_normalised_weights_start_anew_as_plain_ones_do():
    def trained():
        model = linear()
        model[1].load_state_dict(MODEL[1].state_dict())
        weight_norm(model[1])
        return model

    assert quick(trained).message == quick(lambda: nn.Sequential(nn.Flatten(), weight_norm(nn.Linear(64, 10)))).message


@pytest.mark.parametrize("exercise", [check.design, check.low_memory_design])
def test_a_design_has_hints_that_come_one_by_one(exercise):
    assert "There are 3" in exercise.hint().message
    assert exercise.hint(3).outcome == "hint 3 of 3"


# The attempts.


@pytest.fixture
def kept(tmp_path):
    """Return a function that makes an attempt in a file, and the file."""
    path = tmp_path / "attempts.jsonl"
    return lambda name, build=linear: attempt(name, build, path, seeds=[0, 1], epochs=1), path


def test_an_attempt_is_said_and_kept(kept):
    make, path = kept
    reply = make("plain")
    (found,) = attempts(path)
    assert (found.label, found.params, found.macs, found.seeds, found.epochs) == ("plain", 650, 640, (0, 1), 1)
    assert found.source == "your attempts"
    assert found.peak_bytes == 296
    assert reply.message == (
        f"plain: {found.mean:.2%} in 2 runs. 650 parameters, 640 MACs, 296 bytes at the peak.\n"
        "Exercise 1: all costs are within the budget.\nExercise 2: all costs are within the budget."
    )


@pytest.mark.parametrize("build", [None, ..., lambda: None])
def test_an_attempt_that_is_empty_writes_nothing(kept, build):
    make, path = kept
    assert make("empty", build).outcome == "not yet"
    assert not path.exists()
    assert attempts(path) == []


def test_an_attempt_over_the_budget_is_kept(kept):
    make, path = kept
    assert "parameters: over by" in make("large", growing(999, 999)).message
    assert attempts(path)[0].params > BUDGET.params


@pytest.mark.parametrize("name", ["fails", "wrong shape", "images in a closure", "a number"])
def test_an_attempt_that_the_check_would_refuse_is_refused_in_its_words_and_not_kept(kept, name):
    make, path = kept
    build, _ = table[name]
    assert make("bad", build) == quick(build)
    assert not path.exists()


def test_an_attempt_learns_what_train_and_test_learns_and_may_be_compared_with_it(kept):
    make, path = kept
    make("mine", lambda: deepcopy(MODEL))  # weights brought along bring no advantage
    (mine,) = attempts(path)
    (live,) = train_and_test({"live": linear}, [0, 1], 1).values()
    assert mine.accuracies == live.accuracies
    assert mine.difference(live) == live.difference(mine) == (0, 0, 0)
    for changed in ({"source": "recorded, 2026"}, {"epochs": 2}, {"torch_version": "1"}, {"seeds": (0, 2)}):
        with pytest.raises(ValueError, match="wanted the same"):
            mine.difference(replace(live, **changed))


def test_a_name_that_is_too_long_is_refused_before_the_training(kept):
    make, path = kept
    assert make("n" * 24).outcome == "attempt"
    reply = make("n" * 25, lambda: pytest.fail("it was built"))
    assert reply.outcome == "wrong" and "has 25 letters. Wanted a name of 24 at most." in reply.message
    assert len(attempts(path)) == 1


def test_attempts_outlive_a_restart_and_keep_their_order_and_names(kept):
    make, path = kept
    names = ["first", "zweiter “ä”", "third\nline", "first"]
    for name in names:
        make(name)
    code = f"from convlab.exercises.attempts import attempts; print([row.label for row in attempts({str(path)!r})])"
    run = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert run.stdout.strip() == repr(names), run.stderr


BROKEN = [b'{"label": "cut o', b"no JSON", b"[1, 2]", b"{}", b'"text"', b"\xff\xfe"]


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_cannot_be_read_is_named_and_left_out_and_nothing_is_lost(kept, line):
    make, path = kept
    make("before")
    with open(path, "ab") as file:
        file.write(line)  # without an end of line, as when a machine stops
    broken = path.read_bytes()
    make("after")
    with pytest.warns(UserWarning, match=f"line {len(broken.splitlines())} cannot be read and is left out"):
        assert [row.label for row in attempts(path)] == ["before", "after"]
    assert path.read_bytes().startswith(broken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("params", -1),
        ("macs", "many"),
        ("peak_bytes", None),
        ("accuracies", [98, 99]),
        ("accuracies", []),
        ("accuracies", ["x", "y"]),
    ],
)
def test_an_edited_line_with_impossible_numbers_is_named(kept, field, value):
    make, path = kept
    make("one")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {field: value}), "utf-8")
    with pytest.warns(UserWarning, match="line 1 cannot be read and is left out"):
        assert attempts(path) == []


def test_attempts_at_the_same_time_are_all_kept(kept, monkeypatch):
    make, path = kept
    row = Measured("x", 650, 640, (0,), (0.5,), 1, "", peak_bytes=296)
    monkeypatch.setattr("convlab.exercises.attempts.measure", lambda *_: row)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, map(str, range(40))))
    assert len(attempts(path)) == 40


def test_a_file_that_cannot_be_written_is_named_beside_the_result(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "attempts.jsonl"):
        reply = attempt("one", linear, path, seeds=[0], epochs=1)
        assert "650 parameters" in reply.message
        assert f"could not be kept in {path}:" in reply.message
