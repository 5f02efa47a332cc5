"""Files that keep results which were measured: what was measured, on what machine, and when.

Those that the lessons read are in the folder `recorded` and travel with the package; benchmarks/README.md lists them.

Of a layer only seconds are stored, to four digits: its MACs and bytes are counted again when the file is read. What
has its default is left out.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from convlab.measuring.accuracy import Accuracy
from convlab.measuring.timings import LayerTiming, Peaks, Timing
from convlab.spec import ConvSpec

Row = Timing | LayerTiming | Peaks | Accuracy
FOLDER = files("convlab.measuring") / "recorded"


def recorded_file(name: str) -> Path:
    """Return the path of a file that was recorded and travels with the package.

    Raises:
        ValueError: there is none of this name; the message lists those there are.

    >>> recorded_file("times-cpu.json").name
    'times-cpu.json'
    """
    names = sorted(file.name for file in FOLDER.iterdir())
    if name not in names:
        raise ValueError(f"no file {name!r} was recorded; wanted one of {', '.join(names)}")
    return FOLDER / name


def machine(accelerator: str = "") -> dict:
    """Return what kind of machine this is, without its name, and the versions that times depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.system(),
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        **({"accelerator": accelerator} if accelerator else {}),
        "versions": {"python": platform.python_version(), "torch": version("torch")},
    }


def save(path: str | Path, rows: Iterable[Row], command: str, accelerator: str = "") -> None:
    """Write live results to a JSON file, one a line, with the machine and the date.

    Args:
        command: what makes the file again.
        accelerator: the name of the device that did the work, if it was not the processor.

    Raises:
        ValueError: a row that is not live: it may be another machine's.
    """
    lines = []
    for row in rows:
        if row.source != "live":
            raise ValueError(f"{row!r} is not live; wanted results that were measured here")
        lines.append(json.dumps({"kind": type(row).__name__, **_stored(row)}))
    head = json.dumps({"command": command, "machine": machine(accelerator)})
    text = head.removesuffix("}") + ',\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def _stored(row):
    """Return the fields of a result that have not their default, with seconds to four digits."""
    if isinstance(row, LayerTiming):
        return {"layers": [_stored(spec) for spec in row.layers], "timing": _stored(row.timing)}
    usual = asdict(ConvSpec(1, 1, 1)) if isinstance(row, ConvSpec) else {f.name: f.default for f in fields(row)}
    needed = {"in_channels", "out_channels", "kernel_size"}
    kept = {name: value for name, value in asdict(row).items() if name in needed or value != usual[name]}
    return kept | {"seconds": [float(f"{s:.4g}") for s in row.seconds]} if isinstance(row, Timing) else kept


def load(path: str | Path) -> list[Row]:
    """Return the results that `save` wrote, in its order; the source of each says when and where."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    where = data["machine"]
    source = f"recorded, {where['date']}, " + (where.get("accelerator") or f"{where['cpu']}, {where['cores']} cores")
    return [_restored(row.pop("kind"), row, source) for row in data["rows"]]


def _restored(kind, row, source):
    if kind == "LayerTiming":
        return LayerTiming([ConvSpec(**spec) for spec in row["layers"]], _restored("Timing", row["timing"], source))
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return {"Timing": Timing, "Peaks": Peaks, "Accuracy": Accuracy}[kind](**fields | {"source": source})
