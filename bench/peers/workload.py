"""What every candidate computes: a BERT embedding stage, its weights, ids, and exact result."""
import dataclasses

import numpy as np

VOCAB = 30522
POSITIONS = 512
SEGMENTS = 2
EPSILON = 1e-12
SETS = 8        # launch k has the ids of set k % SETS
HOT_ROWS = 256  # rows that hot ids choose from


@dataclasses.dataclass(frozen=True)
class Case:
    batch: int
    length: int
    dim: int
    rows: str  # "cold": ids run through a random order of the vocabulary; "hot": through 256 rows

    @property
    def tokens(self):
        return self.batch * self.length

    @property
    def shape(self):
        return [self.batch, self.length, self.dim]


@dataclasses.dataclass(frozen=True)
class Weights:
    words: np.ndarray      # [VOCAB, D] float32, like the others
    positions: np.ndarray  # [POSITIONS, D]
    segments: np.ndarray   # [SEGMENTS, D]
    gamma: np.ndarray      # [D]
    beta: np.ndarray       # [D]


@dataclasses.dataclass(frozen=True)
class Tokens:
    ids: np.ndarray       # [SETS, B, S] int32
    segments: np.ndarray  # [SETS, B, S] int32: zeros, then ones


def make_weights(dim, seed=1):
    """Of the size that trained ones have."""
    rng = np.random.default_rng(seed)

    def normal(rows, scale):
        return (scale * rng.standard_normal((rows, dim), dtype=np.float32)).astype(np.float32)

    return Weights(normal(VOCAB, 0.05), normal(POSITIONS, 0.02), normal(SEGMENTS, 0.02),
                   1 + normal(1, 0.1)[0], normal(1, 0.1)[0])


def make_tokens(case, seed=2):
    rng = np.random.default_rng(seed)
    order = rng.permutation(VOCAB).astype(np.int32)
    if case.rows == "hot":
        order = order[:HOT_ROWS]
    count = SETS * case.tokens
    ids = np.resize(order, count).reshape(SETS, case.batch, case.length)
    first = rng.integers(1, case.length, (SETS, case.batch, 1))  # tokens of the first sentence
    segments = (np.arange(case.length) >= first).astype(np.int32)
    return Tokens(np.ascontiguousarray(ids), segments)


def exact(weights, tokens, launch):
    """The output of a launch in float64, [B, S, D]."""
    ids, segments = tokens.ids[launch % SETS], tokens.segments[launch % SETS]
    x = weights.words[ids].astype(np.float64)
    x += weights.positions[:ids.shape[1]]
    x += weights.segments[segments]
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
    x *= weights.gamma
    x += weights.beta
    return x
