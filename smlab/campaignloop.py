"""The closed loop: predict → choose posts and an ad → reactions → update, day after day, in a world of known truth.

Each day has four steps, and after each the state can be saved whole (`folder`), so that a run that is killed anywhere
goes on where it stood, with the numbers it would have had: all luck is drawn by day and purpose, none is carried along.

    predict    a forecast q for each cell (item, segment, the user's leaning to its topic, ads of the last three days)
    choose     for each visitor the posts of highest q and the ad of highest q · worth of a click
    react      reactions, clicks, sales, and who leaves, by the world's law
    update     counts by cell, each user's history, tiredness

The policies differ in q alone: `random` has none, `popularity` counts by item, `model` refits a learner that is passed
in on the last days' counts, `thompson` draws from that fit's posterior (Laplace's: N(θ̂, C); Chapelle & Li 2011), each
visitor meeting one of `draws` draws, and `oracle` knows the law, the future and what an ad costs later.

What is followed each day is L = L(f) + L_ad: what the forecast lacks, and what is lost by what was shown,

    L(f) = Σ (p - q)² / Σ (p - p̄)²      over the visitors and posts; 0 for the truth, 1 for its mean
    L_ad = 1 - m / m*                    money a visitor was expected to bring, beside the oracle's (`looptables`)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smlab.checks import UsageError, nearest
from smlab.socialworld import Floats, Ints, SocialWorld
from smlab.statefile import StateFile

POLICIES = ("random", "popularity", "model", "thompson", "oracle")
STEPS = ("predict", "choose", "react", "update")
DAILY = ("revenue", "expected", "unexplained", "spread", "tired", "followers", "visitors", "ads", "clicks", "left")
EDGES = np.array([0.7, 0.9, 1.1, 1.4, 1.9])  # of a user's leaning to a topic: (reactions + 2) / (what was usual + 2)
LEANING = np.log([0.6, 0.8, 1.0, 1.25, 1.65, 2.3])  # what stands for these classes in a model
NEUTRAL = 2
BUSY = 4  # 0, 1, 2, 3 of the last three days had an ad
VISIT, TIE, DRAW, REACT, CLICK, BUY, LEAVE = range(7)


class Model(Protocol):
    """What a learner makes: `ctr.LogisticRegression` is one; `thompson` also needs `theta_` and `covariance_`."""

    def fit(self, X: Any, y: Any, *, impressions: Any) -> Any: ...
    def predict_proba(self, X: Any) -> Floats: ...


Learner = Callable[..., Model]  # called with reg=λ, the strength of a normal prior over the number of impressions


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What learning policies may choose; these were, on worlds beside those that are shown.

    Parameters
    ----------
    window : days of reactions that are learnt from
    prior : precision of each coefficient's normal prior, 1/σ²
    draws : draws from the posterior a day
    boldness : what the posterior's standard deviations are multiplied by; 1 is Thompson's rule, less explores less
        (posterior reshaping; Chapelle & Li 2011)
    forget : share of a user's history that is kept from day to day
    """

    window: int = 10
    prior: float = 5.0
    draws: int = 20
    boldness: float = 0.25
    forget: float = 0.98

    def __post_init__(self) -> None:
        for name, fine, rule in (
            ("window", self.window >= 1, "be 1 or more"),
            ("draws", self.draws >= 1, "be 1 or more"),
            ("prior", 0 < self.prior < np.inf, "be above 0"),
            ("boldness", 0 <= self.boldness < np.inf, "be 0 or more"),
            ("forget", 0 < self.forget <= 1, "lie above 0 and not above 1"),
        ):
            if not fine:
                raise UsageError(f"{name}={getattr(self, name)} must {rule}")


@dataclass(frozen=True)
class Played:
    """What a policy did in each world.

    Parameters
    ----------
    daily : name of `DAILY` -> (S, days); revenue is what came in, expected what was to be expected of what was shown
    shown : (S, days, n_posts + n_ads) how often each item was shown
    world : where it was played
    """

    policy: str
    daily: dict[str, Floats]
    shown: Ints
    world: SocialWorld


def play(
    world: SocialWorld,
    policy: str,
    learner: Learner | None = None,
    *,
    settings: Settings | None = None,
    folder: str | Path | None = None,
    after: Callable[[int, str], None] | None = None,
) -> Played:
    """Let a policy run the loop over all days of all worlds.

    Parameters
    ----------
    policy : one of `POLICIES`
    learner : for `model` and `thompson`, such as `ctr.LogisticRegression`
    folder : where the state is kept after each step, in POLICY.npz; a run that was cut off there is taken up
    after : called with day and step when a step is done and kept

    Raises
    ------
    UsageError
        for a policy that is not known, a learner that is missing or has no posterior, a state of another run

    >>> played = play(SocialWorld([0], n_users=60, days=4), "random")
    >>> played.daily["visitors"].shape, int(played.shown[0, :, :24].sum() / played.daily["visitors"].sum())
    ((1, 4), 5)
    """
    if policy not in POLICIES:
        raise UsageError(f"there is no policy {policy!r}; {nearest(policy, POLICIES)}")
    if learner is None and policy in ("model", "thompson"):
        raise UsageError(f"the policy {policy!r} needs a learner, such as ctr.LogisticRegression")
    loop = _Loop(world, policy, learner, settings or Settings())
    kept = StateFile(Path(folder) / f"{policy}.npz", loop.mark) if folder is not None else None
    state = (kept.read() if kept else None) or loop.begin()
    while (day := int(state["day"])) < world.facts.days:
        step = STEPS[int(state["step"])]
        state = getattr(loop, step)(day, state)
        state["step"] = np.array((STEPS.index(step) + 1) % len(STEPS))
        state["day"] = np.array(day + (step == "update"))
        if kept:
            kept.write(state)
        if after:
            after(day, step)
    daily = {name: state[f"daily_{name}"] for name in DAILY}
    return Played(policy, daily, state["shown"], world)


class _Loop:
    """The four steps; each takes the state, arrays by name, and gives the next one."""

    def __init__(self, world: SocialWorld, policy: str, learner: Learner | None, settings: Settings) -> None:
        self.world, self.policy, self.learner, self.settings = world, policy, learner, settings
        f = self.facts = world.facts
        made_by = getattr(learner, "func", learner)  # of a functools.partial
        of = [getattr(made_by, "__qualname__", type(made_by).__name__), repr(getattr(learner, "keywords", None))]
        whose = {"policy": policy, "seeds": world.seeds, "learner": of, "facts": asdict(f)}
        self.mark = json.dumps(whose | asdict(settings), sort_keys=True)
        self.items = f.n_posts + f.n_ads
        self.wide = np.where(np.arange(self.items) < f.n_posts, 1, BUSY)  # posts do not ask for the ads of late
        self.item = np.repeat(np.arange(self.items), f.n_segments * len(LEANING) * self.wide)  # (cells,)
        self.first = np.searchsorted(self.item, np.arange(self.items))
        self.X = _features(world.topic, self.item, self.first, self.wide)

    def begin(self) -> dict[str, NDArray]:
        f, (S, N) = self.facts, self.world.segment.shape
        counts, small = (self.settings.window, S, len(self.item)), np.int16 if N < 2**15 else np.int32
        state: dict[str, NDArray] = {"day": np.array(0), "step": np.array(0)}
        state |= {f"daily_{name}": np.zeros((S, f.days)) for name in DAILY}
        state |= {"alive": np.ones((S, N), dtype=bool), "tired": np.zeros((S, N)), "busy": np.zeros((S, N, 3), np.int8)}
        state |= {name: np.zeros((S, N, f.n_topics)) for name in ("liked", "usual")}
        state |= {name: np.zeros(counts, small) for name in ("views", "hits")}
        state |= {"clicks": np.zeros((S, f.n_ads)), "sales": np.zeros((S, f.n_ads))}
        return state | {"shown": np.zeros((S, f.days, self.items), np.int64)}

    def predict(self, day: int, state: dict[str, NDArray]) -> dict[str, NDArray]:
        """Forecast each cell from what was counted: (S, 1 + draws, cells), the best guess first."""
        hits, views = state["hits"].sum(axis=0), state["views"].sum(axis=0)  # (S, cells)
        made = [self._forecast(k, h, n, day) for k, (h, n) in enumerate(zip(hits, views, strict=True))]
        return state | {"forecast": np.stack(made).astype(np.float32)}

    def _forecast(self, k: int, hits: Ints, views: Ints, day: int) -> Floats:
        """Give one world's forecasts (1 + draws, cells)."""
        is_post = np.arange(self.items) < self.facts.n_posts
        h, n = (np.bincount(self.item, x, self.items) for x in (hits, views))
        # a rate for posts and one for ads, as if fifty impressions at 2 % had been seen of each
        rate = np.where(is_post, *((h[m].sum() + 1) / (n[m].sum() + 50) for m in (is_post, ~is_post)))
        if self.policy == "popularity":
            rate = (h + 100 * rate) / (n + 100)  # an item counts as seen a hundred times at the common rate
        flat = rate[self.item][None]
        if self.learner is None or self.policy not in ("model", "thompson") or not 0 < hits.sum() < views.sum():
            return flat
        seen = views > 0
        model = self.learner(reg=self.settings.prior / views.sum())
        model.fit(self.X[seen], hits[seen], impressions=views[seen])
        best = model.predict_proba(self.X)[None]
        if self.policy == "model":
            return best
        rng = np.random.default_rng([self.world.seeds[k], 2, day])
        return np.concatenate([best, self._drawn(model, rng)])

    def _drawn(self, model: Any, rng: np.random.Generator) -> Floats:
        """Draw θ ~ N(θ̂, C) and give the chances that follow (draws, cells)."""
        if not hasattr(model, "covariance_"):
            raise UsageError(f"{type(model).__name__} has no theta_ and covariance_, which thompson draws from")
        root = np.linalg.cholesky(model.covariance_ + 1e-12 * np.eye(len(model.theta_)))
        z = rng.standard_normal((self.settings.draws, len(model.theta_)))
        theta = model.theta_ + self.settings.boldness * z @ root.T
        return 1 / (1 + np.exp(-(theta[:, :1] + theta[:, 1:] @ self.X.T)))

    def choose(self, day: int, state: dict[str, NDArray]) -> dict[str, NDArray]:
        """Choose for each visitor (V,) the posts (V, slots) and the ad, -1 for none; keep where they were forecast."""
        f, world = self.facts, self.world
        s, u = np.nonzero(state["alive"] & (world.luck(day, VISIT, f.n_users) < world.visits))
        cell, neutral = self._cells(state, s, u)
        q, worth, guess = self._believed(day, state, s, u, cell)
        q = q * (1 + 1e-9 * world.luck(day, TIE, f.n_users, self.items)[s, u])
        posts = np.where(world.present(day), q[:, : f.n_posts], -1.0)
        posts = np.argsort(-posts, axis=1)[:, : f.slots]
        ad = (q[:, f.n_posts :] * worth).argmax(axis=1)
        if self.policy == "oracle":
            ad = np.where(state["tired"][s, u] <= world.limits[day][s, u], ad, -1)
        self._note(day, state, "unexplained", s, ((world.posts(day)[s, u] - guess) ** 2).sum(axis=1))
        items = self._items(posts, ad)
        chosen = {"who": np.stack([s, u]), "posts": posts, "ad": ad, "cell": np.take_along_axis(cell, items, axis=1)}
        chosen["usual_now"] = state["forecast"][s[:, None], 0, np.take_along_axis(neutral, items, axis=1)]
        return _without(state, "forecast") | chosen

    def _believed(self, day: int, state: dict[str, NDArray], s: Ints, u: Ints, cell: Ints) -> tuple[Floats, ...]:
        """Give what is acted on: q (V, items) and the worth of a click (V, n_ads); and the best guess of the posts."""
        f, world, made = self.facts, self.world, state["forecast"]
        if self.policy == "oracle":
            q = np.concatenate([world.posts(day)[s, u], world.ads(day, state["tired"])[s, u]], axis=1)
            return q, world.worth[s], q[:, : f.n_posts]
        guess = made[s[:, None], 0, cell]
        if self.policy == "random":
            return np.ones(cell.shape), np.ones((len(s), f.n_ads)), guess[:, : f.n_posts]
        # which draw a visitor meets; 0 is the best guess, where there is no draw
        draw = np.ceil(world.luck(day, DRAW, f.n_users)[s, u] * (made.shape[1] - 1)).astype(int)
        # sales by clicks on the ad, beside twenty clicks of which one bought
        worth = world.bid + f.sale * (state["sales"] + 1) / (state["clicks"] + 20)
        return made[s[:, None], draw[:, None], cell], worth[s], guess[:, : f.n_posts]

    def _items(self, posts: Ints, ad: Ints) -> Ints:
        """Give posts and ad as items (V, slots + 1); no ad stands as the first ad."""
        return np.concatenate([posts, self.facts.n_posts + np.maximum(ad, 0)[:, None]], axis=1)

    def _cells(self, state: dict[str, NDArray], s: Ints, u: Ints) -> tuple[Ints, Ints]:
        """Give the cell of each visitor and item (V, items), and the one if he leant to no topic."""
        lean = np.searchsorted(EDGES, (state["liked"][s, u] + 2) / (state["usual"][s, u] + 2), side="right")
        lean = lean[:, self.world.topic]
        busy = state["busy"][s, u].sum(axis=1)[:, None] * (self.wide > 1)
        segment = self.world.segment[s, u][:, None]
        cell = self.first + (segment * len(LEANING) + lean) * self.wide + busy
        return cell, cell + (NEUTRAL - lean) * self.wide

    def react(self, day: int, state: dict[str, NDArray]) -> dict[str, NDArray]:
        """Draw what the visitors do, by the law, and write down what came in and what was to be expected."""
        f, world = self.facts, self.world
        (s, u), posts, ad = state["who"], state["posts"], state["ad"]
        N, shows = f.n_users, ad >= 0
        p = world.posts(day)[s[:, None], u[:, None], posts]
        tired = state["tired"][s, u]
        p_ad = np.where(shows, world.ads(day, state["tired"])[s, u, ad], 0.0)
        p_leave = world.leaving(tired + shows)
        liked = world.luck(day, REACT, N, f.slots)[s, u] < p
        click, left = world.luck(day, CLICK, N)[s, u] < p_ad, world.luck(day, LEAVE, N)[s, u] < p_leave
        bought = click & (world.luck(day, BUY, N)[s, u] < world.conversion[s, ad])
        money = f.reaction * liked.sum(axis=1) + click * world.bid[s, ad] + bought * f.sale - left * f.follower
        expected = f.reaction * p.sum(axis=1) + p_ad * world.worth[s, ad] - p_leave * f.follower
        for name, x in {"revenue": money, "expected": expected, "tired": tired, "ads": shows, "clicks": click}.items():
            self._note(day, state, name, s, x)
        truth = world.posts(day)[s, u]
        self._note(day, state, "spread", s, ((truth - world.posts(day).mean(axis=(1, 2))[s, None]) ** 2).sum(axis=1))
        self._note(day, state, "visitors", s, np.ones(len(s)))
        self._note(day, state, "left", s, left)
        state["daily_followers"][:, day] = state["alive"].sum(axis=1)
        return state | {"liked_now": liked, "click": click, "bought": bought, "gone": left}

    def _note(self, day: int, state: dict[str, NDArray], name: str, s: Ints, x: NDArray) -> None:
        state[f"daily_{name}"][:, day] = np.bincount(s, x, len(self.world.seeds))

    def update(self, day: int, state: dict[str, NDArray]) -> dict[str, NDArray]:
        """Count the day's views and hits by cell, and bring histories, tiredness and followers up to date."""
        f, (s, u), ad = self.facts, state["who"], state["ad"]
        shows, keep = ad >= 0, self.settings.forget
        items, hit = self._items(state["posts"], ad), np.c_[state["liked_now"], state["click"]]
        real = np.c_[np.ones_like(state["posts"], dtype=bool), shows]
        row = np.repeat(s[:, None], items.shape[1], axis=1)
        for name, w in (("views", real), ("hits", hit)):
            day_of = state[name][day % self.settings.window]
            day_of[:] = _count(row, state["cell"], w, day_of.shape)
        state["shown"][:, day] = _count(row, items, real, (len(self.world.seeds), self.items))
        for name, w in (("clicks", state["click"]), ("sales", state["bought"])):
            state[name] += _count(s, np.maximum(ad, 0), w, state[name].shape)
        person, topic = np.repeat((s * f.n_users + u)[:, None], items.shape[1], axis=1), self.world.topic[items]
        for name, amount in (("liked", hit), ("usual", state["usual_now"] * real)):
            more = _count(person, topic, amount, (state["alive"].size, f.n_topics))
            state[name] = keep * state[name] + more.reshape(state[name].shape)
        state["tired"][s, u] += shows
        state["tired"] = self.world.overnight(state["tired"])
        state["busy"][:, :, day % 3] = 0
        state["busy"][s, u, day % 3] = shows
        state["alive"][s[state["gone"]], u[state["gone"]]] = False
        return _without(state, "who", "posts", "ad", "cell", "usual_now", "liked_now", "click", "bought", "gone")


def _features(topic: Ints, item: Ints, first: Ints, wide: Ints) -> Floats:
    """Give what a model knows of each cell (cells, d): item, segment × topic, leaning to the topic, ads of late."""
    place = np.arange(len(item)) - first[item]
    segment, lean = np.divmod(place // wide[item], len(LEANING))
    liking = segment * (topic.max() + 1) + topic[item]
    groups = [np.eye(len(topic))[item], np.eye(liking.max() + 1)[liking]]
    return np.column_stack([*groups, LEANING[lean], place % wide[item]])


def _count(row: NDArray, column: NDArray, weight: NDArray, shape: tuple[int, ...]) -> Floats:
    """Add weights up by row and column."""
    flat = (row * shape[1] + column).ravel()
    return np.bincount(flat, np.asarray(weight, dtype=float).ravel(), shape[0] * shape[1]).astype(float).reshape(shape)


def _without(state: dict[str, NDArray], *names: str) -> dict[str, NDArray]:
    return {name: x for name, x in state.items() if name not in names}
