"""Published figures stand beside ours only under their own protocol."""

from __future__ import annotations

import json
import re

import pytest

from smlab import plans, published
from smlab.checks import DataError, UsageError

TABLE = """
[demo]
title = "t"
notebook = "03_x"
parameters = { k = 10 }
protocol = "p"
source = "s"
columns = { "nDCG@10" = "ndcg" }
ours = { "EASE" = "ease" }
target = { model = "EASE", column = "nDCG@10", at_least = 0.4 }
published = [{ model = "BPR", "nDCG@10" = 0.44 }]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("SMLAB_ROOT", str(tmp_path))
    published.read.cache_clear()

    def write(text):
        (tmp_path / "notebooks" / "evidence.toml").write_text(text, encoding="utf-8")

    return write


def test_published_rows_are_given_only_under_their_protocol(project):
    project(TABLE)
    assert published.beside("demo", k=10) == [{"model": "BPR", "nDCG@10": 0.44}]
    assert published.beside("demo", k=20) == []


def test_a_forgotten_protocol_parameter_is_an_error(project):
    project(TABLE)
    with pytest.raises(UsageError, match=re.escape("beside('demo') compares k; got nothing")):
        published.beside("demo")


def test_a_misspelt_table_names_the_nearest(project):
    project(TABLE)
    with pytest.raises(UsageError, match="unknown table 'dmo': did you mean 'demo'"):
        published.table("dmo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[demo]\ntitle = 't'\n",
            "evidence.toml, column 'demo': must have protocol, source, columns, target, notebook",
        ),
        ("[demo\n", "evidence.toml: is not valid TOML"),
        (
            TABLE.replace('"EASE" = "ease"', '"BPR" = "bpr"'),
            "target names the model 'EASE', which ours does not have",
        ),
        (TABLE.replace("at_least", "at_last"), "target must have at_least or at_most"),
        (TABLE.replace('column = "nDCG@10"', 'column = "MAP"'), "target names the column 'MAP'"),
    ],
)
def test_a_broken_evidence_file_says_what_is_wrong(project, text, message):
    project(text)
    with pytest.raises(DataError) as error:
        published.tables()
    assert message in str(error.value)


def test_the_tables_of_this_project_are_well_formed():
    for name, table in published.tables().items():
        assert "pair" in table or table["published"], name
        assert all(set(row) <= {"model", *table["columns"]} for row in table.get("published", [])), name


def test_a_notebook_is_another_run_when_its_published_figures_change_and_only_then(project, tmp_path):
    source = "import json\nfrom smlab import published"
    cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebooks" / "03_x.ipynb").write_text(json.dumps(notebook))

    def id_with(text):
        project(text)
        published.read.cache_clear()
        return plans.plan("03_x").id

    other = TABLE.replace("[demo]", "[other]").replace("03_x", "04_y")
    assert id_with(TABLE) == id_with(TABLE + other)
    assert id_with(TABLE) != id_with(TABLE.replace("0.44", "0.45"))
