"""The project files agree with each other, with what is installed, and with what Binder and Codespaces will build.

What is not proven here: the conda solve, the build of an image, a launch.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ["binder/postBuild", "binder/start", ".ci/run"]
DISTRIBUTION = {
    "pytorch-cpu": "torch",
    "matplotlib-base": "matplotlib",
}  # conda's name -> the package index's
NOT_FROM_PIP = {"python", "pip"}  # in the conda environment, not among the packages that convlab needs
CHANGES_AN_OUTPUT = {"ipython", "matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "torch"}
MADE = {
    "__pycache__",
    "build",
    "dist",
    "_build",
    "my-lessons",
    "docs/notebooks",
    "docs/benchmarks",
    "docs/assignments",
    "docs/start",
}

on_unix_only = pytest.mark.skipif(sys.platform == "win32", reason="no file modes, and repo2docker does not run")


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def project_files() -> dict[str, str]:
    """Return path -> text of the repository's files, without what tools leave behind."""
    texts = {}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if is_ours(Path(folder, f))]
        for path in (Path(folder, file) for file in files if file != ".git"):  # a file in a git worktree
            texts[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def is_ours(folder: Path) -> bool:
    if folder.name.startswith("."):
        return folder.name in {".ci", ".devcontainer", ".github"}
    return MADE.isdisjoint({folder.name, folder.relative_to(ROOT).as_posix()}) and not (folder / "pyvenv.cfg").exists()


def environment() -> dict:
    return yaml.safe_load(text_of("environment.yml"))


def environment_requirements() -> dict[str, Requirement]:
    """Return the lines of environment.yml by the package index's names; conda's name=1.2 stands for 1.2.x."""
    *lines, pip = environment()["dependencies"]
    asked = [Requirement(re.sub(r"(?<![<>=])=(?!=)(.+)", r"==\1.*", line)) for line in lines]
    asked += [Requirement(line) for line in pip["pip"]]
    found = {DISTRIBUTION.get(one.name, canonicalize_name(one.name)): one for one in asked}
    assert len(found) == len(asked), "a package is named twice"
    return found


def constraints() -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in text_of("constraints.txt").splitlines())
    return [Requirement(line) for line in lines if line]


def project() -> dict:
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def direct_dependencies() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    return [Requirement(line) for lines in (project()["dependencies"], *extras) for line in lines]


def installed(name: str) -> str:
    """Return the installed version of a package, without the part that names the build, as in 2.13.0+cpu."""
    return Version(version(name)).public


# The conda environment


def test_the_two_environment_files_are_equal_byte_by_byte():
    assert (ROOT / "environment.yml").read_bytes() == (ROOT / "binder/environment.yml").read_bytes()


def test_environment_yml_has_exactly_the_keys_that_conda_reads():
    assert list(environment()) == ["name", "channels", "dependencies"]
    assert environment()["channels"] == ["conda-forge"]
    assert [set(part) for part in environment()["dependencies"] if not isinstance(part, str)] == [{"pip"}]
    assert "pip" in environment_requirements(), "conda wants pip named when there is a pip section"


def test_the_installed_versions_satisfy_each_line_of_environment_yml():
    for name, requirement in environment_requirements().items():
        if name not in NOT_FROM_PIP:
            assert requirement.specifier.contains(installed(name)), f"{requirement}, and {installed(name)} is installed"


def test_environment_yml_has_what_the_package_and_its_lessons_need():
    lessons = project()["optional-dependencies"]["lessons"]
    needed = {Requirement(line).name for line in [*project()["dependencies"], *lessons]}
    assert needed <= {*environment_requirements()}


def test_environment_yml_holds_what_changes_a_stored_output_at_the_tested_version():
    tested = {canonicalize_name(pin.name): pin.specifier for pin in constraints()}
    held = {name: one for name, one in environment_requirements().items() if "*" in str(one.specifier)}
    assert {*held} == {*CHANGES_AN_OUTPUT, "python"}
    for name in CHANGES_AN_OUTPUT:
        (exact,) = tested[name]
        assert str(held[name].specifier) == f"=={'.'.join(exact.version.split('.')[:2])}.*", name


def test_the_other_lines_of_environment_yml_are_the_ranges_of_pyproject():
    ranges = {canonicalize_name(one.name): one.specifier for one in direct_dependencies()}
    for name, requirement in environment_requirements().items():
        if name not in CHANGES_AN_OUTPUT | NOT_FROM_PIP:
            assert requirement.specifier == ranges[name], requirement


# Binder


@on_unix_only
def test_repo2docker_builds_the_conda_environment_with_python_3_11(monkeypatch):
    from repo2docker.app import Repo2Docker
    from repo2docker.buildpacks import CondaBuildPack

    monkeypatch.chdir(ROOT)
    app = Repo2Docker()
    packs = (kind(app.base_image) for kind in app.buildpacks)
    chosen = next(pack for pack in packs if pack.detect())
    assert type(chosen) is CondaBuildPack
    assert chosen.python_version == "3.11"
    assert chosen.binder_path("environment.yml") == "binder/environment.yml"
    assert chosen.get_post_build_scripts() == ["binder/postBuild"]
    assert chosen.get_start_script().endswith("/binder/start")


@on_unix_only
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_executable_and_valid_bash(script):
    assert os.access(ROOT / script, os.X_OK)
    assert text_of(script).startswith("#!")
    subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_has_unix_line_endings(script):
    assert b"\r" not in (ROOT / script).read_bytes()


def test_the_package_is_installed_after_the_environment_and_not_in_it():
    lines = text_of("binder/postBuild").splitlines()
    assert "set -e" in lines
    assert lines[-1] == "pip install --no-deps -e ."
    assert "convlab" not in text_of("environment.yml").partition("dependencies")[2]  # each commit would rebuild it


def test_the_start_script_hands_over_to_the_command_it_was_given():
    assert text_of("binder/start").splitlines()[-1] == 'exec "$@"'


@on_unix_only
def test_a_launch_stops_idle_kernels_as_its_jupyter_server_reads_it(tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    (site,) = (tmp_path / "env/lib").glob("python*/site-packages")
    (site / "installed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    pip = tmp_path / "env/bin/pip"
    pip.write_text("#!/bin/sh\n")  # the package is installed already
    pip.chmod(0o755)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    variables |= {"PATH": f"{pip.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    subprocess.run([ROOT / "binder/postBuild"], cwd=ROOT, env=variables, check=True)
    shown = [pip.with_name("python"), "-m", "jupyter_server", "--show-config-json"]
    read = subprocess.run(shown, env=variables, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert json.loads(read)["MappingKernelManager"] == {
        "cull_idle_timeout": 1200,
        "cull_interval": 60,
        "cull_connected": True,
        "cull_busy": False,
    }


def test_what_is_set_for_idle_kernels_are_options_that_jupyter_server_has():
    from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

    (section,) = json.loads(text_of("binder/jupyter_server_config.json")).values()
    options = MappingKernelManager.class_traits(config=True)
    for name, value in section.items():
        options[name].validate(None, value)
    minutes = section["cull_idle_timeout"] // 60
    assert f"what has been idle for {minutes} minutes" in text_of("README.md")
    assert f"idle for {minutes} minutes" in text_of("binder/postBuild")


# The buttons, Codespaces


def test_each_button_opens_a_lesson_that_exists():
    paths = re.findall(r"(?:urlpath=lab/tree/|/blob/main/)(\S+)", text_of("README.md"))
    assert len(paths) == 2 and all((ROOT / path).is_file() for path in paths)


def test_each_link_to_a_part_of_a_page_finds_its_heading():
    links = re.findall(r'[("]([^()"\s]*)#([^()"\s]+)[)"]', text_of("README.md"))
    assert len(links) >= 3
    for page, part in links:
        source = text_of("docs/index.md" if page else "README.md")
        headings = [line.strip("# ").lower().replace(" ", "-") for line in source.splitlines() if line[:2] == "##"]
        assert part in headings, f"{page}#{part}"


def test_a_codespace_installs_what_lessons_need_and_then_opens_one():
    container = json.loads(text_of(".devcontainer/devcontainer.json"))
    assert container["waitFor"] == "postCreateCommand"  # else the lesson is opened before it is there
    python = container["image"].partition(":")[2]
    assert container["image"] == f"mcr.microsoft.com/devcontainers/python:{python}"
    assert environment_requirements()["python"].specifier.contains(python)
    install, copy = container["postCreateCommand"].split(" && ")
    target = re.search(r"^LESSONS = (\S+)", text_of("Makefile"), re.MULTILINE)[1]
    assert install.startswith(f"make {target} PIP_FLAGS=")
    assert copy == ".venv/bin/python -m convlab copy"
    (opened,) = container["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / "notebooks" / opened.removeprefix("my-lessons/")).is_file()


def test_pytorchs_cpu_index_is_the_same_wherever_it_is_named():
    index = re.compile(r"--extra-index-url (https://[^\s'\"]+)")
    named = [index.findall(text_of(path)) for path in ("README.md", ".devcontainer/devcontainer.json")]
    assert named[0] == named[1] and len(named[0]) == 1


# Versions


def test_each_constraint_is_one_exact_version_and_it_is_installed():
    not_for_the_course = {"fvcore", "ptflops", "torchinfo", "torchprofile"}
    assert not_for_the_course <= set(text_of("benchmarks/requirements.txt").splitlines())
    only_for_zoo = {"diffusers", "timm", "torchvision", "transformers"}
    assert only_for_zoo <= set(text_of("benchmarks/zoo-requirements.txt").splitlines())
    not_for_the_course |= only_for_zoo
    for pin in constraints():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), f"{pin} is no exact version"
        if pin.name in not_for_the_course:
            continue
        found = installed(pin.name)
        assert pin.specifier.contains(found), f"{pin}, and {found} is installed"


def test_each_direct_dependency_is_pinned_once_and_within_its_range():
    names = [canonicalize_name(pin.name) for pin in constraints()]
    assert len(names) == len(set(names)), "a package is pinned twice"
    for requirement in direct_dependencies():
        assert canonicalize_name(requirement.name) in names, f"{requirement.name} is not in constraints.txt"
        if requirement.marker is None or requirement.marker.evaluate():
            found = installed(requirement.name)
            assert requirement.specifier.contains(found), f"{requirement}, and {found} is installed"


def test_no_other_file_pins_a_version():
    pin = re.compile(r"\b[A-Za-z][\w.\[\]-]*==\d+(\.\d+)+")
    found = [path for path, text in project_files().items() if pin.search(text)]
    assert found == ["constraints.txt"]


# The names and the commands that the other files rely on


def test_each_make_command_in_the_readme_is_a_target_of_the_makefile():
    named = {*re.findall(r"(?:^|`)make (\w+)", text_of("README.md"), re.MULTILINE)}
    targets = {*re.findall(r"^(\w+):", text_of("Makefile"), re.MULTILINE)}
    assert {"lab", "again", "test", "publish", "bench", "zoo"} <= named <= targets


def test_each_command_for_windows_exists():
    windows = "".join(re.findall(r"```powershell\n(.*?)```", text_of("README.md"), re.DOTALL))
    assert {*re.findall(r"^py (\S+) ", windows, re.MULTILINE)} == {"-3.11"}
    others = [line for line in windows.splitlines() if not line.startswith("py ")]
    assert all(line.startswith(r".venv\Scripts\python -m ") for line in others)
    assert {*re.findall(r"-m convlab (\w+)", windows)} == {"lab", "again"}
    assert all(version(tool) for tool in re.findall(r"-m (pip|ruff|pytest)\b", windows))


def test_windows_installs_for_the_checks_what_make_test_does():
    extras = re.search(r"\$\(TESTING\): EXTRAS = (\S+)", text_of("Makefile"))[1]
    asked = re.findall(r'-c constraints.txt -e "\.\[(\S+)\]"', text_of("README.md"))
    assert asked == ["lessons", extras]
    assert {*extras.split(",")} <= {*project()["optional-dependencies"]}


def test_the_gate_runs_the_test_command_of_the_readme():
    lines = text_of(".ci/run").splitlines()
    assert "set -euo pipefail" in (line.partition("#")[0].strip() for line in lines)
    assert lines[-1] == "make test"


def test_the_readme_lists_every_notebook_once_and_in_order():
    table = re.search(r"<!-- lessons -->\n(.*)<!-- /lessons -->", text_of("README.md"), re.DOTALL)
    links = re.findall(r"\]\((notebooks/.*?\.ipynb)\)", table[1])
    assert links == sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*.ipynb"))


def test_the_readme_counts_the_lessons_and_their_hours_as_its_table_does():
    minutes = [int(one) for one in re.findall(r"\| (\d+) \|$", text_of("README.md"), re.MULTILINE)]
    assert f"A course in {len(minutes)} notebooks, about {round(sum(minutes) / 60)} hours," in text_of("README.md")


def test_the_picture_in_the_readme_moves_gently_and_is_small_and_sharp():
    from PIL import Image

    tag = re.search(r'<img src="(\S+)" width="(\d+)"\nalt="([^"]+)">', text_of("README.md"))
    with Image.open(ROOT / tag[1]) as picture:
        times = []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            times.append(picture.info["duration"])
        assert picture.width == 2 * int(tag[2])
        assert picture.info["loop"] == 0
    assert min(times) >= 300 and 4000 <= sum(times) <= 6000
    assert (ROOT / tag[1]).stat().st_size < 500_000


def test_the_examples_in_the_readme_print_what_the_readme_shows(capsys):
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text_of("README.md"), re.DOTALL)
    namespace = {}
    assert len(examples) == text_of("README.md").count("```python") == 1
    for code, shown in examples:
        exec(code, namespace)
        assert capsys.readouterr().out == shown
