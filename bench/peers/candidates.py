"""All candidates of a case."""
import numpy as np

import candidates_jax
import candidates_numpy
import candidates_onnxruntime
import candidates_posemb
import candidates_torch


def versions():
    return {**candidates_torch.versions(), **candidates_onnxruntime.versions(),
            **candidates_jax.versions(), "numpy": np.__version__}


def make(library, selector, case, weights, tokens, threads):
    """(those that compute the stage, posemb first; copies)"""
    posemb = candidates_posemb.Posemb(case, weights, tokens, library, selector)
    stages = [posemb, *candidates_torch.make(case, weights, tokens, threads),
              candidates_onnxruntime.OnnxRuntime(case, weights, tokens, threads),
              *candidates_jax.make(case, weights, tokens),
              candidates_numpy.NumPy(case, weights, tokens, threads)]
    copies = candidates_posemb.copies(posemb)
    return stages, copies + [candidates_numpy.Copy(case, weights, tokens, threads)]
