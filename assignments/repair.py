"""Put a submission back on the notebook that was handed out, before nbgrader looks at it.

Students delete, duplicate, split and rename cells, and some editors drop a notebook's metadata. An answer is found by
its grade_id, or else by its cell's id, or, if a notebook has lost all of them, by the names that it defines; every
other cell is as it was handed out.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from roster import WrongInput

from convlab.wording import plural

MOST_CELLS, MOST_SIGNS = 500, 50_000  # of a submission; what is handed out has 16 and 3,500
RELEASE = Path(__file__).resolve().parent / "release"
DEFINED = re.compile(r"^(?:def (my_\w+)|(my_\w+) *=)", re.MULTILINE)  # what each answer of a program is called


def grade_id(cell) -> str | None:
    """Return the id under which nbgrader knows a cell."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_answer(cell) -> bool:
    """Say whether a cell that was handed out is the learner's to write: a solution, or one to try things in."""
    return not grade_id(cell) or bool(cell.metadata.nbgrader.get("solution"))


def names_by_id(cells, known) -> list[str | None]:
    """Return for each submitted cell the name of the one that was handed out, or None: by grade_id, or cell id."""
    by_cell_id = {cell.get("id"): name for name, cell in known.items()}
    return [grade_id(cell) if grade_id(cell) in known else by_cell_id.get(cell.get("id")) for cell in cells]


def names_by_text(cells, known) -> list[str | None]:
    """Return the same by what is in the cells: the text itself, a defined name, or the place after a question."""
    by_text = {cell.source.strip(): name for name, cell in known.items()}
    answers = {name: cell for name, cell in known.items() if grade_id(cell) and is_answer(cell)}
    by_defined = {one: name for name, cell in answers.items() for one in defined(cell)}
    names = []
    for cell in cells:
        after = (names[-1] or "").removesuffix("-text") if names else None
        in_words = after if cell.cell_type == "markdown" and after in answers else None
        by_code = next((by_defined[one] for one in defined(cell) if one in by_defined), None)
        names.append(by_text.get(cell.source.strip()) or by_code or in_words)
    return names


def defined(cell) -> list[str]:
    """Return the names of answers that a code cell defines."""
    return [one or other for one, other in DEFINED.findall(cell.source)] if cell.cell_type == "code" else []


def reads(code: str) -> bool:
    """Say whether a text is Python: a half of a function is not."""
    try:
        compile(code, "<cell>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def belong_together(first: str, second: str) -> bool:
    """Say whether two cells are halves of one, so that they mean nothing apart."""
    return reads(f"{first}\n{second}") and not (reads(first) and reads(second))


def sort_out(cells, names, known) -> tuple[dict, dict, dict]:
    """Return name → the text that counts, name → the learner's own cells after it, and name → what was there twice."""
    texts, own, twice, last = {}, {}, {}, None
    for cell, name in zip(cells, names, strict=True):
        if name is None:
            if cell.cell_type == "code" and cell.source.strip():
                own.setdefault(last, []).append(cell)
            continue
        last, handed, first = name, known[name], texts.get(name)
        if first is None:
            texts[name] = cell.source
        elif cell.source == first:
            twice.setdefault(name, f"{name} is there twice: one of them counts")
        elif handed.source in (first, cell.source):
            texts[name] = first if cell.source == handed.source else cell.source
            twice.setdefault(name, f"{name} is there twice: the one with an answer counts")
        elif is_answer(handed):
            twice[name] = f"{name} is there in parts: all of them count, in their order"
            if handed.cell_type == "markdown" or belong_together(first, cell.source):
                texts[name] = f"{first}\n{cell.source}"
            else:
                own.setdefault(name, []).append(cell)
    return texts, own, twice


def repaired(submitted, handed_out) -> tuple[list, list[str]]:
    """Return the cells of a submission on the skeleton that was handed out, and a sentence for each repair."""
    known = {grade_id(cell) or cell.get("id"): cell for cell in handed_out.cells}
    names = names_by_id(submitted.cells, known)
    if are_lost := not any(names):
        names = names_by_text(submitted.cells, known)
    texts, own, twice = sort_out(submitted.cells, names, known)
    stripped = sum(
        name in known and bool(grade_id(known[name])) and grade_id(cell) != name
        for cell, name in zip(submitted.cells, names, strict=True)
    )
    repairs = [f"{plural(stripped, 'cell')} had lost the metadata"] if stripped else []
    repairs += twice.values()
    for name, handed in known.items():
        if grade_id(handed) and name not in texts:
            repairs.append(f"{name} was deleted: it counts as handed out")
        elif not is_answer(handed) and texts[name] != handed.source:
            repairs.append(f"{name} was changed: it counts as handed out")
    if are_lost:
        there = [name for name in texts if is_answer(known[name]) and texts[name] != known[name].source]
        repairs = [f"all ids were lost; found by what is in the cells: {', '.join(there) or 'nothing'}"]
    cells = [added(cell, n) for n, cell in enumerate(own.pop(None, []))]
    for handed in handed_out.cells:
        cell, name = deepcopy(handed), grade_id(handed) or handed.get("id")
        if name in texts and is_answer(handed):
            cell.source = texts[name]
        cells.append(cell)
        cells += [added(cell, len(cells) + n) for n, cell in enumerate(own.pop(name, []))]
    return cells, repairs


def added(cell, number):
    """Return a cell of the learner's own: its code alone, without outputs, metadata, or the id of a graded one."""
    return new_code_cell(cell.source, id=f"own-{number}")


def check_size(cells) -> None:
    """Refuse what would take hours to repair, to compare or to show.

    Raises:
        WrongInput: with both numbers.
    """
    signs = sum(len(cell.source) for cell in cells)
    if len(cells) > MOST_CELLS or signs > MOST_SIGNS:
        raise WrongInput(
            f"The notebook has {len(cells):,} cells and {signs:,} characters of text; wanted at most {MOST_CELLS:,} "
            f"and {MOST_SIGNS:,}. Only what answers the questions should be in it."
        )


class Repair(NbGraderPreprocessor):
    """Repairs each submission; what was done is in the log and at the top of the feedback."""

    def preprocess(self, nb, resources):
        where = resources["nbgrader"]
        path = RELEASE / where["assignment"] / f"{where['notebook']}.ipynb"
        check_size(nb.cells)
        nb.cells, repairs = repaired(nb, handed_out := nbformat.read(path, as_version=4))
        nb.metadata = deepcopy(handed_out.metadata)  # a learner's own could be shown as they are
        for repair in repairs:
            self.log.warning("%s, %s: repaired: %s", where["student"], where["assignment"], repair)
        nb.metadata["convlab_repairs"] = repairs
        return nb, resources
