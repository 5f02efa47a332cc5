"""The project files agree with each other, with what is installed, and with what Binder will build.

What is not proven here: the conda solve, the image build, a launch.
"""

import os
import re
import subprocess
import sys
import tomllib
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
BINDER_LINK = re.compile(r"https://mybinder\.org/v2/gh/([^/\s]+/[^/\s]+)/")

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
        return folder.name == ".ci"
    return folder.name not in {"__pycache__", "build", "dist"} and not (folder / "pyvenv.cfg").exists()


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


def test_the_binder_link_and_its_owner_are_stated_once():
    texts = project_files()
    links = [(path, repository) for path, text in texts.items() for repository in BINDER_LINK.findall(text)]
    assert [path for path, _ in links] == ["README.md"]
    repository = links[0][1]
    assert sum(text.count(repository) for text in texts.values()) == 1


def test_the_binder_link_opens_a_lesson_that_exists():
    link = re.search(r"\?urlpath=lab/tree/(\S+)", text_of("README.md"))
    assert (ROOT / link[1]).is_file()


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


@pytest.mark.parametrize("command", ["make lab", "make test", "make bench", "make zoo"])
def test_a_command_in_the_readme_is_a_target_of_the_makefile(command):
    assert re.search(rf"^{command}\b", text_of("README.md"), re.MULTILINE)
    assert re.search(rf"^{command.removeprefix('make ')}:", text_of("Makefile"), re.MULTILINE)


def test_the_gate_runs_the_test_command_of_the_readme():
    lines = text_of(".ci/run").splitlines()
    assert "set -euo pipefail" in (line.partition("#")[0].strip() for line in lines)
    assert lines[-1] == "make test"


def test_the_readme_lists_every_notebook_once_and_in_order():
    table = re.search(r"<!-- lessons -->\n(.*)<!-- /lessons -->", text_of("README.md"), re.DOTALL)
    links = re.findall(r"\]\((notebooks/.*?\.ipynb)\)", table[1])
    assert links == sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*.ipynb"))


def test_the_examples_in_the_readme_print_what_the_readme_shows(capsys):
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text_of("README.md"), re.DOTALL)
    namespace = {}
    assert len(examples) == text_of("README.md").count("```python") == 3
    for code, shown in examples:
        exec(code, namespace)
        assert capsys.readouterr().out == shown
