"""Find students whose programs are equal, whatever the comments and spaces, and numbers that are another's."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import nbformat
from marking import DesignQuestion, FunctionQuestion, load_key
from repair import grade_id
from roster import HERE, read_table


def program(notebook: Path, answers: set[str]) -> str:
    """Return what a notebook has in place of some answers, as Python reads it."""
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n".join(as_read(cell.source) for cell in cells if grade_id(cell) in answers)


def as_read(code: str) -> str:
    """Return a text's meaning, or the text where it is no Python.

    >>> as_read("a = 1  # one") == as_read("a=1"), as_read("a =") == "a ="
    (True, True)
    """
    try:
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def equal_programs(assignment: str, students: list[str]) -> list[list[str]]:
    """Return the groups of students whose answers that are programs are equal; those who wrote none are in no group."""
    questions = load_key(assignment).questions("anybody").items()
    programs = FunctionQuestion, DesignQuestion
    answers = {name.removesuffix("-points") for name, question in questions if isinstance(question, programs)}
    groups, file = defaultdict(list), f"{assignment}/{assignment}.ipynb"
    for student in students:
        if (path := HERE / "autograded" / student / file).exists():
            groups[program(path, answers)].append(student)
    groups.pop(program(HERE / "release" / file, answers), None)
    return [group for group in groups.values() if len(group) > 1]


def borrowed_numbers(assignment: str, students: list[str]) -> list[tuple[str, str]]:
    """Return pairs: a student, and the other for whose layer its numbers are right, not for its own."""
    own, found = load_key(assignment).OWN, []
    whose = {tuple(row[name] for name in own.table): one for one, row in read_table("answers", assignment).items()}
    for student in students:
        if (path := HERE / "autograded" / student / assignment / f"{assignment}.ipynb").exists():
            wrote, right = written_numbers(path, f"{assignment}-own"), own.right(own.drawn(student))
            numbers = tuple(as_digits(wrote.get(name)) for name in own.table)
            if numbers in whose and any(number != str(right[name]) for number, name in zip(numbers, own.table)):
                found.append((student, whose[numbers]))
    return found


def as_digits(value) -> str:
    """Return a number as the table has it; nothing for one that is too long to be there.

    >>> as_digits(12), as_digits(10**5000)
    ('12', '')
    """
    return "" if isinstance(value, int) and value.bit_length() > 200 else str(value)


def written_numbers(notebook: Path, answer: str) -> dict[str, object]:
    """Return name → the number that an answer gives it, where it is written as a number."""
    cells = nbformat.read(notebook, as_version=4).cells
    text = next((cell.source for cell in cells if grade_id(cell) == answer), "")
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    pairs = [(line.targets[0], line.value) for line in lines if isinstance(line, ast.Assign)]
    return {to.id: one.value for to, one in pairs if isinstance(to, ast.Name) and isinstance(one, ast.Constant)}
