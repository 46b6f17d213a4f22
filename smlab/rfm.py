"""Features of customers from what they bought: recency, frequency, monetary value, tenure, habits; and their scaling.

With the orders of a customer at the times t_1 ≤ … ≤ t_n, of the sums m_1 … m_n, seen at the time `until`:

    recency    until − t_n                 days since the last order
    frequency  n                           orders
    monetary   (m_1 + … + m_n) / n         mean sum of an order, in the currency of the shop
    tenure     until − t_1                 days since the first order

An order is what has one invoice; where there are no invoices, all that a customer bought on one day (as in Fader,
Hardie and Lee 2005). All four are skewed: a few customers buy a hundred times as much as most. So they are scaled as

    z = (log(1 + x) − median) / (upper quartile − lower quartile),   median and quartiles of log(1 + x)

References
----------
A. M. Hughes (1994). Strategic database marketing. Probus. · P. S. Fader, B. G. S. Hardie and K. L. Lee (2005).
"Counting your customers" the easy way. Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smlab.checks import UsageError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PARTS = ("night", "morning", "afternoon", "evening")  # from 0, 6, 12 and 18 o'clock


def orders(frame: pd.DataFrame, *, until: str | pd.Timestamp | None = None) -> pd.DataFrame:
    """Put lines together to orders: customer, time (of the first line), amount, products; in order of customer, time.

    Parameters
    ----------
    frame : customer, time, amount, and where known invoice and product
    until : purchases after that moment are left out; None keeps all

    >>> bought = pd.DataFrame({"customer": ["a", "a", "b"], "time": pd.to_datetime(["2024-05-01"] * 3), "amount": 2.0})
    >>> orders(bought)["amount"].tolist()
    [4.0, 2.0]
    """
    lines = _until(frame, until)[0]
    by = [lines["customer"], lines["invoice"] if "invoice" in lines else lines["time"].dt.floor("D").rename("day")]
    grouped = lines.groupby(by, observed=True, sort=False)
    found = grouped.agg(time=("time", "min"), amount=("amount", "sum"))
    if "product" in lines:
        found["products"] = grouped["product"].nunique()
    return found.reset_index().drop(columns=by[1].name).sort_values(["customer", "time"], ignore_index=True)


def rfm(frame: pd.DataFrame, *, until: str | pd.Timestamp | None = None) -> pd.DataFrame:
    """Work out recency, frequency, monetary value and tenure of each customer, as above.

    Parameters
    ----------
    frame : customer, time, amount, and where known invoice
    until : the moment from which one looks back; later purchases are left out. None means the last purchase

    Returns
    -------
    (n_customers, 4) float64, indexed by customer in order

    Raises
    ------
    UsageError
        If nobody bought anything up to then.

    >>> bought = pd.DataFrame({"customer": ["a", "a"], "time": pd.to_datetime(["2024-05-01", "2024-05-11"]),
    ...                        "amount": [10.0, 20.0]})
    >>> rfm(bought, until="2024-05-16").loc["a"].to_dict()
    {'recency': 5.0, 'frequency': 2.0, 'monetary': 15.0, 'tenure': 15.0}
    """
    lines, end = _until(frame, until)
    grouped = orders(lines).groupby("customer", observed=True)
    first, last = grouped["time"].min(), grouped["time"].max()
    if "invoice" in lines:  # the last line of an invoice may be later than its first
        last = lines.groupby("customer", observed=True)["time"].max()
    return pd.DataFrame({
        "recency": _days(end - last),
        "frequency": grouped.size().astype(float),
        "monetary": grouped["amount"].mean(),
        "tenure": _days(end - first),
    })  # fmt: skip


def behaviour(
    frame: pd.DataFrame, returns: pd.DataFrame | None = None, *, until: str | pd.Timestamp | None = None
) -> pd.DataFrame:
    """Work out habits of each customer, indexed as `rfm`.

    | column | what |
    |---|---|
    | night, morning, afternoon, evening | shares of orders begun from 0, 6, 12 and 18 o'clock; where times have hours |
    | monday … sunday | shares of orders |
    | gap | mean days between orders; of a single order the days since, for the gap is at least that |
    | products | different products, where known |
    | returned | share of the bought sum that was sent back, 0 to 1, where `returns` are given |

    Parameters
    ----------
    returns : `Purchases.returns`; those of a line that `frame` lacks (`undoes`) count as bought, too
    """
    lines, end = _until(frame, until)
    found = orders(lines)
    customer = found["customer"]
    hours, days = found["time"].dt.hour, found["time"].dt.day_of_week
    parts: dict[str, pd.Series] = {}
    if not (found["time"] == found["time"].dt.floor("D")).all():
        parts |= {name: hours // 6 == k for k, name in enumerate(PARTS)}
    parts |= {name: days == k for k, name in enumerate(WEEKDAYS)}
    table = pd.DataFrame(parts).astype(float).groupby(customer, observed=True).mean()
    grouped = found.groupby("customer", observed=True)["time"]
    first, last, n = grouped.min(), grouped.max(), grouped.size()
    table["gap"] = (_days(last - first) / (n - 1).clip(lower=1)).where(n > 1, _days(end - last))
    if "product" in lines:
        table["products"] = lines.groupby("customer", observed=True)["product"].nunique().astype(float)
    if returns is not None:
        back = returns[returns["time"] <= end]
        bought = lines.groupby("customer", observed=True)["amount"].sum()
        undone = back[back["undoes"]].groupby("customer")["amount"].sum().reindex(table.index, fill_value=0.0)
        sent = back.groupby("customer")["amount"].sum().reindex(table.index, fill_value=0.0)
        table["returned"] = (sent / (bought + undone)).clip(upper=1.0)
    return table


def repeats(frame: pd.DataFrame, *, until: str | pd.Timestamp | None = None) -> pd.DataFrame:
    """Count repeat purchases as BG/NBD takes them: x, t_x and T, in weeks, indexed by customer.

    x is the number of days with a purchase after the first such day, t_x the time from the first to the last of them
    (0 where x is 0), T the time from the first to `until`. Fader, Hardie and Lee (2005), section 3.
    """
    lines, end = _until(frame, until)
    days = lines["time"].dt.floor("D").groupby(lines["customer"], observed=True)
    first, last = days.min(), days.max()
    weeks = _days(last - first) / 7, _days(end.floor("D") - first) / 7
    table = {"x": days.nunique() - 1.0, "t_x": weeks[0], "T": weeks[1]}
    return pd.DataFrame(table).rename_axis("customer")


def _until(frame: pd.DataFrame, until: str | pd.Timestamp | None) -> tuple[pd.DataFrame, pd.Timestamp]:
    end = frame["time"].max() if until is None else pd.Timestamp(until)
    lines = frame if until is None else frame[frame["time"] <= end]
    if lines.empty:
        raise UsageError("there is no purchase" + (f" up to {end:%Y-%m-%d}" if until is not None else ""))
    return lines, end


def _days(length: pd.Series) -> pd.Series:
    return length.dt.total_seconds() / 86_400


class Scaler:
    """Bring skewed columns to one scale, robustly: z = (log(1 + x) − median) / (upper − lower quartile).

    Half of all values lie within the quartiles, so the few giants do not squeeze the rest together. Where the
    quartiles are equal (most customers bought once) the standard deviation takes their place; a constant column,
    which tells nobody from anybody, becomes 0.

    Parameters
    ----------
    log : columns that are taken as log(1 + x); None means all, () none

    >>> bought = pd.DataFrame({"frequency": [1.0, 3.0, 7.0, 15.0, 31.0], "one": 1.0})
    >>> Scaler().fit(bought).transform(bought).round(6).T.values.tolist()
    [[-1.0, -0.5, 0.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    centre_: pd.Series
    width_: pd.Series

    def __init__(self, *, log: Sequence[str] | None = None) -> None:
        self.log = log

    def fit(self, frame: pd.DataFrame) -> Scaler:
        """Learn medians and widths; an error for fewer than two rows, and for values that cannot be scaled."""
        if len(frame) < 2:
            raise UsageError(f"{len(frame)} customer{'s' * (len(frame) != 1)}: at least two are needed to compare")
        x = self._logged(frame)
        self.centre_ = x.median()
        lower, upper = np.quantile(x, [0.25, 0.75], axis=0)
        width = np.where(upper - lower > 1e-12, upper - lower, x.std(ddof=0))
        self.width_ = pd.Series(np.where(width > 1e-12, width, 1.0), index=x.columns)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Scale the columns that were learnt, of the same or of new customers."""
        missing = [name for name in self.centre_.index if name not in frame]
        if missing:
            raise UsageError(f"the column {missing[0]!r} was learnt and is not there")
        return (self._logged(frame[list(self.centre_.index)]) - self.centre_) / self.width_

    def inverse(self, scaled_: pd.DataFrame | NDArray[np.float64]) -> pd.DataFrame:
        """Turn scaled values, such as the centres of clusters, back into days, orders and sums."""
        frame = pd.DataFrame(scaled_, columns=self.centre_.index) * self.width_ + self.centre_
        logged = self._log_of(frame)
        return frame.assign(**{name: np.expm1(frame[name]) for name in logged})

    def _log_of(self, frame: pd.DataFrame) -> list[str]:
        return list(frame.columns) if self.log is None else list(self.log)

    def _logged(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = _numbers(frame)
        logged = self._log_of(frame)
        for name in logged:
            if name not in frame:
                raise UsageError(f"there is no column {name!r} to take the logarithm of")
            if (low := frame[name].min()) < 0:
                raise UsageError(f"the column {name!r} holds {low:g}; a logarithm needs values from 0, see `log`")
        return frame.assign(**{name: np.log1p(frame[name]) for name in logged})


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise UsageError(f"the column {name!r} holds words; choose the columns of numbers, or encode it")
        wrong = ~np.isfinite(frame[name].to_numpy(dtype=float))
        if wrong.any():
            who = frame.index[int(wrong.argmax())]
            raise UsageError(f"the column {name!r} has no number for {who!r} (and {wrong.sum() - 1} more)")
    return frame.astype(float)


def scaled(frame: pd.DataFrame, *, log: Sequence[str] | None = None) -> pd.DataFrame:
    """Scale the columns of a frame by a `Scaler` learnt from it."""
    return Scaler(log=log).fit(frame).transform(frame)
