"""What a timing says of itself and how jobs are run; no test depends on the speed of a machine."""

from dataclasses import replace
from itertools import groupby, product
from time import perf_counter, sleep

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import chains, raises, torch_layer
from torch import nn
from torch.utils.benchmark import Measurement, TaskSpec
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from convlab import ConvSpec
from convlab.measuring import benchmark
from convlab.measuring.benchmark import Job, compare, machine_peaks, median_seconds, time_conditions, time_in_turns
from convlab.measuring.timings import LayerTiming, Peaks, Ratio, Timing, best_peaks, nearest_peaks

benchmark.WARM_UP_SECONDS = 0.005  # the tests need no warm machine
QUICK = {"repeats": 4, "max_seconds": None}
SEPARABLE = ConvSpec.separable(3, 8, (3, 2), stride=2)
X = torch.ones(2, 3, 4, 5)


def timed_for(*seconds, label="job", **changed):
    """Return a Timing of these seconds, made up."""
    fields = {"calls_per_repeat": 7, "threads": 1, "backward": False, "device": "cpu", "dtype": "float32"}
    fields |= {"memory_format": "contiguous", "input_shape": (2, 3, 8, 10), "torch_version": "2.13.0"}
    return Timing(label=label, seconds=seconds, **fields | {"measured_at": "2026-01-02T03:04:05+00:00"} | changed)


QUIET = timed_for(0.0010, 0.0012, 0.0011, 0.00105, 0.00115)


@settings(max_examples=30)
@given(st.lists(st.floats(1e-6, 10), min_size=1, max_size=30))
def test_median_and_iqr_are_those_of_torchs_measurement(seconds):
    wanted, found = Measurement(1, seconds, TaskSpec("", "")), timed_for(*seconds)
    assert (found.median, found.iqr) == pytest.approx((wanted.median, wanted.iqr))
    if len(seconds) >= 4 and abs(wanted.iqr / wanted.median - 0.1) > 1e-6:
        assert found.is_noisy != wanted.meets_confidence(0.1)


@pytest.mark.parametrize(
    ("seconds", "spread", "noisy"),
    [
        ((10, 10, 11, 11, 12), 0.1, False),  # IQR 1 of 11
        ((10, 10, 11, 12, 12), 0.1, True),  # IQR 2 of 11
        ((10, 10, 11, 12, 12), 0.2, False),
        ((10, 10, 10, 10, 99), 0.1, False),  # one outlier
        ((10, 10, 10), 0.1, True),
        ((10, 10, 10, 10), 0.1, False),
    ],
)
def test_a_timing_is_noisy_above_its_spread_or_with_fewer_than_4_repeats(seconds, spread, noisy):
    found = timed_for(*seconds, spread=spread)
    assert found.is_noisy == noisy
    assert str(found).startswith("too noisy to read: ") == noisy


def test_a_timing_prints_all_that_was_fixed():
    assert repr(QUIET) == str(QUIET)
    assert repr(replace(QUIET, seconds=(0.0010, 0.00102, 0.00101, 0.00103, 0.00099))) == (
        "job: 1.01 ms, IQR 2.0% of it (wanted at most 10%), 5 repeats of 7, 1 thread, without gradient, cpu, float32, "
        "contiguous, 2×3×8×10, torch 2.13.0, live"
    )
    hidden = {"device": "", "dtype": "", "memory_format": "", "input_shape": ()}
    assert "2 threads, with gradient, torch" in repr(replace(QUIET, threads=2, backward=True, **hidden))


def test_a_ratio_is_taken_round_by_round_so_that_drift_cancels():
    drifting = (1.0, 2.0, 8.0, 4.0, 30.0)
    three, one = timed_for(*(3 * s for s in drifting)), timed_for(*drifting)
    assert three.ratio(one) == (3, 3, 3)
    assert one.ratio(three) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert one.is_noisy
    found = timed_for(2, 6, 20, 4, 8).ratio(timed_for(1, 2, 4, 1, 4))  # ratios 2, 3, 5, 4, 2
    assert found == Ratio(median=3, low=2, high=4)
    assert str(found) == "3 (2 to 4)"


@pytest.mark.parametrize("change", [{"measured_at": "later"}, {"source": "recorded, elsewhere"}])
def test_a_ratio_of_two_runs_is_refused(change):
    with raises(ValueError, "'job' and 'other' are of two runs; wanted both in one compare(…)"):
        QUIET.ratio(replace(QUIET, label="other", **change))


def test_compare_runs_the_jobs_in_turns_and_gives_seconds_a_call():
    log = []

    def job(name):
        log.append(name)
        sleep(0.003)

    start = perf_counter()
    found = compare({"first": (job, "a"), "second": lambda: job("b")}, **QUICK, spread=9)
    elapsed = perf_counter() - start
    assert list(found) == ["first", "second"] == [timing.label for timing in found.values()]
    assert "".join(name for name, _ in groupby(log)) == "ab" + 4 * "ab"  # the warm-up, then the rounds
    for result in found.values():
        assert len(result.seconds) == 4
        assert min(result.seconds) >= 0.003
        assert 1 <= result.calls_per_repeat <= 4  # 10 ms
    assert sum(sum(result.seconds) * result.calls_per_repeat for result in found.values()) < elapsed
    assert found["first"].measured_at == found["second"].measured_at
    assert found["first"].ratio(found["second"]).median > 0


@pytest.mark.parametrize(
    ("spread", "max_seconds", "rounds"),
    [(0, 10, 8), (1e9, 10, 4), (0, None, 4), (0, 5, 3), (0, 2, 0), (0, 1, 0)],
)
def test_rounds_go_on_while_a_job_is_noisy_and_there_is_time_and_only_whole_ones_count(
    monkeypatch, spread, max_seconds, rounds
):
    clock = iter(np.arange(0, 100, 0.5))  # half a second from look to look
    monkeypatch.setattr(benchmark, "perf_counter", clock.__next__)
    found = compare({"a": X.sum, "b": X.exp}, repeats=4, spread=spread, max_seconds=max_seconds)
    # looks at 0 (the start), 0.5 and 1 (the warm-up), then two in each round
    assert [len(result.seconds) for result in found.values()] == [rounds, rounds]
    assert found["a"].spread == spread
    assert all(result.is_noisy for result in found.values()) or rounds >= 4


def test_what_the_time_was_not_enough_for_is_noisy_and_has_no_ratio():
    slow, other = compare({"slow": (sleep, 0.02), "other": X.exp}, max_seconds=0).values()
    for timing in (slow, other):
        assert timing.seconds == () and timing.is_noisy
        assert np.isnan([timing.median, timing.iqr, *timing.ratio(slow)]).all()
        assert str(timing.ratio(slow)) == ""
    assert repr(slow) == "slow: not timed, the time was up before"


@pytest.mark.parametrize("max_seconds", [0.1, 0.5])
def test_a_call_takes_no_longer_than_it_was_given_and_one_turn(max_seconds):
    """Four jobs of 50 ms take 0.4 s for the warm-up alone, and nine rounds of them over five seconds."""
    start = perf_counter()
    found = compare({n: (sleep, 0.05) for n in "abcd"}, max_seconds=max_seconds, spread=0)
    turn = 4 * 0.05  # torch's timer warms up with two calls; and one to spare
    assert perf_counter() - start < max_seconds + turn + 0.2
    assert all(timing.is_noisy for timing in found.values())


@pytest.mark.parametrize(
    ("setting", "ask", "each"),
    [("threads", torch.get_num_threads, (1, 2)), ("backward", torch.is_grad_enabled, (False, True))],
)
def test_threads_and_gradient_are_set_for_each_job_and_set_back(setting, ask, each):
    before, seen = (torch.get_num_threads(), torch.is_grad_enabled()), [set(), set()]
    jobs = [Job("job", lambda seen: seen.add(ask()), (found,), **{setting: value}) for found, value in zip(seen, each)]
    found = time_in_turns(jobs, **QUICK)
    assert seen == [{value} for value in each]
    assert [getattr(timing, setting) for timing in found] == [*each]
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before


def test_a_function_runs_in_each_round_for_as_long_as_asked():
    short, long = (
        median_seconds(sleep, 0.001, repeat_seconds=seconds, **QUICK).calls_per_repeat for seconds in (0.002, 0.02)
    )
    assert 1 <= short <= 2 < long <= 20


def test_a_job_runs_on_one_thread_without_gradient_unless_asked():
    found = median_seconds(lambda: (torch.get_num_threads(), torch.is_grad_enabled()) == (1, False) or 1 / 0, **QUICK)
    assert (found.threads, found.backward) == (1, False)


@pytest.mark.parametrize("calls", [1, 12])
def test_an_error_passes_with_the_label_of_the_job_and_leaves_no_setting_behind(calls):
    before, left = (torch.get_num_threads(), torch.is_grad_enabled()), iter(range(calls - 1))

    def job():
        sleep(0.003)
        if next(left, None) is None:
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost") as caught:
        compare({"good": X.sum, "bad": job}, **QUICK, threads=before[0] + 1, backward=not before[1])
    assert caught.value.__notes__ == ["raised while 'bad' was timed"]
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == before


def test_compare_frees_a_block_first_so_that_memory_is_reused(monkeypatch):
    made, empty = [], torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **kind: made.append((size, kind)) or empty(*size, **kind))
    compare({"a": lambda: made.append("job")}, **QUICK)
    assert made[0] == ((benchmark.KEPT_BYTES,), {"dtype": torch.uint8})
    assert "job" in made[1:]
    assert 2**24 < benchmark.KEPT_BYTES < 2**25  # above, the C library does not keep it


CONV = nn.Conv2d(3, 4, 2).double()


@pytest.mark.parametrize(
    ("job", "seen"),
    [
        ((torch.exp, X), ("cpu", "float32", "contiguous", (2, 3, 4, 5))),
        ((torch.mul, 2, X.half()), ("cpu", "float16", "contiguous", (2, 3, 4, 5))),
        ((torch.exp, X.to(memory_format=torch.channels_last)), ("cpu", "float32", "channels_last", (2, 3, 4, 5))),
        ((torch.exp, X[..., ::2]), ("cpu", "float32", "strided", (2, 3, 4, 3))),
        ((torch.exp, X[0].mT), ("cpu", "float32", "strided", (3, 5, 4))),
        ((CONV, X.double()), ("cpu", "float64", "contiguous", (2, 3, 4, 5))),
        ((lambda conv: conv(X.double()), CONV), ("", "", "", ())),
        (X.exp, ("", "", "", ())),
    ],
)
def test_compare_says_what_it_sees_of_the_tensors(job, seen):
    result = compare({"job": job}, **QUICK)["job"]
    assert (result.device, result.dtype, result.memory_format, result.input_shape) == seen
    assert (result.torch_version, result.source) == (torch.__version__, "live")


def test_compare_sees_device_and_dtype_of_a_module_that_makes_its_own_input():
    class Own(nn.Linear):
        def forward(self):
            return super().forward(torch.zeros(2, 3, dtype=torch.float64))

    result = median_seconds(Own(3, 4).double(), **QUICK)
    assert (result.label, result.device, result.dtype) == ("Own", "cpu", "float64")
    assert (result.memory_format, result.input_shape) == ("", ())


def test_median_seconds_is_compare_with_one_job(monkeypatch):
    monkeypatch.setattr(benchmark, "compare", lambda jobs, **options: dict.fromkeys(jobs, (jobs, options)))
    assert median_seconds(torch.exp, X, threads=2) == ({"exp": (torch.exp, X)}, {"threads": 2})
    assert median_seconds(torch.exp, X, label="e to x") == ({"e to x": (torch.exp, X)}, {})


def test_a_short_run_shows_no_progress_and_a_long_one_after_two_seconds(monkeypatch, capsys):
    shown = {}
    monkeypatch.setattr(benchmark, "tqdm", lambda **options: shown.update(options) or tqdm(**options))
    compare({"a": X.exp, "b": X.exp}, **QUICK)
    assert capsys.readouterr() == ("", "")
    assert (shown["delay"], shown["total"], shown["leave"]) == (2, 2 * 4, False)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare([X.exp]), TypeError, "jobs is a list; wanted {label: function or (function, *arguments)}"),
        (lambda: compare({"a": 3}), TypeError, "'a' is 3, a int; wanted a function or (function, *arguments)"),
        (lambda: compare({"a": X.exp}, repeats=3), ValueError, "repeats=3 is too small; wanted an integer of at least"),
        (lambda: compare({"a": X.exp}, threads=0), ValueError, "threads of 'a'=0 is too small"),
        (lambda: compare({"a": X.exp}, threads=True), TypeError, "threads of 'a'=True is a bool"),
        (lambda: time_conditions({"a": (ConvSpec(3, 4, 2), (1, 4, 5, 6))}), ValueError, "layer 1: "),
        (lambda: time_conditions({"a": (7, (1, 4, 5, 6))}), TypeError, "layers=7 is a int; wanted a list of ConvSpec"),
        (
            lambda: time_conditions({"a": (ConvSpec(3, 4, 2), (1, 3, 5, 6))}, memory_format=["channels"]),
            ValueError,
            "memory_format has 'channels'; wanted 'contiguous' or 'channels_last'",
        ),
        (
            lambda: time_conditions({}, device="gpu"),
            ValueError,
            "device='gpu' cannot be used here: Expected one of",
        ),
        (
            lambda: time_conditions({}, device="meta"),
            ValueError,
            "device='meta' cannot be used here: it has shapes",
        ),
        (lambda: machine_peaks(device="meta"), ValueError, "device='meta' cannot be used here: it has shapes"),
        (lambda: machine_peaks(device="gpu"), ValueError, "device='gpu' cannot be used here: Expected one of"),
        (lambda: LayerTiming(ConvSpec(4, 3, 1), QUIET), ValueError, "layer 1: "),
        (lambda: LayerTiming(SEPARABLE, replace(QUIET, input_shape=())), ValueError, "timed as (module, input)"),
    ],
)
def test_a_call_that_cannot_be_timed_says_what_was_wanted(call, error, message):
    with raises(error, message):
        call()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has CUDA")
def test_time_conditions_refuses_a_device_that_is_not_here():
    with raises(ValueError, "device='cuda' cannot be used here: "):
        time_conditions({"a": (ConvSpec(3, 4, 2), (1, 3, 5, 6))}, device="cuda")


@settings(max_examples=20)
@given(chains(), st.sampled_from([("float32", 4), ("float64", 8), ("float16", 2), ("bfloat16", 2), ("int8", 1)]))
def test_a_layer_timing_counts_the_macs_and_bytes_that_torch_counts(case, kind):
    (chain, shape), (dtype, item_bytes) = case, kind
    modules, numbers = nn.Sequential(*map(torch_layer, chain)), 0
    x = torch.empty(shape, device="meta")
    with FlopCounterMode(display=False) as counter:
        for module in modules:
            y = module(x)
            numbers += x.numel() + sum(weight.numel() for weight in module.parameters()) + y.numel()
            x = y
    row = LayerTiming([ConvSpec(**layer) for layer in chain], timed_for(2, 3, 4, 5, dtype=dtype, input_shape=shape))
    assert row.macs == counter.get_total_flops() // 2
    assert row.bytes_moved == numbers * item_bytes
    assert row.macs_per_second == row.macs / 3.5
    assert row.macs_per_byte == row.macs / row.bytes_moved


@pytest.fixture
def timed_jobs(monkeypatch) -> list[Job]:
    """Keep the jobs that are timed."""
    kept = []
    monkeypatch.setattr(
        benchmark, "time_in_turns", lambda jobs, **options: kept.extend(jobs) or time_in_turns(jobs, **options)
    )
    return kept


def test_time_conditions_times_the_layers_that_it_counts_under_each_condition_in_one_run(timed_jobs):
    grouped = ConvSpec(4, 6, 3, groups=2, bias=False)
    layers = {"separable": (SEPARABLE, (2, 3, 8, 10)), "one": (grouped, (1, 4, 5, 7))}
    conditions = {"threads": (1, 2), "memory_format": ("contiguous", "channels_last"), "backward": (False, True)}
    rows = time_conditions(layers, **conditions, **QUICK)
    assert len({row.timing.measured_at for row in rows}) == 1
    seen = [(r.timing.label, *(getattr(r.timing, name) for name in conditions)) for r in rows]
    assert sorted(seen) == sorted(product(layers, *conditions.values()))
    for job, row in zip(timed_jobs, rows, strict=True):
        assert (job.label, job.threads, job.backward) == (row.timing.label, row.timing.threads, row.timing.backward)
        assert row.layers == (SEPARABLE if job.label == "separable" else (grouped,))
        parts = job.function, *job.arguments
        x = next(part for part in parts if isinstance(part, torch.Tensor))
        module = next(part for part in parts if isinstance(part, nn.Module))
        assert tuple(x.shape) == row.timing.input_shape == layers[job.label][1]
        assert (x.dtype, row.timing.dtype, x.requires_grad) == (torch.float32, "float32", job.backward)
        assert tuple(module(x).shape) == row.cost.total.output_shape
        assert sum(weight.numel() for weight in module.parameters()) == row.cost.total.params
        weights = [weight for weight in module.parameters() if weight.dim() == 4 and min(weight.shape[1:]) > 1]
        assert all(weight.is_contiguous() == (row.timing.memory_format == "contiguous") for weight in weights)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the machine has no CUDA")
def test_layers_and_peaks_are_timed_where_they_were_asked_for():
    rows = time_conditions({"a": (SEPARABLE, (2, 3, 8, 10))}, backward=(False, True), device="cuda", **QUICK)
    assert [(row.timing.device, row.timing.backward) for row in rows] == [("cuda:0", False), ("cuda:0", True)]
    torch.cuda.reset_peak_memory_stats()
    assert machine_peaks(device="cuda").macs_per_second > 0
    assert torch.cuda.max_memory_allocated() >= 2 * benchmark.COPY_BYTES + 3 * 4 * (4 * benchmark.MATRIX_SIZE) ** 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the machine has no CUDA")
def test_a_timing_waits_until_the_device_has_done_its_work():
    a = torch.rand(8192, 8192, device="cuda")
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    found = median_seconds(torch.mm, a, a, repeats=4, max_seconds=None)
    start.record()
    torch.mm(a, a)
    end.record()
    torch.cuda.synchronize()
    assert found.median > start.elapsed_time(end) / 1000 / 10  # the mere start of the work takes a thousandth of it


def test_a_backward_takes_two_more_products_and_gives_every_gradient(monkeypatch, timed_jobs):
    layer = ConvSpec(3, 8, (3, 2), stride=(2, 1), padding=1), (2, 3, 8, 10)  # no groups: see lesson 03
    rows = forward, both = time_conditions({"a": layer}, backward=(False, True), **QUICK)
    # torch's counter cannot look into autograd.grad; y.backward makes the same products
    asked = []
    monkeypatch.setattr(
        torch.autograd, "grad", lambda y, inputs, gradient: asked.append(inputs) or y.backward(gradient)
    )
    for row, job in zip(rows, timed_jobs, strict=True):
        with FlopCounterMode(display=False) as counter:
            job.function(*job.arguments)
        assert counter.get_total_flops() == 2 * row.macs
    assert (both.macs, both.bytes_moved) == (3 * forward.macs, 3 * forward.bytes_moved)
    assert [[tuple(tensor.shape) for tensor in inputs] for inputs in asked] == [[(2, 3, 8, 10), (8, 3, 3, 2), (8,)]]


def test_machine_peaks_takes_the_best_round_and_counts_the_copy_as_read_and_written(monkeypatch):
    def fake(jobs, threads, repeat_seconds, **options):
        assert (threads, repeat_seconds) == (3, 0.5)
        (mm, a, b), (copy, source) = jobs.values()
        assert mm(a, b).shape == a.shape == b.shape == (6, 6)
        assert copy(source).equal(source) and source.numel() == 20
        return {"product": timed_for(4, 2, 3), "copy": timed_for(9, 8, 16)}

    assert 2 * benchmark.COPY_BYTES + 3 * 4 * benchmark.MATRIX_SIZE**2 <= 300e6
    for name, value in (("compare", fake), ("MATRIX_SIZE", 6)):
        monkeypatch.setattr(benchmark, name, value)
    peaks = machine_peaks(threads=3, repeat_seconds=0.5, copied_bytes=80)
    assert peaks == Peaks(6**3 / 2, 2 * 80 / 8, 3, QUIET.torch_version, QUIET.measured_at, copied_bytes=80)


def test_the_roof_is_the_smaller_of_the_two_limits():
    peaks = Peaks(100.0, 20.0, 1, "2.13.0", "now")
    assert [peaks.roof(intensity) for intensity in (0.5, 5, 7)] == [10, 100, 100]


def test_the_best_peaks_take_each_limit_from_the_process_that_saw_most():
    seen = [
        Peaks(5.0, 2.0, 1, "", "", copied_bytes=8, process=1),
        Peaks(4.0, 3.0, 1, "", "", copied_bytes=8, process=2),
    ]
    others = [Peaks(1.0, 9.0, 2, "", "", copied_bytes=8), Peaks(1.0, 9.0, 1, "", "", copied_bytes=16)]
    best = best_peaks([*seen, *others, Peaks(7.0, 7.0, 1, "", "", "recorded", copied_bytes=8)])
    assert [(p.macs_per_second, p.bytes_per_second, p.threads, p.copied_bytes) for p in best] == [
        (5, 3, 1, 8),
        (1, 9, 2, 8),
        (1, 9, 1, 16),
        (7, 7, 1, 8),
    ]


@pytest.mark.parametrize(
    ("copied", "chosen"),
    [
        ([100, 1000, 10_000], 1000),
        ([400, 10_000], None),
        ([], None),
        ([3200, 100], 3200),
        ([700, 2000], 2000),
        ([3300], None),
    ],
)
@pytest.mark.parametrize("backward", [False, True])
def test_the_fair_roof_of_a_layer_is_that_of_the_copy_which_touches_as_many_bytes(copied, chosen, backward):
    spec = ConvSpec(3, 2, 1, bias=False)  # 2·3·8·10 in, 6 weights, 2·2·8·10 out: 806 floats, 3,224 bytes
    row = LayerTiming(spec, replace(QUIET, backward=backward))
    peaks = [Peaks(1.0, 1.0, 1, "", "", copied_bytes=size) for size in copied]
    wrong = [replace(peak, threads=2) for peak in peaks] + [replace(peak, source="recorded") for peak in peaks]
    found = nearest_peaks(row, [*wrong, *peaks])
    assert (found and (found.copied_bytes, found.threads, found.source)) == (chosen and (chosen, 1, "live"))
