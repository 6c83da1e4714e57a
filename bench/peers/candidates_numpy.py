"""NumPy: each function runs in one thread, so rows are cut up for a pool of them."""
import concurrent.futures

import numpy as np

import workload
from candidate import MADE_ONCE, Candidate

POOL_BYTES = 1 << 20  # of output; below, handing parts to threads takes longer than the work


def _isa():
    found = np.show_config(mode="dicts").get("SIMD Extensions", {})
    return (found.get("found") or found.get("baseline") or [None])[-1]


class _Threads:
    """A function on parts of the tokens, at once."""

    def __init__(self, case, threads):
        self.count = threads if 4 * case.tokens * case.dim >= POOL_BYTES else 1
        self._pool = concurrent.futures.ThreadPoolExecutor(self.count) if self.count > 1 else None

    def cut(self, length):
        return [slice(length * k // self.count, length * (k + 1) // self.count)
                for k in range(self.count)]

    def map(self, function, parts, *arguments):
        each = map if self._pool is None else self._pool.map
        list(each(function, parts, *([argument] * len(parts) for argument in arguments)))

    def close(self):
        if self._pool is not None:
            self._pool.shutdown()


class NumPy(Candidate):
    """take(out=) and operations in place."""
    name = "NumPy, preallocated"
    memory = MADE_ONCE
    isa = _isa()

    def __init__(self, case, weights, tokens, threads):
        super().__init__(case, weights, tokens)
        self._threads = _Threads(case, threads)
        self._out = np.empty(case.shape, np.float32)
        self._rows = np.empty(case.shape, np.float32) if case.stage.bert else None
        self._means = np.empty((*case.shape[:2], 1), np.float32)
        self._places = weights.positions[case.positions]
        if case.batch >= threads:
            self._parts = [(rows, slice(None)) for rows in self._threads.cut(case.batch)]
        else:
            self._parts = [(slice(None), columns) for columns in self._threads.cut(case.length)]

    def launch(self, k):
        self._threads.map(self._part, self._parts, k)

    def _part(self, part, k):
        x = self._out[part]
        # "raise", the default, would make the rows elsewhere and copy them.
        np.take(self.weights.words, self.tokens.ids[k][part], axis=0, out=x, mode="clip")
        if self.weights.scale != 1:
            x *= np.float32(self.weights.scale)
        x += self._places[part[1]]
        if self.case.stage.bert:
            rows = self._rows[part]
            np.take(self.weights.segments, self.tokens.segments[k][part], axis=0, out=rows, mode="clip")
            x += rows
        if self.case.stage.epsilon is not None:
            self._norm(x, self._means[part])

    def _norm(self, x, factors):
        np.mean(x, axis=-1, keepdims=True, out=factors)
        x -= factors
        np.vecdot(x, x, out=factors[..., 0])
        factors /= self.case.dim
        factors += self.case.stage.epsilon
        np.sqrt(factors, out=factors)
        np.reciprocal(factors, out=factors)
        x *= factors
        x *= self.weights.gamma
        x += self.weights.beta

    def output(self):
        return self._out

    def close(self):
        self._threads.close()


class Copy(Candidate):
    """numpy.copyto of as many bytes as the output has, each launch from another part of the table."""
    memory = MADE_ONCE
    isa = NumPy.isa

    def __init__(self, case, weights, tokens, threads):
        super().__init__(case, weights, tokens)
        self._threads = _Threads(case, threads)
        self.name = f"copy: numpy.copyto, threads: {self._threads.count}"
        self._out = np.empty((case.tokens, case.dim), np.float32)
        self._parts = self._threads.cut(case.tokens)

    def launch(self, k):
        room = len(self.weights.words) - self.case.tokens + 1
        self._threads.map(self._part, self._parts, k * self.case.tokens % room)

    def _part(self, part, begin):
        np.copyto(self._out[part], self.weights.words[begin + part.start:begin + part.stop])

    def close(self):
        self._threads.close()
