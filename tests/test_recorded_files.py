"""The recorded files hold what benchmarks/README.md says, of the layers and networks as they are now."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from benchmarks.accuracy import BATCHES as BATCHES_11
from benchmarks.accuracy import EPOCHS, SEEDS
from benchmarks.accuracy import PROCESSES as PROCESSES_11
from convlab import cost_table
from convlab.measuring.accuracy import Accuracy
from convlab.measuring.digits_training import MNIST_SHAPE
from convlab.measuring.recordings import load, recorded_file
from convlab.measuring.timings import LayerTiming, Peaks, Timing
from convlab.networks.digits import WIDTHS, builders
from convlab.networks.single_layers import equal_macs, equal_shapes

README = (Path(__file__).parent.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")
FILES = "times-cpu", "times-cpu-avx512", "times-cuda", "accuracy", "inference"
ROWS = {name: load(recorded_file(f"{name}.json")) for name in FILES}
BATCHES = {"times-cpu": (1, 16), "times-cpu-avx512": (1, 16), "times-cuda": (16, 256)}
THREADS = {"times-cpu": (1, 2), "times-cpu-avx512": (1, 2), "times-cuda": (1,)}
PROCESSES = {"times-cpu": range(1, 7), "times-cpu-avx512": [0], "times-cuda": [0]}
ROUNDS = {"times-cpu": 5, "times-cpu-avx512": 11, "times-cuda": 11}
COPIES = {"times-cpu": [*(2**n for n in range(18, 27)), 140_000_000]}
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
def test_the_times_cover_every_layer_under_every_condition_once_in_each_process(name):
    rows = of_type(name, LayerTiming)
    conditions = THREADS[name], ("contiguous", "channels_last"), (False, True)
    seen = Counter(
        (t.process, row.layers, t.input_shape, t.threads, t.memory_format, t.backward)
        for row in rows
        for t in [row.timing]
    )
    wanted = [
        (process, tuple(layers), shape, *condition)
        for process, family, batch in product(PROCESSES[name], (equal_shapes, equal_macs), BATCHES[name])
        for (label, (layers, shape)), condition in product(family(batch=batch).items(), product(*conditions))
        if (name, family, batch, label) != ("times-cpu", equal_macs, 16, "depthwise")  # it takes seconds a call
    ]
    assert seen == Counter(wanted)
    assert {len(row.timing.seconds) for row in rows} == {ROUNDS[name]}
    labels = {
        (tuple(layers), shape): label for f in (equal_shapes, equal_macs) for label, (layers, shape) in f().items()
    }
    for row in rows:
        first = (1, *row.timing.input_shape[1:])
        assert labels[row.layers, first] == row.timing.label
    runs = {(row.timing.process, row.timing.measured_at, row.timing.input_shape[0]) for row in rows}
    assert len(runs) == len({at for _, at, _ in runs}) == 4 * len(PROCESSES[name])  # one for each family and batch


@pytest.mark.parametrize("name", BATCHES)
def test_the_times_have_the_networks_and_the_peaks_of_the_same_machine(name):
    peaks = [(peak.process, peak.threads, peak.copied_bytes) for peak in of_type(name, Peaks)]
    assert peaks == list(product(PROCESSES[name], THREADS[name], COPIES.get(name, [140_000_000])))
    found = [(row.process, row.label, row.memory_format, row.threads) for row in of_type(name, Timing)]
    assert found == list(product(PROCESSES[name], NETWORKS, ("contiguous", "channels_last"), THREADS[name]))
    assert len({row.measured_at for row in of_type(name, Timing)}) == len(PROCESSES[name])


def test_the_accuracies_are_of_the_networks_of_lesson_11_as_they_cost_now():
    networks = {label: build for comparison in WIDTHS for label, build in builders(comparison).items()}
    rows = {row.label: row for row in ROWS["accuracy"]}
    assert list(rows) == list(networks) and {type(row) for row in rows.values()} == {Accuracy}
    for label, build in networks.items():
        total, row = cost_table(build(), MNIST_SHAPE).total, rows[label]
        assert (row.params, row.macs) == (total.params, total.macs)
        assert (row.seeds, len(row.accuracies), row.epochs) == (tuple(SEEDS), 10, EPOCHS)
        assert all(0.5 < accuracy <= 1 for accuracy in row.accuracies)


def test_the_times_of_lesson_11_are_of_its_networks_on_one_image_and_on_many_in_several_processes():
    networks = list(dict.fromkeys(label for comparison in WIDTHS for label in builders(comparison)))
    rows = ROWS["inference"]
    found = [(row.process, row.input_shape, row.label) for row in rows]
    shapes = [(batch, *MNIST_SHAPE[1:]) for batch in BATCHES_11]
    assert found == list(product(range(1, PROCESSES_11 + 1), shapes, networks)) and PROCESSES_11 >= 5
    assert {(row.threads, row.backward, row.memory_format) for row in rows} == {(1, False, "contiguous")}
    runs = {(row.process, row.input_shape): row.measured_at for row in rows}
    assert len(set(runs.values())) == len(runs)  # only the networks of one process and batch took turns


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
