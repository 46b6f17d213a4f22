"""ETS and ARIMA, by statsmodels: which parts they have is told by AICc.

    ETS      y_t = l_{t-1} + φ b_{t-1} + s_{t-m} + ε_t      level, damped trend and season, smoothed
    ARIMA    y_t = Σ_k a_k sin(2πkt/m) + b_k cos(2πkt/m) + ARIMA(p, d, q) noise

    AICc = -2 log L + 2k + 2k(k+1)/(n-k-1)      less is better; d by the KPSS test, as Hyndman & Khandakar (2008)

Their quantiles are normal and take the parameters for known, so that they are a little narrow. AICc cannot compare
different d. Left out: errors that grow with the level (`forecast.Logged` helps), and differences of seasons.

References: Hyndman, Koehler, Ord & Snyder (2008), Forecasting with exponential smoothing, table 6.2; Hyndman &
Khandakar (2008), J. Stat. Software 27(3); Kwiatkowski et al. (1992), KPSS; Grenander & Rosenblatt (1957), regression on
sines.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from smlab.checks import UsageError
from smlab.forecast import YEAR, Floats, OneByOne, Z, filled, need_season, waves, year_waves

LONGEST = 24  # steps of a round that ETS takes
ROUNDS = 5  # in which ETS fills gaps by what it expects there


class ETS(OneByOne):
    """Exponential smoothing with additive errors; trend (none, damped) and season (none, additive) by AICc.

    The forecast h steps ahead is normal with variance σ² [1 + Σ_{j<h} c_j²], c_j = α + β(φ + … + φʲ) + γ [j ≡ 0 mod m].
    `Logged` makes it multiplicative. The form is chosen with simple starting values, its parameters and starting values
    are then of maximum likelihood.
    """

    gaps = "filled with what was expected there"

    def __init__(self, *, season: int = 7) -> None:
        self.season = need_season(season)
        if season > LONGEST:
            raise UsageError(
                f"season={season}: ETS learns a number for each step of a round and takes {LONGEST} at most"
            )

    @property
    def least(self) -> int:
        """What starting values need."""
        return max(10, 2 * self.season + 4)

    def _one_learnt(self, y: Floats) -> dict[str, Any]:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        full, known, m = filled(y[None], self.season)[0], np.isfinite(y), self.season
        centre, scale = full.mean(), full.std()
        z = (full - centre) / scale

        def fitted(form: tuple[bool, bool], start: str) -> Any:
            trend, season = ("add" if part else None for part in form)
            how: dict[str, Any] = {"trend": trend, "damped_trend": form[0], "seasonal": season}
            how |= {"seasonal_periods": m if season else None, "initialization_method": start}
            return ETSModel(z, **how).fit(disp=False)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimum is flat: AICc compares what was found
            for _ in range(0 if known.all() else ROUNDS):  # a gap filled by its forecast changes no level
                z = np.where(known, z, fitted((False, m > 1), "heuristic").fittedvalues)
            forms = [(trend, season) for trend in (False, True) for season in ((False, True) if m > 1 else (False,))]
            best = min(forms, key=lambda form: _aicc(fitted(form, "heuristic")))
            found = fitted(best, "estimated")
        got = dict(zip(found.model.param_names, found.params, strict=True))
        return {
            "trend": best[0], "season": best[1], "centre": centre, "scale": scale,
            "alpha": got["smoothing_level"], "beta": got.get("smoothing_trend", 0.0),
            "gamma": got.get("smoothing_seasonal", 0.0), "phi": got.get("damping_trend", 0.0),
            "level": found.level[-1], "slope": found.slope[-1] if best[0] else 0.0,
            "round": found.season[-m:] if best[1] else np.zeros(m),
            "sigma": np.sqrt((found.resid[known] ** 2).sum() / max(known.sum() - len(got), 1)),
        }  # fmt: skip

    def _one_ahead(self, model: dict[str, Any], h: int) -> Floats:
        m, j = self.season, np.arange(1, h + 1)
        damped = np.cumsum(model["phi"] ** j)
        mean = model["level"] + damped * model["slope"] + model["round"][(j - 1) % m]
        c = model["alpha"] + model["beta"] * damped + model["gamma"] * (j % m == 0)
        sd = model["sigma"] * np.sqrt(1 + np.r_[0, np.cumsum(c[:-1] ** 2)])
        return model["centre"] + model["scale"] * (mean[:, None] + sd[:, None] * Z)


class ARIMA(OneByOne):
    """Sines of a round, and of the year where two were seen, with ARIMA noise whose orders are found.

    The sines are taken off by least squares, in the long run as good for them as the full likelihood (Grenander &
    Rosenblatt). d is 1 where KPSS refuses, at 5 %, that the rest keeps its level; then they are taken off differences.
    p and q are those of the least AICc. Gaps stay gaps (Kalman filter).

    Parameters
    ----------
    season : steps of a round
    order : the largest p and q
    n_waves : sines and cosines of a round, at most
    """

    def __init__(self, *, season: int = 7, order: int = 2, n_waves: int = 6) -> None:
        if order < 1 or n_waves < 1:
            raise UsageError(f"order={order} and n_waves={n_waves} must be 1 or more")
        self.season, self.order, self.n_waves = need_season(season), order, n_waves

    @property
    def least(self) -> int:
        """Three times as many as there are numbers to learn."""
        return 3 * (2 * min(self.n_waves, self.season // 2) + 2 * self.order + 2)

    def _one_learnt(self, y: Floats) -> dict[str, Any]:
        from statsmodels.tsa.arima.model import ARIMA as Model

        year = YEAR / (self.index_[1] - self.index_[0])
        periods = [(self.season, min(self.n_waves, self.season // 2)), (year, year_waves(len(y), year))]
        X = np.column_stack([np.ones(len(y)), waves(np.arange(len(y)), periods)])
        centre, scale = np.nanmean(y), np.nanstd(y)
        z = (y - centre) / scale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # statsmodels tells of its starting values
            b = _regressed(z, X)
            if d := int(_wanders((z - X @ b)[np.isfinite(z)])):
                b = np.append(0.0, _regressed(np.diff(z), np.diff(X[:, 1:], axis=0)))
            rest = z - X @ b
            noise = np.diff(filled(rest[None], 1)[0], n=d)
            orders = sorted(np.ndindex(self.order + 1, self.order + 1), key=lambda pq: _of_noise(noise, *pq))
            for p, q in orders:  # the best whose likelihood can be had: near the edge of what is stable it may fail
                try:
                    found = Model(rest, order=(p, d, q), trend="n").fit()
                    break
                except np.linalg.LinAlgError:
                    continue
        return {"found": found, "b": b, "n": len(y), "periods": periods, "centre": centre, "scale": scale}

    def _one_ahead(self, model: dict[str, Any], h: int) -> Floats:
        t = model["n"] + np.arange(h)
        sines = np.column_stack([np.ones(h), waves(t, model["periods"])]) @ model["b"]
        ahead = model["found"].get_forecast(h)
        z = (sines + ahead.predicted_mean)[:, None] + np.asarray(ahead.se_mean)[:, None] * Z
        return model["centre"] + model["scale"] * z


def _regressed(z: Floats, X: Floats) -> Floats:
    """Give the least squares b of z ≈ Xb, where z is known."""
    known = np.isfinite(z)
    return np.asarray(np.linalg.lstsq(X[known], z[known], rcond=None)[0], dtype=float)


def _aicc(found: Any) -> float:
    return float(found.aicc) if np.isfinite(found.aicc) else np.inf


def _wanders(x: Floats) -> bool:
    """Say whether KPSS refuses, at 5 %, that x keeps its level."""
    from statsmodels.tsa.stattools import kpss

    return bool(kpss(x, regression="c", nlags="auto")[1] < 0.05)


def _of_noise(x: Floats, p: int, q: int) -> float:
    """Give the AICc of ARMA(p, q) for x without gaps."""
    from statsmodels.tsa.arima.model import ARIMA as Model

    try:
        return _aicc(Model(x, order=(p, 0, q), trend="n").fit(method="innovations_mle"))
    except (ValueError, np.linalg.LinAlgError):  # no such process near
        return np.inf
