"""Compare the counting tools: `python -m benchmarks.run` from the repository's root. README.md explains the tables."""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.tools import CONVENTIONS, TOOLS

RECORDED = Path(__file__).parent.parent / "convlab" / "measuring" / "recorded"  # in the package, for the lessons
PACKAGES = ("convlab-course", "torch", "thop", "fvcore", "ptflops", "torchinfo", "torchprofile")
MEMORY_GIB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
TIMED = [name for name in TOOLS if name != "convlab, FLOPs"]
NETWORKS = {"ResNet-50": "resnet50", "MobileNetV2": "mobilenet_v2"}  # their names in convlab.networks.papers
RUNS = [  # network, size of the image, batch, rounds
    *((network, size, 1, rounds) for network in NETWORKS for size, rounds in ((224, 15), (512, 9), (1024, 5))),
    *([("ResNet-50", 1024, 8, 1)] if MEMORY_GIB > 18 else []),  # some tools need 14 GiB
]
FIRST_CALLS = 5
QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def in_fresh_process(function, *arguments):
    """Return what the function returns in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=be_quiet) as pool:
        return pool.submit(function, *arguments).result()


def be_quiet():
    """Drop what the tools print and warn of."""
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr = open(os.devnull, "w")


# Exactness. Each tool runs in a process of its own, because an error can leave torch patched.


def answer(tool: str, build, input_shape, retried: bool = False) -> tuple:
    """Return the count of a new module (for an error its type), its parameters, and the parameters that it has."""
    model, x = build(), torch.rand(input_shape)
    param_count = sum(p.numel() for p in model.parameters())
    if retried:
        with suppress(Exception):
            TOOLS[tool].count(model, torch.rand(1, 1, 1, 1))
    try:
        return *TOOLS[tool].count(model, x), param_count
    except Exception as error:
        return f"error: {type(error).__name__}", None, param_count


def verdict(count, wanted: int) -> str:
    if isinstance(count, str):
        return count
    return "right" if count == wanted else "zero" if count == 0 else "too many" if count > wanted else "too few"


def count_grid(tool: str) -> list[dict]:
    from benchmarks.grid import exact_work, layers  # here: torch must be untouched when a first call is timed

    rows = []
    for name, build, shape, family in layers():
        work, batch = exact_work(build, shape), 1 if family == "unbatched" else shape[0]
        wanted = CONVENTIONS[TOOLS[tool].convention](work, batch)
        count, params, param_count = answer(tool, build, shape)
        example = f"{name}: {count} for {wanted}"
        rows.append({"family": family, "verdict": verdict(count, wanted), "example": example})
        rows[-1]["params_right"] = None if params is None else params == param_count
    return rows


def exactness(tool: str) -> list[dict]:
    """Return one row for each family of layers."""
    summary = []
    for family, layers in pd.DataFrame(in_fresh_process(count_grid, tool)).groupby("family"):
        failures = Counter(layers["verdict"][layers["verdict"] != "right"])
        failure, times = failures.most_common(1)[0] if failures else ("", 0)
        summary.append(
            {
                "tool": tool,
                "counts": TOOLS[tool].convention,
                "family": family,
                "layers": len(layers),
                "right": len(layers) - failures.total(),
                "share_right": 1 - failures.total() / len(layers),
                "errors": sum(n for name, n in failures.items() if name.startswith("error")),
                "most_frequent_failure": failure,
                "failure_layers": times,
                "failure_example": layers["example"][layers["verdict"] == failure].iloc[0] if failure else "",
                "share_params_right": layers["params_right"].astype(float).mean(),
            }
        )
    return summary


def count_extras(tool: str) -> list[dict]:
    from benchmarks.extras import CASES

    rows = []
    for name, build, shape, work, retried in CASES:
        count, params, param_count = answer(tool, build, shape, retried)
        if work is None:
            count, wanted = params, param_count
        else:
            wanted = CONVENTIONS[TOOLS[tool].convention](work, shape[0])
        rows.append({"case": name, "tool": tool, "answer": count, "wanted": wanted})
    return rows


# Cost.


def network_named(name: str) -> torch.nn.Module:
    return getattr(import_module("convlab.networks.papers"), NETWORKS[name])().eval()


def time_rounds(network: str, size: int, batch: int, rounds: int) -> list[dict]:
    """Run the tools in turn, A B C … A B C …, in one process, each on its own network, after a small call."""
    x, rows = torch.rand(batch, 3, size, size), []
    copies = {tool: network_named(network) for tool in TIMED}
    for tool, copy in copies.items():
        TOOLS[tool].count(copy, torch.rand(1, 3, 32, 32))
    for number in range(rounds):
        for tool, copy in copies.items():
            gc.collect()
            start = perf_counter()
            count, _ = TOOLS[tool].count(copy, x)
            rows.append({"round": number, "tool": tool, "seconds": perf_counter() - start, "count": int(count)})
    return rows


def extra_peak_memory_mib(tool: str, network: str, size: int, batch: int) -> float | None:
    """Return by how much one count, after a small one, raises the peak of the process's memory; None off Linux."""
    if platform.system() != "Linux":
        return None
    warm_up, model = network_named(network), network_named(network)
    x = torch.rand(batch, 3, size, size)
    TOOLS[tool].count(warm_up, torch.rand(1, 3, 32, 32))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak, VmHWM, to the memory in use
    before = status_mib("VmRSS")
    TOOLS[tool].count(model, x)
    return status_mib("VmHWM") - before


def status_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def cost(network: str, size: int, batch: int, rounds: int) -> list[dict]:
    """Return one row for each tool: its seconds, their ratio to thop's in the same round, and its memory."""
    times = pd.DataFrame(in_fresh_process(time_rounds, network, size, batch, rounds)).set_index(["round", "tool"])
    counts, seconds = times["count"].unstack(), times["seconds"].unstack()
    rows = []
    for tool in TIMED:
        rows.append(
            {"network": network, "size_pixels": size, "batch": batch, "tool": tool, "count": counts[tool].iloc[0]}
        )
        rows[-1] |= time_summary(seconds, tool)
        rows[-1]["extra_peak_memory_mib"] = in_fresh_process(extra_peak_memory_mib, tool, network, size, batch)
    return rows


def time_summary(seconds: pd.DataFrame, tool: str) -> dict:
    """Return the median of a tool's column of seconds, and the quartiles of its ratio to thop's in the same row."""
    ratios = seconds[tool] / seconds["thop"]
    quartiles = {f"ratio_to_thop_{name}": ratios.quantile(q) for name, q in QUARTILES.items()}
    return {"rounds": len(seconds), "seconds_median": seconds[tool].median(), **quartiles}


def first_call_seconds(tool: str) -> float:
    """Return the time of a process's first count, of ResNet-50 at 224²; only the import came before."""
    import_module(TOOLS[tool].module)
    model, x = network_named("ResNet-50"), torch.rand(1, 3, 224, 224)
    start = perf_counter()
    TOOLS[tool].count(model, x)
    return perf_counter() - start


def first_call() -> list[dict]:
    rounds = tqdm(range(FIRST_CALLS), "first call")
    seconds = pd.DataFrame([{tool: in_fresh_process(first_call_seconds, tool) for tool in TIMED} for _ in rounds])
    return [{"tool": tool, **time_summary(seconds, tool)} for tool in TIMED]


# The command.


def machine() -> dict:
    from convlab.measuring import recordings

    return {
        **recordings.machine(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(MEMORY_GIB, 1),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def record(name: str, rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows).convert_dtypes()  # keeps integers beside a missing one
    table.to_csv(RECORDED / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
    return table


def show(title: str, table: pd.DataFrame, index: str | list[str], column: str, cell):
    """Print one row for each index and one column for each value of a column, both in the table's order."""
    cells = table.assign(cell=[cell(row) for row in table.itertuples()])
    cells = cells.pivot(index=index, columns=column, values="cell")[table[column].unique()]
    print(f"\n{title}\n{cells.reindex(pd.Index(table.set_index(index).index.unique())).to_string()}", flush=True)


def grid_cell(row) -> str:
    failure = f", {row.failure_layers} {row.most_frequent_failure}" if row.failure_layers else ""
    return f"{row.right}/{row.layers}{failure}, {row.errors} crashed"


def extras_cell(row) -> str:
    if pd.isna(row.answer):
        return "–"
    return "right" if row.answer == row.wanted else f"{row.answer} for {row.wanted}"


def ratio_cell(row) -> str:
    return f"{row.ratio_to_thop_median:.2g} ({row.ratio_to_thop_q1:.2g}–{row.ratio_to_thop_q3:.2g})"


def memory_cell(row) -> str:
    return f"{row.extra_peak_memory_mib:,.1f}"


def main():
    (RECORDED / "machine.json").write_text(json.dumps(machine(), indent=2) + "\n")

    table = record("exactness", [row for tool in tqdm(TOOLS, "exactness") for row in exactness(tool)])
    show("Exactness: layers of the grid that a tool counts right", table, ["tool", "counts"], "family", grid_cell)

    rows = [row for tool in tqdm(TOOLS, "other cases") for row in in_fresh_process(count_extras, tool)]
    show("Other cases: the answer for the right one", record("extras", rows), "case", "tool", extras_cell)

    table = record("cost", [row for run in tqdm(RUNS, "time and memory") for row in cost(*run)])
    runs = ["network", "size_pixels", "batch"]
    show("Cost: time as a ratio to thop, median (quartiles)", table, runs, "tool", ratio_cell)
    show("Cost: extra peak memory, MiB", table, runs, "tool", memory_cell)

    table = record("first_call", first_call()).assign(network="ResNet-50")
    show("Cost of the first call: time as a ratio to thop, median (quartiles)", table, "network", "tool", ratio_cell)


if __name__ == "__main__":
    main()
