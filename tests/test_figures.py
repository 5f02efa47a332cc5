"""The figures draw what torch computes, their alt text says the same, and no text is cut off or hidden."""

from functools import cache
from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from strategies import cases, layers, raises, torch_layer
from test_canvas import COSTS, GROUPED, box, meet, shown, size, title, words
from test_figures_accuracy import ATTEMPTS, BUDGET, PAIRS
from test_figures_timing import GRID, LARGE, LIVE, NOISY, ONE_THREAD, PEAKS, THEN_ROWS
from torch import nn

from convlab import ConvSpec
from convlab.figures import (
    Im2col,
    MatrixPanel,
    Photo,
    WindowStep,
    draw_accuracy,
    draw_cost_bars,
    draw_cost_profile,
    draw_differences,
    draw_im2col,
    draw_lost_share,
    draw_matrix,
    draw_photo,
    draw_roofline,
    draw_separable_saving,
    draw_shuffle,
    draw_time_against_macs,
    draw_time_grid,
    draw_volumes,
    draw_window,
    draw_wiring,
    show,
    window_steps,
)
from convlab.figures.canvas import DRAWINGS, HIGHLIGHT, INPUT, KERNEL, MAX_CELLS, OUTPUT, PAGE_INCHES, tint
from convlab.figures.channels import kernel_pairs, shuffle_order
from convlab.figures.matrix import wrong_cells
from convlab.figures.window import window_taps
from convlab.shape import pads
from convlab.table import CostTable, LayerCost

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

STRIDED = ConvSpec(1, 1, 3, stride=2, padding=1)
DILATED = ConvSpec(1, 1, (3, 2), dilation=2)
STANDARD = ([("standard", ConvSpec(3, 256, 5))], (1, 3, 12, 12))
SEPARABLE = (ConvSpec.separable(3, 256, 5), (1, 3, 12, 12))
TARGET = np.kron(np.eye(2), np.ones((3, 4))).astype(bool)
YOURS = TARGET ^ (np.arange(48).reshape(6, 8) % 21 == 5)  # differs in the cells 5, 26 and 47
IMAGE = np.array([[-20, 3, 1], [0, 117, 42]])
NUMBERS = ((7, 5, -2, 255), (0.25, 1, 2 / 3, 4), (90, 6, 0, 1234))
DIGITS = ((3, 2, 0, 1, 3), (0, 1, 3, 2, 1), (2, 1, 0, 1, 2), (1, 0, 2, 3, 0), (3, 1, 1, 0, 2))
EDGES = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
WITH_KERNEL = window_steps(ConvSpec(1, 1, 3), (1, 1, 5, 5), values=DIGITS, kernel=EDGES)
IN_4 = ConvSpec(16, 16, 3, groups=4)
CHAIN = (IN_4, (16, 4), IN_4, (16, 4), IN_4)
PROFILE = CostTable(
    LayerCost(f"stage{n}", "standard", (1, 1, 1, 1), 9**n, 4 ** (8 - n), 4 ** (8 - n)) for n in range(8)
)
RAMP = np.arange(0, 200, 10).reshape(4, 5)
COLOURS = np.full((3, 4, 3), (200, 30, 30))
FIGURES = {
    "window, 4 in a row": (draw_window, window_steps(STRIDED, (1, 1, 5, 5), 4), {}),
    "window, alone": (draw_window, [WindowStep(DILATED, (1, 1, 7, 5), (1, 2))], {}),
    "window, 1 cell": (draw_window, window_steps(ConvSpec(1, 1, 1), (1, 1, 1, 1)), {}),
    "window, two rows": (draw_window, window_steps(STRIDED, (1, 1, 5, 9), 5), {"columns": 3}),
    "window, numbers": (draw_window, window_steps(STRIDED, (1, 1, 3, 4), 3, NUMBERS), {}),
    "window, kernel": (draw_window, WITH_KERNEL[:4], {}),
    "window, kernel, alone": (draw_window, WITH_KERNEL[4:5], {}),
    "window, kernel, padded": (draw_window, window_steps(STRIDED, (1, 1, 5, 5), 6, DIGITS, EDGES)[2:], {}),
    "window, kernel, wide output": (
        draw_window,
        window_steps(ConvSpec(1, 1, 1, padding=1), (1, 1, 2, 2), 9, np.eye(2), [[-7]])[5:],
        {},
    ),
    "wiring, alone": (draw_wiring, [ConvSpec(16, 16, 3, groups=4)], {}),
    "wiring, 3 in a row": (draw_wiring, [ConvSpec(8, 6, 3), GROUPED, ConvSpec.depthwise(4, 3)], {}),
    "wiring, small": (draw_wiring, [ConvSpec.depthwise(3, 3, multiplier=2), ConvSpec(1, 1, 3)], {"columns": 1}),
    "wiring, chains": (draw_wiring, [(GROUPED,), (GROUPED, ConvSpec(6, 4, 3)), CHAIN[:2]], {"changed": 5}),
    "wiring, longest chain": (draw_wiring, [CHAIN], {}),
    "shuffle": (draw_shuffle, [(8, 2), (12, 3)], {}),
    "matrix": (draw_matrix, [MatrixPanel("target", TARGET), MatrixPanel("yours", YOURS * 1.0, TARGET)], {}),
    "matrix, not yet": (draw_matrix, [MatrixPanel("target", TARGET), MatrixPanel("yours", None, TARGET)], {}),
    "matrix, numbers": (draw_matrix, [MatrixPanel("target", IMAGE), MatrixPanel("yours", -IMAGE, IMAGE)], {}),
    "matrix, other shape": (draw_matrix, [MatrixPanel("yours", IMAGE.T, IMAGE)], {}),
    "volumes": (draw_volumes, [STANDARD, SEPARABLE], {"columns": 1}),
    "volumes, 3 layers": (
        draw_volumes,
        [([ConvSpec(3, 64, 11, 4), ConvSpec(64, 192, 5), ("last", ConvSpec(192, 1000, 51))], (1, 3, 227, 227))],
        {},
    ),
    "bars": (draw_cost_bars, [COSTS, {"conv1": 3_700_000_000, "conv2": 2}], {}),
    "bars, one": (draw_cost_bars, [[("standard", 0.5)]], {"unit": "ms"}),
    "profile": (draw_cost_profile, [("VGG-16", PROFILE), ("net", PROFILE)], {"columns": 1}),
    "saving": (draw_separable_saving, [(3, 5, 7)], {}),
    "im2col": (draw_im2col, [Im2col(ConvSpec(1, 2, 3), (1, 1, 4, 4), 1)], {}),
    "photos": (draw_photo, [Photo("a ramp", RAMP), Photo("its edges", RAMP - 100), Photo("colours", COLOURS)], {}),
    "lost share": (draw_lost_share, [{"a random layer": [0.7, 0.5, 0], "a trained layer": [0.2, 0.1, 0]}], {}),
    "roofline": (draw_roofline, [([PEAKS, LARGE], LIVE)], {}),
    "grid of times": (draw_time_grid, [GRID, ONE_THREAD], {}),
    "times": (draw_time_against_macs, [LIVE, [*LIVE, NOISY, *THEN_ROWS]], {"columns": 1}),
    "accuracy": (draw_accuracy, [(list(ATTEMPTS.values()), None), (list(ATTEMPTS.values()), BUDGET)], {"columns": 1}),
    "differences": (draw_differences, [(PAIRS, 0.25), (PAIRS * 3, 0.1)], {"columns": 1}),
}
every_figure = pytest.mark.parametrize("name", FIGURES)


@cache
def drawn(name: str):
    """Return the picture of a figure and the figure itself."""
    function, items, options = FIGURES[name]
    return shown(function, *items, **options)


def cells(ax, face: str) -> list[tuple[float, float]]:
    """Return the (row, column) of the top left corner of each square with this face, relative to the first."""
    found = [p.get_xy()[::-1] for p in ax.patches if isinstance(p, Rectangle) and is_colored(p, face)]
    return [(r - min(found)[0], c - min(found, key=lambda at: at[1])[1]) for r, c in found]


def is_colored(patch, face: str) -> bool:
    return patch.get_facecolor()[3] == 1 and to_hex(patch.get_facecolor()).lower() == face.lower()


def numbers_in_squares(ax) -> list[str]:
    """Return the text in each square, in the order in which they were drawn; "" for none."""
    inside = {text.get_position(): text.get_text() for text in ax.texts}
    corners = [p.get_xy() for p in ax.patches if isinstance(p, Rectangle)]
    return [inside.get((x + 0.5, y + 0.5), "") for x, y in corners]


def cells_read(step: WindowStep) -> set[tuple[int, int]]:
    """Return the input cells on which torch's output at this position depends: those with a gradient."""
    spec, (_, _, height, width), (i, j), *_ = step
    image = torch.zeros(1, 1, height, width, requires_grad=True)
    kernel = torch.ones(1, 1, *spec.kernel_size)
    F.conv2d(image, kernel, None, spec.stride, spec.padding, spec.dilation)[0, 0, i, j].backward()
    return {tuple(at) for at in image.grad[0, 0].nonzero().tolist()}


def pairs_read(spec: ConvSpec) -> set[tuple[int, int]]:
    """Return the (output, input) channels for which one input channel alone moves torch's output."""
    module = nn.Conv2d(spec.in_channels, spec.out_channels, 1, groups=spec.groups, bias=False)
    nn.init.ones_(module.weight)
    moved = module(torch.eye(spec.in_channels)[:, :, None, None])[:, :, 0, 0]  # one image for each input channel
    return {(m, c) for c, m in moved.nonzero().tolist()}


@every_figure
def test_show_says_in_the_alt_text_what_every_panel_shows(name):
    function, items, options = FIGURES[name]
    options = {key: value for key, value in options.items() if key != "columns"}
    assert repr(drawn(name)[0]) == " ".join(function.describe(item, **options) for item in items)


@every_figure
def test_show_lets_no_two_texts_overlap(name):
    texts = []
    for ax in drawn(name)[1].axes:
        texts += [*ax.texts, ax._left_title]
        if ax.axison:
            texts += [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    boxes = [(text.get_text(), box(text)) for text in texts if text.get_text()]
    assert not [(one, two) for (one, a), (two, b) in combinations(boxes, 2) if meet(a, b)]


@every_figure
def test_show_cuts_off_nothing(name):
    pixels = imread(BytesIO(drawn(name)[0].png))[:, :, :3]
    pixels[2:-2, 2:-2] = 1  # leaves the border of 2 pixels
    assert (pixels == 1).all()  # white


@every_figure
def test_show_makes_text_of_9_points_on_a_page_800_wide(name):
    picture, figure = drawn(name)
    width, height = size(picture)
    assert 100 < width <= 820 and 80 < height <= 1200
    assert min(text.get_fontsize() for ax in figure.axes for text in ax.findobj(Text) if text.get_text()) >= 9


def test_every_drawing_has_its_twin_in_the_same_module():
    assert {function for function, *_ in FIGURES.values()} == {*DRAWINGS}
    for function in DRAWINGS:
        twin = function.describe
        assert (twin.__module__, twin.__name__) == (function.__module__, function.__name__.replace("draw", "describe"))


@given(cases(), st.data())
def test_window_taps_are_the_cells_that_torch_reads(case, data):
    layer, shape = case
    spec = ConvSpec(**layer)
    step = data.draw(st.sampled_from(window_steps(spec, shape)))
    rows, columns = window_taps(step)
    inside = {(r, c) for r in rows for c in columns if 0 <= r < shape[2] and 0 <= c < shape[3]}
    assert inside == cells_read(step)
    assert (len(set(rows)), len(set(columns))) == spec.kernel_size


@given(cases())
def test_window_steps_visit_every_output_cell_in_reading_order(case):
    layer, shape = case
    height, width = torch_layer(layer)(torch.empty(shape, device="meta")).shape[2:]
    positions = [step.position for step in window_steps(ConvSpec(**layer), shape)]
    assert positions == [(i, j) for i in range(height) for j in range(width)]
    assert [step.position for step in window_steps(ConvSpec(**layer), shape, 2)] == positions[:2]


@pytest.mark.parametrize(
    ("spec", "shape", "position"),
    [(DILATED, (1, 1, 7, 5), (1, 2)), (ConvSpec(4, 2, (2, 3), (2, 1), (0, 1)), (2, 4, 4, 6), (1, 1))],
)
def test_draw_window_fills_the_taps_and_the_cells_done(spec, shape, position):
    step = WindowStep(spec, shape, position)
    ax = draw_window(step)
    taps = sorted(cells_read(step))  # both windows lie inside the image
    corner = min(r for r, _ in taps), min(c for _, c in taps)
    assert sorted(cells(ax, KERNEL)) == [(r - corner[0], c - corner[1]) for r, c in taps]
    out_width = nn.Conv2d(**vars(spec))(torch.zeros(shape)).shape[3]
    assert len(cells(ax, tint(OUTPUT, 0.55))) == position[0] * out_width + position[1]
    assert len(cells(ax, HIGHLIGHT)) == 1


def test_draw_window_hatches_the_padding_under_the_window_too_and_writes_its_zeros():
    ax = draw_window(WindowStep(STRIDED, (1, 1, 5, 6), (0, 1)))
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(hatched) == numbers_in_squares(ax).count("0") == 7 * 8 - 5 * 6
    assert len([patch for patch in hatched if is_colored(patch, KERNEL)]) == 3  # the taps in row −1
    assert "input 5 × 6, padded" in words(ax)
    assert title(ax) == "output (0, 1): rows −1 to 1, columns 1 to 3"


@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor])
def test_draw_window_writes_each_value_into_its_cell(kind):
    ax = draw_window(WindowStep(STRIDED, (1, 1, 3, 4), (1, 0), kind(NUMBERS)))
    rows = np.reshape(numbers_in_squares(ax)[: 5 * 6], (5, 6)).tolist()
    assert rows[0] == rows[4] == ["0"] * 6
    assert rows[1] == ["0", "7", "5", "−2", "255", "0"]
    assert rows[2] == ["0", "0.25", "1", "0.667", "4", "0"]


@settings(max_examples=30)
@given(cases(), st.data())
def test_draw_window_writes_the_outputs_of_torch_up_to_the_current_one(case, data):
    layer, (_, _, height, width) = case
    spec = ConvSpec(**layer | {"in_channels": 1, "out_channels": 1, "groups": 1, "bias": False})
    if max(height + sum(pads(spec)[0]), width + sum(pads(spec)[1])) > MAX_CELLS:
        return
    numbers = st.integers(-5, 5).filter(bool)  # no −0
    values, kernel = (
        np.array(data.draw(st.lists(numbers, min_size=h * w, max_size=h * w))).reshape(h, w)
        for h, w in ((height, width), spec.kernel_size)
    )
    module = nn.Conv2d(**vars(spec))
    module.weight.data[0, 0] = torch.tensor(kernel)
    outputs = module(torch.tensor(values)[None, None].float())[0, 0].round().int()
    step = data.draw(st.sampled_from(window_steps(spec, (1, 1, height, width), None, values, kernel)))
    written = numbers_in_squares(draw_window(step))[-outputs.numel() :]
    done = step.position[0] * outputs.shape[1] + step.position[1] + 1
    flat = [str(n).replace("-", "−") for n in outputs.flatten().tolist()]
    assert written == flat[:done] + [""] * (len(flat) - done)
    assert draw_window.describe(step).endswith(f"their sum is {flat[done - 1]}.")


def inside(patch, amount=0.02):
    """Return the box of a patch in its own units, a little smaller."""
    return patch.get_bbox().padded(-amount)


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("window")])
def test_draw_window_leads_from_the_edge_of_the_window_to_the_output_and_across_no_text_or_output(name):
    for ax in drawn(name)[1].axes:
        arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
        assert len(arrows) == (3 if "kernel" in name else 1)  # to the kernel, to the products, to the output
        ways = [arrow._path_original for arrow in arrows]
        squares = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        (current,) = [patch for patch in squares if is_colored(patch, HIGHLIGHT)]
        outputs = squares[-(squares[::-1].index(current) + 1) :]
        outputs += [p for p in squares if is_colored(p, tint(OUTPUT, 0.55))]
        taps = [p for p in squares if is_colored(p, KERNEL) and p.get_linewidth() == 2]
        window = Bbox.union([patch.get_bbox() for patch in taps])
        (x, y), (end_x, end_y) = ways[0].vertices[0], ways[-1].vertices[-1]
        assert (x == window.x1 and window.y0 <= y <= window.y1) or (y == window.y1 and window.x0 <= x <= window.x1)
        left, top = current.get_xy()
        grid = Bbox.union([patch.get_bbox() for patch in outputs])
        at_its_row = end_x in (grid.x0, grid.x1) and end_y == top + 0.5
        assert at_its_row or (end_y == grid.y0 and end_x == left + 0.5)
        for way in ways:
            assert not any(way.intersects_bbox(inside(patch), filled=False) for patch in outputs)
            line = Path(ax.transData.transform(way.vertices))
            assert not [text for text in ax.texts if line.intersects_bbox(box(text), filled=False)]


def test_draw_window_shows_the_kernel_the_products_and_their_sum_where_both_values_and_kernel_are_given():
    for ax in (draw_window(WITH_KERNEL[4]), drawn("window, kernel")[1].axes[0]):
        step = WITH_KERNEL[4 if "(1, 1)" in title(ax) else 0]
        i, j = step.position
        products = np.multiply(np.array(DIGITS)[i : i + 3, j : j + 3], EDGES)
        numbers = [int(word.replace("−", "-")) for word in numbers_in_squares(ax) if word]
        assert numbers[:25] == np.ravel(DIGITS).tolist()
        assert numbers[25:43] == [*np.ravel(EDGES), *products.ravel()]
        assert numbers[-1] == products.sum() and f"sum −{-products.sum()}" in words(ax)
        assert {"kernel 3 × 3", "products", "×", "="} <= {*words(ax)}
    assert "products" not in words(draw_window(WITH_KERNEL[0]._replace(kernel=None)))


def test_windows_with_their_products_stand_two_in_a_row_and_others_all():
    for columns in (None, 4):
        figure = shown(draw_window, *WITH_KERNEL[:4], columns=columns)[1]
        assert [ax.get_subplotspec().colspan.start for ax in figure.axes] == [0, 1, 0, 1]
    assert drawn("window, 4 in a row")[1].axes[-1].get_subplotspec().colspan.start == 3


def test_describe_window_says_the_cells_the_padding_the_numbers_and_the_products_with_their_sum():
    where = "Output (0, 1) of 3 × 3 is computed from rows −1 to 1 and columns 1 to 3 of the 5 × 5 input; "
    blank = draw_window.describe(WindowStep(STRIDED, (1, 1, 5, 5), (0, 1)))
    assert blank == where + "padding zeros among the 9 numbers read: 3."
    assert draw_window.describe(WindowStep(STRIDED, (1, 1, 5, 5), (0, 1), DIGITS, EDGES)) == (
        blank + " The numbers, row by row: 0, 0, 0; 2, 0, 1; 1, 3, 2. Their products with the weights "
        "1, 0, −1; 2, 0, −2; 1, 0, −1 are 0, 0, 0; 4, 0, −2; 1, 0, −2; their sum is 1."
    )
    assert "rows 1, 3, 5 and columns 2, 4" in draw_window.describe(WindowStep(DILATED, (1, 1, 7, 5), (1, 2)))
    for sign in (1, -1):  # in floats 0.1 + 0.2 is not 0.3
        noise = WindowStep(ConvSpec(1, 1, (1, 3)), (1, 1, 1, 3), (0, 0), [[0.1, 0.2, -0.3]], [[sign] * 3])
        assert draw_window.describe(noise).endswith("their sum is 0.")


@given(layers())
def test_kernel_pairs_are_the_channels_that_torch_connects(layer):
    pairs = kernel_pairs(ConvSpec(**layer))
    assert set(pairs) == pairs_read(ConvSpec(**layer))
    assert len(pairs) == torch_layer(layer).weight.shape[:2].numel()


@pytest.mark.parametrize("spec", [ConvSpec(8, 6, 3), GROUPED, ConvSpec.depthwise(3, 3, multiplier=2)])
def test_draw_wiring_draws_one_line_and_one_cell_for_each_kernel(spec):
    ax = draw_wiring(spec)
    top = {
        face: min(p.center[1] for p in ax.patches if isinstance(p, Circle) and is_colored(p, face))
        for face in (INPUT, OUTPUT)
    }
    ends = [(round(y[1] - top[OUTPUT]), round(y[0] - top[INPUT])) for y in (line.get_ydata() for line in ax.lines)]
    squares = [(round(m), round(c)) for m, c in cells(ax, tint(KERNEL, 0.25))]
    assert sorted(ends) == sorted(squares) == sorted(pairs_read(spec))


def test_draw_wiring_gives_each_group_a_letter_a_shade_and_another_dash_than_its_neighbour():
    ax = draw_wiring(ConvSpec.depthwise(6, 3, multiplier=2))
    assert [words(ax).count(letter) for letter in "ABCDEFG"] == [4, 4, 4, 4, 4, 4, 0]  # two columns, two cells
    assert len({line.get_color() for line in ax.lines}) == 6
    dashes = [str(line._dash_pattern) for line in ax.lines[::2]]
    assert all(one != two for one, two in pairwise(dashes))


def test_describe_wiring_says_the_pairs_with_a_kernel():
    assert draw_wiring.describe(GROUPED) == (
        "From 8 to 6 channels, grouped, g = 2: 24 of 48 channel pairs have a kernel; "
        "each output channel reads 4 input channels."
    )


CHAINS = [
    (GROUPED,),
    (ConvSpec(6, 9, 3, groups=3), (9, 3), ConvSpec(9, 12, 1, groups=3)),
    (ConvSpec(8, 8, 1, groups=4), (8, 4), ConvSpec(8, 8, 1, groups=4)),
]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_fills_the_channels_that_a_change_moves_in_torch(chain):
    def one_hot(channel):
        return torch.eye(chain[0].in_channels)[channel].reshape(1, -1, 1, 1)

    network = nn.Sequential()
    for step in chain:
        if isinstance(step, tuple):
            network.append(nn.ChannelShuffle(step[1]))
            continue
        network.append(nn.Conv2d(step.in_channels, step.out_channels, 1, groups=step.groups, bias=False))
        nn.init.ones_(network[-1].weight)
    for channel in range(chain[0].in_channels):
        moved = [layer.flatten().nonzero().flatten().tolist() for layer in outputs_of(network, one_hot(channel))]
        ax = draw_wiring(chain, changed=channel)
        columns = sorted({p.center[0] for p in ax.patches if isinstance(p, Circle)})
        filled = [p.center for p in ax.patches if isinstance(p, Circle) and is_colored(p, OUTPUT)]
        tops = [min(p.center[1] for p in ax.patches if isinstance(p, Circle) and p.center[0] == x) for x in columns]
        found = [[round(y - top) for x, y in filled if x == column] for column, top in zip(columns[1:], tops[1:])]
        assert found == moved
        assert f"moves {len(moved[-1])} of " in title(ax)


def outputs_of(network, x):
    """Return what each layer of a network gives, in their order."""
    found = []
    for layer in network:
        x = layer(x)
        found.append(x)
    return found


def test_draw_wiring_changes_an_input_channel_that_there_is():
    with raises(ValueError, "changed=8: wanted one of the input's channels, 0 to 7"):
        draw_wiring((GROUPED,), changed=8)


def test_describe_wiring_of_a_chain_counts_the_channels_reached_after_each_step():
    layer = ConvSpec(9, 9, 3, groups=3)
    assert draw_wiring.describe((layer,)) == "Input channel 0 of 9 reaches 3 of 9 after layer 1."
    assert draw_wiring.describe((layer, (9, 3), layer), changed=4) == (
        "Input channel 4 of 9 reaches 3 of 9 after layer 1, 3 of 9 after shuffle and 9 of 9 after layer 2."
    )


@given(st.integers(1, 8), st.integers(1, 8))
def test_shuffle_order_is_torchs_channel_shuffle(groups, each):
    channels = groups * each
    wanted = nn.ChannelShuffle(groups)(torch.arange(channels).reshape(1, channels, 1, 1)).flatten().tolist()
    assert shuffle_order(channels, groups) == wanted


def test_draw_shuffle_leads_every_channel_to_its_place_and_says_how_many_groups_meet():
    lines = [tuple(line.get_ydata() - 0.5) for line in draw_shuffle((6, 3)).lines]
    assert lines == [(0, 0), (2, 1), (4, 2), (1, 3), (3, 4), (5, 5)]
    assert draw_shuffle.describe((6, 3)) == (
        "Shuffle of 6 channels, g = 3: each new group has channels from 2 of the 3 old ones. "
        "New order: 0, 2, 4, 1, 3, 5."
    )


def test_draw_matrix_marks_exactly_the_cells_that_differ():
    panel = MatrixPanel("yours", YOURS, TARGET)
    ax = draw_matrix(panel)
    outlined = [p.get_xy() for p in ax.patches if to_hex(p.get_edgecolor()).lower() == HIGHLIGHT.lower()]
    assert [(round(y - 1), round(x - 1.9)) for x, y in outlined] == wrong_cells(panel) == [(0, 5), (3, 2), (5, 7)]
    assert words(ax).count("×") == 3
    assert title(ax) == "yours: 3 of 48 cells differ"


def test_draw_matrix_prints_numbers_and_darkens_the_larger():
    ax = draw_matrix(MatrixPanel("image", IMAGE))
    assert {"−20", "3", "117", "42"} <= set(words(ax))
    shades = [patch.get_facecolor()[0] for patch in ax.patches]
    assert np.argsort(shades).tolist() == np.argsort(-IMAGE.ravel()).tolist()


@pytest.mark.parametrize(
    ("array", "target", "is_mask"),
    [
        (YOURS, TARGET, True),
        (YOURS * 1, TARGET, True),
        (YOURS * 1.0, TARGET, True),
        (YOURS, None, True),
        (YOURS * 1, None, False),
        (YOURS * 1, TARGET * 1, False),
        (YOURS * 2, TARGET, False),
        (YOURS / 2, TARGET, False),
    ],
)
def test_draw_matrix_fills_cells_for_booleans_and_for_zeros_and_ones_beside_them(array, target, is_mask):
    ax = draw_matrix(MatrixPanel("yours", array, target))
    assert len(cells(ax, KERNEL)) == (YOURS.sum() if is_mask else 0)
    assert words(ax)[-2:] == (["output channel", "input channel"] if is_mask else ["row", "column"])


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        (MatrixPanel("target", TARGET), "target: 6 × 8 cells, 24 of 48 filled."),
        (MatrixPanel("target", IMAGE), "target: 2 × 3 cells."),
        (MatrixPanel("yours", None, TARGET), "yours: not yet."),
        (MatrixPanel("yours", TARGET.T, TARGET), "yours: 8 × 6 cells, wanted 6 × 8."),
        (MatrixPanel("yours", torch.tensor(TARGET), TARGET), "yours: all 48 cells right."),
        (MatrixPanel("yours", [[0.1 + 0.2]], [[0.3]]), "yours: all 1 cells right."),
        (MatrixPanel("yours", [[float("nan"), 2]], [[1, 2]]), "yours: 1 of 2 cells differ."),
    ],
)
def test_describe_matrix_says_how_far_the_array_is_from_the_target(panel, said):
    assert draw_matrix.describe(panel) == said
    assert draw_matrix(panel).patches


def boxes(ax):
    """Return (width, height, way to the right) of each box, by its colour, in the order of drawing."""
    faces = [patch.get_xy() for patch in ax.patches if isinstance(patch, Polygon)]
    return [
        (front[1][0] - front[0][0], front[2][1] - front[1][1], side[3][0] - side[0][0])
        for front, side in zip(faces[::3], faces[2::3])
    ]


def test_draw_volumes_draws_all_boxes_on_one_scale_and_a_filter_in_each_that_is_read():
    ax = draw_volumes(SEPARABLE)
    image, k5, middle, k1, last = boxes(ax)
    for (wide, high, right), (h, w, c) in zip((image, middle, last), ((12, 12, 3), (8, 8, 3), (8, 8, 256))):
        assert (wide, high, right) == pytest.approx((w, h, 0.35 * c))
    assert k5 == pytest.approx((5, 5, 0.35)) and k1 == pytest.approx((1, 1, 3 * 0.35))  # depthwise: one channel
    assert {"depthwise\nfilter: 5×5×1\n4,800 MACs", "12\ninput", "8", "3 channels", "256 channels"} <= {*words(ax)}
    assert "log scale" not in title(ax)
    deep = draw_volumes(([ConvSpec(3, 2000, 3)], (1, 3, 9, 5)))
    assert "(edges drawn on a log scale)" in title(deep)
    np.testing.assert_allclose(boxes(deep)[0], (np.log2(6), np.log2(10), 0.35 * 2))


def test_describe_volumes_says_every_size_the_filters_and_all_macs():
    assert draw_volumes.describe(SEPARABLE) == (  # 75 * 8 * 8 and 3 * 256 * 8 * 8
        "Input of 12 × 12, 3 channels; depthwise (3 filters of 5 × 5 × 1, 4,800 MACs) gives 8 × 8, 3 channels; "
        "pointwise (256 filters of 1 × 1 × 3, 49,152 MACs) gives 8 × 8, 256 channels. In all 53,952 MACs."
    )
    named = ([("first", ConvSpec(3, 4, (2, 1)))], (2, 3, 6, 5))  # 3 * 2 * 4 products at 2 * 5 * 5 positions
    assert "first (4 filters of 2 × 1 × 3, 1,200 MACs) gives 5 × 5, 4 channels" in draw_volumes.describe(named)


def test_draw_cost_bars_has_bars_as_long_as_the_costs_and_their_numbers():
    ax = draw_cost_bars(COSTS)
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([1.2288, 0.053952])
    assert ax.get_xlabel() == "million MACs"
    assert words(ax) == ["1,228,800  (100 %)", "53,952  (4.39 %)"]
    assert title(ax) == "separable: 4.39 % of standard"


@pytest.mark.parametrize(("costs", "whole"), [({"a": 1, "b": 2}, True), ({"a": 0.5, "b": 2}, False)])
def test_draw_cost_bars_has_no_tick_between_whole_numbers_where_whole_things_are_counted(costs, whole):
    assert all(tick == round(tick) for tick in draw_cost_bars(costs).get_xticks()) == whole


def test_describe_cost_bars_says_every_number_in_its_unit():
    assert draw_cost_bars.describe([("a", 3), ("b", 4)], unit="FLOPs") == "a: 75 % of b. Bars in FLOPs: a 3; b 4."
    assert draw_cost_bars.describe({"a": 3, "b": 3}) == "a, b: 3 MACs each. Bars in MACs: a 3; b 3."


def test_draw_separable_saving_draws_each_kernel_with_its_ceiling():
    ax = draw_separable_saving((3, 5))
    for k, line, ceiling in zip((3, 5), ax.lines[::2], ax.lines[1::2]):
        filters = 2 ** np.arange(11)
        assert line.get_xdata().tolist() == filters.tolist()
        np.testing.assert_allclose(line.get_ydata(), 1 / (1 / filters + 1 / k**2))
        np.testing.assert_allclose(ceiling.get_ydata(), k**2)
    assert words(ax) == ["3×3: ceiling 3² = 9", "5×5: ceiling 5² = 25", "1: nothing saved"]
    assert set(ax.lines[-1].get_ydata()) == {1}
    assert [line.is_dashed() for line in ax.lines[:4:2]] == [False, True]
    assert draw_separable_saving.describe((3, 5)).endswith(  # 1 / (1 + 1/9), 1 / (1/1024 + 1/9); the same with 25
        "The factors with 1 filter and with 1,024: 3×3 0.9 and 8.92 (ceiling 9); "
        "5×5 0.962 and 24.4 (ceiling 25). A line at 1: nothing saved."
    )


def network(*costs):
    """Return a network of rows "a", "b", … with these (MACs, parameters)."""
    rows = [LayerCost(name, "standard", (1,), params, macs, 2 * macs) for name, (macs, params) in zip("abc", costs)]
    return "net", CostTable(rows)


def test_draw_cost_profile_has_a_bar_up_and_a_bar_down_for_each_row_with_a_cost_and_says_its_share():
    net = network((9999, 1), (0, 0), (1, 2999))
    ax = draw_cost_profile(net)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], [99.99, 0.01, -100 / 3000, -2999 / 30])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "c"]
    assert [word for word in words(ax) if word[-1] == "%"] == ["100.0 %", "< 0.1 %", "< 0.1 %", "100.0 %"]
    assert draw_cost_profile.describe(net).endswith(
        "Share of the MACs and of the parameters: a 100.0 % and < 0.1 %; c < 0.1 % and 100.0 %."
    )


def test_the_profiles_of_one_figure_have_one_scale_and_leave_other_charts_alone():
    top, other, bottom = Figure(figsize=(PAGE_INCHES, PAGE_INCHES)).subplots(3)
    before = other.get_ylim()
    draw_cost_profile(network((90, 50), (10, 50)), top)
    draw_cost_profile(network((50, 80), (50, 20)), bottom)
    low, high = top.get_ylim()
    assert bottom.get_ylim() == (low, high) and low < -80 and high > 90
    assert other.get_ylim() == before


@pytest.mark.parametrize(
    ("costs", "finding"),
    [
        ([(60, 10), (30, 20), (10, 70)], "net, a to b: 90 % of the MACs, 30 % of the parameters"),
        ([(60, 10), (20, 20), (20, 70)], "net, a: 60 % of the MACs, 10 % of the parameters"),
        ([(5, 60), (15, 30), (80, 10)], "net, a to b: 20 % of the MACs, 90 % of the parameters"),
    ],
)
def test_a_cost_profile_names_the_place_where_the_two_shares_differ_most(costs, finding):
    assert title(draw_cost_profile(network(*costs))) == finding
    assert draw_cost_profile.describe(network(*costs)).startswith(f"{finding}. ")


def at(position):
    return WindowStep(STRIDED, (1, 1, 5, 5), position)


@pytest.mark.parametrize(
    ("draw", "item", "error", "message"),
    [
        (draw_window, STRIDED, TypeError, "is a ConvSpec; wanted a WindowStep, such as"),
        (draw_window, at(1), TypeError, "position=1 is a int; wanted the (row, column) of an output cell"),
        (draw_window, at((0, 1.0)), TypeError, "position's column=1.0 is a float; wanted an integer"),
        (draw_window, at((-1, 0)), ValueError, "position's row=-1 is too small; wanted an integer of at least 0"),
        (draw_window, at((0, 3)), ValueError, "position=(0, 3) has column 3; wanted 0 to 2"),
        (draw_window, WindowStep(STRIDED, (1, 1, 5, 19), (0, 0)), ValueError, "=21 is too many to draw"),
        (
            draw_window,
            WindowStep(STRIDED, (1, 1, 4, 3), (0, 0), NUMBERS),
            ValueError,
            "values has shape (3, 4); wanted (4, 3)",
        ),
        (
            draw_window,
            WindowStep(STRIDED, (1, 1, 3, 4), (0, 0), NUMBERS, np.ones((2, 3))),
            ValueError,
            "kernel has shape (2, 3); wanted (3, 3)",
        ),
        (draw_window, at((0, 0))._replace(kernel=EDGES), ValueError, "kernel is given and values is None; wanted both"),
        (draw_matrix, TARGET, TypeError, "ue]]) is a ndarray; wanted a MatrixPanel, such as"),
        (draw_matrix, MatrixPanel("a", [1, 2]), ValueError, "shape (2,); wanted rows and columns"),
        (draw_matrix, MatrixPanel("a", np.ones((2, 21))), ValueError, "=21 is too many to draw; wanted at most 20"),
        (draw_wiring, [GROUPED], TypeError, "[ConvSpec(8, 6, 3, groups=2)] is a list; wanted a ConvSpec"),
        (draw_wiring, ConvSpec(17, 3, 1), ValueError, "in_channels=17 is too many to draw; wanted at most 16"),
        (draw_wiring, (), ValueError, "a chain of no steps; wanted at least one"),
        (draw_wiring, (GROUPED, 8), TypeError, "8 is a int; wanted a ConvSpec, or (channels, groups) for a shuffle"),
        (draw_wiring, (GROUPED, GROUPED), ValueError, "a step takes 8 channels and gets 6; wanted as many as it gets"),
        (draw_wiring, CHAIN + CHAIN, ValueError, "steps=10 is too many to draw; wanted at most 5"),
        (draw_wiring, (ConvSpec(2, 32, 1),), ValueError, "channels=32 is too many to draw; wanted at most 16"),
        (draw_shuffle, 8, TypeError, "8 is a int; wanted (channels, groups), such as (8, 2)"),
        (draw_shuffle, (8, 2.0), TypeError, "groups=2.0 is a float; wanted an integer"),
        (draw_shuffle, (8, 3), ValueError, "groups=3 does not divide"),
        (draw_shuffle, (18, 2), ValueError, "channels=18 is too many to draw; wanted at most 16"),
        (draw_volumes, GROUPED, TypeError, "is a ConvSpec; wanted (layers, input shape), such as"),
        (draw_volumes, ([ConvSpec(1, 1, 1)] * 5, (1, 1, 3, 3)), ValueError, "layers=5 is too many"),
        (draw_cost_bars, 75, TypeError, "75 is a int; wanted labels with their counts, such as {'standard': 75}"),
        (draw_cost_bars, {}, ValueError, "no costs to draw; wanted at least one label"),
        *((draw_cost_bars, {"a": n}, ValueError, f"'a' costs {n!r}; wanted a positive number") for n in ("75", True)),
        *((draw_cost_bars, {"a": n}, ValueError, f"'a' costs {n}; wanted a positive") for n in (0, -1, 1e999, None)),
        (draw_separable_saving, 3, TypeError, "3 is a int; wanted at least one kernel size, such as (3, 5)"),
        (draw_separable_saving, (), TypeError, "() is a tuple; wanted at least one kernel size"),
        (draw_separable_saving, (3, 5.0), TypeError, "kernel_sizes[1]=5.0 is a float; wanted an integer of at least 1"),
        (draw_cost_profile, network((1, 1))[1], TypeError, "is a CostTable; wanted (name, CostTable), such as"),
        (draw_cost_profile, ("net", [GROUPED]), TypeError, "is a list; wanted (name, CostTable)"),
        (draw_cost_profile, network((0, 5)), ValueError, "net has 0 MACs and 5 parameters; wanted some of both"),
        (draw_cost_profile, ("net", CostTable(PROFILE.rows * 2)), ValueError, "rows=16 is too many to draw"),
    ],
)
def test_a_draw_function_says_what_is_wrong_and_what_was_wanted(draw, item, error, message):
    with raises(error, message):
        show(draw, item)


@pytest.mark.parametrize("name", ["profile", "times", "accuracy"])
def test_a_chart_needs_the_width_of_the_page(name):
    draw, items, _ = FIGURES[name]
    with raises(ValueError, " needs the width of the page; wanted one in a row, as with columns=1"):
        show(draw, *items)
