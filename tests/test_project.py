"""The files around the package agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import smlab

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = dict(
    re.split("==", line, maxsplit=1)
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if "==" in line and not line.startswith("#")
)
LOCK = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in LOCK.items()}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        return [p for p in ROOT.glob("[!.]*/**/*") if p.is_file() and "runs" not in p.parts]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_environment_yml_installs_what_pyproject_and_the_lock_say():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [d for d in environment["dependencies"] if isinstance(d, str)]
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert environment["name"] == PROJECT["name"]
    assert conda == ["python=3.11", "pip"]
    assert pip[0] == "-r requirements.lock"
    extras = re.fullmatch(r"-e \.\[([\w,-]+)\]", pip[1])
    assert extras and set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    assert "3.11" in Requirement("python" + PROJECT["requires-python"]).specifier


def test_lock_pins_every_dependency_of_pyproject_within_its_range():
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in LOCK, f"{name} is not in requirements.lock: run `make lock`"
        assert LOCK[name] in requirement.specifier, f"{name}: run `make lock`"
    assert LOCK["torch"] == "2.13.0"


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert smlab.__version__ == PROJECT["version"] == citation["version"]
    assert f"## {smlab.__version__}" in changes


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = set(re.findall(r"`make ([a-z-]+)`", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, page


def test_links_of_the_pages_lead_to_files():
    for page in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page.name}: {target}"


def test_no_registry_address_no_machine_path_no_large_file():
    registry = re.compile(r"https?://[^\s\"')]*(?:/simple\b|pypi\.org|pythonhosted|npmjs)")
    machine = re.compile(r"(?<![\w./-])/(?:work|farm|root|home)/")
    for path in tracked():
        assert path.stat().st_size <= 1 << 20, path
        if path == Path(__file__).resolve():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        assert not registry.search(text), f"{path}: {registry.search(text)}"
        assert not machine.search(text), f"{path}: {machine.search(text)}"


def test_package_map_imports_nothing_heavy():
    code = "import sys, smlab, smlab.cli; print(sorted({'torch', 'pandas', 'numpy', 'papermill'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
