"""What every candidate computes: an embedding stage, its weights, ids, and exact result."""
import dataclasses

import numpy as np

VOCAB = 30522
LEARNED_ROWS = 512  # of BERT's positions
SEGMENTS = 2
BASE = 10000.0
SETS = 8        # launch k has the ids of set k % SETS
HOT_ROWS = 256  # rows that hot ids choose from


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    bert: bool             # words + learned positions + types; else sqrt(D) * words + sinusoids
    epsilon: float | None  # of the LayerNorm that follows; None: none does


STAGES = {stage.name: stage for stage in (
    Stage("sinusoidal", False, None),
    Stage("sinusoidal + LayerNorm", False, 1e-5),
    Stage("bert", True, 1e-12),
)}


@dataclasses.dataclass(frozen=True)
class Case:
    stage: Stage
    batch: int
    length: int
    dim: int
    rows: str   # "cold": ids run through a random order of the vocabulary; "hot": through 256 rows
    start: int  # position of column 0

    @property
    def tokens(self):
        return self.batch * self.length

    @property
    def shape(self):
        return [self.batch, self.length, self.dim]

    @property
    def positions(self):
        """Which rows of the position table the columns have."""
        return slice(self.start, self.start + self.length)


@dataclasses.dataclass(frozen=True)
class Weights:
    """float32; None where the stage has no such part."""
    words: np.ndarray            # [VOCAB, D]
    scale: float                 # of the words' rows; a float32
    positions: np.ndarray        # [P, D]: learned, or sinusoids
    segments: np.ndarray | None  # [SEGMENTS, D]
    gamma: np.ndarray | None     # [D]
    beta: np.ndarray | None      # [D]


@dataclasses.dataclass(frozen=True)
class Tokens:
    ids: np.ndarray              # [SETS, B, S] int32
    segments: np.ndarray | None  # [SETS, B, S] int32: zeros, then ones


def sinusoids(rows, dim):
    """[rows, D] float64, sine and cosine in turn (Vaswani et al.)."""
    frequencies = BASE ** (-np.arange(0, dim, 2) / dim)
    angles = np.arange(rows)[:, None] * frequencies
    table = np.empty((rows, dim))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, :dim // 2])
    return table


def make_weights(case, seed=1):
    """Of the size that trained ones have. Sinusoids are rounded from float64: a table made in float32,
    as packages make it, takes the same time and is further off."""
    rng = np.random.default_rng(seed)
    stage, dim = case.stage, case.dim

    def normal(rows, scale):
        return (scale * rng.standard_normal((rows, dim), dtype=np.float32)).astype(np.float32)

    words = normal(VOCAB, 0.05)
    scale = 1.0 if stage.bert else float(np.float32(np.sqrt(dim)))
    positions = (normal(LEARNED_ROWS, 0.02) if stage.bert else
                 sinusoids(case.positions.stop, dim).astype(np.float32))
    segments = normal(SEGMENTS, 0.02) if stage.bert else None
    norm = (None, None) if stage.epsilon is None else (1 + normal(1, 0.1)[0], normal(1, 0.1)[0])
    return Weights(words, scale, positions, segments, *norm)


def make_tokens(case, seed=2):
    rng = np.random.default_rng(seed)
    order = rng.permutation(VOCAB).astype(np.int32)
    if case.rows == "hot":
        order = order[:HOT_ROWS]
    count = SETS * case.tokens
    ids = np.ascontiguousarray(np.resize(order, count).reshape(SETS, case.batch, case.length))
    if not case.stage.bert:
        return Tokens(ids, None)
    first = rng.integers(1, case.length, (SETS, case.batch, 1))  # tokens of the first sentence
    return Tokens(ids, (np.arange(case.length) >= first).astype(np.int32))


def exact(case, weights, tokens, launch):
    """The output of a launch in float64, [B, S, D]."""
    x = weights.words[tokens.ids[launch % SETS]].astype(np.float64)
    x *= weights.scale
    if case.stage.bert:
        x += weights.positions[case.positions]
        x += weights.segments[tokens.segments[launch % SETS]]
    else:
        x += sinusoids(case.positions.stop, case.dim)[case.positions]
    if case.stage.epsilon is not None:
        x -= x.mean(axis=-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + case.stage.epsilon)
        x *= weights.gamma
        x += weights.beta
    return x
