"""The figures of the course: every drawing is a function on one Axes, and `show` makes a picture of it.

`draw_*(data, ax=None, **options)` draws on `ax`, or on a new one, and returns it. Its twin `describe_*(data)`, in the
same module and with the same options, says in one or two sentences what the drawing shows, from the same data: the
alt text. Here are the names that lessons import.
"""

from convlab.figures.accuracy import draw_accuracy, draw_differences
from convlab.figures.canvas import show
from convlab.figures.channels import draw_shuffle, draw_wiring
from convlab.figures.costs import draw_cost_bars, draw_cost_profile, draw_separable_saving, draw_volumes
from convlab.figures.im2col import Im2col, draw_im2col
from convlab.figures.lost_share import draw_lost_share
from convlab.figures.matrix import MatrixPanel, draw_matrix
from convlab.figures.photos import Photo, draw_photo
from convlab.figures.timing import draw_roofline, draw_time_against_macs, draw_time_grid
from convlab.figures.window import WindowStep, draw_window, window_steps
