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
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from strategies import cases, layers, raises, torch_layer
from test_draw_timing import LIVE, NOISY, PEAKS, THEN, THEN_ROWS

from convlab import ConvSpec, CostTable, LayerCost, draw
from convlab.figures import MatrixPanel, WindowStep, show
from convlab.figures.canvas import DRAWINGS, HIGHLIGHT, INPUT, KERNEL, MAX_CELLS, OUTPUT, Picture, tint
from convlab.shape import pads

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

STRIDED = ConvSpec(1, 1, 3, stride=2, padding=1)
DILATED = ConvSpec(1, 1, (3, 2), dilation=2)
GROUPED = ConvSpec(8, 6, 3, groups=2)
STANDARD = ([("standard", ConvSpec(3, 256, 5))], (1, 3, 12, 12))
SEPARABLE = (ConvSpec.separable(3, 256, 5), (1, 3, 12, 12))
TARGET = np.kron(np.eye(2), np.ones((3, 4))).astype(bool)
YOURS = TARGET ^ (np.arange(48).reshape(6, 8) % 21 == 5)  # differs in the cells 5, 26 and 47
IMAGE = np.array([[-20, 3, 1], [0, 117, 42]])
NUMBERS = ((7, 5, -2, 255), (0.25, 1, 2 / 3, 4), (90, 6, 0, 1234))
DIGITS = ((3, 2, 0, 1, 3), (0, 1, 3, 2, 1), (2, 1, 0, 1, 2), (1, 0, 2, 3, 0), (3, 1, 1, 0, 2))
EDGES = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
COSTS = {"standard": 1_228_800, "separable": 53_952}
PROFILE = CostTable(
    LayerCost(f"stage{n}", "standard", (1, 1, 1, 1), 9**n, 4 ** (8 - n), 4 ** (8 - n)) for n in range(8)
)
FIGURES = {
    "window, 4 in a row": (draw.draw_window, draw.window_steps(STRIDED, (1, 1, 5, 5), 4), {}),
    "window, alone": (draw.draw_window, [WindowStep(DILATED, (1, 1, 7, 5), (1, 2))], {}),
    "window, 1×1": (draw.draw_window, draw.window_steps(ConvSpec(1, 1, 1), (1, 1, 1, 1)), {}),
    "window, two rows": (draw.draw_window, draw.window_steps(STRIDED, (1, 1, 5, 9), 5), {"columns": 3}),
    "window, numbers": (draw.draw_window, draw.window_steps(STRIDED, (1, 1, 3, 4), 3, NUMBERS), {}),
    "window, numbers, alone": (draw.draw_window, [WindowStep(STRIDED, (1, 1, 3, 4), (1, 1), NUMBERS)], {}),
    "window, kernel": (draw.draw_window, draw.window_steps(ConvSpec(1, 1, 3), (1, 1, 5, 5), 4, DIGITS, EDGES), {}),
    "window, kernel, padded": (
        draw.draw_window,
        draw.window_steps(STRIDED, (1, 1, 5, 5), 6, DIGITS, EDGES)[2:],
        {},
    ),
    "window, kernel, 3 in a row": (
        draw.draw_window,
        draw.window_steps(ConvSpec(1, 1, 3), (1, 1, 5, 5), 6, DIGITS, EDGES)[3:],
        {},
    ),
    "window, kernel, 2 in a row": (
        draw.draw_window,
        draw.window_steps(ConvSpec(1, 1, 3), (1, 1, 5, 5), 2, DIGITS, EDGES),
        {},
    ),
    "window, kernel, alone": (
        draw.draw_window,
        [WindowStep(ConvSpec(1, 1, 3, padding=1), (1, 1, 5, 5), (4, 2), DIGITS, EDGES)],
        {},
    ),
    "window, kernel, wide output": (
        draw.draw_window,
        draw.window_steps(ConvSpec(1, 1, 1, padding=1), (1, 1, 2, 2), 9, np.eye(2), [[-7]])[5:],
        {},
    ),
    "wiring, alone": (draw.draw_wiring, [ConvSpec(16, 16, 3, groups=4)], {}),
    "wiring, 3 in a row": (draw.draw_wiring, [ConvSpec(8, 6, 3), GROUPED, ConvSpec.depthwise(4, 3)], {}),
    "wiring, 2 by 2": (
        draw.draw_wiring,
        [ConvSpec(8, 6, 3), GROUPED, ConvSpec.depthwise(3, 3, multiplier=2), ConvSpec.pointwise(3, 8)],
        {"columns": 2},
    ),
    "wiring, 1×1": (draw.draw_wiring, [GROUPED, ConvSpec(1, 1, 3)], {}),
    "mask": (draw.draw_matrix, [MatrixPanel("target", TARGET), MatrixPanel("yours", YOURS, TARGET)], {}),
    "mask, not yet": (draw.draw_matrix, [MatrixPanel("target", TARGET), MatrixPanel("yours", None, TARGET)], {}),
    "mask, numbers": (draw.draw_matrix, [MatrixPanel("target", IMAGE), MatrixPanel("yours", -IMAGE, IMAGE)], {}),
    "mask, other shape": (draw.draw_matrix, [MatrixPanel("yours", IMAGE.T, IMAGE)], {}),
    "mask, zeros and ones": (
        draw.draw_matrix,
        [MatrixPanel("target", TARGET), MatrixPanel("yours", YOURS * 1.0, TARGET), MatrixPanel("ones", YOURS * 1)],
        {},
    ),
    "volumes": (draw.draw_volumes, [STANDARD, SEPARABLE], {"columns": 1}),
    "volumes, 3 layers": (
        draw.draw_volumes,
        [([ConvSpec(3, 64, 11, 4), ConvSpec(64, 192, 5), ("last", ConvSpec(192, 1000, 51))], (1, 3, 227, 227))],
        {},
    ),
    "bars": (draw.draw_cost_bars, [COSTS], {}),
    "bars, log": (draw.draw_cost_bars, [COSTS | {"depthwise part": 4_800}], {"log": True, "unit": "FLOPs"}),
    "bars, side by side": (draw.draw_cost_bars, [COSTS, {"conv1": 3_700_000_000, "conv2": 2}], {}),
    "bars, one": (draw.draw_cost_bars, [[("standard", 0.5)]], {"unit": "ms"}),
    "bars, few": (draw.draw_cost_bars, [{"separable": 1, "standard": 2}], {"unit": "layers"}),
    "share": (draw.draw_separable_share, [(3, 5, 7)], {}),
    "saving": (draw.draw_separable_share, [(3, 5, 7)], {"saving": True}),
    "profile": (draw.draw_cost_profile, [("VGG-16", PROFILE)], {}),
    "profile, 2 networks": (draw.draw_cost_profile, [("VGG-16", PROFILE), ("net", PROFILE)], {"columns": 1}),
    "roofline": (draw.draw_roofline, [(PEAKS, LIVE)], {}),
    "roofline, recorded": (draw.draw_roofline, [([PEAKS, THEN], [*LIVE, *THEN_ROWS])], {}),
    "times": (draw.draw_time_against_macs, [LIVE, [*LIVE, NOISY, *THEN_ROWS]], {"columns": 1}),
    "shuffle": (draw.draw_shuffle, [(8, 2), (12, 3)], {}),
    "shuffle, 3 in a row": (draw.draw_shuffle, [(6, 2), (6, 3), (6, 6)], {}),
}
every_figure = pytest.mark.parametrize("name", FIGURES, ids=[name.replace("×", "x") for name in FIGURES])


@cache
def drawn(name: str) -> tuple[Picture, Figure]:
    """Return the picture and the figure that it was saved from."""
    function, items, options = FIGURES[name]
    figures, save = [], Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, *args, **kw: (figures.append(self), save(self, *args, **kw)))
        return show(function, *items, **options), figures[0]


def cells(ax, face: str) -> list[tuple[float, float]]:
    """Return the (row, column) of the top left corner of each square with this face, relative to the first."""
    found = [p.get_xy()[::-1] for p in ax.patches if isinstance(p, Rectangle) and is_colored(p, face)]
    return [(r - min(found)[0], c - min(found, key=lambda at: at[1])[1]) for r, c in found]


def is_colored(patch, face: str) -> bool:
    return patch.get_facecolor()[3] == 1 and to_hex(patch.get_facecolor()).lower() == face.lower()


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(ax) -> str:
    return ax.get_title(loc="left").replace("\xa0", " ")


def cells_read(step: WindowStep) -> set[tuple[int, int]]:
    """Return the input cells on which torch's output at this position depends: those with a gradient."""
    spec, (_, _, height, width), (i, j), *_ = step
    image = torch.zeros(1, 1, height, width, requires_grad=True)
    kernel = torch.ones(1, 1, *spec.kernel_size)
    F.conv2d(image, kernel, None, spec.stride, spec.padding, spec.dilation)[0, 0, i, j].backward()
    return {tuple(at) for at in image.grad[0, 0].nonzero().tolist()}


def pairs_read(spec: ConvSpec) -> set[tuple[int, int]]:
    """Return the (output, input) channels for which one input channel alone moves torch's output."""
    module = torch.nn.Conv2d(spec.in_channels, spec.out_channels, 1, groups=spec.groups, bias=False)
    torch.nn.init.ones_(module.weight)
    moved = module(torch.eye(spec.in_channels)[:, :, None, None])[:, :, 0, 0]  # one image for each input channel
    return {(m, c) for c, m in moved.nonzero().tolist()}


@given(cases(), st.data())
def test_window_taps_are_the_cells_that_torch_reads(case, data):
    layer, shape = case
    spec = ConvSpec(**layer)
    step = data.draw(st.sampled_from(draw.window_steps(spec, shape)))
    rows, columns = draw.window_taps(step)
    inside = {(r, c) for r in rows for c in columns if 0 <= r < shape[2] and 0 <= c < shape[3]}
    assert inside == cells_read(step)
    assert (len(set(rows)), len(set(columns))) == spec.kernel_size


@given(cases())
def test_window_steps_visit_every_output_cell_in_reading_order(case):
    layer, shape = case
    height, width = torch_layer(layer)(torch.empty(shape, device="meta")).shape[2:]
    positions = [step.position for step in draw.window_steps(ConvSpec(**layer), shape)]
    assert positions == [(i, j) for i in range(height) for j in range(width)]
    assert [step.position for step in draw.window_steps(ConvSpec(**layer), shape, 2)] == positions[:2]


@pytest.mark.parametrize(
    ("spec", "shape", "position"),
    [(DILATED, (1, 1, 7, 5), (1, 2)), (ConvSpec(4, 2, (2, 3), (2, 1), (0, 1)), (2, 4, 4, 6), (1, 1))],
)
def test_draw_window_fills_the_taps_and_the_cells_done(spec, shape, position):
    step = WindowStep(spec, shape, position)
    ax = draw.draw_window(step)
    taps = sorted(cells_read(step))  # both windows lie inside the image
    assert len(taps) == spec.kernel_size[0] * spec.kernel_size[1]
    corner = min(r for r, _ in taps), min(c for _, c in taps)
    assert sorted(cells(ax, KERNEL)) == [(r - corner[0], c - corner[1]) for r, c in taps]
    out_width = torch.nn.Conv2d(**vars(spec))(torch.zeros(shape)).shape[3]
    assert len(cells(ax, tint(OUTPUT, 0.55))) == position[0] * out_width + position[1]
    assert len(cells(ax, HIGHLIGHT)) == 1


def test_draw_window_hatches_and_numbers_the_padding_under_the_window_too():
    ax = draw.draw_window(WindowStep(STRIDED, (1, 1, 5, 6), (0, 1)))
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(hatched) == 7 * 8 - 5 * 6
    assert len([patch for patch in hatched if is_colored(patch, KERNEL)]) == 3  # the taps in row −1
    assert words(ax).count("0") == 7 * 8 - 5 * 6 + 2  # and the numbers of row 0 and column 0
    assert "input 5 × 6, padded" in words(ax)
    assert title(ax) == "output (0, 1): rows −1 to 1, columns 1 to 3"


def test_draw_window_writes_each_value_into_its_cell():
    for values in (NUMBERS, np.array(NUMBERS), torch.tensor(NUMBERS, dtype=torch.float64)):
        ax = draw.draw_window(WindowStep(STRIDED, (1, 1, 3, 4), (1, 0), values))
        corners = [p.get_xy() for p in ax.patches if isinstance(p, Rectangle)][
            : 5 * 6
        ]  # the first is row −1, column −1
        inside = {text.get_position(): text.get_text() for text in ax.texts}
        written = [inside[x + 0.5, y + 0.5] for x, y in corners]
        assert written == [
            *("0", "0", "0", "0", "0", "0"),
            *("0", "7", "5", "−2", "255", "0"),
            *("0", "0.25", "1", "0.667", "4", "0"),
            *("0", "90", "6", "0", "1234", "0"),
            *("0", "0", "0", "0", "0", "0"),
        ]


def test_window_steps_hands_the_values_to_every_step():
    assert [step.values for step in draw.window_steps(STRIDED, (1, 1, 3, 4), 2, NUMBERS)] == [NUMBERS, NUMBERS]
    assert draw.window_steps(STRIDED, (1, 1, 3, 4))[0].values is None


def test_describe_window_counts_the_padding_that_is_read():
    said = draw.describe_window(WindowStep(STRIDED, (1, 1, 5, 6), (0, 1)))
    assert said == (
        "Output (0, 1) of 3 × 3 is computed from rows −1 to 1 and columns 1 to 3 of the 5 × 6 input; "
        "padding zeros among the 9 numbers read: 3."
    )
    assert draw.describe_window(WindowStep(STRIDED, (1, 1, 5, 6), (0, 1), np.ones((5, 6)))).startswith(said)
    assert "rows 1, 3, 5 and columns 2, 4" in draw.describe_window(WindowStep(DILATED, (1, 1, 7, 5), (1, 2)))


def test_describe_window_names_the_numbers_read_if_they_are_at_most_nine():
    said = draw.describe_window(WindowStep(STRIDED, (1, 1, 3, 4), (0, 1), NUMBERS))
    assert said.endswith("numbers read: 3. The numbers, row by row: 0, 0, 0; 5, −2, 255; 1, 0.667, 4.")
    wide = WindowStep(ConvSpec(1, 1, (1, 4), padding=(0, 1)), (1, 1, 3, 4), (2, 2), NUMBERS)
    assert draw.describe_window(wide).endswith("numbers read: 1. The numbers, row by row: 6, 0, 1234, 0.")
    many = WindowStep(ConvSpec(1, 1, (3, 4)), (1, 1, 3, 4), (0, 0), NUMBERS)
    assert draw.describe_window(many).endswith("among the 12 numbers read: 0.")


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
    module = torch.nn.Conv2d(**vars(spec))
    module.weight.data[0, 0] = torch.tensor(kernel)
    outputs = module(torch.tensor(values)[None, None].float())[0, 0].round().int()
    step = data.draw(st.sampled_from(draw.window_steps(spec, (1, 1, height, width), None, values, kernel)))
    ax = draw.draw_window(step)
    squares = [p.get_xy() for p in ax.patches if isinstance(p, Rectangle)]
    inside = {text.get_position(): text.get_text() for text in ax.texts}
    written = [inside.get((x + 0.5, y + 0.5), "") for x, y in squares[-outputs.numel() :]]
    done = step.position[0] * outputs.shape[1] + step.position[1] + 1
    flat = [str(n).replace("-", "−") for n in outputs.flatten().tolist()]
    assert written == flat[:done] + [""] * (len(flat) - done)
    assert draw.describe_window(step).endswith(f" gives {flat[done - 1]}.")


def test_draw_window_writes_the_weight_of_each_tap_where_there_is_room():
    weights = ["×1", "×0", "×−1", "×2", "×0", "×−2", "×1", "×0", "×−1"]
    alone, three, four = (
        drawn(name)[1].axes[0] for name in ("window, kernel, alone", "window, kernel, 3 in a row", "window, kernel")
    )
    for ax, (left, top) in ((alone, (3, 5)), (three, (1, 3))):
        notes = {
            (int(text.get_position()[0]), int(text.get_position()[1])): text.get_text()
            for text in ax.texts
            if text.get_text().startswith("×")
        }
        assert notes == {(left + n % 3, top + n // 3): weight for n, weight in enumerate(weights)}
    assert not {*words(four)} & {*weights}
    long = draw.draw_window(WindowStep(ConvSpec(1, 1, 1), (1, 1, 2, 2), (0, 0), np.ones((2, 2)), [[-0.25]]))
    assert "×−0.25" not in words(long) and "−0.25" in words(long)
    for values in (np.full((2, 2), 12345), np.ones((2, 2))):
        ax = draw.draw_window(WindowStep(ConvSpec(1, 1, 1), (1, 1, 2, 2), (0, 0), values, [[3]]))
        assert ("×3" in words(ax)) == (values[0, 0] == 1)


def test_describe_window_says_the_weights_and_the_sum_of_products():
    steps = draw.window_steps(ConvSpec(1, 1, 3), (1, 1, 5, 5), 4, DIGITS, EDGES)
    said = [draw.describe_window(step) for step in steps]
    assert said[0].endswith(
        "row by row: 3, 2, 0; 0, 1, 3; 2, 1, 0. "
        "The sum of products with the weights 1, 0, −1; 2, 0, −2; 1, 0, −1 gives −1."
    )
    assert [text.rsplit(" ", 1)[1] for text in said] == ["−1.", "−1.", "−1.", "0."]
    many = WindowStep(ConvSpec(1, 1, (3, 4)), (1, 1, 3, 4), (0, 0), np.full((3, 4), 0.1), np.ones((3, 4)))
    assert draw.describe_window(many).endswith("numbers read: 0. The sum of products with the weights gives 1.2.")
    for sign in (1, -1):  # in floats 0.1 + 0.2 is not 0.3
        noise = WindowStep(ConvSpec(1, 1, (1, 3)), (1, 1, 1, 3), (0, 0), [[0.1, 0.2, -0.3]], [[sign] * 3])
        assert draw.describe_window(noise).endswith(" gives 0.")


@pytest.mark.parametrize(
    "name", [name for name in FIGURES if name.startswith("window")], ids=lambda n: n.replace("×", "x")
)
def test_draw_window_has_an_arrow_to_the_current_cell_that_crosses_no_text(name):
    figure = drawn(name)[1]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for ax in figure.axes:
        arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
        current = [patch for patch in ax.patches if is_colored(patch, HIGHLIGHT)]
        assert len(arrows) == len(current) == 1
        points = arrows[0]._path_original.vertices
        (x, y), (end_x, end_y) = current[0].get_xy(), points[-1]
        assert (end_x - x, end_y - y) in [(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1)]  # the middle of an edge
        line = Path(ax.transData.transform(points))
        for text in ax.texts:
            assert not line.intersects_bbox(text.get_window_extent(canvas.get_renderer()), filled=False), text


@given(layers())
def test_kernel_pairs_are_the_channels_that_torch_connects(layer):
    pairs = draw.kernel_pairs(ConvSpec(**layer))
    assert set(pairs) == pairs_read(ConvSpec(**layer))
    assert len(pairs) == torch_layer(layer).weight.shape[:2].numel()


@pytest.mark.parametrize(
    "spec", [ConvSpec(8, 6, 3), GROUPED, ConvSpec.depthwise(3, 3, multiplier=2), ConvSpec.pointwise(3, 8)]
)
def test_draw_wiring_draws_one_line_and_one_cell_for_each_kernel(spec):
    ax = draw.draw_wiring(spec)
    wanted = torch.nn.Conv2d(**vars(spec)).weight.shape[:2].numel()
    top = {
        face: min(p.center[1] for p in ax.patches if isinstance(p, Circle) and is_colored(p, face))
        for face in (INPUT, OUTPUT)
    }
    ends = [(round(y[1] - top[OUTPUT]), round(y[0] - top[INPUT])) for y in (line.get_ydata() for line in ax.lines)]
    assert len(ends) == wanted
    assert set(ends) == pairs_read(spec)
    assert {(round(m), round(c)) for m, c in cells(ax, tint(KERNEL, 0.25))} == pairs_read(spec)


def test_describe_wiring_says_the_pairs_with_a_kernel():
    assert draw.describe_wiring(GROUPED) == (
        "From 8 to 6 channels, grouped, g = 2: 24 of 48 channel pairs have a kernel; "
        "each output channel reads 4 input channels."
    )


def test_draw_wiring_gives_each_group_a_letter_a_shade_and_another_dash_than_its_neighbour():
    ax = draw.draw_wiring(ConvSpec.depthwise(6, 3, multiplier=2))
    assert [words(ax).count(letter) for letter in "ABCDEFG"] == [4, 4, 4, 4, 4, 4, 0]  # two columns, two cells
    assert len({line.get_color() for line in ax.lines}) == 6
    dashes = [str(line._dash_pattern) for line in ax.lines[::2]]
    assert all(one != two for one, two in pairwise(dashes))


def test_draw_mask_marks_exactly_the_cells_that_differ():
    ax = draw.draw_matrix(MatrixPanel("yours", YOURS, TARGET))
    outlined = [p.get_xy() for p in ax.patches if to_hex(p.get_edgecolor()).lower() == HIGHLIGHT.lower()]
    assert [(round(y - 1), round(x - 1.9)) for x, y in outlined] == [(0, 5), (3, 2), (5, 7)]
    assert words(ax).count("×") == 3
    assert title(ax) == "yours: 3 of 48 cells differ"
    assert len(cells(ax, KERNEL)) == YOURS.sum()


def test_draw_mask_prints_numbers_and_darkens_the_larger():
    ax = draw.draw_matrix(MatrixPanel("image", IMAGE))
    assert {"−20", "3", "117", "42"} <= set(words(ax))
    shades = [patch.get_facecolor()[0] for patch in ax.patches]
    assert np.argsort(shades).tolist() == np.argsort(-IMAGE.ravel()).tolist()


@pytest.mark.parametrize("kind", [bool, int, float])
def test_draw_mask_draws_zeros_and_ones_as_a_mask_if_the_target_is_one(kind):
    ax = draw.draw_matrix(MatrixPanel("yours", YOURS.astype(kind), TARGET))
    assert len(cells(ax, KERNEL)) == YOURS.sum()
    assert words(ax) == ["×"] * 3 + [*map(str, range(6)), *map(str, range(8)), "output channel", "input channel"]


@pytest.mark.parametrize(
    ("mask", "target"),
    [(TARGET * 1, None), (TARGET * 1, TARGET * 1), (TARGET, TARGET * 1), (TARGET * 2, TARGET), (TARGET / 2, TARGET)],
)
def test_draw_mask_draws_numbers_as_numbers(mask, target):
    ax = draw.draw_matrix(MatrixPanel("yours", mask, target))
    assert not any(is_colored(patch, KERNEL) for patch in ax.patches)
    assert words(ax)[-2:] == ["row", "column"]


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
def test_describe_mask_says_how_far_the_array_is_from_the_target(panel, said):
    assert draw.describe_matrix(panel) == said
    assert draw.draw_matrix(panel).patches


def test_draw_volumes_draws_three_faces_a_box_and_says_every_size():
    ax = draw.draw_volumes(SEPARABLE)
    assert len([patch for patch in ax.patches if isinstance(patch, Polygon)]) == 3 * 3
    assert words(ax) == [  # a layer without a name is called by its kind
        "input\n12 × 12,\n3 channels",
        "depthwise\n5×5 kernel\n4,800 MACs",
        "8 × 8,\n3 channels",
        "pointwise\n1×1 kernel\n49,152 MACs",
        "8 × 8,\n256 channels",
    ]
    assert title(ax).startswith("depthwise + pointwise: 53,952 MACs")


def test_describe_volumes_says_the_macs_of_each_layer():
    assert draw.describe_volumes(SEPARABLE) == (  # 75 * 8 * 8 and 3 * 256 * 8 * 8
        "Input of 12 × 12, 3 channels; depthwise (5×5 kernel, 4,800 MACs) gives 8 × 8, 3 channels; "
        "pointwise (1×1 kernel, 49,152 MACs) gives 8 × 8, 256 channels. In all 53,952 MACs."
    )
    named = ([("first", ConvSpec(3, 4, (2, 1)))], (2, 3, 6, 5))  # 3 * 2 * 4 products at 2 * 5 * 5 positions
    assert draw.describe_volumes(named) == (
        "Input of 6 × 5, 3 channels; first (2×1 kernel, 1,200 MACs) gives 5 × 5, 4 channels. In all 1,200 MACs."
    )


@pytest.mark.parametrize(("log", "scale"), [(False, 1e6), (True, 1)])
def test_draw_cost_bars_has_bars_as_long_as_the_costs_and_their_numbers(log, scale):
    ax = draw.draw_cost_bars(COSTS, log=log)
    assert [bar.get_width() * scale for bar in ax.patches] == pytest.approx([1_228_800, 53_952])
    assert words(ax) == ["1,228,800  (100 %)", "53,952  (4.39 %)"]
    assert title(ax) == "separable: 4.39 % of standard"
    assert ax.get_xlabel() == ("MACs (log scale)" if log else "million MACs")
    assert ax.get_xscale() == ("log" if log else "linear")


@pytest.mark.parametrize(
    ("costs", "whole"), [({"a": 1, "b": 2}, True), ({"a": 0.5, "b": 2}, False), ({"a": 1_000_000, "b": 500_000}, False)]
)
def test_draw_cost_bars_has_no_tick_between_whole_numbers_where_whole_things_are_counted(costs, whole):
    ax = draw.draw_cost_bars(costs)
    assert all(tick == round(tick) for tick in ax.get_xticks()) == whole


def test_describe_cost_bars_says_every_number_in_its_unit():
    assert draw.describe_cost_bars([("a", 3), ("b", 4)], unit="FLOPs") == "a: 75 % of b. Bars in FLOPs: a 3; b 4."
    assert draw.describe_cost_bars({"a": 3, "b": 3}) == "a, b: 3 MACs each. Bars in MACs: a 3; b 3."
    assert draw.describe_cost_bars({"a": 3}, log=True) == "a: 3 MACs. Bars in MACs (log scale): a 3."


@given(st.integers(1, 7), st.integers(1, 300))
def test_separable_share_is_one_over_m_plus_one_over_k_squared(k, m):
    assert draw.separable_share(k, m) == pytest.approx(1 / m + 1 / k**2)


@pytest.mark.parametrize("saving", [False, True])
def test_draw_separable_share_draws_each_kernel_with_its_limit(saving):
    ax = draw.draw_separable_share((3, 5), saving=saving)
    for k, line, limit in zip((3, 5), ax.lines[::2], ax.lines[1::2]):
        filters = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
        share = 1 / filters + 1 / k**2
        assert line.get_xdata().tolist() == filters.tolist()
        np.testing.assert_allclose(line.get_ydata(), 1 / share if saving else share)
        np.testing.assert_allclose(limit.get_ydata(), k**2 if saving else 1 / k**2)
    wanted = (
        ["3×3: ceiling 3² = 9", "5×5: ceiling 5² = 25"]
        if saving
        else ["3×3: floor 1/9 = 11.1 %", "5×5: floor 1/25 = 4 %"]
    )
    assert words(ax) == wanted
    assert [line.is_dashed() for line in ax.lines] == [False, False, True, False]
    for line, limit in zip(ax.lines[::2], ax.lines[1::2]):
        assert limit.get_linewidth() < line.get_linewidth() / 2
        assert len({*to_rgb(limit.get_color())}) == 1  # grey


def test_describe_separable_share_says_where_the_lines_end():  # 1/1024 + 1/9 and 1/1024 + 1/25
    said = draw.describe_separable_share((3, 5))
    assert said.endswith("With 1,024 filters: 3×3 11.2 % (floor 11.1 %); 5×5 4.1 % (floor 4 %).")
    assert "3×3 a factor of 8.92 (ceiling 9)" in draw.describe_separable_share((3,), saving=True)


@given(st.integers(1, 8), st.integers(1, 8))
def test_shuffle_order_is_torchs_channel_shuffle(groups, each):
    channels = groups * each
    wanted = torch.nn.ChannelShuffle(groups)(torch.arange(channels).reshape(1, channels, 1, 1)).flatten().tolist()
    assert draw.shuffle_order(channels, groups) == wanted


def test_draw_shuffle_leads_every_channel_to_its_place():
    lines = [tuple(line.get_ydata() - 0.5) for line in draw.draw_shuffle((6, 2)).lines]
    assert sorted(lines, key=lambda ends: ends[1]) == [(0, 0), (3, 1), (1, 2), (4, 3), (2, 4), (5, 5)]


def test_describe_shuffle_says_how_many_groups_meet():
    assert draw.describe_shuffle((6, 3)) == (
        "Shuffle of 6 channels, g = 3: each new group has channels from 2 of the 3 old ones. "
        "New order: 0, 2, 4, 1, 3, 5."
    )
    assert "channels from 2 of the 2 old ones. New order: 0, 6, 1, 7, 2, 8, 3" in draw.describe_shuffle((12, 2))


@every_figure
def test_show_says_in_the_alt_text_what_every_panel_shows(name):
    function, items, options = FIGURES[name]
    options = {key: value for key, value in options.items() if key != "columns"}
    assert repr(drawn(name)[0]) == " ".join(function.describe(item, **options) for item in items)
    assert function.describe.__name__ == function.__name__.replace("draw_", "describe_")


@every_figure
def test_show_lets_no_two_texts_overlap(name):
    figure = drawn(name)[1]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = []
    for ax in figure.axes:
        texts += [*ax.texts, ax._left_title]
        if ax.axison:
            texts += [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts if text.get_text()]
    for (one, a), (two, b) in combinations(boxes, 2):
        assert min(a.x1, b.x1) - max(a.x0, b.x0) <= 1 or min(a.y1, b.y1) - max(a.y0, b.y0) <= 1, (one, two)


@every_figure
def test_show_cuts_off_nothing(name):
    pixels = imread(BytesIO(drawn(name)[0].png))[:, :, :3]
    pixels[2:-2, 2:-2] = 1  # leaves the border of 2 pixels
    assert (pixels == 1).all()  # white


@every_figure
def test_show_makes_text_of_9_points_on_a_page_800_wide(name):
    picture, figure = drawn(name)
    width, height = np.frombuffer(picture.png[16:24], ">u4")
    assert 100 < width <= 820 and 80 < height <= 1000
    assert min(text.get_fontsize() for ax in figure.axes for text in ax.findobj(Text) if text.get_text()) >= 9


@every_figure
def test_show_gives_the_same_bytes_twice(name):
    function, items, options = FIGURES[name]
    assert show(function, *items, **options).png == drawn(name)[0].png


@settings(max_examples=20)
@given(cases())
def test_draw_window_draws_any_small_layer(case):
    layer, shape = case
    step = draw.window_steps(ConvSpec(**layer), shape)[-1]
    if max(shape[2:]) + 2 * 9 <= MAX_CELLS:
        assert len(cells(draw.draw_window(step), KERNEL)) == np.prod(step.spec.kernel_size)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        *(
            (lambda position=position: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 5, 5), position)), error, said)
            for position, error, said in [
                (1, TypeError, "position=1 is a int; wanted the (row, column) of an output cell"),
                ("01", TypeError, "position='01' is a str; wanted the (row, column)"),
                ((1,), ValueError, "position=(1,) has length 1; wanted the (row, column)"),
                ((True, 0), TypeError, "position's row=True is a bool; wanted an integer"),
                ((0, 1.0), TypeError, "position's column=1.0 is a float; wanted an integer"),
                ((0, None), TypeError, "position's column=None is a NoneType; wanted an integer"),
            ]
        ),
        (lambda: show(draw.draw_window, STRIDED), TypeError, "is a ConvSpec; wanted a WindowStep, such as"),
        (lambda: draw.window_steps(STRIDED, (1, 1, 5, 5), 0), ValueError, "count=0 is too small; wanted an integer"),
        (lambda: draw.window_steps(STRIDED, (1, 1, 5, 5), 2.5), TypeError, "count=2.5 is a float; wanted an integer"),
        (lambda: draw.window_steps(STRIDED, (1, 1, 5, 5), True), TypeError, "count=True is a bool; wanted an integer"),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 3, 4), (0, 0), NUMBERS, np.ones((2, 3)))),
            ValueError,
            "kernel has shape (2, 3); wanted (3, 3), the kernel_size of the layer",
        ),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 3, 4), (0, 0), kernel=EDGES)),
            ValueError,
            "kernel is given and values is None; wanted both",
        ),
        *(
            (lambda costs=costs: show(draw.draw_cost_bars, costs), error, said)
            for costs, error, said in [
                ({"a": "75"}, TypeError, "'a' costs '75', a str; wanted a positive number"),
                ({"a": True}, TypeError, "'a' costs True, a bool; wanted a positive number"),
                ({"a": np.True_}, TypeError, "'a' costs np.True_, a bool; wanted a positive number"),
                ({"a": None}, TypeError, "'a' costs None, a NoneType; wanted a positive number"),
                ({"a": 1j}, TypeError, "'a' costs 1j, a complex; wanted a positive number"),
                ({"a": -75}, ValueError, "'a' costs -75; wanted a positive number"),
                ({"a": float("nan")}, ValueError, "'a' costs nan; wanted a positive number"),
                ({"a": float("inf")}, ValueError, "'a' costs inf; wanted a positive number"),
                ([], ValueError, "no costs to draw; wanted at least one label"),
                (75, TypeError, "75 is a int; wanted labels with their counts, such as {'standard': 75}"),
                ([75, 3], TypeError, "[75, 3] is a list; wanted labels with their counts"),
                (None, TypeError, "None is a NoneType; wanted labels with their counts"),
            ]
        ),
        *(
            (lambda sizes=sizes: show(draw.draw_separable_share, sizes), error, said)
            for sizes, error, said in [
                ((), ValueError, "kernel_sizes=() has no kernel size; wanted at least one, such as (3, 5)"),
                (3, TypeError, "kernel_sizes=3 is a int; wanted a list of integers, such as (3, 5)"),
                ((3, 5.0), TypeError, "kernel_sizes[1]=5.0 is a float; wanted an integer of at least 1"),
                ((True,), TypeError, "kernel_sizes[0]=True is a bool; wanted an integer of at least 1"),
                ("35", TypeError, "kernel_sizes[0]='3' is a str; wanted an integer of at least 1"),
                ((3, 0), ValueError, "kernel_sizes[1]=0 is too small; wanted an integer of at least 1"),
            ]
        ),
        (lambda: show(draw.draw_matrix, TARGET), TypeError, "ue]]) is a ndarray; wanted a MatrixPanel, such as"),
        (lambda: show(draw.draw_matrix, ("yours", YOURS)), TypeError, " is a tuple; wanted a MatrixPanel, such as"),
        (lambda: draw.describe_matrix(YOURS), TypeError, " is a ndarray; wanted a MatrixPanel"),
        (lambda: draw.wrong_cells(YOURS), TypeError, " is a ndarray; wanted a MatrixPanel"),
        (
            lambda: show(draw.draw_wiring, [GROUPED]),
            TypeError,
            "[ConvSpec(8, 6, 3, groups=2)] is a list; wanted a ConvS",
        ),
        (lambda: show(draw.draw_volumes, GROUPED), TypeError, "is a ConvSpec; wanted (layers, input shape), such as"),
        (lambda: show(draw.draw_volumes, "12"), TypeError, "'12' is a str; wanted (layers, input shape)"),
        (lambda: show(draw.draw_volumes, ([GROUPED],)), ValueError, "has length 1; wanted (layers, input shape)"),
        (lambda: show(draw.draw_volumes, SEPARABLE[0]), TypeError, "is a ConvSpec; wanted a list of ConvSpec"),
        (lambda: show(draw.draw_shuffle, 8), TypeError, "8 is a int; wanted (channels, groups), such as (8, 2)"),
        (lambda: show(draw.draw_shuffle, "82"), TypeError, "'82' is a str; wanted (channels, groups)"),
        (lambda: show(draw.draw_shuffle, (8,)), ValueError, "(8,) has length 1; wanted (channels, groups)"),
        (lambda: show(draw.draw_shuffle, (8, 2.0)), TypeError, "groups=2.0 is a float; wanted an integer"),
        (lambda: draw.describe_shuffle(GROUPED), TypeError, "is a ConvSpec; wanted (channels, groups)"),
        (lambda: show(draw.draw_wiring, "GROUPED"), TypeError, "'GROUPED' is a str; wanted a ConvSpec"),
        (
            lambda: show(draw.draw_wiring, ConvSpec(17, 3, 1)),
            ValueError,
            "in_channels=17 is too many to draw; wanted at most 16",
        ),
        (lambda: show(draw.draw_wiring, ConvSpec(3, 17, 1)), ValueError, "out_channels=17 is too many"),
        (lambda: show(draw.draw_shuffle, (18, 2)), ValueError, "channels=18 is too many to draw; wanted at most 16"),
        (lambda: show(draw.draw_shuffle, (8, 3)), ValueError, "groups=3 does not divide"),
        (lambda: show(draw.draw_volumes, ([ConvSpec(1, 1, 1)] * 5, (1, 1, 3, 3))), ValueError, "layers=5 is too many"),
        (lambda: show(draw.draw_matrix, MatrixPanel("a", [1, 2])), ValueError, "shape (2,); wanted 2 axes"),
        (lambda: show(draw.draw_matrix, MatrixPanel("a", np.ones((0, 2)))), ValueError, "shape (0, 2); wanted 2 axes"),
        (lambda: show(draw.draw_matrix, MatrixPanel("a", np.ones((2, 21)))), ValueError, "=21 is too many"),
        (lambda: show(draw.draw_cost_bars, {}), ValueError, "no costs to draw"),
        (lambda: show(draw.draw_cost_bars, {"a": 0}), ValueError, "'a' costs 0; wanted a positive number"),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 5, 5), (0, 3))),
            ValueError,
            "has column 3; wanted 0 to 2",
        ),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 5, 5), (-1, 0))),
            ValueError,
            "position's row=-1 is too small; wanted an integer of at least 0",
        ),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 5, 19), (0, 0))),
            ValueError,
            "=21 is too many to draw",
        ),
        (
            lambda: show(draw.draw_window, WindowStep(STRIDED, (1, 1, 4, 3), (0, 0), NUMBERS)),
            ValueError,
            "values has shape (3, 4); wanted (4, 3), the height and width of the input",
        ),
    ],
)
def test_a_draw_function_says_what_is_wrong_and_what_was_wanted(call, error, message):
    with raises(error, message):
        call()


def test_draw_lists_every_pair_and_what_the_pairs_need():
    drawings = [name for name in dir(draw) if name.startswith("draw_") and callable(getattr(draw, name))]
    assert drawings
    assert {*drawings, *(name.replace("draw_", "describe_") for name in drawings)} <= {*draw.__all__}
    assert {function.__name__ for function in DRAWINGS if function.__module__.startswith("convlab.")} == {*drawings}
