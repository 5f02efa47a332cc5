"""How results are kept in files, and what a file says of the machine."""

import json
import platform
from dataclasses import replace

import torch
from strategies import raises
from test_benchmark import QUIET, SEPARABLE

from convlab import ConvSpec
from convlab.measuring import recordings
from convlab.measuring.accuracy import Accuracy
from convlab.measuring.recordings import load, machine, recorded_file, save
from convlab.measuring.timings import LayerTiming, Peaks


def rows_to_record():
    square = ConvSpec(3, 6, (3, 2), stride=(1, 2), padding=(1, 0), groups=3, bias=False)
    return [
        QUIET,
        LayerTiming(SEPARABLE, QUIET),
        LayerTiming(square, replace(QUIET, label="größer", threads=2)),
        Peaks(1e11, 3.3e10, 2, "2.13.0", "now"),
        Peaks(1e11, 3.3e10, 2, "2.13.0", "now", copied_bytes=8, process=3),
        Accuracy("net", 818, 27_728, (3, 5), (0.9, 0.95), 8, "2.13.0"),
    ]


def test_load_returns_what_was_recorded_and_says_when_and_where(tmp_path, monkeypatch):
    here = {**machine(), "date": "2026-01-02", "cpu": "Some CPU", "cores": 6}
    monkeypatch.setattr(recordings, "machine", lambda accelerator: here)
    path, source = tmp_path / "times.json", "recorded, 2026-01-02, Some CPU, 6 cores"
    save(path, rows_to_record(), "python -m make_it")
    one, chain, layer, peaks, small, trained = rows_to_record()
    assert load(path) == [
        replace(one, source=source),
        LayerTiming(chain.layers, replace(one, source=source)),
        LayerTiming(layer.layers, replace(layer.timing, source=source)),
        replace(peaks, source=source),
        replace(small, source=source),
        replace(trained, source=source),
    ]
    assert [row.source for row in load(path)] == [source] * 6
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["machine"] == here
    assert json.loads(text)["command"] == "python -m make_it"
    assert len(text.splitlines()) == 2 + 6 + 1  # one row a line


def test_seconds_are_kept_to_four_digits_and_defaults_are_left_out(tmp_path):
    timing = replace(QUIET, seconds=(0.00123456, 1.00004, 7.0), process=3)
    save(tmp_path / "a.json", [timing, LayerTiming(ConvSpec(3, 6, 3), timing)], "make")
    one, layer = load(tmp_path / "a.json")
    assert one.seconds == layer.timing.seconds == (0.001235, 1.0, 7.0)
    stored, _ = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["rows"]
    assert stored["process"] == 3 and not {"spread", "source"} & set(stored)


def test_save_refuses_what_is_not_live(tmp_path):
    save(tmp_path / "a.json", rows_to_record(), "make")
    for row in load(tmp_path / "a.json"):
        with raises(ValueError, "is not live; wanted results that were measured here"):
            save(tmp_path / "b.json", [*rows_to_record(), row], "make")
    assert not (tmp_path / "b.json").exists()


def test_the_machine_is_described_without_its_name(monkeypatch, tmp_path):
    found = machine()
    assert list(found) == ["date", "system", "cpu", "cores", "versions"]
    assert found["cpu"] and found["versions"] == {"python": platform.python_version(), "torch": torch.__version__}
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(recordings, "Path", lambda path: info)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine()["cpu"] == platform.machine()
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    assert machine()["cpu"] == "arm"
    info.write_text("processor\t: 0\nmodel name\t: A CPU: 2 GHz\nflags\t: sse\n")
    assert machine()["cpu"] == "A CPU: 2 GHz"


def test_an_accelerator_takes_the_place_of_the_processor(tmp_path):
    save(tmp_path / "a.json", [QUIET], "make", "Some GPU")
    assert json.loads((tmp_path / "a.json").read_text())["machine"] == machine("Some GPU")
    assert load(tmp_path / "a.json")[0].source == f"recorded, {machine()['date']}, Some GPU"


def test_a_file_that_was_not_recorded_is_refused_with_those_that_were():
    with raises(ValueError, "no file 'times.json' was recorded; wanted one of accuracy.json,", "times-cpu.json"):
        recorded_file("times.json")
