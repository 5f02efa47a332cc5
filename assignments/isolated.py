"""An nbgrader preprocessor in place of `Execute`: the learner's cells run apart, the points are made here.

Each graded cell's question gets a process of its own under bubblewrap (https://github.com/containers/bubblewrap): no
network, none of the machine's files but Python's, no child that outlives it, and limits on time, memory and output.
Only JSON comes back, and it is compared here. Without bubblewrap nothing is graded.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from marking import load_key
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from roster import check_all_layers

from convlab.wording import printable

HERE = Path(__file__).resolve().parent
WORKER = HERE / "worker.py"
SECONDS, WALL_SECONDS = 2, 20  # of CPU for one question, and by the clock, for what sleeps
FORGED = "lines were written that pass for answers, which do not count"
MOST_RUNS = 4  # of one question: each leaves out a cell that ended the one before
MOST_BYTES, MOST_OUTPUT, MOST_FILES = 4 << 30, 4 << 20, str(64 << 20)
OVER_TIME = {signal.SIGXCPU, signal.SIGKILL, -signal.SIGXCPU, -signal.SIGKILL}
REFUSED = "bubblewrap {why}, so nothing was graded: answers never run unprotected. Install the package bubblewrap."


class NoProtection(RuntimeError):
    """Answers cannot be run apart on this machine."""


def sandbox() -> list[str]:
    """Return the command, without its last part, that runs a Python file apart from the machine.

    Raises:
        NoProtection: there is no bubblewrap.
    """
    if not (bwrap := shutil.which("bwrap")):
        raise NoProtection(REFUSED.format(why="is not installed"))
    command = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # threads count as processes
        command += ["--setenv", name, "1"]
    # No /proc: through it root could change the machine's settings, and everybody read bubblewrap's own environment.
    command += [
        "--ro-bind",
        "/usr",
        "/usr",
        "--dev",
        "/dev",
        "--size",
        MOST_FILES,
        "--tmpfs",
        "/dev/shm",
        "--remount-ro",
        "/dev",
        "--size",
        MOST_FILES,
        "--tmpfs",
        "/tmp",
        "--chdir",
        "/tmp",
    ]
    for folder in (Path("/lib"), Path("/lib64"), Path("/bin")):
        if folder.is_symlink():
            command += ["--symlink", f"usr{folder}", str(folder)]
        elif folder.is_dir():
            command += ["--ro-bind", str(folder), str(folder)]
    for folder in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not Path(folder).is_relative_to("/usr"):
            command += ["--ro-bind", folder, folder]
    installed = importlib.util.find_spec("convlab")
    for place in (installed.submodule_search_locations or ()) if installed else ():
        if Path(place).is_relative_to(sys.prefix):  # the counters are not for the answers
            command += ["--tmpfs", place]
    return [*command, "--ro-bind", str(WORKER), "/worker.py", sys.executable, "-I", "/worker.py"]


def check_protection() -> None:
    """Run one empty job, so that a machine that refuses bubblewrap is found before anything is graded.

    Raises:
        NoProtection: with the reason.
    """
    try:
        answers, errors = ask_worker(["found = 1"], [{"name": "found"}])
    except OSError as error:
        raise NoProtection(REFUSED.format(why=f"did not start ({error})")) from error
    if answers != [{"value": 1}]:
        raise NoProtection(REFUSED.format(why=f"does not work here ({answers[0].get('text', errors)})"))


def ask_worker(cells: list[str], asks: list[dict]) -> tuple[list[dict], list[str]]:
    """Run cells apart and ask for names or for calls of functions.

    A cell that ends the process, or does not finish, is left out, and the others run again.

    Args:
        cells: the learner's code.
        asks: {"name": …}, or {"name": …, "arguments": […]} for a call.

    Returns:
        one {"value": …} or {"error": …, "text": …} for each ask, and what cells stopped with.
    """
    cells, left_out, until = [*cells], [], time.monotonic() + WALL_SECONDS
    for _ in range(MOST_RUNS):
        lines, why = run_worker(
            {"cells": cells, "asks": asks, "seconds": SECONDS, "bytes": MOST_BYTES},
            (until - time.monotonic()) / 2,  # the other half is for a run without the cell that sleeps
        )
        done = next((n for n, line in enumerate(lines) if line.get("cells") == "done"), len(lines))
        found = [as_told(line) for line in lines[done:] if "value" in line or "error" in line]
        forged = len(found) > len(asks) or any("value" in line for line in lines[:done])
        last = next((line["cell"] for line in reversed(lines) if type(line.get("cell")) is int), -1)
        if not why or done < len(lines) or last not in range(len(cells)):
            break
        begins = cells[last].strip().partition("\n")[0][:60]
        left_out.append(f"{why[0]}: {why[1]}, in the cell that begins with `{begins}`")
        del cells[last]
    told = [(line["cell_error"], line.get("begins")) for line in lines if "cell_error" in line]
    stops = [*left_out, *(f"{what}, in the cell that begins with `{begins}`"[:400] for what, begins in told)]
    stops += [FORGED] if forged else []
    missing = dict(zip(("error", "text"), why or ("ProcessEnded", "your code ended the process")))
    return found[: len(asks)] + [missing] * (len(asks) - len(found)), stops


def as_told(line: dict) -> dict:
    """Return a line of the worker as an answer, whose error has a name even if the line was forged."""
    if "error" not in line:
        return {"value": line["value"]}
    name = str(line["error"])[:60]
    return {"error": name if name.isidentifier() else "Error", "text": str(line.get("text", ""))[:300]}


def run_worker(job: dict, seconds: float) -> tuple[list[dict], tuple[str, str] | None]:
    """Return the lines of one process, and what ended it before its time, as the name of an error and a sentence.

    Args:
        job: what the worker reads.
        seconds: how long it may take by the clock.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            sandbox(), stdin=subprocess.PIPE, stdout=out, stderr=errors, start_new_session=True, cwd="/", env={}
        )
        late = False
        try:
            process.communicate(json.dumps(job).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:  # whatever stops the grading
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        text = out.read(MOST_OUTPUT).decode(errors="replace")
        errors.seek(0)
        reason = errors.read(300).decode(errors="replace").strip()
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except (ValueError, RecursionError):  # forged, or cut off
            continue
    lines = [line for line in lines if isinstance(line, dict)]
    if late or process.returncode in {sign + code for sign in (0, 128) for code in OVER_TIME}:
        return lines, ("TimeLimit", f"your code did not finish within {SECONDS} seconds")
    if reason.startswith("bwrap:"):
        return lines, ("ProcessEnded", reason)
    if not lines or "end" not in lines[-1]:
        return lines, ("ProcessEnded", "your code ended the process")
    return lines, None


def grade_cells(cells: Iterable, assignment: str, student: str) -> dict[str, tuple[float, str, bool]]:
    """Return grade_id → points, feedback and whether answers were forged, for a submission on its skeleton."""
    cells = [cell for cell in cells if cell.cell_type == "code"]
    code = [cell.source for cell in cells if not utils.is_grade(cell)]
    questions, graded = load_key(assignment).questions(student), {}
    for cell in filter(utils.is_grade, cells):
        name, most = cell.metadata.nbgrader.grade_id, float(cell.metadata.nbgrader.points)
        answers, stops = ask_worker(code, questions[name].asks())
        try:
            share, text = questions[name].grade(answers, stops)
        except Exception as error:  # an answer that the comparison cannot hold, such as an integer of 400 digits
            share, text = 0, f"Your answer cannot be judged: {type(error).__name__}: {error}"
        points = round(min(max(share, 0), 1) * most, 2)
        text = printable(f"{points:g} of {most:g} points.\n{text}", "\n")  # what a file can hold
        graded[name] = points, text, FORGED in stops
    return graded


class Isolated(NbGraderPreprocessor):
    """Writes points and feedback below each cell that carries points, by the key of its assignment."""

    def preprocess(self, nb, resources):
        where = resources["nbgrader"]
        check_all_layers(where["student"])  # the formgrader's button comes here too
        graded = grade_cells(nb.cells, where["assignment"], where["student"])
        if any(forged for *_, forged in graded.values()):
            self.log.warning("%s: look at: %s", where["student"], FORGED)
        repairs = nb.metadata.pop("convlab_repairs", [])
        before = f"Your notebook was repaired: {'; '.join(repairs)}.\n" if repairs else ""
        for cell in nb.cells:
            if cell.cell_type == "code" and utils.is_grade(cell):
                points, text, _ = graded[cell.metadata.nbgrader.grade_id]
                text, before = before + text, ""
                number = new_output("execute_result", data={"text/plain": str(points)}, execution_count=1)
                cell.outputs, cell.execution_count = [new_output("stream", name="stdout", text=text + "\n"), number], 1
        return nb, resources
