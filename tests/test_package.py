"""A module imports only from floors below its own, and the arithmetic needs the standard library alone."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import convlab

PACKAGE = Path(convlab.__file__).parent
FLOORS = [  # from the lowest to the highest
    {"spec"},
    {"shape"},
    {"cost"},
    {"table"},
    {"reference", "modules", "model", "families", "timed", "trained"},
    {"__init__"},
    {"networks", "small", "claim", "timing", "training", "recorded", "conditions"},
    {"printed", "ledger"},
    {"picture"},
    {"chart"},
    {"draw_grids", "draw_channels", "draw_costs", "draw_networks", "draw_timing", "draw_accuracy"},
    {"draw"},
    {"exercise"},
    {"mistakes", "challenge"},
    {"exercises"},
    {"check"},
]


def module_name(path: Path) -> str:
    """Return a file's name in dots: `cost`, `exercises.lesson_01`; `__init__` for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
ARITHMETIC = ["spec", "shape", "cost", "table"]
PUBLIC = [
    "ConvSpec",
    "addition_count",
    "arithmetic_intensity",
    "cost_table",
    "flop_count",
    "mac_count",
    "memory_bytes",
    "multiplication_count",
    "output_shape",
    "param_count",
    "spec_from_module",
    "to_module",
]


def imports(node: ast.AST, everywhere: bool = True):
    """Yield the import statements below a node; without `everywhere` only those that run when it is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif everywhere or not (
            isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING")
        ):
            yield from imports(child, everywhere)


def imported_modules(module: str, everywhere: bool = True) -> set[str]:
    """Return the dotted names of what a module of convlab imports: modules, not the functions in them."""
    names = set()
    for node in imports(ast.parse(FILES[module].read_text(encoding="utf-8")), everywhere):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{module} imports relatively in line {node.lineno}"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & {f"convlab.{name}" for name in FILES}
            names |= inner or {node.module}
    return names


def floor(module: str) -> int:
    """Return the number of a module's floor; the modules of a package inside convlab share one."""
    return next(number for number, names in enumerate(FLOORS) if module.partition(".")[0] in names)


def test_every_module_has_one_floor():
    assert {name.partition(".")[0] for name in FILES} <= {name for names in FLOORS for name in names}
    assert sum(map(len, FLOORS)) == len(set().union(*FLOORS))


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_from_floors_below(module):
    for name in imported_modules(module):
        package, _, target = name.partition(".")
        if package == "convlab":
            assert floor(target or "__init__") < floor(module), f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("module", ARITHMETIC)
def test_the_arithmetic_imports_the_standard_library_alone(module):
    outside = {name.partition(".")[0] for name in imported_modules(module, everywhere=False)} - {"convlab"}
    assert outside <= set(sys.stdlib_module_names)


def test_import_convlab_loads_the_standard_library_alone():
    code = "import sys; before = set(sys.modules); import convlab; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert "convlab" in loaded
    assert loaded - {"convlab"} <= set(sys.stdlib_module_names)  # no torch, no matplotlib, no numpy, no pandas


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name):
    namespace = {}
    exec(f"from convlab import {name}", namespace)
    assert callable(namespace[name])
    assert name in convlab.__all__


def test_all_lists_only_names_that_exist():
    assert [name for name in convlab.__all__ if not hasattr(convlab, name)] == []


def test_a_name_that_convlab_lacks_is_an_error():
    with pytest.raises(AttributeError, match="module 'convlab' has no attribute 'conv_table'"):
        _ = convlab.conv_table


@pytest.mark.parametrize("path", sorted(PACKAGE.parent.glob("benchmarks/*.py")), ids=lambda path: path.stem)
def test_a_benchmark_uses_only_names_that_convlab_has(path):
    tree, modules = ast.parse(path.read_text(encoding="utf-8")), {}
    for node in imports(tree):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "convlab":
            for alias in node.names:
                if f"{node.module}.{alias.name}".removeprefix("convlab.") in FILES:
                    modules[alias.asname or alias.name] = importlib.import_module(f"{node.module}.{alias.name}")
                else:
                    assert hasattr(importlib.import_module(node.module), alias.name), alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}, line {node.lineno}"


@pytest.mark.parametrize(
    "module",
    [
        *(*ARITHMETIC, "reference", "modules", "model", "networks", "ledger", "timed", "timing", "trained"),
        *("training", "recorded", "conditions", "families", "small", "challenge"),
    ],
)
def test_every_public_name_has_a_docstring(module):
    found = importlib.import_module(f"convlab.{module}")
    for name, value in inspect.getmembers(found, lambda value: inspect.isfunction(value) or inspect.isclass(value)):
        if value.__module__ == found.__name__ and not name.startswith("_"):
            assert value.__doc__ and not value.__doc__.startswith(f"{name}("), f"{module}.{name} has no docstring"
            methods = [method for key, method in vars(value).items() if not key.startswith("_")]
            for method in methods if inspect.isclass(value) else ():
                if isinstance(method, property | classmethod) or inspect.isfunction(method):
                    assert method.__doc__, f"{module}.{name} has a method without a docstring"
    assert found.__doc__
