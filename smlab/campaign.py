"""What is a message worth, by segment? Expected margin of the next weeks, break-even response, and send or not.

Without a message a customer is expected to bring in the next t weeks

    V = f · m · E[Y(t)] · E[M]    m margin, E[Y(t)] purchases by BG/NBD, E[M] mean order by credibility

f is what happened / what was expected in a period that was held out: a model that was wrong there is put right here.
A message that raises purchases by the share ρ gains ρ V - c, c its cost. So it pays where ρ > ρ* = c / V, the
response that breaks even. ρ is a cause and no model of purchases knows it: it is an assumption, here anywhere between
two ends, until an experiment with a control group has measured it.

The mean order of somebody with n orders of mean M̄ is drawn towards that of all, μ, as far as n is small:

    E[M] = Z M̄ + (1 - Z) μ,    Z = n / (n + K),    K = σ² / τ²

σ² the variance within customers, τ² between them. The best of all linear forecasts whatever the distributions, and of
the same form as the gamma-gamma model of spending (Fader, Hardie & Lee 2005b).

References: Bühlmann & Straub (1970), Glaubwürdigkeit für Schadensätze; Fader, Hardie & Lee (2005b), RFM and CLV: using
iso-value curves for customer base analysis; Chamandy et al. (2012), Estimating uncertainty for massive data streams
(Poisson bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from smlab.bgnbd import BGNBD
from smlab.checks import UsageError
from smlab.kmeans import Floats, Ints
from smlab.metrics import Interval

SEND, TEST, LEAVE = "send", "test first", "do not send"
CERTAIN = Interval(1.0, 1.0, 1.0)


class Spending(NamedTuple):
    """Mean orders that are to be believed.

    Parameters
    ----------
    mean : (n,) E[M], indexed by customer
    weight : (n,) Z, how much of it is the customer's own
    common : μ
    K : orders after which own and common count alike; inf where customers do not differ
    """

    mean: pd.Series
    weight: pd.Series
    common: float
    K: float


def spending(orders: pd.DataFrame) -> Spending:
    """Draw the mean order of each customer towards the common one, as above.

    Parameters
    ----------
    orders : a row an order: customer, amount

    >>> paid = pd.DataFrame({"customer": list("aaabbbc"), "amount": [9.0, 10, 11, 29, 30, 31, 60]})
    >>> spending(paid).mean.round(1).tolist()
    [10.0, 30.0, 59.9]
    """
    if orders.empty:
        raise UsageError("there is no order, so nothing tells what one is worth")
    by = orders.groupby("customer", observed=True, sort=True)["amount"]
    n, own = by.size().astype(float), by.mean()
    N, J = float(n.sum()), len(n)
    inside = float(((orders["amount"] - orders["customer"].map(own)) ** 2).sum()) / max(N - J, 1)
    common = float(orders["amount"].mean())
    spread = N - float((n**2).sum()) / N
    between = (float((n * (own - common) ** 2).sum()) - (J - 1) * inside) / spread if spread > 0 else 0.0
    if N == J:  # one order each: what is own and what is chance cannot be told apart
        between, inside = 0.0, 1.0
    K = inside / between if between > 0 else np.inf
    Z = n / (n + K) if np.isfinite(K) else n * 0.0
    common = float((Z * own).sum() / Z.sum()) if Z.sum() > 0 else common
    return Spending(Z * own + (1 - Z) * common, Z, common, float(K))


def worth(model: BGNBD, seen: pd.DataFrame, spend: ArrayLike, *, weeks: float, margin: float) -> Floats:
    """Give V of each customer (n,), in money.

    Parameters
    ----------
    seen : x, t_x, T of each customer
    spend : (n,) E[M]
    weeks : t
    margin : m, share of the price that is left, 0 to 1
    """
    if not 0 <= margin <= 1:
        raise UsageError(f"margin={margin:g} is a share of the price, between 0 and 1")
    alike, back = np.unique(seen[["x", "t_x", "T"]].to_numpy(dtype=float), axis=0, return_inverse=True)
    more = model.expect_more(weeks, *alike.T)[back.ravel()]
    return margin * more * np.asarray(spend, dtype=float)


def campaign(
    model: BGNBD,
    seen: pd.DataFrame,
    spend: ArrayLike,
    labels: ArrayLike,
    names: Sequence[str],
    *,
    weeks: float,
    margin: float,
    cost: float,
    response: tuple[float, float],
    correction: Interval | Sequence[Interval] = CERTAIN,
    n_draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Weigh a message to each segment.

    The intervals join four doubts: the parameters of the model and the correction (their normal approximations), which
    customers there are (each counts a Poisson number of times), and the response, anywhere between its ends.

    Parameters
    ----------
    labels, names : segment of each customer (n,), and what the segments are called
    cost : c of one message, in money
    response : least and most ρ that is thought possible
    correction : f with its interval, of all segments or of each

    Returns
    -------
    frame with a row a segment: n, and worth (V), break_even (ρ*), gain (ρ V - c), of one customer, each with …_low and
    …_high; decision: send if the whole interval of the gain lies above 0, do not send if below, else test first
    """
    least, most = response
    if not 0 <= least <= most or cost < 0:
        raise UsageError(f"response={least:g} to {most:g} must be 0 or more and in order, cost={cost:g} 0 or more")
    z, rng = np.asarray(labels), np.random.default_rng(seed)
    args = {"weeks": weeks, "margin": margin}
    f, f_low, f_high = np.array([correction] * len(names) if isinstance(correction, Interval) else correction).T
    V = f * _means(worth(model, seen, spend, **args), z, np.ones(len(z)), len(names))
    drawn = np.array(
        [
            _means(worth(one, seen, spend, **args), z, rng.poisson(1.0, len(z)).astype(float), len(names))
            for one in model.draws(n_draws, seed=seed)
        ]
    )  # (B, k)
    drawn *= np.maximum(rng.normal(f, (f_high - f_low) / (2 * 1.96), drawn.shape), 0)
    rho = rng.uniform(least, most, drawn.shape)
    figures = {
        "worth": (V, drawn),
        "break_even": tuple(cost / np.maximum(v, 1e-12) for v in (V, drawn)),
        "gain": ((least + most) / 2 * V - cost, rho * drawn - cost),
    }
    table = pd.DataFrame({"n": np.bincount(z, minlength=len(names))}, index=pd.Index(names, name="persona"))
    for name, (value, draws) in figures.items():
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = value, low, high
    table["decision"] = np.select([table["gain_low"] > 0, table["gain_high"] < 0], [SEND, LEAVE], TEST)
    return table


def _means(value: Floats, z: Ints, weight: Floats, k: int) -> Floats:
    total = np.bincount(z, weight, minlength=k)
    return np.bincount(z, weight * value, minlength=k) / np.maximum(total, 1e-12)
