"""The one rule of the floor plan: a file imports only files of a lower layer. The README's table is the plan."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(p.name for p in (ROOT / "smlab").glob("*.py"))
ROW = re.compile(r"^\| (\d+) \| `(\w+\.py)` \|", re.MULTILINE)
LAYERS = {name: int(layer) for layer, name in ROW.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
HEAVY = {
    "torch",
    "pandas",
    "numpy",
    "scipy",
    "sklearn",
    "papermill",
    "nbconvert",
    "matplotlib",
    "rich",
    "unearth",
}
MODELS = {
    "ctr.py", "clicknets.py", "sentiment.py", "neighbors.py", "factors.py", "neumf.py", "knn_raters.py", "kmeans.py",
    "densities.py", "bgnbd.py", "engagement.py", "forecast.py", "abtest.py", "bandits.py", "ngrams.py",
    "textlstm.py", "gan.py", "diffusion.py",
}  # fmt: skip


def imports(name: str) -> set[str]:
    """Files of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "smlab" / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "smlab":
            found |= {f"{alias.name}.py" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("smlab."):
            found.add(f"{node.module.split('.')[1]}.py")
        elif isinstance(node, ast.Import):
            found |= {f"{a.name.split('.')[1]}.py" for a in node.names if a.name.startswith("smlab.")}
        elif isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"smlab/{name}, line {node.lineno}: relative import; write `from smlab import …`")
    return found & set(FILES)


def test_readme_lists_every_file_of_the_package_and_no_other():
    assert sorted(LAYERS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_file_imports_only_lower_layers(name):
    wrong = [f"{other} (layer {LAYERS[other]})" for other in imports(name) if LAYERS[other] >= LAYERS[name]]
    assert not wrong, f"smlab/{name} (layer {LAYERS[name]}) must not import {', '.join(wrong)}"


@pytest.mark.parametrize("name", sorted(MODELS & set(FILES)))
def test_model_is_passed_what_it_needs(name):
    shared = {
        "checks.py",
        "features.py",
        "encoding.py",
        "training.py",
        "weightfiles.py",
        "text.py",
        "ranking.py",
        "similarity.py",
    }
    parts = {
        "clickfit.py",
        "clicklayers.py",
        "textfeatures.py",
        "lexicons.py",
        "sentence_vectors.py",
        "wordvectors.py",
        "raters.py",
        "leastsquares.py",
        "kmeans.py",
        "writers.py",
        "makers.py",
    }
    beside = {
        "engagement.py": {"ctr.py", "auc.py"},  # puts the one logistic regression beside other kinds of model
        "abtest.py": {"metrics.py", "calibration.py", "power.py"},  # a test is its interval
        "forecast.py": {"countscores.py", "progress.py"},  # the levels of quantiles, and a bar for many series
        "bandits.py": {"metrics.py", "policies.py"},  # plays the policies, and says how sure the regret is
    }
    assert imports(name) <= shared | parts | beside.get(name, set())


@pytest.mark.parametrize("name", ["__init__.py", "checks.py", "cli.py"])
def test_start_up_files_import_nothing_heavy_at_the_top(name):
    tree = ast.parse((ROOT / "smlab" / name).read_text(encoding="utf-8"))
    top = {a.name.split(".")[0] for n in tree.body if isinstance(n, ast.Import) for a in n.names}
    top |= {(n.module or "").split(".")[0] for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert not top & HEAVY


@pytest.mark.parametrize("name", FILES)
def test_file_stays_small_enough_to_read(name):
    source = (ROOT / "smlab" / name).read_text(encoding="utf-8")
    assert source.count("\n") <= 330, f"smlab/{name} outgrows its idea: split it by idea"
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    long = {f.name: code_lines(f) for f in functions if code_lines(f) > 45}
    assert not long, f"smlab/{name}: {long} lines"


def code_lines(function: ast.FunctionDef) -> int:
    """Lines of a function below its signature and docstring."""
    has_docstring = isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant)
    body = function.body[1:] if has_docstring else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
