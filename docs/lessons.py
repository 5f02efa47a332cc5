"""Bring the lessons and the guides into the site's sources, as a reader who cannot run a cell needs them.

The notebooks stay as they are. The copies in docs/notebooks keep the paths of the repository, so that links between
pages work there as here. In a copy, replies and answers are folded, and a note says where the lesson runs.
"""

import json
import shutil
from html import escape
from pathlib import Path

from convlab.exercises.reply import ANSWER

DOCS = Path(__file__).parent
ROOT = DOCS.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
GUIDES = ["benchmarks/README.md", "assignments/README.md"]
START = ["Start", "Other ways to install"]  # the parts of README.md that are a page of their own
ON_THE_INDEX = "window-"  # the explorer that the first page shows

NOTE = """<nav class="launch" aria-label="Open this lesson" data-lesson="{name}">
<p>This page shows the lesson with its results and cannot run code. To answer the questions and get replies,
<a href="../start/index.html">install the course</a> or open the lesson where it runs:</p>
<p class="buttons"><a href="{name}.ipynb" download>Download the notebook</a></p>
</nav>"""


def jupyter_anchor(heading: str) -> str:
    """Return the anchor that Jupyter gives a heading, with which lessons link to it: "The card" has "The-card"."""
    return heading.replace(" ", "-")


def printed(cell: dict) -> str:
    """Return what a cell shows as text."""
    outputs = cell.get("outputs", [])
    return "".join("".join(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in outputs)


def answered(cell: dict) -> bool:
    """Put the answer that is stored beside a reply in its place, if there is one."""
    found = False
    for output in cell.get("outputs", []):
        if answer := "".join(output.get("data", {}).get(ANSWER, "")):
            output["data"] = {"text/html": f"<p>{escape(answer)}</p>".replace("\n", "<br>")}
            found = True
    return found


def folded(cell: dict, what: str, tag: str = "hide-output") -> None:
    """Put what a cell shows, or the whole cell, behind a line to click on."""
    cell["metadata"].setdefault("tags", []).append(tag)
    cell["metadata"]["mystnb"] = {"code_prompt_show": f"Show {what}", "code_prompt_hide": f"Hide {what}"}


def for_the_site(notebook: dict, name: str) -> dict:
    """Number the title, fold replies and answers, and put a note under the introduction."""
    cells, guessed = notebook["cells"], False
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    folded(first, "the cell that looks for the course", "hide-cell")
    for cell in cells:
        tags = cell["metadata"].get("tags", [])
        is_hint = printed(cell).startswith("Hints:")
        if answered(cell):
            folded(cell, "the hints" if is_hint else "the answer")
        elif "exercise" in tags or "not yet" in printed(cell).lower():
            folded(cell, "the reply")
        elif guessed and printed(cell):
            folded(cell, "the result")
        if cell.get("outputs"):  # prose and set-up may come between a guess and its result
            guessed = "predict" in tags
    cells[0]["source"][0] = cells[0]["source"][0].replace("# ", f"# {name[:2]} · ", 1)
    note = {"cell_type": "markdown", "id": "launch", "metadata": {}, "source": NOTE.format(name=name)}
    return notebook | {"cells": [cells[0], note, *cells[1:]]}


def start_page(readme: str) -> str:
    """Return a page of the README's parts on how to start, with the links that they use."""
    parts = {part.split("\n", 1)[0]: part for part in readme.split("\n## ")}
    links = [line for line in readme.splitlines() if line.startswith("[") and "]: http" in line]
    text = "\n## ".join(["# Start the course\n", *(parts[title] for title in START)])
    for title in START:
        text = text.replace(f"(#{title.lower().replace(' ', '-')})", f"(#{jupyter_anchor(title)})")
    return "\n".join([text, "", *links, ""])


def write(path: Path, text: str) -> None:
    """Write a file unless it has this text: Sphinx reads again what is newer."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def bring_in(app=None, config=None) -> None:
    """Write the pages' sources into docs/, before Sphinx looks for them."""
    for folder in ("notebooks", "benchmarks", "assignments"):
        for old in (DOCS / folder).glob("*.*"):
            if not (ROOT / folder / old.name).exists() and old.name != "explorer.html":
                old.unlink()  # its source is gone
    for path in LESSONS:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                page = "".join(output.get("data", {}).get("text/html", ""))
                if f'data-explorer="{ON_THE_INDEX}' in page:
                    write(DOCS / "notebooks/explorer.html", page)
        write(DOCS / "notebooks" / path.name, json.dumps(for_the_site(notebook, path.stem), ensure_ascii=False))
    write(DOCS / "start/index.md", start_page((ROOT / "README.md").read_text(encoding="utf-8")))
    for name in GUIDES:
        write(DOCS / name, (ROOT / name).read_text(encoding="utf-8"))


def mend(app, page, template, context, doctree) -> None:
    """Let a screen reader read a fold's own words, and no heading where the corner of a table is empty."""
    body = context.get("body", "").replace(' aria-label="Toggle hidden content"', "")
    context["body"] = body.replace('<th class="head"><p></p></th>', "<td></td>")


def add_downloads(app, problem) -> None:
    """Put each notebook, as it is, beside its page."""
    if problem is None:
        for path in LESSONS:
            shutil.copy(path, Path(app.outdir, "notebooks"))
