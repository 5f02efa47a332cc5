"""In a notebook: what to do about a name that a cell uses and no cell has defined so far."""

from __future__ import annotations

import sys
from traceback import walk_tb

WHERE = "Run → Run All Above Selected Cell"  # the menu of JupyterLab and of Notebook 7


def watch_names() -> None:
    """Let IPython, if it runs, print a sentence below the traceback of a cell that does not know a name."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.events.register("post_run_cell", tell_unknown_name)


def tell_unknown_name(result) -> None:
    """Print what to do if a cell stopped at a name, in the cell itself and not in a function that it calls."""
    error = result.error_in_exec
    if not isinstance(error, NameError) or not error.name:
        return
    *_, (frame, _) = walk_tb(error.__traceback__)
    code = frame.f_code.co_name
    is_of_a_cell = frame.f_globals.get("__name__") == "__main__" and code.startswith("<") and code != "<lambda>"
    if is_of_a_cell:
        quotes = f' If it is a letter that you chose, put it in quotes: "{error.name}".' * (len(error.name) == 1)
        print(f"{error.name} is not known yet. If a cell above defines it, run the cells above first: {WHERE}.{quotes}")
