"""The commands for a learner: `python -m convlab lab`, `copy` and `again 03`."""

from __future__ import annotations

import argparse
import sys

from convlab.copies import REPOSITORY, copy_lessons, first_lesson, reset_lesson


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what follows `lab` goes to JupyterLab, such as `--no-browser`."""
    parser = argparse.ArgumentParser(prog="python -m convlab", description="Open the course's lessons, in copies.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("copy", help="copy the lessons to my-lessons/; no file there is written over")
    commands.add_parser("lab", help="copy the lessons, and open the first in JupyterLab")
    again = commands.add_parser("again", help="begin a lesson again; its old answers stay, under another name")
    again.add_argument("lesson", help="its number, such as 03")
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command != "lab":
        parser.error(f"{given.command} takes no {' '.join(rest)}")
    try:
        told = reset_lesson(given.lesson) if given.command == "again" else copy_lessons()
    except (ValueError, OSError) as error:
        sys.exit(f"convlab: {error}.")
    print(*told, sep="\n", end="\n" * bool(told))
    if given.command == "lab":
        open_lab(rest)


def open_lab(arguments: list[str]) -> None:
    """Start JupyterLab with the repository's files, at the copy of the first lesson.

    Args:
        arguments: JupyterLab's own, such as `--no-browser`.
    """
    try:
        from jupyterlab.labapp import LabApp
    except ModuleNotFoundError:
        sys.exit('convlab: JupyterLab is not installed. In the course\'s folder: pip install -e ".[lessons]".')
    first = first_lesson().as_posix()
    start = [f"--ServerApp.root_dir={REPOSITORY}", f"--LabApp.default_url=/lab/tree/{first}"]
    LabApp.launch_instance([*start, *arguments])


if __name__ == "__main__":
    main()
