"""The small picture of a run."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from smlab.thumbnails import THUMBNAIL, write_thumbnail


def picture(width: int) -> str:
    file = BytesIO()
    Image.effect_noise((width, width), 60).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_the_thumbnail_is_the_headline_figure_made_small(tmp_path: Path) -> None:
    wide = {"image/png": {"alt": "second", "smlab_headline": True}}
    outputs = [
        new_output("display_data", data={"image/png": picture(10)}),
        new_output("display_data", data={"image/png": picture(900)}, metadata=wide),
    ]
    nbformat.write(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), str(tmp_path / "notebook.ipynb"))
    path = write_thumbnail(tmp_path)
    assert path == tmp_path / THUMBNAIL
    with Image.open(path) as image:
        assert image.size == (320, 320) and image.format == "WEBP"


@pytest.mark.parametrize("content", ["{}", "{broken", '{"cells": [{"outputs": [{"data": {"image/png": "AAAA"}}]}]}'])
def test_a_notebook_without_a_good_picture_has_no_thumbnail(tmp_path: Path, content: str) -> None:
    (tmp_path / "notebook.ipynb").write_text(content)
    assert write_thumbnail(tmp_path) is None
