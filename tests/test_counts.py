"""Counts of reactions: the derivation line by line, statsmodels' numbers, planted effects, and data to refuse."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from smlab.checks import UsageError
from smlab.counts import CountRegression, in_words
from smlab.countscores import log_law, log_scores

THETA = np.array([2.0, 0.5, -0.4, 0.0, 0.25])


def posts(n: int = 1000, seed: int = 0, alpha: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Four normal columns and counts of mean exp(Xθ) with the known THETA; gamma-mixed where α is above 0."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    mu = np.exp(THETA[0] + X @ THETA[1:])
    return X, rng.poisson(mu * (rng.gamma(1 / alpha, alpha, n) if alpha else 1.0))


def with_ones(X: np.ndarray) -> np.ndarray:
    return np.hstack([np.ones((len(X), 1)), X])


# The derivation


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("phi", [THETA, np.r_[THETA, -0.7], np.r_[THETA, -6.0], np.r_[THETA, 2.5]])
def test_gradient_and_hessian_are_the_derivatives_of_the_loss(reg, phi):
    X, y = posts(60)
    A, zero, model = with_ones(X), np.zeros(60), CountRegression(reg=reg)
    g, H = model._derivatives(A, y, zero, phi)
    steps = 1e-5 * np.eye(len(phi))
    slopes = [(model._loss(A, y, zero, phi + h) - model._loss(A, y, zero, phi - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(g, slopes, rtol=1e-6, atol=1e-8)
    changes = [
        (model._derivatives(A, y, zero, phi + h)[0] - model._derivatives(A, y, zero, phi - h)[0]) / 2e-5 for h in steps
    ]
    np.testing.assert_allclose(H, changes, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(H, H.T)


@pytest.mark.parametrize("family", ["poisson", "nb2"])
@pytest.mark.parametrize("reg", [0.0, 0.05])
def test_fit_ends_where_the_gradient_vanishes(family, reg):
    X, y = posts()
    model = CountRegression(family=family, reg=reg).fit(X, y)
    phi = np.r_[model.theta_, np.log(model.alpha_)] if model.alpha_ else model.theta_
    g, H = model._derivatives(with_ones(X), y, np.zeros(len(y)), phi)
    assert model.converged_ and np.abs(g).max() < 1e-10 and (np.linalg.eigvalsh(H) > 0).all()


def test_poisson_keeps_the_totals_and_an_intercept_alone_is_the_mean():
    X, y = posts()
    group = (X[:, 0] > 0).astype(float)
    mu = CountRegression(family="poisson").fit(group[:, None], y).predict(group[:, None])
    assert mu[group == 1] == pytest.approx(y[group == 1].mean()) and mu[group == 0] == pytest.approx(
        y[group == 0].mean()
    )


def test_exposure_is_what_the_mean_is_proportional_to():
    """Twice as many followers and twice as many reactions: the same θ; and a rate of 3 in 100 is one."""
    X, y = posts()
    fans = np.random.default_rng(1).integers(1, 50, len(y)).astype(float)
    model = CountRegression().fit(X, y, exposure=fans)
    double = CountRegression().fit(X, y, exposure=2 * fans)
    np.testing.assert_allclose(double.theta_[1:], model.theta_[1:], atol=1e-8)
    assert double.theta_[0] == pytest.approx(model.theta_[0] - np.log(2))
    np.testing.assert_allclose(model.predict(X, exposure=2 * fans), 2 * model.predict(X, exposure=fans))


# statsmodels' numbers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.05, 0.7, 3.0])
def test_coefficients_and_errors_are_those_of_statsmodels(seed, alpha):
    sm = pytest.importorskip("statsmodels.api")
    X, y = posts(400, seed, alpha)
    A, groups = with_ones(X), np.arange(400) % 23
    for family, peer in (("poisson", sm.Poisson(y, A)), ("nb2", sm.NegativeBinomial(y, A))):
        ours = CountRegression(family=family).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begin = np.r_[THETA, alpha][: peer.fit(disp=0, maxiter=200).params.size]
            theirs = peer.fit(start_params=begin, disp=0, method="newton", maxiter=200)
            white = peer.fit(start_params=theirs.params, disp=0, method="newton", cov_type="HC0")
            cov_kwds = {"groups": groups, "df_correction": False}
            grouped = peer.fit(
                start_params=theirs.params, disp=0, method="newton", cov_type="cluster", cov_kwds=cov_kwds
            )
        np.testing.assert_allclose(ours.theta_, theirs.params[:5], atol=1e-6)
        np.testing.assert_allclose(ours.intervals(errors="model").error, theirs.bse[:5], atol=1e-6)
        np.testing.assert_allclose(ours.intervals().error, white.bse[:5], atol=1e-6)
        assert ours.log_likelihood_ == pytest.approx(theirs.llf)
        if family == "nb2":
            assert ours.alpha_ == pytest.approx(theirs.params[5], abs=1e-6)
        # statsmodels multiplies by G/(G-1) · (N-1)/(N-k) as well; ours by the first alone
        k = peer.fit(start_params=theirs.params, disp=0, method="newton").params.size
        shrink = np.sqrt((400 - k) / 399)
        found = CountRegression(family=family).fit(X, y, groups=groups).intervals().error
        assert min(abs(found / (grouped.bse[:5] * s) - 1).max() for s in (1, shrink)) < 1e-5


# Planted structure


def hits(seeds: range, family: str, errors: str, alpha: float, n: int = 400) -> int:
    """Count over seeds and the 5 coefficients how often the truth lies in the 95 % interval."""
    inside = 0
    for seed in seeds:
        table = CountRegression(family=family).fit(*posts(n, seed, alpha)).intervals(errors=errors)
        inside += int(((table.low < THETA) & (table.high > THETA)).sum())
    return inside


def test_true_coefficients_lie_in_their_intervals_and_poissons_own_are_far_too_short():
    """Of 200 intervals 190 ± 3 standard errors of 3.1; with α = .5 at a mean of 8 the Poisson's are √5 too short."""
    assert hits(range(40), "nb2", "model", 0.5) >= 180
    assert hits(range(40), "poisson", "robust", 0.5) >= 178
    assert hits(range(40), "poisson", "model", 0.5) < 140


@pytest.mark.slow
@pytest.mark.parametrize(("family", "errors"), [("nb2", "model"), ("nb2", "robust"), ("poisson", "robust")])
def test_true_coefficients_lie_in_their_intervals_at_the_nominal_rate(family, errors):
    """Of 5 coefficients x 200 seeds 95 %: 950 ± 3 standard errors of 6.9; robust ones are a little short."""
    assert (929 if errors == "model" else 920) <= hits(range(200), family, errors, 0.5, 2000) <= 971


def test_dispersion_is_recovered():
    found = [CountRegression().fit(*posts(2000, seed, 0.7)).alpha_ for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.7, rel=0.03)
    wide, right = (CountRegression(family=f).fit(*posts(4000, 1, 0.7)).dispersion_ for f in ("poisson", "nb2"))
    assert wide > 5 and right == pytest.approx(1, abs=0.15)


def test_nb2_is_the_poisson_where_nothing_scatters_more():
    even = np.random.default_rng(3).normal(size=(300, 2))
    y = np.round(np.exp(2 + even @ [0.3, -0.2]))  # no scatter at all
    nb2, poisson = (CountRegression(family=f).fit(even, y) for f in ("nb2", "poisson"))
    assert nb2.alpha_ == 0
    np.testing.assert_array_equal(nb2.theta_, poisson.theta_)
    np.testing.assert_array_equal(nb2.covariance_, poisson.covariance_)


def test_nb2_tends_to_the_poisson_as_the_dispersion_falls():
    X, y = posts(3000, 5, 0.0)
    poisson = CountRegression(family="poisson").fit(X, y)
    far = [
        np.abs(CountRegression().fit(*posts(3000, 5, alpha)).theta_ - THETA).max() < 0.15 for alpha in (1e-3, 1e-2, 0.1)
    ]
    assert all(far)
    assert np.abs(CountRegression().fit(X, y).theta_ - poisson.theta_).max() < 0.01
    eta = np.log(poisson.predict(X))
    gaps = [
        np.abs(log_law(y.astype(float), eta, a) - log_law(y.astype(float), eta, 0.0)).max() for a in (1e-3, 1e-5, 1e-7)
    ]
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2] and gaps[2] < 1e-4


def test_authors_whose_posts_are_alike_make_robust_errors_longer():
    rng = np.random.default_rng(0)
    author = np.repeat(np.arange(40), 25)
    famous = rng.normal(size=40)[author]  # a column that is the same for all posts of an author
    y = rng.poisson(np.exp(2 + 0.3 * famous + rng.normal(size=40)[author]))
    single, whole = (CountRegression().fit(famous[:, None], y, groups=g).intervals().error[1] for g in (None, author))
    assert whole > 2.5 * single


# Properties


@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_sparse_dense_and_frame_give_the_same(family):
    X, y = posts(300)
    X[np.abs(X) < 0.7] = 0
    groups = np.arange(300) % 9
    dense = CountRegression(family=family).fit(X, y, groups=groups)
    other = CountRegression(family=family).fit(sparse.csr_matrix(X), y, groups=groups)
    frame = pd.DataFrame(X, columns=list("abcd"))
    named = CountRegression(family=family).fit(frame, y)
    np.testing.assert_allclose(other.theta_, dense.theta_, atol=1e-9)
    np.testing.assert_allclose(other.robust_, dense.robust_, atol=1e-9)
    np.testing.assert_array_equal(named.predict(frame[list("dcba")]), named.predict(frame))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_a_column_do_not_matter(scale):
    X, y = posts()
    units = np.array([scale, 1, 1, 1])
    a, b = CountRegression().fit(X, y), CountRegression().fit(X * units, y)
    np.testing.assert_allclose(b.theta_[1:] * units, a.theta_[1:], rtol=1e-6)
    np.testing.assert_allclose(b.intervals().error[1:] * units, a.intervals().error[1:], rtol=1e-6)


@pytest.mark.parametrize("family", ["poisson", "nb2"])
@pytest.mark.parametrize("seed", range(5))
def test_heavy_tails_and_counts_of_ten_million_are_safe(family, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(3, size=(400, 3))
    y = np.floor(np.minimum(np.exp(6 + 2 * X[:, 0] + rng.normal(size=400) * 2), 1e7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = CountRegression(family=family).fit(X, y)
        table = model.rate_ratios()
        score = log_scores(y, model.predict(X), model.alpha_)
    assert model.converged_ and np.isfinite(table[["rate_ratio", "low", "high"]].to_numpy()).all()
    assert np.isfinite(score).all() and np.isfinite(model.forecast(X).to_numpy()).all()
    big = CountRegression(family=family).fit([[0.0]] * 50 + [[1.0]] * 50, [10**7, 9 * 10**6] * 50)
    assert big.predict([[0.0]]) == pytest.approx(9.5e6) and big.theta_[1] == pytest.approx(0, abs=1e-9)


def test_forecast_holds_what_it_promises_where_the_law_is_right_and_poisson_does_not():
    X, y = posts(4000, 2, 0.5)
    later, count = posts(4000, 3, 0.5)
    for family, least, most in (("nb2", 0.79, 0.86), ("poisson", 0.2, 0.6)):
        f = CountRegression(family=family).fit(X, y).forecast(later)
        assert least < ((count >= f[0.1]) & (count <= f[0.9])).mean() < most
        assert (np.diff(f.drop(columns="mean").to_numpy()) >= 0).all()


def test_penalty_shrinks_and_saves_what_has_no_maximum():
    X, y = posts()
    sizes = [np.abs(CountRegression(reg=r).fit(X, y).theta_[1:]).sum() for r in (0, 0.1, 1, 100)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.1
    for column in ((y == 0) & (np.arange(1000) % 2 == 0), np.full(1000, 3.0), np.zeros(1000), X[:, 0]):
        assert CountRegression(reg=1e-3).fit(np.c_[X, column], y).converged_
    assert CountRegression(reg=0.1).fit([[1.0]], [3]).predict([[1.0]]) == pytest.approx(3)


def test_fit_changes_no_input_and_returns_itself():
    X, y = posts(100)
    before, model = (X.copy(), y.copy()), CountRegression()
    assert model.fit(X, y) is model
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_words_say_the_direction_or_that_it_is_open():
    assert in_words(0.7, 0.55, 0.88) == "30 % fewer, between 12 % and 45 % fewer"
    assert in_words(4.2, 3.1, 5.6) == "4.2 times as many, between 3.1 and 5.6 times"
    assert in_words(1.1, 0.9, 1.35) == "10 % more, but between 10 % fewer and 35 % more: the direction is open"
    table = CountRegression().fit(pd.DataFrame({"video": [0, 0, 0, 1, 1, 1]}), [10, 12, 9, 20, 24, 19]).rate_ratios()
    assert table.term.tolist() == ["video"] and table.words[0].startswith("2.03 times as many, between")


# Data it has to refuse

X, Y = posts(200)
QUIET = ((Y == 0) & (np.arange(200) % 2 == 0)).astype(float)  # a column whose rows have no reaction
PAIRS = np.array([[0, 0], [1, 1], [1, 0], [0, 0]] * 50)  # no reaction where the first goes without the second
FITTED = CountRegression().fit(pd.DataFrame(X, columns=list("abcd")), Y)
ERRORS = {
    "column 'x4' sets 6 rows apart that have only zeros": lambda: CountRegression(family="poisson").fit(
        np.c_[X, QUIET], Y
    ),
    "apart that have only zeros, so θ falls without end; give reg above 0": lambda: CountRegression().fit(
        np.c_[X, QUIET], Y
    ),
    "columns 'x0', 'x1' together set 50 rows apart": lambda: CountRegression().fit(
        PAIRS, np.where(PAIRS @ [1, -1], 0, Y)
    ),
    "all 200 counts are 0: there is no rate to explain": lambda: CountRegression().fit(X, np.zeros(200)),
    "1 row cannot tell 5 parameters; give more, or reg above 0": lambda: CountRegression().fit(X[:1], [3]),
    "5 rows cannot tell 5 parameters": lambda: CountRegression().fit(X[:5], Y[:5] + 1),
    "column 'x4' is constant, as the intercept is": lambda: CountRegression().fit(np.c_[X, np.full(200, 3.0)], Y),
    "the columns 'x0', 'x1', 'x4' depend on each other": lambda: CountRegression().fit(np.c_[X, X[:, 0] + X[:, 1]], Y),
    "row 0: -1 is no count; a whole number of 0 or more is needed (and 199 more)": lambda: CountRegression().fit(
        X, np.full(200, -1)
    ),
    "row 0: 0.5 is no count": lambda: CountRegression().fit(X, np.full(200, 0.5)),
    "row 7: nan is no count; a whole number of 0 or more is needed": lambda: CountRegression().fit(
        X, np.where(np.arange(200) == 7, np.nan, Y)
    ),
    "there are 200 rows; counts of shape (2,) do not fit": lambda: CountRegression().fit(X, [0, 1]),
    "exposure of shape (200,) must be finite and above 0": lambda: CountRegression().fit(X, Y, exposure=np.zeros(200)),
    "groups must name one of two or more for each of 200 rows; 3 are": lambda: CountRegression().fit(
        X, Y, groups=list("abc")
    ),
    "groups must name one of two or more for each of 200 rows; 200 are": lambda: CountRegression().fit(
        X, Y, groups=["ann", None] * 100
    ),
    "groups must name one of two or more": lambda: CountRegression().fit(X, Y, groups=["ann"] * 200),
    "unknown family 'poison'; did you mean 'poisson'?": lambda: CountRegression(family="poison"),
    "reg=-1 must be finite": lambda: CountRegression(reg=-1),
    "tolerance=0 must lie between": lambda: CountRegression(tolerance=0),
    "CountRegression has not been fitted": lambda: CountRegression().predict(X),
    "X has 3 columns; the model was fitted on 4": lambda: FITTED.predict(X[:, :3]),
    "the frame has no column 'd'": lambda: FITTED.predict(pd.DataFrame(X[:, :3], columns=list("abc"))),
    "level=95 must lie between 0 and 1": lambda: FITTED.intervals(95),
    "errors='robus': did you mean 'robust'?": lambda: FITTED.intervals(errors="robus"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_says_what_is_wrong_and_where(text):
    with pytest.raises(UsageError, match=re.escape(text)):
        ERRORS[text]()


def test_rare_but_not_absent_reactions_are_not_called_separated():
    y = Y.copy()
    rare = np.zeros(200)
    rare[:30] = 1
    y[:30] = 0
    y[3] = 1
    assert CountRegression().fit(rare[:, None], y).theta_[1] == pytest.approx(np.log((1 / 30) / y[30:].mean()))


def test_too_few_steps_are_said():
    with pytest.warns(UserWarning, match="no convergence in 1 steps: scale the columns or allow more"):
        CountRegression(max_steps=1).fit(X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["poisson", "nb2"])
def test_a_hundred_thousand_rows_take_seconds(family):
    from time import perf_counter

    rng = np.random.default_rng(0)
    A = rng.normal(size=(100_000, 50))
    b = rng.normal(size=50) * 0.1
    y = rng.negative_binomial(0.7, 1 / (1 + np.exp(5 + A @ b) / 0.7))
    start = perf_counter()
    model = CountRegression(family=family).fit(A, y)
    assert perf_counter() - start < 6 and np.abs(model.theta_[1:] - b).max() < 0.03
