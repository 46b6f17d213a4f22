"""When and how to post next: the best form that the author has tried, "as usual" and "not at all" beside it.

`forms` says in words what each post was, `candidates` what the next could be, as far as the author has done it often
enough, and `whatif.Study` what a change gains. The best of a hundred noisy gains promises too much (the winner's
curse), so `choose` learns on earlier posts and judges on later ones:

    raw        g_a with standard error s_a, earlier posts
    promised   Σ_m p_am B_am g_a,  B_am = τ_m²/(τ_m² + s_a²)     shrunk towards 0, the habit; the greatest is chosen
    kept       the gain of the chosen form on later posts, which had no part in the choice

True gains are taken to come from normal distributions around 0 with several τ_m, 0 among them, as often as the raw
ones say; p_am is the chance that g_a is of the m-th (adaptive shrinkage). So noise shrinks to nothing, and one gain
that stands far out stays. A change is advised only if the whole interval kept lies above 0. Else the habit stays, and
the experiment that would tell is named.

One more post also costs its neighbours. With k other posts within h hours, the partially linear model

    Y = δ k + f(W) + ε,    δ = Σ (k - E[k|W]) (Y - E[Y|W]) / Σ (k - E[k|W])²

gives what each further post takes from each post near it. Left out: what followers do in the long run.

References: Stephens (2017), False discovery rates: a new deal; Andrews, Kitagawa & McCloskey (2024), Inference on
winners; Robinson (1988) and Chernozhukov et al. (2018), the partially linear model.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from smlab.checks import UsageError, nearest
from smlab.metrics import Interval
from smlab.power import sample_size
from smlab.whatif import DAYS, UNSEEN, Change, Floats, Rows, Study, called, in_words, levels, ridge

FEW = 5  # days with such a post, on either side of the cut, below which a candidate is not judged


def forms(
    past: pd.DataFrame, *, zone: str = "UTC", hours: Iterable[int] = (0, 6, 9, 12, 15, 18, 21), long: int = 100
) -> pd.DataFrame:
    """Describe the form of each post in words: day (a date), weekday, hour; and kind, hashtags, link, length if known.

    Parameters
    ----------
    past : time (UTC) and, where known, kind and text
    zone : of the audience, such as "Europe/Berlin"
    hours : at which the bands of the day begin
    long : characters without links from which a post is long; below half of it, it is short

    >>> forms(pd.DataFrame({"time": pd.to_datetime(["2016-09-28 00:22"]), "text": ["Vote! #us"]}),
    ...       zone="America/New_York").iloc[0, 1:].tolist()
    ['Tue', '18-21', 'one', 'no', 'short']
    """
    try:
        there = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"unknown time zone {zone!r}; write one such as 'Europe/Berlin'") from None
    local = past["time"].dt.tz_localize("UTC").dt.tz_convert(there)
    starts = np.unique([0, *hours])
    bands = [f"{a:02d}-{b:02d}" for a, b in zip(starts, [*starts[1:], 24], strict=True)]
    band = np.searchsorted(starts, local.dt.hour, side="right") - 1
    form = pd.DataFrame({"day": local.dt.tz_localize(None).dt.normalize()}, index=past.index)
    form["weekday"] = [DAYS[d] for d in local.dt.day_of_week]
    form["hour"] = [bands[b] for b in band]
    if "kind" in past:
        form["kind"] = past["kind"].astype(str)
    if "text" in past:
        text = past["text"].astype(str)
        tags, length = text.str.count(r"(?<!\w)#\w"), text.str.replace(r"https?://\S+", "", regex=True).str.len()
        form["hashtags"] = np.select([tags == 0, tags == 1], ["none", "one"], "several")
        form["link"] = np.where(text.str.contains(r"https?://"), "yes", "no")
        form["length"] = np.select([length < long / 2, length < long], ["short", "medium"], "long")
    return form


def candidates(
    form: pd.DataFrame, by: Iterable[str] = ("weekday", "hour"), *, least: int = 30, **only: Iterable[str]
) -> pd.DataFrame:
    """List every next post that the columns `by` can make: each with the n posts and days like it in the past.

    Parameters
    ----------
    least : posts that there must be; with fewer, `supported` is False and nothing is claimed
    only : values that come into question, by column: kind=["photo", "video"]

    >>> grid = candidates(pd.DataFrame({"day": range(3), "link": ["no", "yes", "no"]}), ["link"], least=2)
    >>> grid.values.tolist()
    [['no', 2, 2, True], ['yes', 1, 1, False]]
    """
    by = list(by)
    for name in [*by, *only]:
        if name not in form:
            raise UsageError(f"posts have no {name!r}; {nearest(name, map(str, form.columns[1:]))}")
    values = [[v for v in levels(form[name]) if v in only.get(name, [v])] for name in by]
    grid = pd.MultiIndex.from_product(values, names=by).to_frame(index=False)
    found = form.groupby(by, observed=True)["day"].agg(n="size", days="nunique").reset_index()
    grid = grid.merge(found, how="left", on=by).fillna({"n": 0, "days": 0}).astype({"n": int, "days": int})
    return grid.assign(supported=grid["n"] >= least)


def shrink(value: ArrayLike, error: ArrayLike) -> tuple[Floats, Floats]:
    """Shrink gains towards 0 by empirical Bayes, as above: means and standard deviations afterwards.

    The weights of the τ_m are the most likely by EM, one gain of 0 added; Stephens adds ten, harsh on a few dozen.

    >>> value, error = shrink([0.1, -0.2, 0.3, -0.1, 2.0], [0.2] * 5)
    >>> (value.round(2) + 0.0).tolist()
    [0.0, -0.01, 0.02, 0.0, 1.98]
    """
    g, s = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    tau2 = np.concatenate([[0.0], s.min() ** 2 / 10 * 2.0 ** np.arange(20)])  # τ from 0 to hundreds of errors
    likely = norm.pdf(g[:, None], 0.0, np.sqrt(tau2 + s[:, None] ** 2)) + 1e-300  # (K, M)
    weight = np.full(len(tau2), 1 / len(tau2))
    for _ in range(200):
        p = likely * weight / (likely @ weight)[:, None]
        weight = p.sum(axis=0) + (tau2 == 0)
        weight /= weight.sum()
    B = tau2 / (tau2 + s[:, None] ** 2)
    mean = (p * B).sum(axis=1) * g
    second = (p * (B * s[:, None] ** 2 + (B * g[:, None]) ** 2)).sum(axis=1)
    return mean, np.sqrt(np.maximum(second - mean**2, 0.0))


class Choice(NamedTuple):
    """What to do with the next post.

    Parameters
    ----------
    table : a row a candidate: its form, n, days, supported; raw, raw_low, raw_high, promised, low, high, model and
        overlap of the earlier posts, best first; NaN where nothing is claimed
    best : the form chosen on the earlier posts
    raw, promised, kept : its gain against the habit, in the unit of the outcome; the last is the one to believe
    later : (n_posts,) which posts judged it
    sought, each : gain that an experiment would look for, and the posts that each of its arms needs
    """

    table: pd.DataFrame
    best: dict[str, str]
    raw: Interval
    promised: Interval
    kept: Interval
    later: Rows
    sought: float
    each: int
    log: bool

    @property
    def change(self) -> bool:
        """Say whether the whole interval of what was kept lies above 0."""
        return self.kept.low > 0

    @property
    def text(self) -> str:
        """Say what to do in words, and what nobody can see in the data."""
        promised, kept, sought = (in_words(x, self.log) for x in (self.promised, self.kept, self.sought))
        if self.change:
            text = f"Post {called(self.best)}: against the habit it promised {promised} and kept {kept} on later posts."
        else:
            text = (
                f"Keep the habit. The best form found, {called(self.best)}, promised {promised} and kept {kept} on "
                f"later posts, so no gain is sure. What would tell: {self.each:,} posts there and as many as usual, by "
                f"the toss of a coin; so many show {sought}."
            )
        return f"{text} {UNSEEN}"


def choose(
    study: Study, grid: pd.DataFrame, *, share: float = 0.6, least_gain: float = 0.05, power: float = 0.8
) -> Choice:
    """Choose a form on the earlier posts, judge it on the later ones, and say whether to change.

    Parameters
    ----------
    study : of all posts; the earlier ones choose as a study of their own
    grid : of `candidates`
    share : of the posts that choose; the others judge, from a day later on
    least_gain : that would matter, in the unit of the outcome: an experiment looks for no less
    power : of that experiment
    """
    if not 0 < share < 1 or least_gain <= 0:
        raise UsageError(f"share={share} must lie between 0 and 1, and least_gain={least_gain} be above 0")
    by = [str(c) for c in grid if c not in ("n", "days", "supported")]
    cut = study.day[study.scored][int(share * study.scored.sum())]
    late = study.scored & (study.day > cut)
    table, later = _judge(study, study.day < cut, late, grid, by)
    best, kept = table.iloc[0], later[table.index[0]]
    promised = Interval(*best[["promised", "low", "high"]])
    sought = max(min(promised.value, kept.value), least_gain)  # a plan on the greater would be too small an experiment
    return Choice(
        table=table.reset_index(drop=True),
        best={c: str(best[c]) for c in by},
        raw=Interval(*best[["raw", "raw_low", "raw_high"]]),
        promised=promised,
        kept=kept,
        later=late,
        sought=sought,
        each=_posts_needed(study, sought, power),
        log=study.log,
    )


def _judge(
    study: Study, before: Rows, late: Rows, grid: pd.DataFrame, by: list[str]
) -> tuple[pd.DataFrame, dict[Any, Interval]]:
    """Give the table of the earlier posts, best first, and each candidate's gain on the later ones."""
    early, names = study.part(before), ("raw", "raw_low", "raw_high", "model", "overlap")
    rows, later = {}, {}
    for i, row in grid[grid["supported"]].iterrows():
        form = {c: str(row[c]) for c in by}
        has = study.matches(form)
        if min(study.n_days(has & before), study.n_days(has & late)) < FEW:
            continue
        with suppress(UsageError):  # where posts like it are never comparable, nothing is claimed
            raw, later[i] = early.effect(form), study.effect(form, rows=late).gain
            rows[i] = dict(zip(names, [*raw.gain, raw.model, raw.overlap], strict=True))
    if not rows:
        raise UsageError("no candidate was posted often enough; take fewer columns, wider hours or a smaller `least`")
    table = grid.join(pd.DataFrame.from_dict(rows, orient="index"))
    known = table["raw"].notna()
    table["supported"] = known
    got = table[known]
    value, error = shrink(got["raw"], (got["raw_high"] - got["raw_low"]) / (2 * norm.ppf(0.975)))
    table.loc[known, ["promised", "low", "high"]] = np.column_stack([value, value - 1.96 * error, value + 1.96 * error])
    return table.sort_values(["promised", "raw"], ascending=False, kind="stable"), later


def _posts_needed(study: Study, gain: float, power: float) -> int:
    """Give the posts of each arm that show the gain; days that share the news make them count less."""
    y, n = study.y, len(study.y)
    whole, _ = study.infer(y, n)
    spread = n * ((whole.high - whole.low) / (2 * 1.96)) ** 2  # variance of a post as it counts, with its day
    if study.log:
        return int(np.ceil(2 * (norm.ppf(0.975) + norm.ppf(power)) ** 2 * spread / gain**2))
    alone = sample_size(whole.value, min(whole.value + gain, 0.999), power=power)
    return int(np.ceil(alone * max(spread / y.var(), 1.0)))


class Crowding(NamedTuple):
    """What posts take from one another: δ with its interval, k (n_posts,), and the influence values of δ (n_posts,)."""

    each: Interval
    others: Floats
    phi: Floats


def crowding(study: Study, time: ArrayLike, *, hours: float = 3.0) -> Crowding:
    """Estimate what each other post within so many hours, before or after, does to a post.

    Parameters
    ----------
    time : (n,) of the posts of `study`, in their order
    """
    at = pd.DatetimeIndex(np.asarray(time)).to_numpy().astype("datetime64[s]").astype(np.int64)
    if len(at) != len(study.y) or (np.diff(at) < 0).any() or hours <= 0:
        raise UsageError(f"{len(study.y)} posts need {len(study.y)} times in their order, and hours={hours} be above 0")
    reach = int(hours * 3600)
    k = (np.searchsorted(at, at + reach, side="right") - np.searchsorted(at, at - reach) - 1).astype(float)
    r, e = np.full((2, len(k)), np.nan)
    for model, (fit, judged) in zip(study.models, study.folds, strict=True):
        e[judged] = study.y[judged] - model(study.X[judged])
        r[judged] = k[judged] - ridge(study.X[fit], k[fit])(study.X[judged])
    square = np.nanmean(r**2)
    if not square > 1e-9:
        raise UsageError(f"no post has another within {hours:g} hours now more, now less: nothing tells what it costs")
    delta = float(np.nanmean(r * e) / square)
    phi = delta + r * (e - delta * r) / square
    return Crowding(study.infer(phi, study.n_days(k > 0))[0], k, phi)


def one_more(
    study: Study,
    crowd: Crowding,
    change: Change | None = None,
    *,
    rows: Rows | None = None,
    reactions: ArrayLike | None = None,
    value: float = 1.0,
    cost: float = 0.0,
) -> pd.DataFrame:
    """Weigh one more post against none: its own reactions, less what it takes from the posts near it, less its cost.

    With an outcome in logarithms a post brings R e^g of the mean R of `reactions`, and each of k neighbours changes
    by R (e^δ - 1); with 0/1 the unit is a post that works. Days are drawn anew for all of it together.

    Parameters
    ----------
    change, rows : form of the post, and the posts that judge it: `best` and `later` of a `Choice`
    value, cost : of a reaction (or of a post that works) and of making a post, in money

    Returns
    -------
    frame with rows "do not post", "one more as usual" and, with `change`, its form: value, low, high, own, neighbours
    """
    if study.log and reactions is None:
        raise UsageError("an outcome in logarithms needs the reactions of each post to be turned into money")
    R = np.asarray(reactions, dtype=float) if study.log else study.y
    on = study.scored if rows is None else study.scored & rows
    ways: dict[str, tuple[Floats, Floats]] = {"one more as usual": (np.zeros(len(R)), crowd.others)}
    if change is not None:
        here = np.where(study.matches(change), crowd.others, np.nan)
        ways["one more, " + called(change)] = (study.effect(change, rows=rows).phi, here)
    figures = ("value", "low", "high", "own", "neighbours")
    table = {"do not post": dict.fromkeys(figures, 0.0)}
    for name, (phi, others) in ways.items():
        columns = np.column_stack([R, phi, crowd.phi, others])
        columns[~on] = np.nan
        means = np.vstack([study.resample(columns), np.nanmean(columns, axis=0)])  # the last row: days as they were
        own, near = _worth(means, study.log)
        total = value * (own + near) - cost
        low, high = np.quantile(total[:-1], [0.025, 0.975])
        table[name] = dict(zip(figures, [total[-1], low, high, value * own[-1], value * near[-1]], strict=True))
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("option")


def _worth(means: Floats, log: bool) -> tuple[Floats, Floats]:
    """Give a post's own reactions and what its neighbours gain by it, from R, g, δ, k (B, 4)."""
    R, g, delta, k = means.T
    return (R * np.exp(g), k * R * np.expm1(delta)) if log else (R + g, k * delta)
