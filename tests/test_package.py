"""How the package is laid out: imports run one way, public names are those that lessons use, a wheel is complete."""

import ast
import importlib
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

import convlab

ROOT = Path(__file__).parent.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("convlab/**/*.py"))
}
ARITHMETIC = ["wording", "spec", "shape", "cost", "table"]
ROOMS = [*ARITHMETIC, "forward", "reference", "meter", "torch_layers", "model", "counting", "reports"]
ROOMS += ["networks", "measuring", "audit", "figures", "explore", "exercises", "check"]
ROOMS += ["startup", "copies", "__main__"]
LESSONS = [nbformat.read(path, as_version=4) for path in sorted(ROOT.glob("notebooks/*.ipynb"))]


def imports(tree: ast.AST, everywhere: bool = True):
    """Yield the module and the name of what is imported; without `everywhere` only by what runs on import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif everywhere or not (isinstance(node, ast.FunctionDef) or "TYPE_CHECKING:" in ast.unparse(node)):
            yield from imports(node, everywhere)


def imported(path: Path, everywhere: bool = True) -> set[str]:
    """Return the modules that a file imports: `from convlab.networks import papers` imports convlab.networks.papers."""
    found = imports(ast.parse(path.read_text(encoding="utf-8")), everywhere)
    return {f"{module}.{name}" if f"{module}.{name}" in FILES else module for module, name in found}


@pytest.mark.parametrize("module", [name for name in FILES if name != "convlab"])
def test_a_module_imports_only_from_its_own_room_and_those_before_it(module):
    room = ROOMS.index(module.split(".")[1])
    for name in imported(FILES[module]):
        if name.split(".")[0] == "convlab":
            assert name != "convlab", "the package root is for lessons"
            assert ROOMS.index(name.split(".")[1]) <= room, f"{module} imports {name}"


def test_no_two_modules_need_each_other():
    TopologicalSorter({name: imported(path) & FILES.keys() for name, path in FILES.items()}).prepare()


@pytest.mark.parametrize("module", ARITHMETIC)
def test_the_arithmetic_imports_the_standard_library_alone(module):
    roots = {name.split(".")[0] for name in imported(FILES[f"convlab.{module}"], everywhere=False)}
    assert roots <= {*sys.stdlib_module_names, "convlab"}


def test_import_convlab_loads_the_standard_library_alone():
    code = "import sys; before = {*sys.modules}; import convlab; print(*{*sys.modules} - before)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "convlab" in loaded and loaded <= {*sys.stdlib_module_names, "convlab"}  # no torch, no numpy


def used_by_lessons(module: str) -> set[str]:
    """Return what the code of the lessons takes from a module, by import or by a dot."""
    code = "\n".join(cell.source for lesson in LESSONS for cell in lesson.cells if cell.cell_type == "code")
    found = {name for origin, name in imports(ast.parse(code)) if origin == module}
    return found | set(re.findall(rf"\b{module.split('.')[-1]}\.(\w+)", code))


@pytest.mark.parametrize("module", ["convlab", "convlab.check", "convlab.figures", "convlab.reference"])
def test_the_public_names_are_those_that_lessons_use(module):
    found = importlib.import_module(module)
    here = {name for name, value in vars(found).items() if not isinstance(value, ModuleType) and name[0] != "_"}
    if module == "convlab.reference":  # its own names: it imports what it needs
        here = {name for name in here if getattr(getattr(found, name), "__module__", "") == module} - {"Counted"}
    late = {*getattr(found, "LATE", ())}  # they load torch
    modules = {name.split(".")[1] for name in FILES if "." in name} | {"annotations", "LATE"}
    for_users = {"Call", "as_is"} & late  # beside the lessons
    assert here - modules | late - for_users == used_by_lessons(module) - modules
    assert all(callable(getattr(found, name)) for name in here - modules | late)


def test_a_name_that_convlab_lacks_is_an_error():
    with pytest.raises(AttributeError, match="module 'convlab' has no attribute 'conv_table'"):
        _ = convlab.conv_table


@pytest.mark.parametrize("path", sorted(ROOT.glob("benchmarks/*.py")), ids=lambda path: path.stem)
def test_a_benchmark_imports_only_names_that_there_are(path):
    for module, name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if module.split(".")[0] == "convlab":
            assert f"{module}.{name}" in FILES or hasattr(importlib.import_module(module), name), f"{module}.{name}"


@pytest.mark.parametrize("module", FILES)
def test_every_public_name_has_a_docstring(module):
    found = importlib.import_module(module)
    own = {name: value for name, value in vars(found).items() if getattr(value, "__module__", "") == module}
    public = [name for name in own if name[0] != "_" and getattr(own[name], "__qualname__", "") == name]
    missing = [name for name in public if not own[name].__doc__ or own[name].__doc__.startswith(f"{name}(")]
    assert found.__doc__ and missing == []


LOAD_ALL = """
import convlab, json, pandas
from convlab.measuring.recordings import FOLDER, load, recorded_file
print(convlab.__file__)
for name in sorted(file.name for file in FOLDER.iterdir()):
    text, path = recorded_file(name).read_text(), recorded_file(name)
    found = pandas.read_csv(path) if name.endswith("csv") else load(path) if "rows" in text else json.loads(text)
    print(name, len(found) > 0)
"""


def test_a_wheel_brings_every_recorded_file_and_every_script_along(tmp_path):
    def run(*command, **options):
        return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True, **options).stdout

    site = tmp_path / "site"
    run("-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    run("-m", "pip", "install", "--no-deps", "--no-index", "--target", site, *tmp_path.glob("*.whl"))
    where, *found = run("-c", LOAD_ALL, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}).splitlines()
    assert Path(where).is_relative_to(site)
    assert found == [f"{path.name} True" for path in sorted(ROOT.glob("convlab/measuring/recorded/*"))]
    assert len(found) == 10
    scripts = [path.relative_to(ROOT) for path in ROOT.glob("convlab/**/*.js")]
    assert scripts and all((site / path).read_bytes() == (ROOT / path).read_bytes() for path in scripts)


def test_the_environment_has_what_a_kernel_and_jupyterlab_read_when_they_start():
    folders = {"kernel.py": "ipython/startup", "jupyterlab.json": "jupyter/labconfig/default_setting_overrides.d"}
    assert {path.name for path in ROOT.glob("convlab/startup/*.*")} == folders.keys()
    for name, folder in folders.items():
        there = Path(sys.prefix, "etc", folder, "convlab-course").with_suffix(Path(name).suffix)
        assert there.read_bytes() == (ROOT / "convlab/startup" / name).read_bytes()
