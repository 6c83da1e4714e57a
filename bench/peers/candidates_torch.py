"""PyTorch: eager as models are written, in memory made once, and compiled."""
import logging
import sys

import numpy as np

import workload
from candidate import MADE_ONCE, OUTPUT_MADE_ONCE, PER_CALL, SUM_MADE_ONCE, Candidate

logging.disable(logging.WARNING)  # that there is no CUDA
import torch  # noqa: E402
import torch._dynamo  # noqa: E402
import torch._inductor.cpu_vec_isa  # noqa: E402


def _tensor(array):
    return None if array is None else torch.from_numpy(array)


class Torch(Candidate):
    """What they share: weights, ids, and the loop."""
    isa = torch.backends.cpu.get_cpu_capability()

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._words, self._positions, self._segments, self._gamma, self._beta = map(
            _tensor, (weights.words, weights.positions, weights.segments, weights.gamma, weights.beta))
        self._scale = weights.scale
        self._places = self._positions[case.positions]
        self._ids = torch.from_numpy(tokens.ids.astype(np.int64))
        self._segment_ids = ([None] * workload.SETS if tokens.segments is None else
                             torch.from_numpy(tokens.segments.astype(np.int64)))
        self._out = None

    def run(self, first, launches):
        with torch.inference_mode():
            super().run(first, launches)

    def launch(self, k):
        self._out = self._stage(self._ids[k], self._segment_ids[k])

    def _stage(self, ids, segment_ids):
        x = self._sum(ids, segment_ids)
        if self.case.stage.epsilon is None:
            return x
        return torch.nn.functional.layer_norm(x, (self.case.dim,), self._gamma, self._beta,
                                              self.case.stage.epsilon)

    def _sum(self, ids, segment_ids):
        """[B, S, D], before the norm"""
        raise NotImplementedError

    def output(self):
        return self._out.numpy().reshape(self.case.shape)


class TorchEager(Torch):
    """As BERT of transformers does it; emb(ids) * scale + pe[:S] as everybody does."""
    name = "PyTorch, eager"
    memory = PER_CALL

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._position_ids = torch.arange(case.positions.start, case.positions.stop)[None]

    def _sum(self, ids, segment_ids):
        embedding = torch.nn.functional.embedding
        if not self.case.stage.bert:
            return embedding(ids, self._words) * self._scale + self._places
        x = embedding(ids, self._words) + embedding(segment_ids, self._segments)
        x += embedding(self._position_ids, self._positions)
        return x


class TorchPreallocated(Torch):
    """Sums in place, in memory made once, and no lookup of what is the same in every row. LayerNorm
    allocates its output: its form with `out` is that and a copy, which is slower."""

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self.name, self.memory = (("PyTorch, preallocated", MADE_ONCE) if case.stage.epsilon is None else
                                  ("PyTorch, preallocated but for LayerNorm", SUM_MADE_ONCE))
        self._x = torch.empty(case.tokens, case.dim)
        self._ids = self._ids.flatten(1)
        if case.stage.bert:
            self._segment_rows = torch.empty(case.tokens, case.dim)
            self._segment_ids = self._segment_ids.flatten(1)

    def _sum(self, ids, segment_ids):
        torch.index_select(self._words, 0, ids, out=self._x)
        if self.case.stage.bert:
            torch.index_select(self._segments, 0, segment_ids, out=self._segment_rows)
            self._x.add_(self._segment_rows)
        else:
            self._x.mul_(self._scale)
        return self._x.view(self.case.shape).add_(self._places)


class TorchScaledSum(TorchPreallocated):
    """The same with the scale as a factor of the sum, which is a pass over the output less."""

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self.name += ", scale in the sum"

    def _sum(self, ids, segment_ids):
        torch.index_select(self._words, 0, ids, out=self._x)
        x = self._x.view(self.case.shape)
        return torch.add(self._places, x, alpha=self._scale, out=x)


class TorchCompiled(TorchEager):
    """torch.compile, which makes one C++ loop of the eager stage; needs a C++ compiler."""
    name = "PyTorch, compiled"
    memory = PER_CALL

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self.isa = f"{torch._inductor.cpu_vec_isa.pick_vec_isa()}, the compiler's -march=native"
        self._stage = torch.compile(self._stage, dynamic=False, fullgraph=True)


class TorchCompiledPreallocated(TorchCompiled):
    """The same into memory made once."""
    name = "PyTorch, compiled and preallocated"
    memory = OUTPUT_MADE_ONCE

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._memory = torch.empty(case.shape)
        self._stage = torch.compile(self._stage_into, dynamic=False, fullgraph=True)

    def _stage_into(self, ids, segment_ids):
        return self._memory.copy_(TorchEager._stage(self, ids, segment_ids))


def versions():
    return {"torch": torch.__version__}


def _compiled(case, weights, tokens):
    """Those of torch.compile; none, with a message, where it does not work."""
    made = []
    for kind in (TorchCompiled, TorchCompiledPreallocated):
        candidate = kind(case, weights, tokens)
        try:
            candidate.run(0, 1)
        except Exception as failure:  # whatever compilers and their absence throw
            print(f"{kind.name}: skipped, {str(failure).splitlines()[0]}", file=sys.stderr)
        else:
            made.append(candidate)
    return made


def make(case, weights, tokens, threads):
    torch.set_num_threads(threads)
    torch._dynamo.reset()
    eager = [TorchEager(case, weights, tokens), TorchPreallocated(case, weights, tokens)]
    if not case.stage.bert:
        eager.append(TorchScaledSum(case, weights, tokens))
    return eager + _compiled(case, weights, tokens)
