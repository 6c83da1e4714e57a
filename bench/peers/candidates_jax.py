"""JAX: the stage as XLA compiles it for the CPU. How many threads XLA has, the environment says: NPROC."""
import os

import jax
import jax.numpy as jnp
import numpy as np

import workload
from candidate import OUTPUT_MADE_ONCE, PER_CALL, Candidate


class Jax(Candidate):
    """Lookup and LayerNorm as Flax writes them: take() that fills rows of bad ids with NaN, and the variance
    as the mean of squares less the square of the mean. Clipped ids and a second pass over the rows took
    longer when they were tried."""
    name = "JAX, jit"
    memory = PER_CALL
    isa = f"XLA's, for the host's CPU, {os.environ.get('XLA_FLAGS') or 'no flags'}"

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        parts = {"words": weights.words, "places": weights.positions[case.positions],
                 "segments": weights.segments, "gamma": weights.gamma, "beta": weights.beta}
        self._parts = {name: jax.device_put(array) for name, array in parts.items() if array is not None}
        self._ids = [jax.device_put(ids) for ids in tokens.ids]
        self._segment_ids = ([None] * workload.SETS if tokens.segments is None else
                             [jax.device_put(ids) for ids in tokens.segments])
        self._stage = jax.jit(self._compute)
        self._out = None

    def _compute(self, parts, ids, segment_ids):
        x = jnp.take(parts["words"], ids, axis=0)
        if self.case.stage.bert:
            x += jnp.take(parts["segments"], segment_ids, axis=0)
        else:
            x *= np.float32(self.weights.scale)
        x += parts["places"]
        if self.case.stage.epsilon is None:
            return x
        mean = x.mean(axis=-1, keepdims=True)
        variance = jnp.square(x).mean(axis=-1, keepdims=True) - jnp.square(mean)
        factor = jax.lax.rsqrt(variance + np.float32(self.case.stage.epsilon)) * parts["gamma"]
        return (x - mean) * factor + parts["beta"]

    def launch(self, k):
        # Waits, lest outputs pile up.
        self._out = self._stage(self._parts, self._ids[k], self._segment_ids[k]).block_until_ready()

    def output(self):
        return np.asarray(self._out)

    def close(self):
        self._out = self._parts = self._ids = self._segment_ids = None


class JaxDonated(Jax):
    """The same into the memory of the last output, which is donated."""
    name = "JAX, jit, donated output"
    memory = OUTPUT_MADE_ONCE

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._stage = jax.jit(self._compute_into, donate_argnums=0, keep_unused=True)
        self._out = jnp.zeros(case.shape, jnp.float32)

    def _compute_into(self, _, parts, ids, segment_ids):
        return self._compute(parts, ids, segment_ids)

    def run(self, first, launches):
        super().run(first, launches)
        self._out.block_until_ready()

    def launch(self, k):
        self._out = self._stage(self._out, self._parts, self._ids[k], self._segment_ids[k])


def versions():
    return {"jax": jax.__version__, "jaxlib": jax.lib.__version__}


def make(case, weights, tokens):
    return [Jax(case, weights, tokens), JaxDonated(case, weights, tokens)]
