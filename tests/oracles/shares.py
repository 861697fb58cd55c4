"""Shares from recordings, their distance from a truth, and how much of a distance is chance.

TVD (total variation distance) is half the sum of |p - q| over the categories, in [0, 1].
A sample of n from p strays from p by about

    E[TVD] = 1/2 * sum sqrt(2 p (1 - p) / (pi n))                       (normal approximation)

and two samples of n and m from each other with 1/n + 1/m in the place of 1/n. `noise` simulates the
same with multinomial draws, which also gives quantiles. The *excess* is the observed TVD less the
expected TVD of pure chance; what is left is bias (or a truth that is itself off)."""

import collections
import math
import random

from recording_text import FLAG_NO_STACK, GC, KIND_TORN, ON_CPU

TORN = "<torn>"


def by_function(frame):
    """Without the class or function around it, which only 3.11 and later know."""
    return frame.name.split(".")[-1]


def by_line(frame):
    return (frame.name, frame.line)


def on_cpu(row):
    """CPU time only: what report --cpu selects."""
    return row.state in (ON_CPU, GC) and not row.flags & FLAG_NO_STACK


def self_counts(recordings, share_torn=True, keep=on_cpu):
    """(counts by leaf function, part of the samples whose leaf was torn).

    share_torn: a torn leaf's count goes to what was seen above the same caller, callees and what
    those called (the same frames below, lines included; where none was seen, the same calling
    function), in proportion; what has no known caller stays TORN. Without it, TORN is a category of its own."""
    known, torn = collections.Counter(), collections.Counter()
    under_site = collections.defaultdict(collections.Counter)
    under_function = collections.defaultdict(collections.Counter)
    for recording in recordings:
        for row in filter(keep, recording.sums):
            stack = row.stack
            if stack[-1].kind == KIND_TORN:
                torn[stack[:-1]] += row.count
                continue
            leaf = by_function(stack[-1])
            known[leaf] += row.count
            for depth in range(1, len(stack)):
                under_site[site(stack[:depth])][leaf] += row.count
                under_function[by_function(stack[depth - 1])][leaf] += row.count
    total = sum(known.values()) + sum(torn.values())
    for below, count in torn.items():
        callees = share_torn and below and (
            under_site.get(site(below)) or under_function.get(by_function(below[-1])))
        if not callees:
            known[TORN] += count
            continue
        whole = sum(callees.values())
        for leaf, part in callees.items():
            known[leaf] += count * part / whole
    return known, sum(torn.values()) / max(1, total)


def site(below):
    return tuple(by_line(frame) for frame in below)


def shares(counts):
    total = sum(counts.values())
    return {key: count / total for key, count in counts.items()}


def tvd(p, q):
    return 0.5 * sum(abs(p.get(key, 0) - q.get(key, 0)) for key in set(p) | set(q))


def expected_noise(p, *sizes):
    """The formula above; one size: against the truth, two: a sample against a sample."""
    part = sum(1 / n for n in sizes)
    return 0.5 * sum(math.sqrt(2 * share * (1 - share) * part / math.pi) for share in p.values())


def noise(p, sizes, runs=400, seed=1):
    """Sorted TVDs of pure chance: of one sample from p, or between two samples."""
    draw = random.Random(seed)
    found = []
    for _ in range(runs):
        samples = [multinomial(p, n, draw) for n in sizes]
        found.append(tvd(samples[0], samples[1] if len(samples) > 1 else p))
    return sorted(found)


def multinomial(p, n, draw):
    """Shares of n draws; binomials by their normal approximation, one category after the other."""
    left, rest, drawn = n, 1.0, {}
    for key, share in p.items():
        part = min(1.0, share / rest) if rest > 0 else 0.0
        mean, spread = left * part, math.sqrt(max(0.0, left * part * (1 - part)))
        k = min(left, max(0, round(draw.gauss(mean, spread))))
        drawn[key] = k / n
        left -= k
        rest -= share
    return drawn


class Comparison:
    """An observed sample against a truth, which is exact or a sample too."""

    def __init__(self, observed, truth, truth_size=None):
        self.n = sum(observed.values())
        self.observed = shares(observed)
        self.truth = shares(truth)
        self.sizes = [self.n] + ([truth_size] if truth_size else [])
        self.tvd = tvd(self.observed, self.truth)
        self.noise = expected_noise(self.truth, *self.sizes)
        self.excess = self.tvd - self.noise

    def chance(self, quantile=0.999, runs=2000):
        """The TVD that chance alone stays under, so often."""
        drawn = noise(self.truth, [int(size) for size in self.sizes], runs)
        return drawn[min(runs - 1, int(quantile * runs))]

    def __str__(self):
        rows = sorted(self.truth, key=self.truth.get, reverse=True)[:6]
        return "TVD %.2f points, noise %.2f, excess %+.2f (n %d)  %s" % (
            100 * self.tvd,
            100 * self.noise,
            100 * self.excess,
            self.n,
            "  ".join(
                "%s %.1f/%.1f" % (key, 100 * self.observed.get(key, 0), 100 * self.truth[key])
                for key in rows
            ),
        )
