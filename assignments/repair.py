"""Put a submission back on the notebook that was handed out, before nbgrader looks at it.

Students delete, duplicate, split and rename cells, and some editors drop a notebook's metadata. An answer is found by
its grade_id, or else by its cell's id; every other cell is as it was handed out.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor

from convlab.wording import plural

RELEASE = Path(__file__).resolve().parent / "release"


def grade_id(cell) -> str | None:
    """Return the id under which nbgrader knows a cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_answer(cell) -> bool:
    """Say whether a cell that was handed out is the learner's to write: a solution, or one to try things in."""
    return not grade_id(cell) or bool(cell.metadata.nbgrader.get("solution"))


def repaired(submitted, handed_out) -> tuple[list, list[str]]:
    """Return the cells of a submission on the skeleton that was handed out, and a sentence for each repair."""
    known = {grade_id(cell) or cell.get("id"): cell for cell in handed_out.cells}
    by_cell_id = {cell.get("id"): name for name, cell in known.items()}
    answers, own, repairs, last, stripped = {}, {}, [], None, []
    for cell in submitted.cells:
        name = grade_id(cell)
        if name not in known and (name := by_cell_id.get(cell.get("id"))) and grade_id(known[name]):
            stripped.append(name)
        if name is None:
            if cell.cell_type == "code" and cell.source.strip():
                own.setdefault(last, []).append(cell)
            continue
        last = name
        handed = known[name]
        if name in answers:
            first_is_empty = answers[name] == handed.source
            repairs.append(f"{name} is there twice: {'the second' if first_is_empty else 'the first'} counts")
            if not first_is_empty:
                continue
        if grade_id(handed) and not is_answer(handed) and cell.source != handed.source:
            repairs.append(f"{name} was changed: it counts as handed out")
        answers[name] = cell.source
    if stripped:
        repairs.append(f"{plural(len(stripped), 'cell')} had lost the metadata")
    repairs += [
        f"{name} was deleted: it counts as handed out"
        for name in known
        if name not in answers and grade_id(known[name])
    ]
    cells = [added(cell, n) for n, cell in enumerate(own.pop(None, []))]
    for handed in handed_out.cells:
        cell, name = deepcopy(handed), grade_id(handed) or handed.get("id")
        if name in answers and is_answer(handed):
            cell.source = answers[name]
        cells.append(cell)
        cells += [added(cell, len(cells) + n) for n, cell in enumerate(own.pop(name, []))]
    return cells, repairs


def added(cell, number):
    """Return a cell of the learner's own, without what could pass for a graded one."""
    cell = deepcopy(cell)
    cell.metadata.pop("nbgrader", None)
    cell["id"], cell.outputs, cell.execution_count = f"own-{number}", [], None
    return cell


class Repair(NbGraderPreprocessor):
    """Repairs each submission; what was done is in the log and at the top of the feedback."""

    def preprocess(self, nb, resources):
        where = resources["nbgrader"]
        path = RELEASE / where["assignment"] / f"{where['notebook']}.ipynb"
        nb.cells, repairs = repaired(nb, nbformat.read(path, as_version=4))
        nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        for repair in repairs:
            self.log.warning("%s, %s: repaired: %s", where["student"], where["assignment"], repair)
        nb.metadata["convlab_repairs"] = repairs
        return nb, resources
