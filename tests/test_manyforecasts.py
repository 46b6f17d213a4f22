"""Many series at once: every one has its rows, the check looks at the past only, nothing is lost on the way out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from smlab import manyforecasts
from smlab.checks import UsageError
from smlab.cli import main
from smlab.series import load_series

N = 220


def folder(tmp_path, names=("a", "b", "c"), days=N, seed=0):
    rng, t = np.random.default_rng(seed), np.arange(days)
    parts = []
    for i, name in enumerate(names):
        y = 50 + 10 * i + 8 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 2, days)
        times = pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d")
        parts.append(pd.DataFrame({"time": times, "value": y.round(2), "series": name}))
    (tmp_path / "shop").mkdir(exist_ok=True)
    pd.concat(parts).to_csv(tmp_path / "shop" / "series.csv", index=False)
    return tmp_path


@pytest.fixture
def data(tmp_path):
    return load_series("shop", folder(tmp_path))


def test_every_series_has_every_step_and_quantiles_in_order(data):
    ahead = manyforecasts.forecast_all(data)
    assert ahead.table.groupby("series").size().to_dict() == {"a": 28, "b": 28, "c": 28}
    assert ahead.table["time"].min() == pd.Timestamp("2024-01-01") + pd.Timedelta(days=N)
    q = ahead.table.filter(like="q0").to_numpy()
    assert (np.diff(q, axis=1) >= 0).all() and (q >= 0).all()
    assert (ahead.checked["mase"] < 1.2).all() and ahead.notes == {}


def test_the_check_has_not_seen_the_steps_that_it_judges(data):
    plain = manyforecasts.forecast_all(data, "naive").checked
    late = data.frame["time"] >= data.frame["time"].max() - pd.Timedelta(days=27)
    data.frame.loc[late, "value"] += 100
    assert (manyforecasts.forecast_all(data, "naive").checked["mase"] > plain["mase"] + 2).all()


def test_a_short_series_is_forecast_by_the_naive_one_and_a_note_says_so(tmp_path):
    folder(tmp_path)
    path = tmp_path / "shop" / "series.csv"
    rows = pd.read_csv(path)
    short = rows[(rows["series"] == "a") & (rows.index < N)].tail(20).assign(series="new")
    pd.concat([rows, short]).to_csv(path, index=False)
    ahead = manyforecasts.forecast_all(load_series("shop", tmp_path))
    assert "the seasonal naive forecast stands in" in ahead.notes["new"]
    assert ahead.table.loc[ahead.table["series"] == "new", "mean"].notna().all()


def test_a_rise_is_named(tmp_path):
    folder(tmp_path)
    data = load_series("shop", tmp_path)
    rising = data.frame["series"] == "b"
    data.frame.loc[rising, "value"] *= np.linspace(1, 4, N)
    ahead = manyforecasts.forecast_all(data)
    assert ahead.changes.index[0] == "b" and "Rising most" in manyforecasts.as_text(data, ahead, "lags")


def test_the_command_writes_one_table_and_says_where(tmp_path, capsys):
    folder(tmp_path, names=("=1+1", "b"))
    to = tmp_path / "out" / "shop.csv"
    assert main(["forecast", "shop", "--data-dir", str(tmp_path), "--horizon", "7", "--out", str(to)]) == 0
    said = capsys.readouterr().out
    table = pd.read_csv(to)
    assert list(table["series"].unique()) == ["'=1+1", "b"] and len(table) == 14
    assert "2 series, 7 steps of D, 2024-08-08 to 2024-08-14" in said and str(to) in said and "MASE" in said


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--model", "arma"], "arima"),
        (["--horizon", "0"], "whole number above 0"),
        (["--out", "/dev/null/x.csv"], "name another with --out"),
    ],
)
def test_wrong_words_are_a_sentence_and_write_nothing(tmp_path, capsys, words, rule):
    assert main(["forecast", "shop", "--data-dir", str(folder(tmp_path, names=("a",))), "--runs-dir",
                 str(tmp_path / "runs"), *words]) == 2  # fmt: skip
    assert rule in capsys.readouterr().err and not list(tmp_path.glob("runs/**/*.csv"))


def test_what_is_too_short_is_said(tmp_path):
    with pytest.raises(UsageError, match="no series is long enough"):
        manyforecasts.forecast_all(load_series("shop", folder(tmp_path, days=6)))


def test_unknown_models_are_named(data):
    with pytest.raises(UsageError, match="unknown model 'lag'"):
        manyforecasts.forecast_all(data, "lag")
