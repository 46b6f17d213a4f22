"""What comes next, and how sure is that? What all forecasters share, and the one to beat: the seasonal naive.

    y (T,) with regular times as its index → fit(y).predict(h) → quantiles .025, .1, .5, .9, .975 and mean of each step
    seasonal naive   ŷ_{T+h} = y_{T+h-mk}, the last value of the same season, k = ⌈h/m⌉ rounds of m steps back

A frame has a series in each column; NaN is a gap. `notes_` says series by series what was odd. In a frame a series
that cannot be forecast gets NaN and a note; alone it is an error. Quantiles come from what a model learnt about its own
errors; `conformed` makes those of any model hold.

References: Hyndman & Athanasopoulos (2021), Forecasting: principles and practice, chapters 5 and 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from smlab.checks import UsageError
from smlab.countscores import LEVELS
from smlab.progress import meter

Floats = NDArray[np.float64]
COLUMNS: list[Any] = [*LEVELS, "mean"]
Z = np.append(stats.norm.ppf(LEVELS), 0.0)  # (6,) of `COLUMNS`
ENOUGH = 40  # errors among which a .025 quantile lies
YEAR, WEEK, DAY = (pd.Timedelta(days=d) for d in (365.25, 7, 1))
NO_DAYS = pd.DatetimeIndex([])


class Forecaster:
    """What all models share: checks, notes, frames of quantiles.

    A model has `season`, the steps of a round (7 for days, 24 for hours, 1 for none), and gives the quantiles (n, h, 6)
    of n series at once by `_learn(Y)`, Y (n, T), and `_ahead(h)`.
    """

    season: int
    gaps = "left out"  # what the model does with them
    notes_: dict[Any, str]
    index_: pd.DatetimeIndex

    @property
    def least(self) -> int:
        """How many values a series must have."""
        return 2 * self.season

    def fit(self, y: pd.Series | pd.DataFrame, *, show: bool = False) -> Self:
        """Learn from a series, or from each column of a frame; `show` tells on standard error how far it is."""
        self._one = isinstance(y, pd.Series)
        table = y.to_frame("the series" if y.name is None else y.name) if isinstance(y, pd.Series) else y
        self.index_, self._names, self._show, self.notes_ = stepped(table.index), list(table.columns), show, {}
        Y = table.to_numpy(float, na_value=np.nan).T.copy()
        if np.isinf(Y).any():
            s, t = np.argwhere(np.isinf(Y))[0]
            raise UsageError(
                f"{self._names[s]}, {self.index_[t]}: the value is infinite; write NaN where none is known"
            )
        self._flat = np.full(len(Y), np.nan)
        self._used = np.array([s for s, row in enumerate(Y) if self._look(s, row)], dtype=int)
        if len(self._used):
            self._learn(Y[self._used])
        return self

    def predict(self, h: int) -> pd.DataFrame:
        """Give the next h steps, columns `LEVELS` and `mean`: a row a time, of a frame a row a series and time."""
        if not hasattr(self, "_used"):
            raise UsageError(f"{type(self).__name__} has not been fitted; call fit first")
        if h < 1:
            raise UsageError(f"h={h}: a forecast looks 1 step ahead or more")
        Q = np.repeat(self._flat, h * len(COLUMNS)).reshape(-1, h, len(COLUMNS))
        if len(self._used):
            Q[self._used] = self._ahead(h)
        ahead = pd.date_range(self.index_[-1], periods=h + 1, freq=self.index_.freq, name="time")[1:]
        if self._one:
            return pd.DataFrame(Q[0], ahead, COLUMNS)
        rows = pd.MultiIndex.from_product([self._names, ahead], names=["series", "time"])
        return pd.DataFrame(Q.reshape(-1, len(COLUMNS)), rows, COLUMNS)

    def _look(self, s: int, y: Floats) -> bool:
        """Note what is odd about series s, and say whether it has to be learnt."""
        known, name = np.isfinite(y), self._names[s]
        n, same = int(known.sum()), np.ptp(y[known]) == 0 if known.any() else False
        if n < (min(3, self.least) if same else self.least):
            have = f"{n} value{'s' if n != 1 else ''}" if n else "no value at all"
            note = f"{name}: {have}, and {type(self).__name__} with a season of {self.season} needs {self.least}"
            if self._one:
                raise UsageError(note)
            self.notes_[name] = f"{note}; there is no forecast"
        elif same:
            self._flat[s] = y[known][0]
            self.notes_[name] = f"{name}: all values are the same; so is the forecast, and it has no width"
        elif n < len(y):
            edges = np.flatnonzero(np.diff(np.r_[True, known, True]))
            longest, most = int((edges[1::2] - edges[::2]).max()), n < len(y) / 2
            self.notes_[name] = f"{name}: {len(y) - n} of {len(y)} values are missing, {longest} in a row; {self.gaps}"
            self.notes_[name] += ". More than half is missing: this forecast knows little" if most else ""
        return n >= self.least and not same

    def _learn(self, Y: Floats) -> None:
        raise NotImplementedError

    def _ahead(self, h: int) -> Floats:
        raise NotImplementedError

    def _each(self, Y: Floats, size: int) -> Iterator[Floats]:
        """Give the series, `size` at a time, and say how far it is."""
        with meter(f"{type(self).__name__}, {len(Y)} series", Y.nbytes, self._show) as advance:
            for start in range(0, len(Y), size):
                yield Y[start : start + size]
                advance(Y[start : start + size].nbytes)


class OneByOne(Forecaster):
    """Models of one series: they forecast from its last value on, and what is past by now is cut off."""

    def _learn(self, Y: Floats) -> None:
        self.models_: list[Any] = []
        self._late: list[int] = []
        for (y,) in self._each(Y, 1):
            known = np.flatnonzero(np.isfinite(y))
            self._late.append(len(y) - 1 - int(known[-1]))
            self.models_.append(self._one_learnt(y[known[0] : known[-1] + 1]))

    def _ahead(self, h: int) -> Floats:
        return np.stack([self._one_ahead(m, h + g)[g:] for m, g in zip(self.models_, self._late, strict=True)])

    def _one_learnt(self, y: Floats) -> Any:
        raise NotImplementedError

    def _one_ahead(self, model: Any, h: int) -> Floats:
        raise NotImplementedError


class SeasonalNaive(OneByOne):
    """Repeat the last round; the quantiles are those of its own errors y_t - y_{t-mk}, k rounds back.

    With fewer than 40 errors, those of Student's t of their size. Median and mean are the value that is repeated.

    >>> y = pd.Series([5.0, 9.0] * 30, pd.date_range("2024-01-01", periods=60)) + np.arange(60) // 20
    >>> SeasonalNaive(season=2).fit(y).predict(3)["mean"].tolist()
    [7.0, 11.0, 7.0]
    """

    def __init__(self, *, season: int = 7) -> None:
        self.season = need_season(season)

    @property
    def least(self) -> int:
        """A round, and two errors."""
        return self.season + 2

    def _one_learnt(self, y: Floats) -> Floats:
        return y

    def _one_ahead(self, y: Floats, h: int) -> Floats:
        m = self.season
        last = pd.DataFrame(np.r_[np.full(-len(y) % m, np.nan), y].reshape(-1, m)).ffill().to_numpy()[-1]
        last = np.where(np.isfinite(last), last, np.nanmean(y))  # a weekday that never was known
        k = np.arange(h) // m
        off = np.stack([self._errors(y, rounds + 1) for rounds in range(k[-1] + 1)])  # (rounds, 6)
        return last[np.arange(h) % m, None] + off[k]

    def _errors(self, y: Floats, k: int) -> Floats:
        """Give the quantiles of the errors k rounds ahead, (6,), the point forecast within."""
        e = _differences(y, k * self.season)
        near = e if len(e) >= ENOUGH or k == 1 else _differences(y, self.season)
        if len(e) >= ENOUGH:
            q = np.quantile(e, LEVELS, method="weibull")
        else:
            n = max(len(near), 1)
            size = np.sqrt(np.mean(near**2)) if len(near) else np.nanstd(y)
            q = stats.t.ppf(LEVELS, n) * size * (1.0 if near is e else np.sqrt(k))
        q[LEVELS.index(0.5)] = 0.0
        side = np.sign(np.array(LEVELS) - 0.5)
        return np.append(side * np.maximum(side * q, 0), 0.0)


class Mean(Forecaster):
    """The mean of several models' quantiles, level by level: hard to beat, and never the worst (Clemen 1989)."""

    def __init__(self, models: Sequence[Forecaster]) -> None:
        if not models:
            raise UsageError("a mean needs at least one model")
        self.models, self.season = list(models), models[0].season

    def fit(self, y: pd.Series | pd.DataFrame, *, show: bool = False) -> Self:
        """Fit each of them."""
        for model in self.models:
            model.fit(y, show=show)
        self.notes_ = {name: note for model in reversed(self.models) for name, note in model.notes_.items()}
        return self

    def predict(self, h: int) -> pd.DataFrame:
        """Give the mean of their forecasts of the next h steps; NaN where one has none."""
        frames = [model.predict(h) for model in self.models]
        return frames[0].copy() if len(frames) == 1 else sum(frames[1:], frames[0]) / len(frames)


class Logged(Forecaster):
    """Any model, of log(1 + y): for counts, whose noise grows with their size. No quantile falls below 0.

    Quantiles come back as they are; the mean of a log-normal law is that of its median times exp(σ²/2), with σ from
    the 80 % interval.
    """

    def __init__(self, model: Forecaster) -> None:
        self.model, self.season = model, model.season

    def fit(self, y: pd.Series | pd.DataFrame, *, show: bool = False) -> Self:
        """Fit the model to log(1 + y)."""
        low = np.nanmin(y.to_numpy(float, na_value=np.nan)) if y.notna().to_numpy().any() else 0.0
        if low < 0:
            raise UsageError(f"the least value is {low:g}: only counts of 0 and more have a logarithm log(1 + y)")
        self.model.fit(y.transform(np.log1p), show=show)
        self.notes_ = self.model.notes_
        return self

    def predict(self, h: int) -> pd.DataFrame:
        """Give the next h steps as counts."""
        z = self.model.predict(h)
        sigma = (z[0.9] - z[0.1]) / (Z[3] - Z[1])
        z["mean"] = np.minimum(z["mean"] + sigma**2 / 2, z[0.975])  # no mean beyond what is ever likely
        return z.transform(np.expm1).clip(lower=0.0)


def stepped(index: pd.Index) -> pd.DatetimeIndex:
    """Give the index with its step as `freq`; refuse times out of order, twice, or with steps left out."""
    if not isinstance(index, pd.DatetimeIndex):
        raise UsageError(f"a series needs times as its index; this one has {type(index).__name__} of {index.dtype}")
    if len(index) < 3 and index.freq is None:
        raise UsageError(f"{len(index)} times do not tell how long a step is; give the index a freq, or more of them")
    if index.freq is not None:
        return index
    steps = np.diff(index.asi8)
    if (wrong := np.flatnonzero(steps <= 0)).size:
        raise UsageError(f"{index[wrong[0] + 1]} follows {index[wrong[0]]}: times must rise, none twice")
    if (freq := pd.infer_freq(index)) is None:
        odd = int(np.flatnonzero(steps != np.median(steps))[0])
        raise UsageError(
            f"{index[odd + 1]} follows {index[odd]}: steps are not all alike; `steps.regular` makes them so"
        )
    return pd.DatetimeIndex(index, freq=freq)


def filled(Y: Floats, season: int) -> Floats:
    """Fill the gaps of series Y (n, T) on straight lines between the same season's neighbours, m steps apart.

    >>> filled(np.array([[1.0, 5.0, np.nan, np.nan, 3.0, 7.0]]), 2).tolist()
    [[1.0, 5.0, 2.0, 6.0, 3.0, 7.0]]
    """
    out = Y.copy()
    gappy = np.flatnonzero(np.isnan(Y).any(axis=1))
    for phase in range(season if len(gappy) else 0):
        part = pd.DataFrame(Y[gappy, phase::season].T).interpolate(limit_direction="both")
        out[gappy, phase::season] = part.to_numpy().T
    left = np.flatnonzero(np.isnan(out).any(axis=1))  # a weekday that never was known
    if len(left):
        out[left] = pd.DataFrame(out[left].T).interpolate(limit_direction="both").to_numpy().T
    return out


def waves(t: NDArray[Any], periods: Sequence[tuple[float, int]]) -> Floats:
    """Give sin(2πkt/m) and cos(2πkt/m), k = 1 … K, for each (m, K): (len(t), 2 Σ K), without sines that are all 0."""
    found = []
    for m, K in periods:
        for k in range(1, K + 1):
            angle = 2 * np.pi * k * t / m
            found += [np.cos(angle)] if 2 * k == m else [np.sin(angle), np.cos(angle)]
    return np.column_stack(found) if found else np.empty((len(t), 0))


def calendar(index: pd.DatetimeIndex, horizon: int, season: int, holidays: pd.DatetimeIndex = NO_DAYS) -> Floats:
    """Give what is known of each time and of `horizon` more: (T + horizon, columns).

    A one, the place in the round, the weekday, the time of year, whether it is a holiday.
    """
    T, step = len(index), index[1] - index[0]
    ahead = index.union(pd.date_range(index[-1], periods=horizon + 1, freq=index.freq)[1:])
    t, year = np.arange(T + horizon), YEAR / step
    parts = [np.ones((T + horizon, 1)), np.eye(season)[t % season][:, 1:]]
    if season > 24:
        parts[1] = waves(t, [(season, 6)])
    if step <= DAY and WEEK / step != season:
        parts.append(np.eye(7)[ahead.day_of_week][:, 1:])
    parts.append(waves(t, [(year, year_waves(T, year))]))
    if len(holidays):
        parts.append(ahead.normalize().isin(holidays)[:, None].astype(float))
    return np.column_stack(parts)


def year_waves(n: int, year: float) -> int:
    """Give how many waves of the year n steps can show: one for each year seen, at most six, none before two."""
    return min(int(n / year), 6) if n >= 2 * year > 4 else 0


def need_season(season: int) -> int:
    """Give the season; refuse what is no number of steps."""
    if not isinstance(season, int) or season < 1:
        raise UsageError(f"season={season!r} must be a whole number of steps, 1 where there is no rhythm")
    return season


def _differences(y: Floats, lag: int) -> Floats:
    e = y[lag:] - y[:-lag]
    return e[np.isfinite(e)]
