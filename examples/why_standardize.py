"""Why standardize: the same methods on the same wines, in the units of the laboratory and in standard deviations.

    python examples/why_standardize.py

178 wines of three growers, 13 measurements (Forina et al. 1986, as it comes with scikit-learn). Proline runs to 1,680
and hue to 1.7: a distance in raw units is a distance in proline. An SVM with an RBF kernel and k-means both go by
distances. The SVM is judged on wines that it has not seen, and so is the standardization, which is fitted on the
training part of each fold alone; k-means sees no growers at all, and its clusters are then named after them as well as
they can be. Right and wrong of the same wines before and after are compared by McNemar's test with Tango's interval.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from seqwise.metrics.comparison import Difference, compare_right
from seqwise.stats.standardize import Standardizer

FOLDS = 10
SEED = 0

Scaling = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def raw(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As the laboratory wrote them."""
    return train, test


def standardized(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In standard deviations of the training part."""
    fitted = Standardizer.fit(train)
    return fitted.apply(train), fitted.apply(test)


def support_vectors(x: np.ndarray, y: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Whether each wine's grower is told right by an SVM that did not see it."""
    right = np.zeros(len(y), dtype=bool)
    for seen, kept in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(x, y):
        train, test = scaling(x[seen], x[kept])
        right[kept] = SVC().fit(train, y[seen]).predict(test) == y[kept]
    return right


def clusters(x: np.ndarray, y: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Whether each wine lies in the cluster of its grower, clusters named such that most do."""
    found = KMeans(3, n_init=10, random_state=SEED).fit_predict(scaling(x, x)[0])
    table = np.array([[((found == one) & (y == other)).sum() for other in range(3)] for one in range(3)])
    _, names = linear_sum_assignment(-table)
    return names[found] == y


def judged(name: str, right: Callable[[Scaling], np.ndarray]) -> Difference:
    """Before and after, told in two lines."""
    before, after = right(raw), right(standardized)
    answer = compare_right(before, after, ("raw", "standardized"))
    print(f"{name}: {100 * before.mean():.1f} % right on raw data, {100 * after.mean():.1f} % on standardized data")
    print(f"    {answer.told}")
    return answer


def main() -> tuple[Difference, Difference]:
    """Both methods."""
    x, y = load_wine(return_X_y=True)
    return (
        judged("SVM with an RBF kernel", lambda scaling: support_vectors(x, y, scaling)),
        judged("k-means, three clusters", lambda scaling: clusters(x, y, scaling)),
    )


if __name__ == "__main__":
    main()
