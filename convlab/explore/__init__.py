"""Explorers: a figure with sliders, which recounts its layer in the browser, without a kernel.

Each `explore_*` returns an `Explorer`: `print` shows its text, a page that runs no script its picture, any other page
the sliders. Here are the names that lessons import.
"""

from convlab.explore.kernel import explore_kernel
from convlab.explore.saving import explore_saving
from convlab.explore.window import explore_window
from convlab.explore.wiring import explore_wiring
