"""How strongly counts speak for "worse": e-values, which may be looked at as often as one likes.

An e-value is a non-negative figure whose expectation is at most 1 while the hypothesis holds, after any number of
requests; so the chance that it ever reaches 1/α is at most α (Ville's inequality). That is what a rollout needs: it is
looked at every few seconds, nobody knows how many requests will come, and each look could be the last one. Here it is a
likelihood ratio, averaged over several alternatives because nobody knows how bad a bad canary is.

Sources: A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe anytime-valid inference",
Statistical Science 38 (2023); H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
Mathematical Statistics 41 (1970), for the mixture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log

ALTERNATIVES: tuple[tuple[float, float], ...] = ((1.4, 0.2), (1.8, 0.35), (2.4, 0.25), (5.0, 0.1), (30.0, 0.1))
"""Odds ratios that "worse" may mean, with their weights, which add up to 1. Most weight lies where a decision is hard:
a canary that fails thirty times as often is found with any weight."""


@dataclass(frozen=True, slots=True)
class Arms:
    """Bad and all requests of two arms that ran at the same time, with the same chance for each request throughout."""

    canary_bad: int
    canary: int
    stable_bad: int
    stable: int


def worse_than_stable(spans: Iterable[Arms]) -> float:
    """Natural logarithm of the e-value against "a request of the canary is no more often bad than one of stable".

    While that holds, each bad request is one of the canary's with at most the canary's share of the requests, so that
    neither the rate of bad requests nor its changes over the day matter. Each span has a share of its own.
    """
    logs = [0.0] * len(ALTERNATIVES)
    for arms in spans:
        requests, bad = arms.canary + arms.stable, arms.canary_bad + arms.stable_bad
        if not arms.canary or not arms.stable or not bad:
            continue
        share = arms.canary / requests
        for index, (ratio, _) in enumerate(ALTERNATIVES):
            logs[index] += _log_ratio(arms.canary_bad, bad, share, ratio)
    return _mixture(logs)


def more_often_than(bad: int, requests: int, allowed: float) -> float:
    """Natural logarithm of the e-value against "at most `allowed` of the requests are bad" (0 < allowed < 1)."""
    return _mixture([_log_ratio(bad, requests, allowed, ratio) for ratio, _ in ALTERNATIVES])


def _log_ratio(hits: int, trials: int, share: float, ratio: float) -> float:
    """Log likelihood ratio of `hits` of `trials` with the odds of `share` times `ratio`, over `share` itself."""
    alternative = ratio * share / (ratio * share + 1 - share)
    return hits * log(alternative / share) + (trials - hits) * log((1 - alternative) / (1 - share))


def _mixture(logs: Sequence[float]) -> float:
    weighted = [value + log(weight) for value, (_, weight) in zip(logs, ALTERNATIVES, strict=True)]
    greatest = max(weighted)
    return greatest + log(sum(exp(value - greatest) for value in weighted))
