"""Times are drawn where they belong, live beside recorded, and the titles say what follows from the data."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.path import Path
from matplotlib.transforms import Bbox
from strategies import raises
from test_benchmark import timed_for
from test_canvas import box, meet, shown, title, words

from convlab import ConvSpec
from convlab.figures import draw_roofline, draw_time_against_macs, draw_time_grid
from convlab.figures.scatter import MAX_POINTS
from convlab.measuring.timings import LayerTiming, Peaks

LAYERS = {  # on 2 images of 3 channels, 8 × 10: bytes of float32 moved and MACs, by hand below
    "standard": ConvSpec(3, 6, 3, padding=1, bias=False),  # 27 * 6 * 160 = 25,920
    "depthwise": ConvSpec.depthwise(3, 3, padding=1, bias=False),  # 27 * 160 = 4,320
    "pointwise": ConvSpec.pointwise(3, 6, bias=False),  # 18 * 160 = 2,880
}
RECORDED = "recorded, 2026-01-02, Some CPU, 6 cores"
PEAKS = Peaks(1e9, 2e8, 1, "2.13.0", "now", copied_bytes=2500)  # the layers touch 3,948 to 6,408 bytes
THEN = Peaks(5e8, 1e8, 1, "2.13.0", "then", RECORDED, copied_bytes=2500)
LARGE = Peaks(1e9, 1e8, 1, "2.13.0", "now", copied_bytes=10**8)


def row(label, *milliseconds, **changed):
    """Return the LayerTiming of a layer, timed for so long in each repeat; five equal repeats for one number."""
    milliseconds = milliseconds if len(milliseconds) > 1 else milliseconds * 5
    return LayerTiming(LAYERS[label], timed_for(*(ms / 1000 for ms in milliseconds), label=label, **changed))


LIVE = [row("standard", 0.1), row("depthwise", 0.05), row("pointwise", 0.01)]
THEN_ROWS = [row("depthwise", 0.2, source=RECORDED, measured_at="then")]
NOISY = row("pointwise", 0.01, 0.02, 0.03, 0.04, 0.05)


OTHER = [
    LayerTiming(LAYERS["standard"], replace(LIVE[0].timing, measured_at="b")),
    LayerTiming(
        ConvSpec(27, 6, 1, bias=False),
        timed_for(*[1e-4] * 5, label="depthwise", input_shape=(2, 27, 8, 10), measured_at="b"),
    ),
]
CONDITIONS = [row(r.timing.label, 0.1, threads=n, measured_at=str(n)) for n in range(1, 19) for r in LIVE]


def timed_under(label, factor, batch=2, **condition):
    """Return one layer's timing under a condition, five rounds of it."""
    found = row(label, *(factor * n for n in (1, 1.01, 1.02, 1, 1.01)), **condition)
    shape = (batch, *found.timing.input_shape[1:])
    return replace(found, timing=replace(found.timing, input_shape=shape, measured_at=f"{batch}"))


GRID = [
    timed_under(label, factor * threads, batch, threads=threads, backward=backward, memory_format=form)
    for batch in (2, 16)
    for form in ("contiguous", "channels_last")
    for backward in (False, True)
    for threads in (1, 2)
    for label, factor in (("standard", 1), ("depthwise", 0.05 * batch), ("pointwise", 1 if backward else 1.4))
]
ONE_THREAD = [r for r in GRID if r.timing.threads == 1]


def points(ax):
    """Return legend label → (x, y) of its points, their marker, and whether they are filled."""
    found = {}
    for container in ax.containers:
        line = container.lines[0]
        filled = to_hex(line.get_markerfacecolor(), keep_alpha=True) != "#00000000"
        found[container.get_label()] = list(zip(*line.get_data())), line.get_marker(), filled
    return found


def bars(ax):
    """Return the two ends of each bar, source by source; points without a bar are left out."""
    return [path for container in ax.containers for path in container.lines[2][0].get_segments() if len(path)]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def check_labels(figure, count):
    """Check that there are so many labels, inside the axes, and that they hide no point, bar, line or other label."""
    (ax,) = figure.axes
    labels, key = [box(text) for text in ax.texts], ax.get_legend().get_window_extent()
    assert len(labels) == count
    assert not [pair for pair in combinations([*labels, key], 2) if meet(*pair)]
    assert all(ax.bbox.x0 <= label.x0 + 1 and label.x1 <= ax.bbox.x1 + 1 and label.y0 >= ax.bbox.y0 for label in labels)
    places = [ax.transData.transform(place) for found, *_ in points(ax).values() for place in found]
    discs = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in places]
    for disc in (*discs, *(Bbox(ax.transData.transform(bar)) for bar in bars(ax))):
        assert not disc.count_overlaps([*labels, key])
    for line in ax.lines:
        if line.get_label() in legend(ax):
            path = Path(ax.transData.transform([xy for xy in line.get_xydata() if np.isfinite(xy).all()]))
            assert not any(path.intersects_bbox(label, filled=False) for label in labels)


def test_draw_roofline_puts_each_layer_at_its_macs_per_byte_and_per_second():
    ax = draw_roofline((PEAKS, LIVE))
    # numbers moved: input 2 * 3 * 80, weights, output; each of 4 bytes
    intensity = [25920 / (4 * (480 + 162 + 960)), 4320 / (4 * (480 + 27 + 480)), 2880 / (4 * (480 + 18 + 960))]
    rates = [25920 / 0.1e-3 / 1e9, 4320 / 0.05e-3 / 1e9, 2880 / 0.01e-3 / 1e9]
    np.testing.assert_allclose(points(ax)["live"][0], list(zip(intensity, rates)))
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "MACs per byte (log scale)"
    assert ax.get_ylabel() == "billion MACs per second (log scale)"


def test_the_bar_in_a_roofline_is_the_middle_half_of_the_repeats():
    (bar,) = bars(draw_roofline((PEAKS, row("standard", 0.1, 0.2, 0.3, 0.4, 0.9))))
    np.testing.assert_allclose(bar[:, 1], (25920 / 0.4e6, 25920 / 0.2e6))


def test_draw_roofline_draws_the_roof_of_each_copy_that_a_layer_is_compared_with_and_of_the_largest():
    middle = replace(LARGE, copied_bytes=30_000)
    slower = replace(PEAKS, macs_per_second=9e8, process=2)
    ax = draw_roofline(([PEAKS, slower, middle, LARGE, THEN], LIVE))
    assert len(legend(ax)) == 3  # two roofs, and the points
    for line, memory in zip(ax.lines, (0.2, 0.1)):  # billions per second
        x, y = line.get_data()
        np.testing.assert_allclose(y, np.minimum(1, memory * x))
        assert tuple(x[[0, -1]]) == pytest.approx(ax.get_xlim())
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert legend(ax)[:2] == [
        "roof with 0.005 MB copied: 1 billion MACs/s, 0.2 billion bytes/s",
        "roof with 200 MB copied: 1 billion MACs/s, 0.1 billion bytes/s",
    ]


def test_the_rates_of_a_gpu_are_written_without_an_exponent():
    fast = replace(PEAKS, macs_per_second=2.0905e14, bytes_per_second=2.8567e12)
    assert "copied: 209,000 billion MACs/s, 2,860 billion bytes/s" in legend(draw_roofline((fast, LIVE)))[0]


def test_each_layer_is_compared_with_the_roof_of_its_own_machine_and_threads():
    two = replace(PEAKS, threads=2, macs_per_second=4e9, bytes_per_second=8e8)
    depthwise = row("depthwise", 0.05)
    for rows, share in ((depthwise, 86.4 / 218.845), (row("depthwise", 0.05, threads=2), 86.4 / 875.38)):
        # million MACs/s; 1.0942 MACs a byte × the bandwidth
        (said,) = re.findall(r"reached: depthwise ([0-9.]+) %", draw_roofline.describe(([two, THEN, PEAKS], rows)))
        assert float(said) == pytest.approx(100 * share, rel=1e-2)


@pytest.mark.parametrize(
    ("peaks", "rows", "message"),
    [
        ([THEN, PEAKS], row("depthwise", 0.05, threads=2), "'depthwise' touches 3,948 bytes, live, threads=2; wanted"),
        (LARGE, LIVE[1], "'depthwise' touches 3,948 bytes, live, threads=1; wanted Peaks of that with a copy near"),
        ([THEN, PEAKS], [*LIVE, *THEN_ROWS], "the timings are of 2 machines: live, 1 thread; recorded, 2026-01-02"),
        ([THEN, PEAKS], [LIVE[0], row("depthwise", 0.05, threads=2)], "live, 1 thread; live, 2 threads; wanted one"),
    ],
)
def test_a_roofline_is_of_one_machine_with_copies_of_the_size_of_its_layers(peaks, rows, message):
    with raises(ValueError, message):
        draw_roofline((peaks, rows))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (LIVE, "2 images, 1 thread. Share of the roof reached: standard 32 %, pointwise 292 %"),
        (LIVE[:1], "2 images, 1 thread. Share of the roof reached: standard 32 %"),
        ([*LIVE[:2], NOISY], "2 images, 1 thread. Share of the roof reached: standard 32 %, depthwise 39.5 %"),
        (THEN_ROWS, "2 images, 1 thread. Share of the roof reached: depthwise 19.7 %"),
        ([NOISY], "Too noisy to read: time it again on a quieter machine"),
    ],
)
def test_the_title_of_a_roofline_names_the_ends_of_the_readable_rows(rows, wanted):
    assert title(draw_roofline(([PEAKS, THEN], rows))) == wanted
    assert draw_roofline.describe(([PEAKS, THEN], rows)).startswith(f"{wanted}. ")


def test_draw_time_against_macs_puts_each_layer_at_its_share_of_macs_and_time():
    ax = draw_time_against_macs([row("standard", 0.1, 0.2, 0.3, 0.6, 0.9), row("depthwise", 0.1, 0.1, 0.6, 0.3, 0.6)])
    np.testing.assert_allclose(points(ax)["live"][0], [(100, 100), (100 / 6, 200 / 3)])  # rounds 1, 1/2, 2, 1/2, 2/3
    np.testing.assert_allclose([bar[:, 1] for bar in bars(ax)], [(100, 100), (50, 100)])
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(x, y)
    assert legend(ax)[0] == "time in proportion to MACs"
    assert ax.get_xlabel() == "MACs, % (log scale)" and ax.get_ylabel() == "time, % (log scale)"


def test_each_run_in_a_chart_of_times_has_its_own_100_percent():
    then = {"source": RECORDED, "measured_at": "then"}
    ax = draw_time_against_macs([*LIVE, row("depthwise", 0.4, **then), row("pointwise", 0.2, **then)])
    np.testing.assert_allclose(points(ax)["live"][0], [(100, 100), (100 / 6, 50), (100 / 9, 10)])
    np.testing.assert_allclose(points(ax)[RECORDED][0], [(100, 100), (200 / 3, 50)])


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (LIVE, "pointwise: 11.1 % of the MACs of standard, 10 to 10 % of its time"),
        ([*LIVE[1:], *THEN_ROWS], "pointwise: 66.7 % of the MACs of depthwise, 20 to 20 % of its time"),
        (
            [row("standard", 1, 10, 1, 10, 1), row("depthwise", 0.1, 2, 0.3, 4, 0.5)],
            "depthwise: 16.7 % of the MACs of standard, 20 to 40 % of its time",
        ),
    ],
)
def test_the_title_of_a_chart_of_times_compares_the_fewest_and_the_most_macs_of_one_run(rows, wanted):
    assert title(draw_time_against_macs(rows)) == wanted
    assert draw_time_against_macs.describe(rows).startswith(f"{wanted}. ")


def test_the_alt_text_of_a_chart_says_every_number_and_its_source():
    assert draw_time_against_macs.describe([LIVE[0], NOISY, *THEN_ROWS]).endswith(
        ". standard (live, 1 thread): 100 % of the MACs, 100 % of the time; "
        "pointwise (live, 1 thread, too noisy): 11.1 % of the MACs, 30 % of the time; "
        f"depthwise ({RECORDED}, 1 thread): 100 % of the MACs, 100 % of the time."
    )
    assert draw_roofline.describe((PEAKS, LIVE[:1])) == (
        "2 images, 1 thread. Share of the roof reached: standard 32 %. standard (live, 1 thread): 4.04 MACs per byte, "
        "0.259 billion MACs/s, 32 %. Roof with 0.005 MB copied: 1 billion MACs/s, 0.2 billion bytes/s."
    )


def test_live_and_recorded_differ_in_marker_filling_and_words():
    draw = draw_time_against_macs
    for rows in (LIVE + THEN_ROWS, THEN_ROWS + LIVE):
        ax = draw(rows)
        found = [(label, *look, len(places)) for label, (places, *look) in points(ax).items()]
        assert found == [("live", "o", True, 3), (RECORDED, "s", False, 1)]
        assert legend(ax)[-2:] == ["live", RECORDED]
    other = replace(THEN_ROWS[0].timing, source="recorded, 2026-02-02, Other CPU, 1 cores")
    ax = draw_time_against_macs([*THEN_ROWS, replace(THEN_ROWS[0], timing=other)])
    assert [look for _, *look in points(ax).values()] == [["s", False], ["D", False]]


def test_a_point_in_a_chart_of_times_is_noisy_by_its_ratio_and_not_by_its_time():
    drifting = [row("standard", 1, 2, 8, 4, 30), row("depthwise", 0.1, 0.2, 0.8, 0.4, 3)]
    assert all(r.timing.is_noisy for r in drifting)
    assert words(draw_time_against_macs(drifting)) == ["standard", "depthwise"]
    assert words(draw_time_against_macs([LIVE[0], NOISY])) == ["standard", "pointwise (too noisy)"]


def test_a_live_and_a_recorded_point_at_one_place_share_a_label():
    then = {"source": RECORDED, "measured_at": "then"}
    rows = [*LIVE, row("standard", 0.2, **then), row("depthwise", 0.1, **then), row("pointwise", 0.1, **then)]
    written = words(draw_time_against_macs(rows))
    assert written == ["standard", "depthwise", "pointwise", "pointwise"]  # 10 % and 50 % of the time


@pytest.mark.parametrize("seed", range(3))
def test_no_label_of_a_chart_of_times_hides_anything(seed):
    exponents = np.random.default_rng(seed).uniform(-2, 0, MAX_POINTS)
    rows = [row(name, 10**exponent) for name, exponent in zip([*LAYERS] * 4, exponents)]
    rows[5:] = [replace(r, timing=replace(r.timing, source=RECORDED, measured_at="then")) for r in rows[5:]]
    rows = [replace(r, timing=replace(r.timing, label=f"{r.timing.label} {n}")) for n, r in enumerate(rows)]
    check_labels(shown(draw_time_against_macs, rows)[1], MAX_POINTS)
    rows = [replace(r, timing=replace(r.timing, source="live")) for r in rows]
    check_labels(shown(draw_roofline, ([PEAKS, LARGE], rows))[1], MAX_POINTS)


@pytest.mark.parametrize(
    ("draw", "data", "error", "message"),
    [
        (draw_time_against_macs, [], TypeError, "[] is a list; wanted at least one LayerTiming"),
        (draw_time_against_macs, LIVE[0].timing, TypeError, "is a Timing; wanted at least one LayerTiming"),
        (draw_roofline, LIVE[0], TypeError, "is a LayerTiming; wanted (peaks, timings), such as"),
        (draw_roofline, (PEAKS,), ValueError, "has length 1; wanted (peaks, timings)"),
        (draw_roofline, (LIVE, PEAKS), TypeError, "is a LayerTiming; wanted at least one Peaks"),
        (draw_roofline, (PEAKS, LIVE * 4), ValueError, "timings=12 is too many to draw; wanted at most 10"),
        (draw_time_grid, [], TypeError, "[] is a list; wanted at least one LayerTiming"),
        (draw_time_grid, LIVE[1:], ValueError, "no layer beside a standard one; wanted LayerTimings with the label"),
        (draw_time_grid, [*LIVE, *OTHER], ValueError, "two families of layers in one grid; wanted those at equal"),
        (draw_time_grid, CONDITIONS, ValueError, "conditions=18 is too many to draw; wanted at most 16"),
        (draw_time_grid, [*LIVE, *THEN_ROWS], ValueError, "the timings are of 2 sources, ['live', 'recorded, 2026"),
    ],
)
def test_a_chart_of_times_says_what_is_wrong_and_what_was_wanted(draw, data, error, message):
    for function in (draw, draw.describe):
        with raises(error, message):
            function(data)


def test_a_dictionary_and_a_single_row_are_drawn_too():
    describe = draw_time_against_macs.describe
    assert describe({r.timing.label: r for r in LIVE}) == describe(LIVE)
    assert describe(LIVE[0]) == describe(LIVE[:1])


def test_a_grid_has_a_column_for_each_condition_with_heads_in_words():
    ax = draw_time_grid(GRID)
    said = words(ax)
    assert said[:2] == ["2 images", "16 images"]
    assert said.count("contiguous") == said.count("channels-last") == 2
    assert said.count("forward") == said.count("both passes") == 4
    assert said.count("1") == said.count("2") == 8 and said.count("threads") == 1
    assert [word for word in said if word in LAYERS] == ["depthwise", "pointwise"]
    numbers = [word for word in said if re.fullmatch(r"\d\.\d+|\d\d", word)]
    row_1, row_2 = ["0.10"] * 8 + ["0.80"] * 8, ["1.4", "1.4", "1.0", "1.0"] * 4
    assert numbers == row_1 + row_2


def test_a_grid_of_one_thread_has_wider_cells_and_no_threads():
    said = words(draw_time_grid(ONE_THREAD))
    assert "threads" not in said and "1" not in said
    assert said.count("0.80") == 4


def test_a_cell_has_the_colour_of_its_outcome_and_a_noisy_one_is_hatched_without_a_number():
    noisy = [
        replace(r, timing=replace(r.timing, seconds=(1, 2, 4, 3, 8))) if n == 1 else r for n, r in enumerate(ONE_THREAD)
    ]
    ax = draw_time_grid(noisy)
    cells = [p for p in ax.patches if p.get_width() == 2]
    faces = [to_hex(p.get_facecolor()) for p in cells]
    assert [bool(p.get_hatch()) for p in cells] == [True] + [False] * 15
    less, more, open_ = faces[1], faces[8], faces[9]
    assert len({less, more, open_}) == 3 and open_ == "#ffffff"  # 1.0 with both passes is open
    assert faces == ["#ffffff"] + [less] * 3 + [faces[4]] * 4 + [more, open_] * 4
    assert faces[4] != less  # 0.8 is paler than 0.1
    assert sum(word == "0.10" for word in words(ax)) == 3
    assert (
        title(ax)
        == "Time over that of the standard layer, this machine: less in 7, more in 4, open in 4, not measured in 1"
    )


def test_the_alt_text_of_a_grid_says_every_number_with_its_condition():
    said = draw_time_grid.describe(ONE_THREAD)
    assert "2 images, channels-last, both passes, 1 thread: depthwise 0.10, pointwise 1.0; " in said
    assert said.endswith("16 images, channels-last, both passes, 1 thread: depthwise 0.80, pointwise 1.0.")
    assert said.startswith(f"{title(draw_time_grid(ONE_THREAD))}. ")


def test_a_grid_of_a_recording_says_the_machine():
    rows = [replace(r, timing=replace(r.timing, source=RECORDED)) for r in ONE_THREAD]
    assert title(draw_time_grid(rows)).startswith("Time over that of the standard layer, Some CPU, 6 cores: less in 8")
