"""A table adds up, and shows the same integers as text, as HTML and in pandas."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hypothesis import given
from pandas import DataFrame, MultiIndex, Series
from strategies import chains, raises, torch_layer
from torch.utils.flop_counter import FlopCounterMode

from convlab import ConvSpec, cost_table, flop_count
from convlab.counting import layer_cost, named_layers
from convlab.table import CostTable, LayerCost, show_table

COUNTS = ["params", "macs", "flops"]
CHAIN = [
    ("first", ConvSpec(3, 16, (3, 5), padding=1)),
    ("second", ConvSpec(16, 32, 3, stride=(2, 1), groups=4)),
    ("third", ConvSpec.pointwise(32, 6, bias=False)),
]
HUGE = cost_table([ConvSpec(3, 5, 3), ConvSpec(5, 7, 1)], (10**12, 3, 10**4, 10**4))


@pytest.fixture
def table() -> CostTable:
    return cost_table(CHAIN, (2, 3, 300, 200))


def numbers(row: LayerCost) -> list[int]:
    return [row.params, row.macs, row.flops]


def mobilenet(width: float = 1, full: bool = False) -> list[ConvSpec]:
    """Return MobileNetV1's layers without the pooling and the classifier (Howard et al. 2017, Table 1)."""
    outs = [64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    channels = int(32 * width)
    layers = [ConvSpec(3, channels, 3, 2, 1, bias=False)]
    for out, stride in zip(outs, strides):
        out = int(out * width)
        options = {"stride": stride, "padding": 1, "bias": False}
        layers += [ConvSpec(channels, out, 3, **options)] if full else ConvSpec.separable(channels, out, 3, **options)
        channels = out
    return layers


# Rows and total


@given(chains())
def test_cost_table_agrees_with_torchs_sequential(chain):
    layers, shape = chain
    table, modules = cost_table([ConvSpec(**layer) for layer in layers], shape), [*map(torch_layer, layers)]
    x = torch.empty(shape, device="meta")
    for row, module in zip(table.rows, modules, strict=True):
        with FlopCounterMode(display=False) as counter:
            x = module(x)
        assert row.output_shape == tuple(x.shape)
        assert row.params == sum(parameter.numel() for parameter in module.parameters())
        assert 2 * row.macs == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        torch.nn.Sequential(*modules)(torch.empty(shape, device="meta"))
    assert table.total.output_shape == tuple(x.shape)
    assert 2 * table.total.macs == counter.get_total_flops()


@given(chains())
def test_cost_table_adds_up(chain):
    layers, shape = chain
    table = cost_table([ConvSpec(**layer) for layer in layers], shape)
    inputs = [shape, *(row.output_shape for row in table.rows)]
    assert [row.flops for row in table.rows] == [flop_count(ConvSpec(**layer), x) for layer, x in zip(layers, inputs)]
    assert numbers(table.total) == [sum(column) for column in zip(*map(numbers, table.rows))]


def test_cost_table_keeps_names_and_numbers_the_layers_without_one():
    layers = [ConvSpec(3, 4, 1), ("mix", ConvSpec(4, 5, 1)), ConvSpec(5, 6, 1)]
    for given_layers in (layers, tuple(layers), iter(layers), [layers[0], list(layers[1]), layers[2]]):
        table = cost_table(given_layers, (1, 3, 8, 9))
        assert [row.name for row in table.rows] == ["layer 1", "mix", "layer 3"]
    assert table.total.name == "total"


@pytest.mark.parametrize(
    ("spec", "size", "kind"),
    [
        (ConvSpec(6, 9, 3), (7, 5), "standard"),
        (ConvSpec(6, 9, (1, 3)), (7, 5), "standard"),
        (ConvSpec(6, 9, 3, padding=1), (1, 1), "standard"),
        (ConvSpec(6, 9, 3, groups=3), (7, 5), "grouped"),
        (ConvSpec(6, 4, 3, groups=2), (7, 5), "grouped"),
        (ConvSpec(6, 9, 1, groups=3), (7, 5), "grouped"),
        (ConvSpec(6, 6, 3, groups=6), (7, 5), "depthwise"),
        (ConvSpec(2, 6, 3, groups=2), (7, 5), "depthwise"),
        (ConvSpec(6, 12, 1, groups=6), (1, 1), "depthwise"),
        (ConvSpec(12, 6, 3, groups=6), (7, 5), "grouped"),
        (ConvSpec(6, 9, 1), (7, 5), "pointwise"),
        (ConvSpec(6, 9, 1), (1, 5), "pointwise"),
        (ConvSpec(6, 9, 1), (7, 1), "pointwise"),
        (ConvSpec(6, 9, 1), (1, 1), "linear"),
    ],
)
def test_the_kind_of_a_layer_is_its_usual_name(spec, size, kind):
    shape = (2, spec.in_channels, *size)
    assert layer_cost("layer", spec, shape).kind == layer_cost("layer", spec, list(shape)).kind == kind


def test_kind_depends_on_the_input_of_the_layer_and_not_on_its_output():
    rows = cost_table([ConvSpec(3, 4, 1, stride=3), ConvSpec(4, 9, 1)], (1, 3, 3, 3)).rows
    assert [row.kind for row in rows] == ["pointwise", "linear"]


def test_a_layer_used_twice_is_counted_twice():
    layer = ConvSpec(4, 4, 3, padding=1)
    once, twice = (cost_table([layer] * times, (1, 4, 9, 7)).total for times in (1, 2))
    assert numbers(twice) == [2 * n for n in numbers(once)]


# Published numbers


def test_cost_table_of_the_separable_example_is_the_published_one():  # D1-7
    total = cost_table(ConvSpec.separable(3, 256, 5, bias=False), (1, 3, 12, 12)).total
    assert (total.macs, total.params) == (53_952, 843)
    assert total.macs / 1_228_800 == total.params / 19_200 == 0.04390625


def test_cost_table_completes_the_example_that_was_cut_off():  # D0-10
    total = cost_table(ConvSpec.separable(3, 6, 11, stride=4, bias=False), (1, 3, 227, 227)).total
    assert (total.macs, total.params, total.output_shape) == (1_152_525, 381, (1, 6, 55, 55))


def test_cost_table_of_the_3_to_16_example_is_the_published_one():  # D2-5
    total = cost_table(ConvSpec.separable(3, 16, 3, padding=1), (1, 3, 32, 32)).total
    assert (total.macs, total.params, total.output_shape) == (76_800, 94, (1, 16, 32, 32))


@pytest.mark.parametrize(
    ("width", "resolution", "million_macs"),
    [
        pytest.param(1, 224, 569, id="Howard et al. 2017, Table 6, width 1.0"),
        pytest.param(0.75, 224, 325, id="Howard et al. 2017, Table 6, width 0.75"),
        pytest.param(0.5, 224, 149, id="Howard et al. 2017, Table 6, width 0.5"),
        pytest.param(0.25, 224, 41, id="Howard et al. 2017, Table 6, width 0.25"),
        pytest.param(1, 192, 418, id="Howard et al. 2017, Table 7, resolution 192"),
        pytest.param(1, 160, 290, id="Howard et al. 2017, Table 7, resolution 160"),
        pytest.param(1, 128, 186, id="Howard et al. 2017, Table 7, resolution 128"),
    ],
)
def test_cost_table_of_mobilenet_is_the_published_one(width, resolution, million_macs):
    body = cost_table(mobilenet(width), (1, 3, resolution, resolution)).total
    head = cost_table([ConvSpec.linear(body.output_shape[1], 1000)], (1, body.output_shape[1], 1, 1)).total
    assert abs((body.macs + head.macs) / 1e6 - million_macs) < 1  # rounded in the paper, 290 cut off


def test_cost_table_of_mobilenet_with_full_convolutions_is_the_published_one():  # Howard et al. 2017, Table 4
    total = cost_table(mobilenet(full=True), (1, 3, 224, 224)).total
    assert round(total.macs / 1e6) == 4866


def test_cost_tables_of_vgg_16_add_up_to_the_published_one():  # torchvision, VGG16_Weights: parameters and GFLOPS
    stages = [(224, [64, 64]), (112, [128] * 2), (56, [256] * 3), (28, [512] * 3), (14, [512] * 3)]
    tables, channels = [], 3
    for size, outs in stages:
        layers = [ConvSpec(c, m, 3, padding=1) for c, m in zip([channels, *outs], outs)]
        tables.append(cost_table(layers, (1, channels, size, size)))
        channels = outs[-1]
    head = [ConvSpec.linear(7 * 7 * 512, 4096), ConvSpec.linear(4096, 4096), ConvSpec.linear(4096, 1000)]
    tables.append(cost_table(head, (1, 7 * 7 * 512, 1, 1)))
    assert sum(table.total.params for table in tables) == 138_357_544
    assert round(sum(table.total.macs for table in tables) / 1e9, 2) == 15.47


# Text


def test_text_shows_every_integer_with_separators_flush_right_under_its_heading(table):
    for shown in (table, HUGE):
        heading, *lines = str(shown).partition("\nFor the input")[0].splitlines()
        assert {len(line) for line in lines} == {len(heading)}
        for line, row in zip(lines, [*shown.rows, shown.total], strict=True):
            for title, number in zip(["parameters", " MACs", "FLOPs"], numbers(row)):
                end = heading.index(title) + len(title)
                assert line[:end].split()[-1] == f"{number:,}"
            assert row.name in line and row.kind in line and str(row.output_shape) in line


def test_text_gives_each_share_of_the_macs(table):
    shares = [
        float(line.split()[-1].rstrip("%")) / 100
        for line in str(table).partition("\nFor the input")[0].splitlines()[1:]
    ]
    wanted = [row.macs / table.total.macs for row in table.rows]
    assert shares == pytest.approx([*wanted, 1], abs=5e-5)
    assert repr(table) == str(table)


# HTML


class Page(HTMLParser):
    """The rows of a page, each a list of cells (text, attributes, style), and its tags."""

    def __init__(self, html: str):
        super().__init__()
        self.rows, self.tags, self.cell = [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            rules = dict(attributes).get("style", "")
            style = dict(rule.split(":") for rule in rules.split(";") if rule)
            self.cell = ["", dict(attributes), style]
            self.rows[-1].append(self.cell)

    def handle_endtag(self, tag):
        self.cell = None if tag in ("td", "th") else self.cell

    def handle_data(self, data):
        if self.cell:
            self.cell[0] += data

    def texts(self):
        return [[text for text, *_ in row] for row in self.rows]

    def slots(self):
        """Return how many columns each row of the table fills, cells that reach down from above included."""
        filled = {}
        for y, row in enumerate(self.rows):
            x = 0
            for _, attributes, _ in row:
                while (y, x) in filled:
                    x += 1
                for down in range(int(attributes.get("rowspan", 1))):
                    for right in range(int(attributes.get("colspan", 1))):
                        assert (y + down, x + right) not in filled
                        filled[y + down, x + right] = True
        return [sum(1 for at, _ in filled if at == y) for y in range(len(self.rows))]


def test_html_shows_the_same_integers(table):
    for shown in (table, HUGE):
        titles, *lines = Page(shown._repr_html_()).texts()
        for line, row in zip(lines, [*shown.rows, shown.total], strict=True):
            cells = dict(zip(titles, line, strict=True))
            assert [cells[title] for title in ("parameters", "MACs", "FLOPs")] == [f"{n:,}" for n in numbers(row)]
            assert (cells["layer"], cells["kind"]) == (row.name, row.kind)
            assert cells["output shape"] == str(row.output_shape)
            assert cells["share of MACs"] == f"{row.macs / shown.total.macs:.2%}"


def test_html_aligns_numbers_right_and_words_left(table):
    for column in zip(*Page(table._repr_html_()).rows):
        title = column[0][0]
        wanted = "left" if title in ("layer", "kind", "output shape") else "right"
        assert {style["text-align"] for _, _, style in column} == {wanted}, title


def test_html_marks_the_total_alone_as_bold(table):
    bold = [{style.get("font-weight") for _, _, style in row} for row in Page(table._repr_html_()).rows]
    assert bold == [{None}] * (len(bold) - 1) + [{"bold"}]


def test_html_escapes_the_names():
    name = "<b>a & b</b><script>"
    html = cost_table([(name, ConvSpec(3, 4, 1))], (1, 3, 5, 5))._repr_html_()
    assert "<b>" not in html and "<script>" not in html
    assert Page(html).rows[1][0][0] == name


def test_html_has_no_style_sheet_no_id_no_colour_of_its_own_and_no_heading_without_a_name(table):
    grid = DataFrame([[1, 2], [3, 4]], index=["a", "b"], columns=MultiIndex.from_product([["x"], [1, 2]]))
    named = grid.rename_axis(columns=["over", "under"])
    for shown in (table, table.grouped(), show_table(grid, "row", caption="note"), show_table(named, "row")):
        page = Page(shown._repr_html_())
        assert {tag for tag, _ in page.tags} <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "br"}
        for tag, attributes in page.tags:
            assert "id" not in attributes
            assert not re.search(r"color:(?!inherit)", attributes.get("style", ""))
            assert tag != "caption" or {"text-align:left", "color:inherit"} <= {*attributes["style"].split(";")}
        assert all(text for row, tags in zip(page.texts(), page.rows) for text in row if "scope" in tags[0][1])
        assert len(set(page.slots())) == 1


@pytest.mark.parametrize(
    ("texts", "side"),
    [
        (["1,234", "–", ""], "right"),
        (["94.86%", "4.4 %", "−3", "×1.02"], "right"),
        (["7.0 KiB", "569 million", "2 ms"], "right"),
        (["1 (0.93 to 1.06)", "0.17 (0.1 to 0.2)"], "right"),
        ([5, 1234], "right"),
        (["D0-3 D0-9", "3"], "left"),
        (["75.0%; else zero", "100.0%"], "left"),
        (["128 → 128"], "left"),
        (["–", ""], "left"),
        ([True, False], "left"),
    ],
)
def test_a_column_of_numbers_stands_at_the_right_and_any_other_at_the_left(texts, side):
    frame = DataFrame({"title": Series(texts, dtype=object)})
    column = [row[1] for row in Page(show_table(frame, "row")._repr_html_()).rows]
    assert {style["text-align"] for *_, style in column} == {side}


def test_show_table_heads_levels_once_and_names_each():
    index = MultiIndex.from_product([[1, 16], ["a", "b"]], names=["batch", "layer"])
    columns = MultiIndex.from_product([["x", "y"], [1, 2]], names=["format", "threads"])
    frame = DataFrame(np.arange(16).reshape(4, 4) * 1000, index, columns)
    page = Page(show_table(frame)._repr_html_())
    assert page.texts()[:5] == [
        ["format", "x", "y"],
        ["threads", "1", "2", "1", "2"],
        ["batch", "layer"],
        ["1", "a", "0", "1,000", "2,000", "3,000"],
        ["b", "4,000", "5,000", "6,000", "7,000"],
    ]
    assert page.slots() == [6] * 7
    assert [attributes["scope"] for _, attributes, _ in page.rows[3] if "scope" in attributes] == ["row", "row"]
    assert repr(show_table(frame)) == repr(frame)
    assert Page(show_table(frame.astype(object).where(frame > 0))._repr_html_()).texts()[3][2] == ""


def test_show_table_escapes_what_it_shows():
    html = show_table(DataFrame({"<b>": ["<i>"]}, index=["<u>"]), "<s>", caption="<p>")._repr_html_()
    assert not re.findall("<[bisup]>", html) and html.count("&lt;") == 5


def test_show_table_wants_a_name_for_each_level_of_the_rows():
    frame = DataFrame({"a": [1]}, index=["x"])
    with raises(ValueError, "the rows' names are [None]; wanted what the rows are, such as show_table(frame, 'net"):
        show_table(frame)
    with raises(ValueError, "2 names, 'a' and 'b', for 1 levels; wanted what the rows are"):
        show_table(frame, "a", "b")
    assert show_table(frame.rename_axis("net")).to_html() == show_table(frame, "net").to_html()


def test_the_same_table_gives_the_same_html(table):
    assert table._repr_html_() == cost_table(CHAIN, (2, 3, 300, 200))._repr_html_()


# pandas


def test_to_pandas_has_a_row_for_each_layer_and_a_column_for_each_number(table):
    frame = table.to_pandas()
    assert list(frame) == ["name", "kind", "output_shape", "params", "macs", "flops", "share"]
    assert list(frame["name"]) == ["first", "second", "third"]
    assert frame["kind"].tolist() == ["standard", "grouped", "pointwise"]
    assert frame["output_shape"].tolist() == [row.output_shape for row in table.rows]
    for name in COUNTS:
        assert frame[name].tolist() == [getattr(row, name) for row in table.rows]
        assert frame[name].sum() == getattr(table.total, name)
    assert frame["share"].tolist() == [row.macs / table.total.macs for row in table.rows]
    assert frame["share"].sum() == pytest.approx(1)


def test_to_pandas_keeps_integers_beyond_63_bits():
    frame = HUGE.to_pandas()
    for name in COUNTS:
        assert frame[name].tolist() == [getattr(row, name) for row in HUGE.rows]
        assert frame[name].sum() == getattr(HUGE.total, name)


@pytest.mark.parametrize("images", [2**54, 2**55])  # the sum of the FLOPs is beyond 63 bits, and that of the MACs too
def test_to_pandas_sums_exactly_when_only_the_sum_is_beyond_63_bits(images):
    table = cost_table([ConvSpec(4, 9, 1), ConvSpec(9, 4, 1)], (images, 4, 2, 2))
    assert max(row.macs for row in table.rows) < 2**63 < table.total.flops
    for name in COUNTS:
        assert table.to_pandas()[name].sum() == getattr(table.total, name)


# What is refused


@pytest.mark.parametrize("layers", [None, 3, "ConvSpec", ConvSpec(3, 4, 1)])
def test_cost_table_refuses_what_is_no_list(layers):
    wanted = f"layers={layers!r} is a {type(layers).__name__}; wanted a list of ConvSpec or of (name, ConvSpec) pairs"
    with raises(TypeError, wanted):
        cost_table(layers, (1, 3, 5, 5))


@pytest.mark.parametrize("layer", [None, (4, 5, 1), ("conv",), ("conv", None), (1, ConvSpec(4, 5, 1)), "conv"])
def test_cost_table_names_the_item_that_is_no_layer(layer):
    with raises(TypeError, f"layer 2 is {layer!r}; wanted a list of ConvSpec or of (name, ConvSpec) pairs"):
        cost_table([ConvSpec(3, 4, 1), layer], (1, 3, 5, 5))


def test_cost_table_refuses_an_empty_list():
    with raises(ValueError, "layers=[] has no layer; wanted a list of ConvSpec or of (name, ConvSpec) pairs"):
        cost_table([], (1, 3, 5, 5))


def test_named_layers_gives_names_to_specs():
    spec = ConvSpec(3, 4, 1)
    assert named_layers([("a", spec), spec]) == [("a", spec), ("layer 2", spec)]


@pytest.mark.parametrize(("name", "prefix"), [("mix", "mix"), (None, "layer 2")])
def test_cost_table_names_the_layer_whose_channels_do_not_match(name, prefix):
    spec = ConvSpec(5, 6, 1)
    layers = [ConvSpec(3, 4, 3), (name, spec) if name else spec]
    with raises(ValueError, f"{prefix}: input_shape=(2, 4, 5, 7) has 4 channels; wanted in_channels=5"):
        cost_table(layers, (2, 3, 7, 9))


def test_cost_table_names_the_layer_whose_window_is_too_large():
    with raises(ValueError, "last: the window spans 4 and the padded image has 3 (height: 3 + 0 + 0)"):
        cost_table([ConvSpec(3, 4, 3), ("last", ConvSpec(4, 4, 4))], (1, 3, 5, 9))


def test_cost_table_checks_the_shape_before_the_layers():
    with pytest.raises(ValueError) as error:
        cost_table([ConvSpec(3, 4, 1)], (3, 5, 5))
    assert str(error.value).startswith("input_shape=(3, 5, 5) has 3 numbers; wanted 4: (N, C, H, W)")
    with raises(TypeError, "input_shape=None is a NoneType; wanted a tuple (N, C, H, W)"):
        cost_table([ConvSpec(3, 4, 1)], None)


def test_a_table_without_rows_is_refused():
    with raises(ValueError, "a CostTable has no rows; wanted at least one LayerCost"):
        CostTable([])


def test_a_pointwise_layer_that_pads_a_1x1_image_is_not_linear():
    assert cost_table([ConvSpec(8, 6, 1, padding=1)], (1, 8, 1, 1)).rows[0].kind == "pointwise"
