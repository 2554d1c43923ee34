r"""From the outputs of a CTC network to labels: the most probable path, and prefix beam search.

A path gives a label or the blank (class 0) to each frame; its labelling is what is left when repeats are merged and blanks
taken out. ``greedy`` takes the most probable path. The probability of a labelling is the sum over its paths; ``beam`` keeps,
frame by frame, the ``width`` most probable beginnings q with their probability split by whether the path ends in a blank::

    b[q]  <- (b[q] + n[q]) P(blank)
    n[q]  <- n[q] P(last of q) + (b[p] + n[p]) P(last of q)  for q = p + label;  only b[p] where the label repeats p's last

Sources: Graves et al. (2006), doi:10.1145/1143844.1143891; Hannun et al. (2014), arXiv:1408.2873. Written here because the
libraries for it do not install with a present Python or numpy: flashlight-text has no wheel beyond Python 3.11, pyctcdecode
needs numpy below 2.
"""

from __future__ import annotations

import numpy as np

BLANK = 0
NEVER = -np.inf


def collapse(path: np.ndarray) -> list[int]:
    """Merge repeats of a path, int [L], and take out blanks."""
    changes = np.flatnonzero(np.diff(path, prepend=-1))
    return [int(label) for label in path[changes] if label != BLANK]


def greedy(log_probs: np.ndarray) -> list[int]:
    """Return the labelling of the most probable path; log probabilities [L, classes]."""
    return collapse(log_probs.argmax(1))


def beam(log_probs: np.ndarray, width: int) -> tuple[list[int], float]:
    """Return the labelling that prefix beam search finds, and the logarithm of the probability of the paths it kept of it."""
    tree = _Prefixes()
    nodes = np.array([0])  # the empty beginning
    blank, label = np.array([0.0]), np.array([NEVER])  # log b, log n
    for frame in log_probs.astype(np.float64):
        last = tree.last(nodes)
        both = np.logaddexp(blank, label)
        longer = both[:, None] + frame[None]  # [beginnings, classes]
        repeats = last != BLANK
        longer[repeats, last[repeats]] = blank[repeats] + frame[last[repeats]]
        longer[:, BLANK] = NEVER
        stays = np.where(repeats, label + frame[last], NEVER)
        for row, (parent_row, own) in tree.inside(nodes):  # a beginning that another one of the beam grows into
            stays[row] = np.logaddexp(stays[row], longer[parent_row, own])
            longer[parent_row, own] = NEVER
        blank, label, nodes = _best(tree, nodes, both + frame[BLANK], stays, longer, width)
    total = np.logaddexp(blank, label)
    winner = int(total.argmax())
    return tree.labels(int(nodes[winner])), float(total[winner])


def _best(
    tree: _Prefixes, nodes: np.ndarray, blank: np.ndarray, label: np.ndarray, longer: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the beginnings that stay and the longer ones, the most probable."""
    total = np.concatenate([np.logaddexp(blank, label), longer.ravel()])
    chosen = np.argsort(-total, kind="stable")[:width]
    chosen = chosen[total[chosen] > NEVER]
    old, new = chosen[chosen < len(nodes)], chosen[chosen >= len(nodes)] - len(nodes)
    parents, labels = np.unravel_index(new, longer.shape)
    grown = [tree.grow(int(nodes[parent]), int(own)) for parent, own in zip(parents, labels, strict=True)]
    return (
        np.concatenate([blank[old], np.full(len(new), NEVER)]),
        np.concatenate([label[old], longer.ravel()[new]]),
        np.concatenate([nodes[old], np.array(grown, np.int64)]),
    )


class _Prefixes:
    """Beginnings of labellings as a tree: each node is its parent's beginning and one more label; node 0 is empty."""

    def __init__(self) -> None:
        self._parent, self._label = [-1], [BLANK]
        self._children: dict[tuple[int, int], int] = {}

    def grow(self, parent: int, label: int) -> int:
        """Return the node of a beginning with one more label."""
        if (parent, label) not in self._children:
            self._children[parent, label] = len(self._parent)
            self._parent.append(parent)
            self._label.append(label)
        return self._children[parent, label]

    def last(self, nodes: np.ndarray) -> np.ndarray:
        """Last label of each node; the blank for the empty one."""
        return np.array([self._label[node] for node in nodes])

    def inside(self, nodes: np.ndarray) -> list[tuple[int, tuple[int, int]]]:
        """Rows whose parent is among the nodes as well: (row, (the parent's row, own label))."""
        rows = {int(node): row for row, node in enumerate(nodes)}
        pairs = ((row, self._parent[int(node)], self._label[int(node)]) for row, node in enumerate(nodes))
        return [(row, (rows[parent], label)) for row, parent, label in pairs if parent in rows]

    def labels(self, node: int) -> list[int]:
        """Labels from the beginning to a node."""
        found = []
        while node:
            found.append(self._label[node])
            node = self._parent[node]
        return found[::-1]
