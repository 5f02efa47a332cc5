"""Writes the repository's name into the files that state it: `python docs/publish.py owner/name`, or `make publish`.

The name is stated in pyproject.toml, under [project.urls]. README.md, CITATION.cff and the lessons repeat it. It can
be set again, as in a fork.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "https://github.com/"
STATED_IN = ["pyproject.toml", "README.md", "CITATION.cff"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.+$)[A-Za-z0-9._-]{1,100}(?<!\.git)")


def publish(name: str, root: Path = ROOT) -> list[str]:
    """Set the repository's name in every file, or in none, and return the files that changed.

    Args:
        name: owner/name, as GitHub shows it.

    Raises:
        ValueError: no such name; or a file has no link to the name that pyproject.toml states.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"the repository's name is {name!r}; wanted owner/name, as in ada/convlab")
    old, changed = stated(root), {}
    for path in files(root):
        text = path.read_bytes().decode()
        if not links(old).search(text) and not links(name).search(text):  # set already, by a run that was cut off
            raise ValueError(
                f"{path.relative_to(root).as_posix()} has no link to {old!r}, which pyproject.toml states; add it"
            )
        new = renamed(text, old, name)
        if new != text:
            changed[path] = new
    for path, text in reversed(changed.items()):  # pyproject.toml last: it states what the others still may have
        path.write_bytes(text.encode())
    return [path.relative_to(root).as_posix() for path in changed]


def stated(root: Path = ROOT) -> str:
    """Return the owner/name in pyproject.toml."""
    url = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    name = url.removeprefix(HOST)
    if not url.startswith(HOST) or not NAME.fullmatch(name):
        raise ValueError(f"Repository in pyproject.toml is {url!r}; wanted {HOST}owner/name")
    return name


def files(root: Path = ROOT) -> list[Path]:
    """Return the files that state the name. A lesson does in its first cell, which installs the package in Colab."""
    return [root / path for path in STATED_IN] + sorted(root.glob("notebooks/*.ipynb"))


def forms(name: str) -> list[str]:
    """Return how links write a name: on GitHub, Binder, Colab, Codespaces, and the address of its site."""
    owner, repository = name.split("/")
    pages = f"{owner}.github.io"
    site = pages if repository.lower() == pages.lower() else f"{pages}/{repository}"
    return [f"github.com/{name}", f"gh/{name}", f"github/{name}", f"codespaces.new/{name}", f"https://{site}"]


def links(name: str) -> re.Pattern:
    """Return the pattern of these forms, where the name ends: ada/convlab is not in ada/convlab-2."""
    found = "|".join(re.escape(form) for form in forms(name))
    return re.compile(rf"(?<![\w.-])({found})(?![\w-]|\.(?!git\b)\w)")


def renamed(text: str, old: str, new: str) -> str:
    """Return the text with each link to the old name made one to the new name."""
    table = dict(zip(forms(old), forms(new)))
    return links(old).sub(lambda link: table[link[0]], text)


def main(arguments: list[str]) -> None:
    """Publish under the one name that is given, and say what changed."""
    try:
        if len(arguments) != 1:
            raise ValueError(f"got {len(arguments)} names, {arguments}; wanted one, owner/name")
        before = stated()
        changed = publish(arguments[0])
    except ValueError as error:
        sys.exit(f"publish: {error}. Nothing was changed.")
    if changed:
        print(f"{before} is now {arguments[0]}, in: {', '.join(changed)}.")
    else:
        print(f"{before} is stated already, in every file.")


if __name__ == "__main__":
    main(sys.argv[1:])
