"""In a notebook: what to do about a name that a cell uses and no cell has defined so far.

`startup/kernel.py`, which pip puts into the environment, calls `watch_names` when a kernel starts: after a restart no
cell has run that could.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path
from symtable import symtable
from traceback import walk_tb

COURSE = re.compile(r"^\s*(?:from|import) convlab\b", re.MULTILINE)  # a cell of the course imports it
WHERE = "Run → Run All Above Selected Cell"  # the menu of JupyterLab and of Notebook 7


def watch_names() -> None:
    """Let IPython, if it runs, print a sentence below the traceback of a cell that does not know a name."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.events.register("post_run_cell", tell_unknown_name)  # once, however often it is called


def tell_unknown_name(result) -> None:
    """Print what to do if a cell stopped at a name, in the cell itself and not in a function that it calls.

    Nothing is printed in a notebook that has nothing to do with convlab.
    """
    error = result.error_in_exec
    if not isinstance(error, NameError) or not isinstance(error.name, str) or not error.name:
        return
    *_, (frame, _) = walk_tb(error.__traceback__)
    code = frame.f_code.co_name
    is_of_a_cell = frame.f_globals.get("__name__") == "__main__" and code.startswith("<") and code != "<lambda>"
    if not is_of_a_cell:
        return
    cells = _saved_cells(frame.f_globals)
    if "convlab.check" not in sys.modules and not any(COURSE.search(cell) for cell in cells):
        return
    quotes = f' If it is a letter that you chose, put it in quotes: "{error.name}".' * (len(error.name) == 1)
    cell = _defining_cell(error.name, cells, result.info.raw_cell)
    if cell is None:
        told = f"If a cell above defines it, run the cells above first: {WHERE}."
    else:
        told = f"The cell that begins with {cell.splitlines()[0]!r} defines it. Run all cells above: {WHERE}."
    print(f"{error.name} is not known yet. {told}{quotes}")


def _saved_cells(names):
    """Return the code of each cell of this notebook as it was saved last; nothing where its file is not known."""
    path = os.environ.get("JPY_SESSION_NAME") or names.get("__vsc_ipynb_file__")  # Jupyter Server, VS Code
    try:
        cells = json.loads(Path(path or "").read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _defining_cell(name, cells, stopped):
    """Return the last cell before the one that stopped that gives the name a value, or the first of all cells."""
    found = [number for number, cell in enumerate(cells) if name in _defined(cell) and cell != stopped.strip()]
    here = cells.index(stopped.strip()) if stopped.strip() in cells else 0
    before = [number for number in found if number < here]
    return cells[(before[-1:] or found)[0]] if found else None


def _defined(cell):
    """Return the names that a cell defines; none for one that is no plain Python, such as one with a magic."""
    try:
        with warnings.catch_warnings(action="ignore"):  # such as of "\d"
            symbols = symtable(cell, "cell", "exec").get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
