"""How long a function takes on this machine, and what the machine can do at most.

A time depends on the machine, the library and the load of the moment. So functions are timed in turns in one run
(A B C A B C …), which spreads a slow minute over all of them, and compared by the ratio of their times. torch's own
timer does the timing; it waits for an accelerator, such as a GPU, where torch finds one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from math import ceil, inf
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.benchmark import Timer
from tqdm import tqdm

from convlab.counting import chain_cost_table
from convlab.measuring.timings import MIN_REPEATS, LayerTiming, Peaks, Timing, as_specs
from convlab.shape import Shape
from convlab.spec import ConvSpec, exact_int
from convlab.torch_layers import to_module

WARM_UP_SECONDS = 0.05  # the least time that a function runs before it is timed
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}  # by torch's names
MATRIX_SIZE, COPY_BYTES = 1024, 140_000_000  # of `machine_peaks`
KEPT_BYTES = 31 * 2**20  # freed once, it makes Linux' C library keep freed blocks up to this size for the next call


class Job(NamedTuple):
    """A function to time, called as function(*arguments), and the conditions under which it runs.

    `threads` are torch's. With `backward` torch records gradients, for a function that runs the backward pass too.
    """

    label: str
    function: Callable
    arguments: tuple = ()
    threads: int = 1
    backward: bool = False


def _seen(f, args):
    """Return the fields of a Timing that the tensors show, as far as there are any."""
    given = [x for x in args if isinstance(x, Tensor)]
    found = {"device": "", "dtype": "", "memory_format": "", "input_shape": ()}
    for x in given[:1] or (list(f.parameters())[:1] if isinstance(f, nn.Module) else []):
        found |= {"device": str(x.device), "dtype": str(x.dtype).removeprefix("torch.")}
    for x in given[:1]:
        found |= {"memory_format": _memory_format(x), "input_shape": tuple(x.shape)}
    return found


def _memory_format(x):
    """Return the name of the first of `MEMORY_FORMATS` that a tensor has, or "strided"."""
    names = [name for name, form in MEMORY_FORMATS.items() if x.dim() == 4 or name == "contiguous"]
    return next((name for name in names if x.is_contiguous(memory_format=MEMORY_FORMATS[name])), "strided")


@contextmanager
def _running(job):
    """Record gradients or not, and note in an error which job raised it."""
    with torch.set_grad_enabled(job.backward):
        try:
            yield
        except Exception as error:
            error.add_note(f"raised while {job.label!r} was timed")
            raise


def _checked(job):
    if not callable(job.function):
        given = f"{job.function!r}, a {type(job.function).__name__}"
        raise TypeError(f"{job.label!r} is {given}; wanted a function or (function, *arguments)")
    return job._replace(threads=exact_int(f"threads of {job.label!r}", job.threads, 1), backward=bool(job.backward))


def time_in_turns(
    jobs: Iterable[Job],
    *,
    repeats: int = 9,
    spread: float = 0.1,
    max_seconds: float | None = 5.0,
    repeat_seconds: float = 0.01,
) -> list[Timing]:
    """Time functions in turns, after a warm-up of each; what takes over two seconds shows its progress.

    The state is that of a program that has run for a while: a block of memory that a call frees is there for the next
    one. In a fresh program, a large output can come from the operating system anew at each call, which takes longer.

    Args:
        jobs: in the order of their turns.
        repeats: rounds wanted. More follow until each interquartile range is at most `spread` × its median.
        max_seconds: of the whole call, with the warm-up. When they have passed, no further turn begins, and a round
            that is not complete is left out. So a timing may have fewer than `repeats`, and with fewer than 4 it counts
            as noisy. With None there are just as many rounds as wanted, however long they take.
        repeat_seconds: the least time that a function runs in each round; a longer one averages short disturbances.

    Raises:
        TypeError: a job that cannot be called.
        ValueError: fewer than 4 repeats, or a number of threads below 1.
        Exception: what a job raises, with a note that names the job.

    >>> x = torch.ones(2, 3)
    >>> one, two = time_in_turns([Job("exp", torch.exp, (x,)), Job("sum", x.sum)], repeats=4, max_seconds=None)
    >>> one.input_shape, two.ratio(two).median
    ((2, 3), 1.0)
    """
    start = perf_counter()
    jobs, repeats = [*map(_checked, jobs)], exact_int("repeats", repeats, MIN_REPEATS)
    now = datetime.now(UTC).isoformat()
    timers = [
        Timer("f(*args)", globals={"f": job.function, "args": job.arguments}, num_threads=job.threads) for job in jobs
    ]
    limit = inf if max_seconds is None else max_seconds
    torch.empty(KEPT_BYTES, dtype=torch.uint8)  # freed at once: as in a program that has run for a while

    def turns(take, *parts):
        """Return what each job gives in its turn, as far as there is time."""
        found = []
        for job, *part in zip(jobs, *parts):
            if perf_counter() - start < limit:
                with _running(job):
                    found.append(take(*part))
        return found

    def timings():
        seconds, many = [*zip(*rounds)] or [()] * len(jobs), calls + [0] * (len(jobs) - len(calls))
        return [
            Timing(
                label=job.label,
                seconds=found,
                calls_per_repeat=number,
                threads=job.threads,
                backward=job.backward,
                torch_version=torch.__version__,
                measured_at=now,
                spread=spread,
                **_seen(job.function, job.arguments),
            )
            for job, number, found in zip(jobs, many, seconds)
        ]

    with tqdm(total=repeats * len(jobs), delay=2, leave=False, file=sys.stdout, desc="timing") as bar:
        rounds, calls = [], turns(lambda timer: _calls_in(repeat_seconds, timer), timers)
        while len(calls) == len(jobs):
            found = turns(lambda timer, many: timer.timeit(many).median, timers, calls)
            if len(found) < len(jobs):
                break
            rounds.append(found)
            bar.update(len(jobs))
            if len(rounds) >= repeats:
                if max_seconds is None or not any(timing.is_noisy for timing in timings()):
                    break
                bar.total += len(jobs)
                bar.set_description("noisy, timing again", refresh=False)
    return timings()


def _calls_in(seconds, timer):
    """Warm a function up, and return how many calls of it take so long."""
    return ceil(seconds / timer.blocked_autorange(min_run_time=WARM_UP_SECONDS).median)


def compare(
    jobs: Mapping[str, Callable | tuple], *, threads: int = 1, backward: bool = False, **options
) -> dict[str, Timing]:
    """Time functions in turns under one condition, with the options and errors of `time_in_turns`.

    Args:
        jobs: label → a function without arguments, or (function, *arguments).
        threads: torch's threads while a job runs.
        backward: whether the jobs run the backward pass too: torch records gradients then.

    Raises:
        TypeError: no mapping, or a job that cannot be called.

    >>> x = torch.ones(2, 3)
    >>> timings = compare({"sum": x.sum, "exp": (torch.exp, x)}, repeats=4, max_seconds=None)
    >>> timings["exp"].input_shape, timings["sum"].ratio(timings["sum"]).median
    ((2, 3), 1.0)
    """
    if not isinstance(jobs, Mapping):
        raise TypeError(f"jobs is a {type(jobs).__name__}; wanted {{label: function or (function, *arguments)}}")
    parts = {label: job if isinstance(job, tuple) else (job,) for label, job in jobs.items()}
    listed = [Job(label, f, tuple(args), threads, backward) for label, (f, *args) in parts.items()]
    return {timing.label: timing for timing in time_in_turns(listed, **options)}


def median_seconds(f: Callable, *args, label: str | None = None, **options) -> Timing:
    """Time one function, called as f(*args), with the options and errors of `compare`.

    >>> timing = median_seconds(torch.exp, torch.ones(2, 3), repeats=4, max_seconds=None)
    >>> timing.label, len(timing.seconds), timing.device, timing.dtype, timing.memory_format
    ('exp', 4, 'cpu', 'float32', 'contiguous')
    """
    label = label or getattr(f, "__name__", type(f).__name__)
    return compare({label: (f, *args)}, **options)[label]


def time_conditions(
    layers: Mapping[str, tuple[ConvSpec | Iterable, Shape]],
    *,
    threads: Iterable[int] = (1,),
    memory_format: Iterable[str] = ("contiguous",),
    backward: Iterable[bool] = (False,),
    device: str | None = None,
    **options,
) -> list[LayerTiming]:
    """Time layers under all combinations of conditions, in turns in one run, each on a random float32 input.

    Args:
        layers: label → (a ConvSpec or a list of them, input shape).
        threads: torch's threads while a layer runs.
        memory_format: "contiguous", or "channels_last": the numbers of one position side by side, for all channels.
        backward: False for the forward alone; True for forward and backward, to the input and to the weights.
        device: where the layers run; the CPU if left out.
        options: those of `time_in_turns`.

    Raises: what `cost_table` and `time_in_turns` raise.
        ValueError: another memory format, a device that this machine has not, or that torch does not know.

    >>> layer = ConvSpec(3, 8, 3, bias=False), (1, 3, 6, 7)
    >>> rows = time_conditions({"layer": layer}, backward=(False, True), repeats=4, max_seconds=None)
    >>> [row.macs for row in rows]  # 27 * 8 * 4 * 5, and three times as many
    [4320, 12960]
    """
    _device_type(device)
    specs, jobs = {label: as_specs(chain) for label, (chain, _) in layers.items()}, []
    for label, (_, input_shape) in layers.items():
        chain_cost_table(specs[label], input_shape)  # refuses by name what does not fit
    for name, is_backward, (label, (_, input_shape)) in product(memory_format, backward, layers.items()):
        if name not in MEMORY_FORMATS:
            raise ValueError(f"memory_format has {name!r}; wanted {' or '.join(map(repr, MEMORY_FORMATS))}")
        form = MEMORY_FORMATS[name]
        module = nn.Sequential(*map(to_module, specs[label])).to(device=device, memory_format=form)
        x = torch.rand(input_shape, device=device).contiguous(memory_format=form)
        call = module, (x,)
        if is_backward:
            call = _forward_backward, (x.requires_grad_(), module, torch.ones_like(module(x)))
        jobs += [Job(label, *call, threads=many, backward=is_backward) for many in threads]
    return [LayerTiming(specs[timing.label], timing) for timing in time_in_turns(jobs, **options)]


def _forward_backward(x, module, gradient):
    """Run a module forward and backward, to its input and its weights."""
    torch.autograd.grad(module(x), [x, *module.parameters()], gradient)


def _device_type(device):
    """Return the type of a device, and refuse one that does no work here."""
    try:
        kind = torch.empty(0, device=device).device.type
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {str(error).splitlines()[0]}") from None
    if kind == "meta":
        raise ValueError(f"device={device!r} cannot be used here: it has shapes and computes nothing")
    return kind


def machine_peaks(
    threads: int = 1, device: str | None = None, repeat_seconds: float = 0.01, copied_bytes: int = COPY_BYTES
) -> Peaks:
    """Measure, now, the rate of a large float32 matrix product and of a copy; best of 9 rounds.

    The product takes 1024³ MACs on a CPU, 4096³ elsewhere. The copy of 140 MB moves 280 MB, counted as read once and
    written once. A cache above 280 MB would be measured in place of the memory. A layer whose data stay in a cache
    can lie above that roof; a smaller copy gives the cache's.

    Raises:
        ValueError: a device that this machine has not, or that torch does not know.
    """
    size = MATRIX_SIZE * (1 if _device_type(device) == "cpu" else 4)
    source, target = torch.ones(2, copied_bytes // 4, device=device)  # written, so that the memory is really there
    jobs = {"product": (torch.mm, *torch.rand(2, size, size, device=device)), "copy": (target.copy_, source)}
    matrix, copy = compare(jobs, threads=threads, repeats=9, max_seconds=None, repeat_seconds=repeat_seconds).values()
    rates = size**3 / min(matrix.seconds), 2 * copied_bytes / min(copy.seconds)
    return Peaks(*rates, threads, copy.torch_version, copy.measured_at, copied_bytes=copied_bytes)
