"""The recorded files hold what benchmarks/README.md says, of the layers and networks as they are now."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from convlab import cost_table
from convlab.measuring.accuracy import Accuracy
from convlab.measuring.digits_training import INPUT_SHAPE
from convlab.measuring.recordings import load, recorded_file
from convlab.measuring.timings import LayerTiming, Peaks, Timing
from convlab.networks.digits import WIDTHS, builders
from convlab.networks.single_layers import equal_macs, equal_shapes

README = (Path(__file__).parent.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")
ROWS = {name: load(recorded_file(f"{name}.json")) for name in ("times-cpu", "times-cuda", "accuracy")}
BATCHES = {"times-cpu": (1, 16), "times-cuda": (16, 256)}
THREADS = {"times-cpu": (1, 2), "times-cuda": (1,)}
NETWORKS = ("resnet50", "resnext50_32x4d", "mobilenet_v1")


def of_type(name, kind):
    return [row for row in ROWS[name] if isinstance(row, kind)]


@pytest.mark.parametrize("name", ROWS)
def test_a_file_says_where_it_is_from_and_what_makes_it_again(name):
    data = json.loads(recorded_file(f"{name}.json").read_text(encoding="utf-8"))
    assert f"| `{name}.json` | `{data['command']}` |" in README
    assert {"date", "cpu", "cores", "versions"} <= set(data["machine"])
    assert len({row.source for row in ROWS[name]}) == 1


@pytest.mark.parametrize("name", BATCHES)
def test_the_times_cover_every_layer_under_every_condition_once(name):
    rows = of_type(name, LayerTiming)
    conditions = THREADS[name], ("contiguous", "channels_last"), (False, True)
    seen = Counter(
        (row.layers, row.timing.input_shape, row.timing.threads, row.timing.memory_format, row.timing.backward)
        for row in rows
    )
    wanted = [
        (tuple(layers), shape, *condition)
        for family, batch in product((equal_shapes, equal_macs), BATCHES[name])
        for (layers, shape), condition in product(family(batch=batch).values(), product(*conditions))
    ]
    assert seen == Counter(wanted)
    labels = {
        (tuple(layers), shape): label for f in (equal_shapes, equal_macs) for label, (layers, shape) in f().items()
    }
    for row in rows:
        first = (1, *row.timing.input_shape[1:])
        assert labels[row.layers, first] == row.timing.label
    runs = {(row.timing.measured_at, row.timing.input_shape[0]) for row in rows}
    assert len(runs) == len({measured_at for measured_at, _ in runs}) == 4  # one for each family and batch


@pytest.mark.parametrize("name", BATCHES)
def test_the_times_have_the_networks_and_the_peaks_of_the_same_machine(name):
    assert [peak.threads for peak in of_type(name, Peaks)] == list(THREADS[name])
    found = [(row.label, row.memory_format, row.threads) for row in of_type(name, Timing)]
    assert found == list(product(NETWORKS, ("contiguous", "channels_last"), THREADS[name]))
    assert len({row.measured_at for row in of_type(name, Timing)}) == 1


def test_the_accuracies_are_of_the_networks_of_lesson_09_as_they_cost_now():
    networks = {label: build for comparison in WIDTHS for label, build in builders(comparison).items()}
    rows = {row.label: row for row in of_type("accuracy", Accuracy)}
    assert list(rows) == list(networks)
    for label, build in networks.items():
        total, row = cost_table(build(), INPUT_SHAPE).total, rows[label]
        assert (row.params, row.macs) == (total.params, total.macs)
        assert (row.seeds, len(row.accuracies), row.epochs) == (tuple(range(20)), 20, 30)
        assert all(0.5 < accuracy <= 1 for accuracy in row.accuracies)
    steps = of_type("accuracy", Timing)
    assert [step.label for step in steps] == list(networks)
    assert len({step.measured_at for step in steps}) == 1
    assert all(step.backward for step in steps)


def test_the_table_of_other_peoples_models_is_what_the_recorded_counts_say():
    from benchmarks.zoo import summary

    table = summary()
    assert table["errors"].sum() == table["unexplained"].sum() == 0
    assert table["untouched"].equals(table["models"])
    columns = "models", "equal", "explained", "params equal", "on real data", "with uncounted work"
    for library, row in table.iterrows():
        assert f"| {library} | {' | '.join(str(row[column]) for column in columns)} |" in README
    assert f"on {table['models'].sum()} models" in README
    front = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"counts {table['models'].sum()} models" in front and f"{table['equal'].sum()} are equal to" in front
