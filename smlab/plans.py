"""Plan a run: find the notebook, resolve its parameters, get its data, and give the run its id.

The id is a hash of all that decides the result: the notebook's cells, the smlab modules that it imports (and
those that they import), every parameter, the data's fingerprint, and whether it runs offline. The same id is
the same run.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from smlab import catalog, folders, parameters, published
from smlab.checks import DataAbsent, SmlabError, UsageError, nearest
from smlab.folders import Job

PACKAGE = Path(__file__).parent
# Packages whose name on the index is not the name that is imported.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML", "dateutil": "python-dateutil"}


def notebooks(folder: Path | None = None) -> list[Path]:
    """Return the notebooks of a folder (default: the project's), in the order of their numbers."""
    folder = folder or notebooks_folder()
    if not folder.is_dir():
        raise UsageError(f"notebooks folder {folder}: does not exist")
    return sorted(p for p in folder.glob("*.ipynb") if not p.name.startswith("."))


def notebooks_folder() -> Path:
    return (catalog.project_root() or Path.cwd()) / "notebooks"


def find_notebook(text: str | Path, folder: Path | None = None) -> Path:
    """Find a notebook by its path, its name, its number or an unambiguous part of its name.

    Raises
    ------
    UsageError
        where none or several fit; the sentence lists them.
    """
    if Path(text).suffix == ".ipynb" and Path(text).is_file():
        return Path(text).resolve()
    known = {path.stem: path.resolve() for path in notebooks(folder)}
    word = Path(text).stem.lower() if str(text).endswith(".ipynb") else str(text).lower()
    if word in known:
        return known[word]
    fits = [name for name in known if word.isdigit() and int(word) == number(name)]
    fits = fits or [name for name in known if word in name.lower()]
    if len(fits) == 1:
        return known[fits[0]]
    if fits:
        raise UsageError(f"{str(text)!r} fits several notebooks: {', '.join(fits)}")
    if not known:
        raise UsageError(f"no notebook {str(text)!r}: there is none in {folder or notebooks_folder()}")
    raise UsageError(f"no notebook {str(text)!r}: {nearest(str(text), known)}")


def number(name: str) -> int | None:
    """Return the number that a notebook's name begins with."""
    digits = re.match(r"\d+", name)
    return int(digits.group()) if digits else None


def title(path: Path) -> str:
    """Return the first heading of a notebook, or its name."""
    return title_of(parameters.load(path), path)


def title_of(notebook: Mapping[str, Any], path: Path) -> str:
    for cell in notebook["cells"]:
        heading = re.search(r"^#\s+(.+?)\s*#*$", parameters.source(cell), re.MULTILINE)
        if cell.get("cell_type") == "markdown" and heading:
            return heading.group(1)
    return Path(path).stem


def plan(
    notebook: str | Path,
    given: Mapping[str, object] | None = None,
    *,
    runs_dir: Path | None = None,
    offline: bool | None = None,
    data_dir: Path | None = None,
    progress: bool = True,
) -> Job:
    """Plan a run of a notebook, and get its data if they are not here.

    Parameters
    ----------
    notebook : path, name, number or part of a name
    given : parameters, as text of the command line or as Python values; the others keep their defaults
    offline : take data from the samples only; None asks SMLAB_OFFLINE
    data_dir : the user's own copies of the data

    Raises
    ------
    UsageError
        for an unknown notebook, parameter or dataset, or a value of the wrong type. Data that cannot be had
        are no such error: they make a job that ends as failed, so that other runs go on.
    """
    path = find_notebook(notebook)
    text, offline = path.read_text(encoding="utf-8-sig"), is_offline() if offline is None else offline
    content = parameters.load(path)
    has_cell = any("parameters" in parameters.tags(cell) for cell in content["cells"])
    known = parameters.read_cells(content, path) if has_cell else []  # a notebook may have none
    values = parameters.resolve(known, given or {}, path.stem)
    data, problem = dataset(values, offline, data_dir, progress)
    modules, packages = imported(content)
    if "published" in modules:  # what it shows beside our figures is part of what it is
        modules["evidence.toml"] = json.dumps(published.of_notebook(path.stem, path.parent))
    return Job(
        id=run_id(path.stem, content, modules, values, (data or {}).get("fingerprint"), offline),
        notebook=path.stem,
        title=title_of(content, path),
        path=path,
        source=text,
        runs_dir=(runs_dir or (catalog.project_root() or Path.cwd()) / "runs").resolve(),
        parameters=values,
        given={name: values[name] for name in given or {}},
        data=data,
        offline=offline,
        environment=environment(offline, data_dir),
        packages=packages,
        problem=str(problem) if problem else None,
        problem_code=problem.exit_code if problem else 1,
    )


def is_offline() -> bool:
    return os.environ.get("SMLAB_OFFLINE", "") not in ("", "0")


def environment(offline: bool, data_dir: Path | None) -> dict[str, str]:
    """Return what the kernel is told: where the data are, which python3 it is, and to draw no bars."""
    known = {"SMLAB_OFFLINE": "1" if offline else "0", "SMLAB_CACHE": str(catalog.cache_dir())}
    if data_dir is not None:
        known["SMLAB_DATA"] = str(Path(data_dir).resolve())
    root = catalog.project_root()
    return known | ({"SMLAB_ROOT": str(root)} if root else {}) | {"JUPYTER_PREFER_ENV_PATH": "1", "TQDM_DISABLE": "1"}


def dataset(
    values: Mapping[str, Any], offline: bool, data_dir: Path | None, progress: bool
) -> tuple[dict[str, Any] | None, SmlabError | None]:
    """Get the data that `dataset` and parameters like `dataset_zh` name; return their facts, or why they are not here.

    Several have their names, licences and fingerprints side by side.
    """
    names = [v for k, v in values.items() if (k == "dataset" or k.startswith("dataset_")) and isinstance(v, str) and v]
    if not names:
        return None, None
    found = [_one_dataset(name, offline, data_dir, progress) for name in dict.fromkeys(names)]
    problem = next((error for _, error in found if error), None)
    facts = found[0][0]
    for more, _ in found[1:]:
        facts = {key: _beside(facts[key], more[key]) for key in facts}
    return facts, problem


def _beside(one: str | None, other: str | None) -> str | None:
    return one if one == other else ", ".join(part for part in (one, other) if part)


def _one_dataset(
    name: str, offline: bool, data_dir: Path | None, progress: bool
) -> tuple[dict[str, Any], SmlabError | None]:
    try:
        if offline:
            found = catalog.locate(name, data_dir=data_dir, offline=True)
        else:
            found = catalog.get(name, data_dir=data_dir, progress=progress)
    except UsageError:
        raise
    except SmlabError as error:
        return {"name": name, "origin": None, "fingerprint": None, "licence": licence(name)}, error
    if found is None:
        absent = DataAbsent(f"{name} has no sample in data/sample/, so it cannot be used offline")
        return {"name": name, "origin": None, "fingerprint": None, "licence": licence(name)}, absent
    facts = {"name": name, "origin": found.origin, "fingerprint": found.fingerprint}
    return {**facts, "licence": None if found.origin == "sample" else licence(name)}, None


def licence(name: str) -> str | None:
    """Return the licence that the catalog knows; data of the user's own need not be in the catalog."""
    try:
        return catalog.describe(name).licence
    except UsageError:
        return None


def run_id(
    name: str,
    notebook: Mapping[str, Any],
    modules: Mapping[str, str],
    values: Mapping[str, Any],
    fingerprint: str | None,
    offline: bool,
) -> str:
    """Return the id of a run: twelve hexadecimal digits.

    Outputs, execution counts and the metadata of an editor do not count; types, texts and tags of the cells
    do.

    Parameters
    ----------
    modules : source of each smlab module that the notebook imports
    values : all parameters
    fingerprint : of the data
    """
    cells = [(c.get("cell_type"), parameters.source(c), parameters.tags(c)) for c in notebook["cells"]]
    decisive = [name, cells, sorted(modules.items()), sorted(values.items()), fingerprint, offline]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]


def imported(notebook: Mapping[str, Any], package: Path = PACKAGE) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the smlab modules that a notebook imports, directly or not, and the third-party packages.

    Returns
    -------
    Source by name of module, and the names of packages as the index knows them.
    """
    code = [parameters.source(c) for c in notebook["cells"] if c.get("cell_type") == "code"]
    ours, others = imports_of([plain_python(text) for text in code])
    found: dict[str, str] = {}
    while ours:
        name = ours.pop()
        path = package / f"{name}.py"
        if name in found or not path.is_file():
            continue
        found[name] = path.read_text(encoding="utf-8")
        more, third = imports_of([found[name]])
        ours |= more
        others |= third
    third = {DISTRIBUTIONS.get(name, name) for name in others if name not in sys.stdlib_module_names}
    return found, tuple(sorted(third - {"smlab"}))


def plain_python(text: str) -> str:
    """Put `pass` where a line is understood by a notebook only: a magic, a shell command, a question."""
    if text.lstrip().startswith("%%"):
        return ""
    return re.sub(r"^([ \t]*)(?:[%!?]|[\w, ]+=[ \t]*[%!]|[\w.]+\?+[ \t]*$).*", r"\1pass", text, flags=re.MULTILINE)


def imports_of(texts: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the smlab modules and the top-level packages that some Python sources import."""
    ours: set[str] = set()
    others: set[str] = set()
    for text in texts:
        for module, names in statements(text):
            top, _, rest = module.partition(".")
            others.add(top)
            if top == "smlab":
                ours |= {"__init__", rest.split(".")[0] or "__init__", *(names if not rest else ())}
    return ours, others


@functools.lru_cache(maxsize=256)
def statements(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the import statements of a source, wherever they stand: module and imported names."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # the cell will fail when it runs; what it imports counts all the same
        lines = re.findall(r"^[ \t]*((?:import|from)[ \t]+[\w., ]+)$", text, re.MULTILINE)
        return tuple(found for line in lines if line != text for found in statements(line.strip()))
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append((node.module or "", tuple(alias.name for alias in node.names)))
    return tuple(found)


def find_run(text: str, runs_dir: Path) -> dict[str, Any]:
    """Find a run by its folder, its id or the beginning of it, or the latest run of a notebook by its name.

    Raises
    ------
    UsageError
        where none or several fit.
    """
    done = folders.history(runs_dir)
    here = [run for run in done if Path(run["folder"]) == Path(text).resolve()]
    fits = here or [run for run in done if run["id"].startswith(text)]
    if len({run["id"] for run in fits}) > 1:
        raise UsageError(f"{text!r} fits several runs: {', '.join(run['id'] for run in fits)}")
    fits = fits or [run for run in done if text.lower() in run["notebook"].lower()]
    if not fits:
        known = ", ".join(run["id"] for run in done[:5]) or "there is none"
        raise UsageError(f"no run {text!r} in {runs_dir}: {known}")
    return fits[0]
