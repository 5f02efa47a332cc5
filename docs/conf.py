"""The site: the lessons with their stored results, and the two guides; `make site` builds it, `_build/html` holds it.

lessons.py brings the pages in; what a reader sees beside them is in index.md, and site.css mends the theme.
"""

import re
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import lessons  # noqa: E402  found by the line above

stated = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]

project = "convlab"
html_title = "convlab: what convolutions cost"
author = "convlab contributors"
html_show_copyright = False
language = "en"

extensions = ["myst_nb", "mathjax"]
exclude_patterns = ["_build"]

nb_execution_mode = "off"  # the pages show what the notebooks store
nb_ipywidgets_js = {}  # none is used, and they would be loaded from the network
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "lessons.jupyter_anchor"

html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,  # of the page's source; the note under a lesson's title has the notebook itself
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the sidebar has the search
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "extra_footer": "Text and figures: CC BY 4.0. Code: MIT.",
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_favicon = "_static/icon.svg"
html_copy_source = False
html_use_index = False
html_sidebars = {"**": ["site-title.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = [("launch.js", {"defer": "", "data-repository": re.sub("^https://github.com/", "", stated)})]


def setup(app):
    app.connect("config-inited", lessons.bring_in)
    app.connect("html-page-context", lessons.mend)
    app.connect("build-finished", lessons.add_downloads)
