"""How long a function takes on this machine, and what the machine can do at most.

A time depends on the machine, the library and the load of the moment. So functions are timed in turns in one run
(A B C A B C …), which spreads a slow minute over all of them, and compared by the ratio of their times. torch's own
timer does the timing; it waits for an accelerator, such as a GPU, where torch finds one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, product
from math import ceil
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer
from tqdm import tqdm

from convlab.counting import chain_cost_table
from convlab.measuring.timing import MIN_REPEATS, LayerTiming, Peaks, Timing, as_specs
from convlab.shape import Shape
from convlab.spec import ConvSpec, exact_int
from convlab.torch_layers import to_module

WARM_UP_SECONDS, REPEAT_SECONDS = 0.05, 0.01  # the least time that a function runs before, and in each repeat
MATRIX_SIZE, COPY_BYTES = 1024, 140_000_000  # of `machine_peaks`
KEPT_BYTES = 31 * 2**20  # freed once, it makes Linux' C library keep freed blocks up to this size for the next call


def _each(jobs, name, setting):
    """Return label → setting."""
    if not isinstance(setting, Mapping):
        return dict.fromkeys(jobs, setting)
    if set(setting) != set(jobs):
        raise ValueError(f"{name} has the labels {', '.join(setting)}; wanted those of the jobs, {', '.join(jobs)}")
    return setting


def _seen(f, args):
    """Return the device, the dtype, the memory format and the shape of the tensors, as far as they can be seen."""
    given = [x for x in args if isinstance(x, Tensor)]
    for x in given or (f.parameters() if isinstance(f, nn.Module) else ()):
        is_channels_last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        form = "contiguous" if x.is_contiguous() else "channels_last" if is_channels_last else "strided"
        return str(x.device), str(x.dtype).removeprefix("torch."), *((form, tuple(x.shape)) if given else ("", ()))
    return "", "", "", ()


@contextmanager
def _running(label, grad):
    """Record gradients or not, and note in an error which job raised it."""
    with torch.set_grad_enabled(grad):
        try:
            yield
        except Exception as error:
            error.add_note(f"raised while {label!r} was timed")
            raise


def compare(
    jobs: Mapping[str, Callable | tuple],
    *,
    repeats: int = 9,
    spread: float = 0.1,
    max_seconds: float = 0.5,
    threads: int | Mapping[str, int] = 1,
    grad: bool | Mapping[str, bool] = False,
) -> dict[str, Timing]:
    """Time functions in turns, after a warm-up of each; what takes over two seconds shows its progress.

    The state is that of a program that has run for a while: a block of memory that a call frees is there for the next
    one. In a fresh program, a large output can come from the operating system anew at each call, which takes longer.

    Args:
        jobs: label → a function without arguments, or (function, *arguments).
        repeats: rounds at least. More follow until each interquartile range is at most `spread` × its median, or
            the rounds have taken `max_seconds` for each job.
        threads: torch's threads while a job runs, for all or label → number.
        grad: whether torch records gradients, for all or label → bool.

    Raises:
        TypeError: no mapping, or a job that cannot be called.
        ValueError: fewer than 4 repeats, or other labels than the jobs'.
        Exception: what a job raises, with a note that names the job.

    >>> x = torch.ones(2, 3)
    >>> timings = compare({"sum": x.sum, "exp": (torch.exp, x)}, repeats=4, max_seconds=0)
    >>> timings["exp"].input_shape, timings["sum"].ratio(timings["sum"]).median
    ((2, 3), 1.0)
    """
    if not isinstance(jobs, Mapping):
        raise TypeError(f"jobs is a {type(jobs).__name__}; wanted {{label: function or (function, *arguments)}}")
    repeats, now = exact_int("repeats", repeats, MIN_REPEATS), datetime.now(UTC).isoformat()
    threads, grad, timers, fixed, calls = _each(jobs, "threads", threads), _each(jobs, "grad", grad), {}, {}, {}
    for label, job in jobs.items():
        f, *args = job if isinstance(job, tuple) else (job,)
        if not callable(f):
            raise TypeError(f"{label!r} is {f!r}, a {type(f).__name__}; wanted a function or (function, *arguments)")
        many = exact_int(f"threads of {label!r}", threads[label], 1)
        fixed[label] = (many, bool(grad[label]), *_seen(f, args), torch.__version__, now, spread)
        timers[label] = Timer("f(*args)", globals={"f": f, "args": args}, num_threads=many)
    seconds = {label: [] for label in jobs}
    torch.empty(KEPT_BYTES, dtype=torch.uint8)  # freed at once: as in a program that has run for a while
    with tqdm(total=repeats * len(jobs), delay=2, leave=False, file=sys.stdout, desc="timing") as bar:
        for label, timer in timers.items():
            with _running(label, grad[label]):
                calls[label] = ceil(REPEAT_SECONDS / timer.blocked_autorange(min_run_time=WARM_UP_SECONDS).median)
        start = perf_counter()
        for done in count(1):
            for label, timer in timers.items():
                with _running(label, grad[label]):
                    seconds[label].append(timer.timeit(calls[label]).median)
                bar.update()
            if done < repeats:
                continue
            timings = {label: Timing(label, tuple(s), calls[label], *fixed[label]) for label, s in seconds.items()}
            late = perf_counter() - start > max_seconds * len(jobs)
            if late or not any(timing.is_noisy for timing in timings.values()):
                return timings
            bar.total += len(jobs)
            bar.set_description("noisy, timing again", refresh=False)


def median_seconds(f: Callable, *args, label: str | None = None, **options) -> Timing:
    """Time one function, called as f(*args), with the options and errors of `compare`.

    >>> timing = median_seconds(torch.exp, torch.ones(2, 3), repeats=4, max_seconds=0)
    >>> timing.label, len(timing.seconds), timing.device, timing.dtype, timing.memory_format
    ('exp', 4, 'cpu', 'float32', 'contiguous')
    """
    label = label or getattr(f, "__name__", type(f).__name__)
    return compare({label: (f, *args)}, **options)[label]


def time_conditions(
    layers: Mapping[str, tuple[ConvSpec | Iterable, Shape]],
    *,
    threads: Iterable[int] = (1,),
    channels_last: Iterable[bool] = (False,),
    backward: Iterable[bool] = (False,),
    device: str | None = None,
    **options,
) -> list[LayerTiming]:
    """Time layers under all combinations of conditions, in turns in one run, each on a random float32 input.

    Args:
        layers: label → (a ConvSpec or a list of them, input shape).
        threads: torch's threads while a layer runs.
        channels_last: whether the numbers of one position lie side by side in memory, for all its channels.
        backward: False for the forward alone; True for forward and backward, to the input and to the weights.
        device: where the layers run; the CPU if left out.
        options: `repeats`, `spread` and `max_seconds` of `compare`.

    Raises: what `cost_table` and `compare` raise.
        ValueError: a device that this machine has not, or that torch does not know.

    >>> layer = ConvSpec(3, 8, 3, bias=False), (1, 3, 6, 7)
    >>> rows = time_conditions({"layer": layer}, backward=(False, True), repeats=4, max_seconds=0)
    >>> [row.macs for row in rows]  # 27 * 8 * 4 * 5, and three times as many
    [4320, 12960]
    """
    _device_type(device)
    jobs, specs = {}, {label: as_specs(chain) for label, (chain, _) in layers.items()}
    for label, (_, input_shape) in layers.items():
        chain_cost_table(specs[label], input_shape)  # refuses by name what does not fit
    for is_last, is_backward, (label, (_, input_shape)) in product(channels_last, backward, layers.items()):
        form = torch.channels_last if is_last else torch.contiguous_format
        module = nn.Sequential(*map(to_module, specs[label])).to(device=device, memory_format=form)
        x = torch.rand(input_shape, device=device).contiguous(memory_format=form)
        job = (module, x)
        if is_backward:
            x.requires_grad_()
            job = (_forward_backward, x, module, torch.ones_like(module(x)))
        jobs |= {(label, many, is_last, is_backward): job for many in threads}
    names = {
        (label, many, is_last, is_backward): f"{label}, {many} thread{'s' * (many != 1)}, "
        f"{'channels_last' if is_last else 'contiguous'}, forward{' and backward' * is_backward}"
        for label, many, is_last, is_backward in jobs
    }
    timings = compare(
        {names[key]: job for key, job in jobs.items()},
        threads={name: key[1] for key, name in names.items()},
        grad={name: key[3] for key, name in names.items()},
        **options,
    )
    return [LayerTiming(specs[key[0]], replace(timings[name], label=key[0])) for key, name in names.items()]


def _forward_backward(x, module, gradient):
    """Run a module forward and backward, to its input and its weights."""
    torch.autograd.grad(module(x), [x, *module.parameters()], gradient)


def time_layers(
    layers: Mapping[str, tuple[ConvSpec | Iterable, Shape]],
    *,
    threads: int = 1,
    channels_last: bool = False,
    backward: bool = False,
    **options,
) -> dict[str, LayerTiming]:
    """Time layers under one condition, with the arguments and errors of `time_conditions`.

    >>> layers = {"separable": (ConvSpec.separable(3, 8, 3, bias=False), (1, 3, 6, 7))}
    >>> row = time_layers(layers, repeats=4, max_seconds=0)["separable"]
    >>> row.macs, row.bytes_moved  # (27 + 24) * 4 * 5; 4 * (126 + 27 + 60 + 60 + 24 + 160)
    (1020, 1828)
    """
    rows = time_conditions(layers, threads=[threads], channels_last=[channels_last], backward=[backward], **options)
    return {row.timing.label: row for row in rows}


def _device_type(device):
    """Return the type of a device, and refuse one that does no work here."""
    try:
        kind = torch.empty(0, device=device).device.type
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {str(error).splitlines()[0]}") from None
    if kind == "meta":
        raise ValueError(f"device={device!r} cannot be used here: it has shapes and computes nothing")
    return kind


def machine_peaks(threads: int = 1, device: str | None = None) -> Peaks:
    """Measure, now, the rate of a large float32 matrix product and of a large copy; best of 9 rounds.

    The product takes 1024³ MACs on a CPU, 4096³ elsewhere. The copy of 140 MB moves 280 MB, counted as read once and
    written once. A cache above 280 MB would be measured in place of the memory. A layer whose data stay in a cache
    can lie above the roof.

    Raises:
        ValueError: a device that this machine has not, or that torch does not know.
    """
    size = MATRIX_SIZE * (1 if _device_type(device) == "cpu" else 4)
    source, target = torch.ones(2, COPY_BYTES // 4, device=device)  # written, so that the memory is really there
    jobs = {"product": (torch.mm, *torch.rand(2, size, size, device=device)), "copy": (target.copy_, source)}
    matrix, copy = compare(jobs, repeats=9, max_seconds=0, threads=threads).values()
    rates = size**3 / min(matrix.seconds), 2 * COPY_BYTES / min(copy.seconds)
    return Peaks(*rates, threads, copy.torch_version, copy.measured_at)
