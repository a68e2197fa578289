#!/usr/bin/env bash
# scipy's chatterjeexi of ratings depends on the order of the rows: a sorted table of two ratings that have
# nothing to do with one another gives 0.89 with a p of 2e-74.
#
# Seen with scipy 1.17.1, numpy 2.4.6, Python 3.11: every pair of two five-point ratings eight times, 200
# rows, so that neither says anything of the other:
#   sorted by the first, then the second   xi 0.887, p 2e-74; with method=PermutationMethod(199 draws) 0.005
#   sorted by the second alone             the same
#   shuffled (100 times)                   xi -0.17 to 0.10, mean -0.02
#   shuffled, then sorted by the first     as shuffled
# pearsonr, spearmanr and kendalltau are 0 in every order.
#
# What we expected: the same rows, the same coefficient. scipy's notes say that ties in x have no special
# handling and are broken arbitrarily, where the definition breaks them at random; not that it is by the
# rows' order, so that what a GROUP BY, a join or a crossed design leaves behind decides, and p with it.
# Shuffle the rows first, and say the seed; over few levels take another coefficient.
# Run: bash findings/scipy_chatterjee_xi_goes_by_row_order.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'scipy==1.17.1' 'numpy==2.4.6'
"$work/venv/bin/python" - <<'PY'
from itertools import product

import numpy as np
from scipy import stats

rows = np.array([(a, b) for a, b, _ in product(range(1, 6), range(1, 6), range(8))])


def xi(table, **how):
    return stats.chatterjeexi(*table.T, **how)


in_order = xi(rows)
by_second = xi(rows[np.argsort(rows[:, 1], kind="stable")])
shuffled = [np.random.default_rng(seed).permutation(rows) for seed in range(100)]
mixed = np.array([xi(table).statistic for table in shuffled])
by_first = np.array([xi(t[np.argsort(t[:, 0], kind="stable")]).statistic for t in shuffled])
drawn = xi(rows, method=stats.PermutationMethod(n_resamples=199, rng=np.random.default_rng(1)))
print(f"sorted by both    xi {in_order.statistic:.3f}, p {in_order.pvalue:.0e}, drawn p {drawn.pvalue}")
print(f"sorted by second  xi {by_second.statistic:.3f}, p {by_second.pvalue:.0e}")
print(f"shuffled          xi {mixed.min():.2f} to {mixed.max():.2f}, mean {mixed.mean():.2f}")
assert in_order == by_second and in_order.statistic > 0.8 and in_order.pvalue < 1e-50
assert drawn.pvalue == 1 / 200, "the behaviour has changed"
assert abs(mixed.mean()) < 0.05 and abs(mixed).max() < 0.3 and np.array_equal(mixed, by_first)
for other in (stats.pearsonr, stats.spearmanr, stats.kendalltau):
    for table in (rows, shuffled[0]):
        assert abs(other(*table.T).statistic) < 1e-12
PY
