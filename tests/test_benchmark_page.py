"""The tables of benchmarks/README.md on counting tools are what the recorded files say."""

from pathlib import Path

import pandas as pd
import pytest

from convlab.measuring.recordings import recorded_file

README = (Path(__file__).parent.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")
SHORT = {"torch FlopCounterMode": "torch"}


def recorded(name):
    return pd.read_csv(recorded_file(f"{name}.csv")).replace(SHORT)


def lines(rows):
    return [f"| {' | '.join(map(str, row))} |" for row in rows]


def exactness():
    """Return a line for each tool: the share of each family that it counts right, and the most frequent failure."""
    table = recorded("exactness")
    table["said"] = [
        "all" if row.right == row.layers else f"{row.share_right:.1%}, else {row.most_frequent_failure}"
        for row in table.itertuples()
    ]
    families = [f"{family}, {count:,} layers" for family, count in table[["family", "layers"]].drop_duplicates().values]
    rows = [(tool, *group.said) for tool, group in table.groupby("tool", sort=False)]
    return lines([("tool", *families), *rows])


def other_cases():
    """Return a line for each case: the multiple of the right answer that each tool gives."""
    table = recorded("extras")
    table = table[table.tool != "convlab, FLOPs"]
    ratio = table.answer / table.wanted
    said = ratio.map("×{:.3f}".format).mask(ratio == 0, "0").mask(ratio == 1, "right").mask(ratio.isna(), "–")
    rows = [(case, *group) for case, group in said.groupby(table.case, sort=False)]
    return lines([("case", *table.tool.unique()), *rows])


def costs():
    """Return a line for each tool: time as a ratio to thop's, and memory in MiB, on ResNet-50."""
    table = recorded("cost")
    table = table[table.network == "ResNet-50"]
    ratios = [f"{r:.2g}" if r >= 0.01 else f"1/{1 / r:,.0f}" for r in table.ratio_to_thop_median]
    sizes = table[["size_pixels", "batch"]].drop_duplicates().T.values.tolist()
    cells = [f"{ratio}; {mib:,.1f} MiB" for ratio, mib in zip(ratios, table.extra_peak_memory_mib)]
    runs = [f"{size}²" + (f", {n} images" if n > 1 else "") for size, n in zip(*sizes)]
    rows = [(tool, *group) for tool, group in pd.Series(cells).groupby([*table.tool], sort=False)]
    return lines([("tool", *runs), *rows])


@pytest.mark.parametrize("table", [exactness, other_cases, costs])
def test_the_page_shows_the_recorded_table(table):
    assert [line for line in table() if line not in README] == []


def test_the_page_says_how_long_cost_table_takes_at_any_size():
    table = recorded("cost")
    seconds = table[(table.network == "ResNet-50") & (table.tool == "convlab")].seconds_median
    assert f"{1000 * seconds.min():.1f} to {1000 * seconds.max():.1f} ms" in README
