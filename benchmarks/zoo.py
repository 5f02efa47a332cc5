"""Count models that nobody here wrote: `python -m benchmarks.zoo` from the repository's root. README.md explains it.

Each model is counted by `cost_table` and by somebody else, and must be as it was afterwards.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import version
from math import prod
from multiprocessing import get_context
from pathlib import Path
from textwrap import shorten
from time import perf_counter
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from benchmarks.zoo_models import LIBRARIES, build
from convlab import cost_table

TABLE = Path(__file__).with_name("zoo.csv")
COLUMNS = """library model input macs wanted source equal params params_wanted uncounted untouched mode seconds
    note""".split()
PROCESSES, SECONDS, GIB = 2, 240, 16
REAL_MACS = 5e9  # torch's counter runs a larger model on the meta device


# What a count must leave as it is, and what torch's counter says.


def state(model, *inputs) -> dict:
    """Return by name every attribute of every module, every number, and the random states."""
    found = {"random": random.getstate(), "numpy": repr(np.random.get_state()), "torch": crc(torch.get_rng_state())}
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            if key in ("_parameters", "_buffers"):
                value = [(at, id(t), crc(t), t.requires_grad) for at, t in value.items() if t is not None]
            found[f"{name}.{key}"] = sorted(map(repr, value)) if isinstance(value, set) else repr(value)
    return found | {"inputs": [crc(leaf) for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]}


def crc(tensor) -> tuple:
    tensor = tensor.detach()
    return tensor.shape, None if tensor.is_meta else crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())


def torch_macs(model, args, kwargs, meta=False, formulas=None) -> dict:
    """Return half of what torch's counter counts, by operation; attention runs as the matrix products that it is."""
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    model.requires_grad_(False)  # a parameter that a layer is given stops torch's counter otherwise
    meta = meta or any(tensor.is_meta for tensor in weights.values())
    device, weights = ("meta", {name: tensor.to("meta") for name, tensor in weights.items()}) if meta else ("cpu", {})
    args = tuple(torch.zeros(arg) if isinstance(arg, tuple) else arg for arg in args)
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to(device), (args, kwargs))
    torch.backends.mha.set_fastpath_enabled(False)
    counter = FlopCounterMode(display=False, custom_mapping=formulas)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        torch.func.functional_call(model, weights, args, kwargs)
    return {str(operation): flops // 2 for operation, flops in counter.get_flop_counts().get("Global", {}).items()}


# Why two numbers differ: each rule computes the difference again. What none of them explains says so.


def _matrix_vector(*shapes, out_shape=None, **kwargs) -> int:
    return 2 * prod(shapes[1] if len(shapes) == 3 else shapes[0])  # addmv has a vector before its matrix


def _grouped(rows, matrices, *args, out_shape=None, **kwargs) -> int:
    return 2 * prod(rows) * matrices[-1]  # each row meets one of the matrices


def _quantized(unpack, x, packed, *args, out_val, **kwargs) -> int:
    return 2 * out_val.numel() * unpack(packed)[0][0].numel()


LEFT_OUT = {getattr(torch.ops.aten, name): _matrix_vector for name in ("mv", "addmv", "dot", "vdot")}
LEFT_OUT |= {torch.ops.aten._grouped_mm: _grouped}
for name in ("conv2d", "conv2d_relu", "linear", "linear_relu"):
    formula = partial(_quantized, getattr(torch.ops.quantized, f"{name.removesuffix('_relu')}_unpack"))
    formula._get_raw = True  # torch's sign that it takes tensors, not shapes
    LEFT_OUT[getattr(torch.ops.quantized, name)] = formula


def why_torch_differs(macs, counted, model, args, kwargs) -> str:
    with torch.backends.mkldnn.flags(enabled=False):
        more = torch_macs(model, args, kwargs, formulas=LEFT_OUT)
    if sum(more.values()) != macs:
        return f"UNEXPLAINED: torch's counter says {counted}, and {sum(more.values())} with the formulas of zoo.py"
    left_out = {str(operation): more[str(operation)] for operation in LEFT_OUT if str(operation) in more}
    rest = macs - counted - sum(left_out.values())
    left_out |= {"recurrent layers of oneDNN": rest} if rest else {}
    return "torch's counter has no formula for " + ", ".join(f"{key} ({n} MACs)" for key, n in left_out.items())


def why_published_differs(name, macs, table, gmacs, model) -> str:
    if name.endswith("/converted"):
        before, inputs, *_ = build("torchvision", name.removesuffix("/converted"))
        unconverted = cost_table(before, *inputs).total.macs
        if abs(unconverted - gmacs * 1e9) <= 0.5e6:
            return f"published before the conversion, where convlab counts {unconverted} MACs too"
    rows = [row for row in table.rows if row.name.startswith("roi_heads.") and row.macs]
    work, number = {}, {}
    for row in rows:
        head = "boxes" if ".box_" in row.name else "detections"
        number.setdefault(head, row.output_shape[0])
        work[head] = work.get(head, 0) + row.macs // row.output_shape[0]
    for detections in range(101 if work else 0):
        rest = gmacs * 1e9 - (macs - sum(row.macs for row in rows)) - detections * work.get("detections", 0)
        boxes = round(rest / work["boxes"])
        if 0 <= boxes <= 1000 and abs(rest - boxes * work["boxes"]) <= 0.5e6:
            return f"published with trained weights, which propose {boxes} boxes and detect {detections}; here {number}"
    return "UNEXPLAINED: the published count"


def why_params_differ(params, wanted, model) -> str:
    norms = [m for m in getattr(model, "backbone", model).modules() if isinstance(m, nn.BatchNorm2d)]
    frozen = sum(param.numel() for norm in norms for param in norm.parameters())
    if params - frozen == wanted:
        return f"published with the {frozen} parameters of the backbone's batch normalisation frozen into buffers"
    return "UNEXPLAINED: the parameters"


# One row, in a process of its own, and the command.


def count(library: str, name: str) -> dict:
    warnings.simplefilter("ignore")
    model, args, kwargs, gmacs, params = build(library, name)
    notes, mode, before, start = [], "shapes", state(model, args, kwargs), perf_counter()
    try:
        table = cost_table(model, *args, **kwargs)
    except RuntimeError as error:
        notes.append("shapes alone: " + shorten(str(error).partition("\n")[0], 160))
        mode, start = "real", perf_counter()
        table = cost_table(model, *args, real=True, **kwargs)
    seconds, after, macs = perf_counter() - start, state(model, args, kwargs), table.total.macs
    touched = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    notes += [f"touched: {', '.join(touched)}"] * bool(touched)
    own_params = sum(param.numel() for param in model.parameters())
    counted = sum(torch_macs(model, args, kwargs, meta=mode == "shapes" and macs > REAL_MACS).values())
    if counted != macs:
        notes.append(why_torch_differs(macs, counted, model, args, kwargs))
    wanted, source, equal = counted, "torch's counter", counted == macs
    if gmacs:
        wanted, source, equal = f"{gmacs:.3f}e9", "published", abs(macs - gmacs * 1e9) <= 0.5e6
        notes += [] if equal else [why_published_differs(name, macs, table, gmacs, model)]
    if params and table.total.params != params:
        notes.append(why_params_differ(table.total.params, params, model))
    shapes = tree_map_only(Tensor, lambda tensor: tuple(tensor.shape), (args, kwargs))
    shown = ", ".join([*map(str, shapes[0]), *(f"{key}={value}" for key, value in shapes[1].items())])
    uncounted = "; ".join(sorted({entry.partition(" in ")[0] for entry in table.uncounted}))
    values = shown, macs, wanted, source, equal, table.total.params, params or own_params, uncounted, not touched
    return dict(zip(COLUMNS[2:], (*values, mode, round(seconds, 3), "; ".join(notes))))


def answer(connection, library, name):
    resource.setrlimit(resource.RLIMIT_AS, (GIB << 30,) * 2)
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        connection.send(count(library, name))
    except Exception as error:
        connection.send({"note": f"error: {type(error).__name__}: {error}".replace("\n", " ")})


def in_own_process(model: tuple[str, str]) -> dict:
    """Return the row of a model, counted in a new process within the limits of time and memory."""
    context = get_context("forkserver")
    context.set_forkserver_preload([*LIBRARIES])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(sender, *model))
    process.start()
    sender.close()
    try:
        row = receiver.recv() if receiver.poll(SECONDS) else {"note": f"error: more than {SECONDS} s"}
    except EOFError:
        row = {"note": "error: the process ended"}
    process.kill()
    process.join()
    return dict(zip(COLUMNS, model)) | row


def write(rows):
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def summary() -> pd.DataFrame:
    """Return for each library how many of its models are equal, explained, not explained, and so on."""
    rows = pd.read_csv(TABLE, keep_default_na=False, dtype=str)
    equal, note = rows["equal"].eq("True"), rows["note"]
    failed, unexplained = note.str.startswith("error"), note.str.contains("UNEXPLAINED")
    columns = {
        "models": rows["model"].ne(""),
        "equal": equal,
        "explained": ~(equal | failed | unexplained),
        "unexplained": unexplained,
        "errors": failed,
        "params equal": rows["params"].eq(rows["params_wanted"]) & ~failed,
        "untouched": rows["untouched"].eq("True"),
        "with uncounted work": rows["uncounted"].ne(""),
        "on real data": rows["mode"].eq("real"),
    }
    return pd.DataFrame(columns).groupby(rows["library"], sort=False).sum()


def main(*again):
    """Count what is not in the table yet or failed, and the models named library/model by the patterns given."""
    from convlab.measuring import recordings

    done = {}
    if TABLE.exists():
        with TABLE.open(newline="") as file:
            done = {(row["library"], row["model"]): row for row in csv.DictReader(file)}
    order = [(library, name) for library, (names, _) in LIBRARIES.items() for name in names()]
    todo = [model for model in order if model not in done or done[model]["note"].startswith("error")
            or any(fnmatch("/".join(model), pattern) for pattern in again)]  # fmt: skip
    with ThreadPoolExecutor(PROCESSES) as pool:
        for model, row in zip(todo, tqdm(pool.map(in_own_process, todo), total=len(todo))):
            done[model] = row
            write(done.values())
    write(done[model] for model in order)
    machine = recordings.machine()
    machine["versions"] |= {name: version(name) for name in LIBRARIES}
    TABLE.with_suffix(".json").write_text(json.dumps(machine, indent=2) + "\n")
    print(summary().to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
