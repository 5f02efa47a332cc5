"""Formulas are set by MathJax 3 from the package sphinx-mathjax-offline, of which the pages need only a few files."""

from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

PARTS = ["input/tex", "output/chtml", "a11y/assistive-mml"]  # no menu: it is a third of all
FILES = ["startup.js", "core.js", *(f"{part}.js" for part in PARTS), "output/chtml/fonts/tex.js"]
FONTS = "output/chtml/fonts/woff-v2"


def copy_parts(app, problem) -> None:
    """Put the files that a page loads into the site."""
    source = Path(find_spec("sphinx-mathjax-offline").submodule_search_locations[0], "static/mathjax")
    target = Path(app.outdir, "_static/mathjax")
    copy_asset(source / FONTS, target / FONTS)
    for name in FILES:
        copy_asset(source / name, (target / name).parent)


def setup(app) -> None:
    app.config.mathjax_path = "mathjax/startup.js"
    app.config.mathjax3_config = {"loader": {"load": PARTS}}
    app.connect("build-finished", copy_parts)
