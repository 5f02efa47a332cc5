"""The challenge: every reply of the check, submissions that cheat, and attempts that outlive a restart."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import ttest_1samp
from sklearn.datasets import load_digits
from torch import nn

from convlab import challenge, check, cost_table
from convlab.exercises.design import BUDGET, TIGHT, Budget, attempt, attempts, judge, starter
from convlab.figures import draw_accuracy
from convlab.measuring.accuracy import Accuracy
from convlab.measuring.digits_training import INPUT_SHAPE, accuracy, split_digits, train, train_and_test

LOOSE = Budget(accuracy=0.2, params=10**6, macs=10**9)
quick = partial(judge, budget=LOOSE, seeds=(7, 8), epochs=1)
DIGITS = load_digits()
IMAGES, LABELS = torch.tensor(DIGITS.images, dtype=torch.float32)[:, None] / 16, torch.tensor(DIGITS.target)


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def with_forward(forward, *layers, **attributes):
    """Return a function that builds networks with this forward(self, x), these new layers and these attributes."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(layer() for layer in layers)
            for name, value in attributes.items():
                setattr(self, name, value)

    Network.forward = forward
    return Network


def flat(x):
    return x.flatten(1)


HEAD = partial(nn.Linear, 64, 10)


# Replies to what is no design, or none that works.


@pytest.mark.parametrize("answer", [None, ..., lambda: None, lambda: ...])
def test_an_empty_answer_is_not_yet(answer):
    assert check.design(answer).outcome == "not yet"


def test_a_function_that_is_not_written_is_not_yet():
    def build():
        raise NotImplementedError

    assert quick(build).outcome == "not yet"


def test_an_error_that_ends_with_a_full_stop_is_quoted_with_one():
    def build():
        raise ValueError("No. ")

    assert quick(build).message == 'Your function stopped with ValueError: No at `raise ValueError("No. ")`.'


def test_a_function_that_raises_is_quoted_with_its_line():
    def build():
        return nn.Conv2d(3, 8, 3, groups=2)

    message = quick(build).message
    assert "Your function stopped with ValueError: in_channels must be divisible by groups" in message
    assert "return nn.Conv2d(3, 8, 3, groups=2)" in message


def fail_in_training(self, x):
    if self.training and torch.is_grad_enabled():
        raise OverflowError("too much")
    return self.layers[0](flat(x))


REFUSED = {  # name → (answer, what the reply says)
    "a number": (3, "You gave something of type int. Wanted a function"),
    "a network": (linear(), "You gave something of type Sequential. Wanted a function"),
    "a tensor": (lambda: torch.zeros(10), "a Tensor. Wanted an nn.Module"),
    "needs an argument": (lambda width: linear(), "missing 1 required positional argument"),
    "wrong shape": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9)),
        "returns shape (1, 9). Wanted shape (1, 10)",
    ),
    "one output for the batch": (
        with_forward(lambda self, x: self.layers[0](flat(x)).mean(0, keepdim=True), HEAD),
        "For 2 images the network returns shape (1, 10). Wanted shape (2, 10)",
    ),
    "no tensor": (with_forward(lambda self, x: [x]), "returns a list"),
    "fails": (lambda: nn.Sequential(nn.Linear(64, 10)), "Is nn.Flatten() missing before a linear layer?"),
    "fails on some batch sizes": (
        with_forward(lambda self, x: self.layers[0](x.view(-1 if len(x) < 50 else 25, 64)), HEAD),
        "given 50 of the images, stopped with RuntimeError",
    ),
    "fails on the held-out batch": (
        with_forward(lambda self, x: self.layers[0](x.view(-1 if len(x) <= 50 else 25, 64)), HEAD),
        "given 597 of the images, stopped with RuntimeError",
    ),
    "fails in training alone": (
        with_forward(fail_in_training, HEAD),
        "The network in training mode, given 50 of the images, stopped with OverflowError: too much.",
    ),
    "not finite": (with_forward(lambda self, x: self.layers[0](flat(x)) / 0, HEAD), "not finite"),
    "no gradient": (
        with_forward(lambda self, x: self.layers[0](flat(x)).detach(), HEAD),
        "The training from seed 7 stopped with RuntimeError: element 0 of tensors does not require grad",
    ),
    "outputs depend on the batch": (
        with_forward(lambda self, x: self.layers[0](flat(x - x.mean(0))), HEAD),
        "depend on the other images",
    ),
    "outputs by chance": (
        with_forward(lambda self, x: self.layers[0](F.dropout(flat(x), 0.5)), HEAD),
        "or on chance",
    ),
    "lazy": (
        lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
        "1 (LazyLinear) does not know its channels yet. Wanted",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_work_is_wrong_and_is_told_why(name):
    answer, phrase = REFUSED[name]
    reply = quick(answer)
    assert reply.outcome == "wrong"
    assert phrase in reply.message


# The budget.


def test_a_design_may_meet_the_budget_and_may_not_pass_it_by_one():
    exact = Budget(0.2, 650, 640)
    assert quick(linear, budget=exact).outcome == "right"
    for tight, phrase in (
        (exact._replace(params=649), "650 parameters: over by 1; at most 649."),
        (exact._replace(macs=639), "640 MACs: over by 1; at most 639."),
    ):
        reply = quick(linear, budget=tight)
        assert reply.outcome == "wrong"
        assert phrase in reply.message


def test_what_is_over_the_budget_is_not_trained(monkeypatch):
    monkeypatch.setattr(challenge, "train", lambda *_: pytest.fail("it was trained"))
    message = judge(starter).message
    assert "not trained. 37,282 parameters: over by 35,782" in message
    assert "843,744 MACs: over by 823,744" in message


def test_the_starter_is_over_both_costs_and_narrowed_to_fit_it_has_three_channels():
    def is_over(width):
        total = cost_table(starter(width), INPUT_SHAPE).total
        return BUDGET.over(total.params, total.macs)

    assert len(is_over(24)) == 2
    assert not is_over(3) and is_over(4)


def test_the_tight_budget_differs_in_macs_alone():
    assert TIGHT._replace(macs=BUDGET.macs) == BUDGET
    assert TIGHT.macs == BUDGET.macs / 4


# The accuracy.


def test_an_accuracy_that_is_too_low_is_given_with_its_distance_and_its_interval():
    reply = quick(linear, budget=LOOSE._replace(accuracy=1))
    assert reply.outcome == "wrong"
    assert "points below 100.00%: the mean of 2 runs, ± " in reply.message
    assert "650 parameters, 999,350 to spare. 640 MACs, 999,999,360 to spare." in reply.message


def test_an_accuracy_that_is_high_enough_is_right_with_all_three_margins():
    reply = quick(linear)
    assert reply.outcome == "right"
    assert "points above 20.00%" in reply.message
    assert "999,350 to spare" in reply.message and "999,999,360 to spare" in reply.message


@pytest.mark.parametrize(
    ("accuracies", "outcome", "is_said"),
    [
        ((0.6, 0.8), "wrong", True),
        ((0.74, 0.76), "right", True),  # more than two standard errors, and inside the interval of two runs
        ((0.719, 0.721), "right", False),
        ((0.659, 0.661), "wrong", False),
    ],
)
def test_a_result_whose_95_percent_interval_holds_the_limit_is_too_close_to_call(
    monkeypatch, accuracies, outcome, is_said
):
    given = iter([0, accuracies[0], 0, accuracies[1]])
    monkeypatch.setattr(challenge, "share_right", lambda *_: next(given))
    reply = quick(linear, budget=LOOSE._replace(accuracy=0.705))
    low, high = ttest_1samp(accuracies, 0).confidence_interval(0.95)
    assert f"the mean of 2 runs, ± {50 * (high - low):.2f} points (95 % interval)" in reply.message
    assert (low <= 0.705 <= high) == is_said
    assert reply.message.startswith("Too close to call: ") == is_said
    assert reply.outcome == outcome


def test_the_mean_that_meets_the_limit_exactly_is_right(monkeypatch):
    given = iter([0, 0.25, 0, 0.75])
    monkeypatch.setattr(challenge, "share_right", lambda *_: next(given))
    assert quick(linear, budget=LOOSE._replace(accuracy=0.5)).outcome == "right"


def test_the_accuracy_is_that_of_training_on_the_training_images_and_testing_on_the_others(monkeypatch):
    seen = []
    monkeypatch.setattr(challenge, "train", lambda model, *rest: seen.append((model, *rest)) or train(model, *rest))
    message = quick(linear).message
    expected = []
    for (model, images, labels, epochs, seed), wanted in zip(seen, (7, 8), strict=True):
        split = split_digits(seed)
        assert (seed, epochs) == (wanted, 1)
        assert torch.equal(images, split.images) and torch.equal(labels, split.labels)
        expected.append(accuracy(model, split.held_out_images, split.held_out_labels))
    assert f"{sum(expected) / 2:.2%}" in message


def test_no_held_out_image_is_seen_in_training_mode_or_while_gradients_are_recorded():
    seen = []

    def forward(self, x):
        if torch.is_grad_enabled() or self.training:
            seen.extend(x.flatten(1).tolist())
        return self.layers[0](flat(x))

    assert quick(with_forward(forward, HEAD), seeds=(7, 7)).outcome == "right"
    train_images = {tuple(image) for image in split_digits(7).images.flatten(1).tolist()}
    assert {tuple(image) for image in seen} <= train_images


def test_the_check_uses_none_of_the_seeds_of_the_attempts():
    assert set(challenge.CHECK_SEEDS).isdisjoint(challenge.ATTEMPT_SEEDS)


# Submissions that cheat.


def knowing():
    """Return a linear network that was trained on all 1,797 images."""
    torch.manual_seed(0)
    model = linear()
    train(model, IMAGES, LABELS, 5, 0)
    assert accuracy(model, IMAGES, LABELS) > 0.9
    return model


def nearest(x):
    return F.one_hot(LABELS[(flat(x)[:, None] - flat(IMAGES)).square().sum(2).argmin(1)], 10).float()


class MyLinear(nn.Linear):
    pass


class Remembering(nn.Linear):
    def reset_parameters(self):
        pass


class With(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.extra = nn.Parameter(torch.rand(10))


class Loading(nn.Sequential):
    def __init__(self):
        super().__init__(*linear())

    def train(self, mode=True):
        if mode and hasattr(self, "training") and len(self):
            self.load_state_dict(MODEL.state_dict())
        return super().train(mode)


def load(self, x, now):
    if now:
        self.layers[0].load_state_dict(MODEL[1].state_dict())
    return self.layers[0](flat(x))


def asserting(self, x):
    assert x.min() >= 0
    return self.layers[0](flat(x))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(10, 64))

    def forward(self, x):
        return F.linear(flat(x), self.weight)


def with_buffer():
    model = linear()
    model[0].register_buffer("images", IMAGES.clone())
    return model


def by_numbers():
    weight = knowing()[1].weight.tolist()

    def forward(self, x):
        pixels = flat(x).unbind(1)
        outputs = [sum(w * pixel for w, pixel in zip(row, pixels)) for row in weight]
        return torch.stack(outputs, 1) + 0 * self.layers[0](flat(x))

    return with_forward(forward, HEAD)


def one_call_later():
    """Return a function whose second network is larger."""
    sizes = iter([1, 9])
    return lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, size := next(sizes)), nn.Linear(size, 10))


def larger_when_trained(self, x):
    self.is_trained = self.is_trained or (self.training and torch.is_grad_enabled())
    return sum(self.layers[0](flat(x)) for _ in range(1 + self.is_trained))


MODEL, SHARED = knowing(), nn.Linear(64, 64)
CHEATS = {  # name → (answer, what the reply says)
    "the same network each time": (lambda: MODEL, "the same layers each time"),
    "one shared layer": (
        lambda: nn.Sequential(nn.Flatten(), SHARED, nn.Linear(64, 10)),
        "the same layers each time",
    ),
    "one shared parameter": (lambda: setattr(one := linear(), "extra", MODEL[1].bias) or one, "the same layers"),
    "parameters beside those of a layer of torch": (
        lambda: nn.Sequential(nn.Flatten(), With(64, 10)),
        "1 (With) has parameters of its own",
    ),
    "weights loaded in training mode": (
        with_forward(lambda self, x: load(self, x, self.training), HEAD),
        "a tensor of shape (10, 64) that is neither",
    ),
    "weights loaded when gradients are recorded": (
        with_forward(lambda self, x: load(self, x, torch.is_grad_enabled()), HEAD),
        "a tensor of shape (10, 64) that is neither",
    ),
    "weights loaded by train()": (Loading, "a tensor of shape (10, 64) that is neither"),
    "no work at all": (lambda: nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10)), "does 0 MACs for one image"),
    "a weight used outside its layer": (
        with_forward(lambda self, x: flat(x) @ self.layers[0].weight.T, HEAD),
        "Call the layer itself in your forward",
    ),
    "layers in a plain list": (
        with_forward(lambda self, x: self.plain[0](self.layers[0](flat(x))), HEAD, plain=[nn.Linear(10, 10)]),
        "Use nn.ModuleList.",
    ),
    "channels in an order": (
        with_forward(lambda self, x: self.layers[0](flat(x)[:, [*range(64)]]), HEAD),
        "Use nn.ChannelShuffle.",
    ),
    "an assertion": (
        with_forward(asserting, HEAD),
        "Your forward looks at values of the image (assert, if, .item()). Leave that out.",
    ),
    "parameters of its own": (Own, "The network (Own) has parameters of its own"),
    "images in a buffer": (with_buffer, "0 (Flatten) has the buffer 'images' of shape (1797, 1, 8, 8)"),
    "images in a closure": (
        with_forward(lambda self, x: nearest(x) + 0 * self.layers[0](flat(x)), HEAD),
        "neither its input nor a parameter",
    ),
    "features of images in a closure": (
        with_forward(lambda self, x: self.layers[0](nearest(x)), partial(nn.Linear, 10, 10)),
        "neither its input nor a parameter",
    ),
    "weights in an attribute": (
        with_forward(lambda self, x: flat(x) @ self.table + self.layers[0](flat(x)), HEAD, table=torch.rand(64, 10)),
        "a tensor of shape (64, 10) that is neither",
    ),
    "weights loaded in the forward": (
        with_forward(lambda self, x: self.layers[0].weight.data.copy_(MODEL[1].weight) * 0 @ flat(x).T, HEAD),
        "neither its input nor a parameter",
    ),
    "images in NumPy": (
        with_forward(lambda self, x: flat(x) @ torch.as_tensor(DIGITS.data[:10].T).float(), HEAD),
        "neither its input nor a parameter",
    ),
    "a list made a tensor": (
        with_forward(lambda self, x: self.layers[0](flat(x)) * torch.tensor([1.0] * 9 + [2.0]), HEAD),
        "neither its input nor a parameter",
    ),
    "weights as Python numbers": (by_numbers(), "It has the answers from elsewhere"),
    "work without a formula": (
        with_forward(lambda self, x: self.layers[0](flat(torch.fft.fft2(x).real)), HEAD),
        "cost_table cannot count aten._fft",
    ),
    "products written out": (
        with_forward(lambda self, x: (flat(x)[:, None] * self.layers[0].weight).sum(2), HEAD),
        "layers.0 (not called) has 650 parameters and no counted MACs",
    ),
    "a table by pixel": (
        with_forward(lambda self, x: self.layers[0](flat((16 * x).long())).sum(1), partial(nn.Embedding, 17, 10)),
        "no counted MACs",
    ),
    "more work for a batch": (
        with_forward(lambda self, x: sum(self.layers[0](flat(x)) for _ in range(1 + (len(x) > 1))), HEAD),
        "does 640 MACs for one image, and 64,000 for 50 images",
    ),
    "more work on real images": (
        with_forward(lambda self, x: sum(self.layers[0](flat(x)) for _ in range(2 - x.is_meta)), HEAD),
        "does 640 MACs for one image, and 64,000 for 50 images",
    ),
    "more work after training": (
        with_forward(larger_when_trained, HEAD, is_trained=False),
        "no longer 650 parameters and 640 MACs after training",
    ),
    "values that decide": (
        with_forward(lambda self, x: self.layers[0](flat(x)) * (2 if x.sum() > 0 else 1), HEAD),
        "looks at values",
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_submission_that_cheats_is_refused_and_told_why(name):
    answer, phrase = CHEATS[name]
    reply = quick(answer)
    assert reply.outcome == "wrong"
    assert phrase in reply.message


def test_a_larger_network_at_a_later_call_is_over_the_budget():
    assert "over by" in quick(one_call_later(), budget=LOOSE._replace(macs=100)).message


def test_weights_that_were_trained_on_all_images_bring_no_advantage():
    weights = {name: value.clone() for name, value in MODEL.state_dict().items()}
    assert quick(lambda: deepcopy(MODEL)).message == quick(linear).message
    assert all(torch.equal(value, weights[name]) for name, value in MODEL.state_dict().items())


@pytest.mark.parametrize("forgets", [True, False])
def test_a_class_of_the_learner_is_started_anew_as_the_layer_that_it_is(forgets):
    def build():
        model = deepcopy(MODEL)
        model[1].__class__ = MyLinear if forgets else Remembering
        return model

    assert quick(build).message == quick(linear).message


def test_a_layer_whose_reset_was_replaced_is_started_anew_all_the_same():
    def build():
        model = deepcopy(MODEL)
        model[1].reset_parameters = lambda: None
        return model

    assert quick(build).message == quick(linear).message


def test_weights_in_the_statistics_of_a_normalisation_are_started_anew_too():
    def build():
        statistics = nn.BatchNorm1d(640, affine=False)
        statistics.running_mean.copy_(MODEL[1].weight.detach().flatten())

        def forward(self, x):
            return flat(x) @ self.statistics.running_mean.view(10, 64).T + 0 * self.layers[0](flat(x))

        return with_forward(forward, HEAD, statistics=statistics)()

    assert "points below 20.00%" in quick(build).message


def test_a_network_that_is_refused_keeps_its_weights():
    weights = {name: value.clone() for name, value in MODEL.state_dict().items()}
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
    "shuffle and residual": with_forward(
        lambda self, x: self.layers[1](flat(F.relu(self.layers[0](x) + F.pad(x, (0, 0, 0, 0))))),
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ChannelShuffle(2), nn.BatchNorm2d(4)),
        partial(nn.Linear, 256, 10),
    ),
    "one layer used twice": with_forward(
        lambda self, x: self.layers[1](self.layers[0](self.layers[0](flat(x)))), partial(nn.Linear, 64, 64), HEAD
    ),
    "a scalar": with_forward(lambda self, x: self.layers[0](flat(x)) * torch.tensor(2.0), HEAD),
    "positions made in the forward": with_forward(
        lambda self, x: self.layers[0](flat(x + torch.arange(8) / 8 + torch.ones_like(x))), HEAD
    ),
    "own classes of layers": lambda: nn.Sequential(MyConv(1, 2), MyNorm(2), nn.Flatten(), nn.Linear(128, 10)),
    "a class": with_forward(lambda self, x: self.layers[0](flat(x)), HEAD),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_network_is_measured(name):
    assert "of the held-out images" in quick(HONEST[name]).message


def test_a_design_has_hints_that_come_one_by_one():
    for exercise in (check.design, check.tight_design):
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
    assert f"plain: {found.mean:.2%} in 2 runs, 650 parameters, 640 MACs." in reply.message


@pytest.mark.parametrize("build", [None, ..., lambda: None])
def test_an_attempt_that_is_empty_writes_nothing(kept, build):
    make, path = kept
    assert make("empty", build).outcome == "not yet"
    assert not path.exists()
    assert attempts(path) == []


def test_an_attempt_over_the_budget_is_kept(kept):
    make, path = kept
    reply = make("large", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 999), nn.Linear(999, 10)))
    assert "parameters: over by" in reply.message
    assert attempts(path)[0].params > BUDGET.params


def test_an_attempt_that_the_check_would_refuse_is_refused_in_its_words_and_not_kept(kept):
    make, path = kept
    make("good")
    for build in (REFUSED["fails"][0], REFUSED["wrong shape"][0], CHEATS["images in a closure"][0], 3):
        reply = make("bad", build)
        assert (reply.outcome, reply.message) == ("wrong", quick(build).message)
    assert [row.label for row in attempts(path)] == ["good"]


def test_weights_brought_along_bring_no_advantage_in_an_attempt(kept):
    make, path = kept
    make("a", linear)
    make("a", lambda: deepcopy(MODEL))
    assert len({row.accuracies for row in attempts(path)}) == 1


def test_an_attempt_learns_what_train_and_test_learns_and_may_be_compared_with_it(kept):
    make, path = kept
    make("mine")
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


def test_a_point_in_the_shade_that_is_over_in_its_other_cost_says_so(kept):
    make, path = kept
    make("mine")
    ax = draw_accuracy((attempts(path), LOOSE._replace(params=649)))
    assert "mine (over: parameters)" in [text.get_text() for text in ax.texts]
    ax = draw_accuracy((attempts(path), LOOSE._replace(params=649, accuracy=1)))
    assert "mine" in [text.get_text() for text in ax.texts]


def test_six_long_names_do_not_make_the_picture_wider_than_the_page():
    rows = [Accuracy(f"{n}" * 24, 8, 9 + n, (0,), (0.5,), 8, "") for n in range(6)]
    (first, *others) = draw_accuracy((rows, LOOSE)).get_title("left").split("\n")
    assert len(others) >= 1 and max(map(len, (first, *others))) <= 80


def test_a_network_without_macs_has_no_place_in_the_picture():
    with pytest.raises(ValueError, match="'none' has 0 MACs, which has no place on a log scale"):
        draw_accuracy((Accuracy("none", 8, 0, (0,), (0.5,), 8, ""), None))


def test_attempts_outlive_a_restart_and_keep_their_order_and_names(kept):
    make, path = kept
    names = ["first", "zweiter “ä”", "third\nline", "first"]
    for name in names:
        make(name)
    code = f"from convlab.exercises.design import attempts; print([row.label for row in attempts({str(path)!r})])"
    run = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert run.stdout.strip() == repr(names), run.stderr


BROKEN = ['{"label": "cut o', "no JSON", "[1, 2]", "{}", '"text"', "3"]


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_cannot_be_read_is_named_and_left_out_and_nothing_is_lost(kept, line):
    make, path = kept
    make("before")
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)  # without an end of line, as when a machine stops
    broken = path.read_text("utf-8")
    number = len(broken.splitlines())
    make("after")
    with pytest.warns(UserWarning, match=f"line {number} cannot be read"):
        assert [row.label for row in attempts(path)] == ["before", "after"]
    assert path.read_text("utf-8").startswith(broken)


@pytest.mark.parametrize(
    ("field", "value"),
    [("params", -1), ("macs", "many"), ("accuracies", [98, 99]), ("accuracies", []), ("accuracies", ["x", "y"])],
)
def test_an_edited_line_with_impossible_numbers_is_named(kept, field, value):
    make, path = kept
    make("one")
    row = challenge.json.loads(path.read_text("utf-8"))
    path.write_text(challenge.json.dumps(row | {field: value}), "utf-8")
    with pytest.warns(UserWarning, match="line 1 cannot be read and is left out"):
        assert attempts(path) == []


def test_bytes_that_are_no_text_are_named(kept):
    make, path = kept
    path.write_bytes(b"\xff\xfe\n")
    make("one")
    with pytest.warns(UserWarning, match="line 1 "):
        assert [row.label for row in attempts(path)] == ["one"]


def test_attempts_at_the_same_time_are_all_kept(kept, monkeypatch):
    make, path = kept
    row = Accuracy("x", 650, 640, (0,), (0.5,), 1, "")
    monkeypatch.setattr(challenge, "_measured", lambda *_: row)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, map(str, range(40))))
    assert len(attempts(path)) == 40


def test_a_file_that_cannot_be_written_is_named_beside_the_result(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "attempts.jsonl"):
        reply = attempt("one", linear, path, seeds=[0], epochs=1)
        assert "650 parameters" in reply.message
        assert f"could not be kept in {path}:" in reply.message
