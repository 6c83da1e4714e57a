#!/usr/bin/env python3
"""GGUF files of BERT: their embedding stage by posemb and in float64, and where they differ.

    python3 -m venv build/gguf
    build/gguf/bin/pip install -r bench/peers/requirements-gguf.txt
    build/gguf/bin/python bench/peers/make_gguf.py build/gguf-files
    build/gguf/bin/python bench/peers/compare_gguf.py build/gguf-files/*.gguf

The package gguf reads the tables and makes them float32. The stage is that of llama.cpp: word + row 0 of the
token types + position, then LayerNorm; here all of it in float64. What posemb's result, which the command
computes from the same file, is off by is then split up as in compare_minilm.py: by its sum, whose order is
(word + position) + type, and by its LayerNorm. `order` is how far the float32 sum in llama.cpp's order is off
instead, `rounding` what the nearest float32 numbers are.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

BATCH = 4


@dataclass
class Stage:
    kind: str  # type of the token table
    words: np.ndarray
    positions: np.ndarray
    types: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    epsilon: float


def read_stage(path):
    reader = GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def floats(name):
        return dequantize(tensors[name].data, tensors[name].tensor_type)

    architecture = reader.get_field("general.architecture").contents()
    stage = Stage(tensors["token_embd.weight"].tensor_type.name, floats("token_embd.weight"),
                  floats("position_embd.weight"), floats("token_types.weight"),
                  floats("token_embd_norm.weight"), floats("token_embd_norm.bias"),
                  reader.get_field(f"{architecture}.attention.layer_norm_epsilon").contents())
    assert stage.words.shape[1] == reader.get_field(f"{architecture}.embedding_length").contents()
    return stage


def ids_of(stage):
    """Every row of the word table, in a random order, as far as there is room."""
    length = len(stage.positions)
    rows = np.random.default_rng(1).permutation(len(stage.words))
    return np.resize(rows, (BATCH, length)).astype(np.int32)


def encode(options, path, ids):
    """What posemb makes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        ids_path, out_path = os.path.join(folder, "ids.npy"), os.path.join(folder, "out.npy")
        np.save(ids_path, ids)
        arguments = ["encode", "--model-file", path, "--ids", ids_path, "--out", out_path]
        if options.device:
            arguments += ["--device", options.device]
        if subprocess.run([options.command, *arguments], stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"{path}: {options.command} failed")
        out = np.load(out_path)
    assert out.dtype == np.float32
    return out.reshape(*ids.shape, -1)


def exact_norm(stage, x):
    """LayerNorm in float64."""
    x = x.astype(np.float64)
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + stage.epsilon)
    return x * stage.gamma.astype(np.float64) + stage.beta


def apart(a, b):
    return float(np.abs(a.astype(np.float64) - b).max())


def compare(path, options):
    stage = read_stage(path)
    ids = ids_of(stage)
    words, positions, kind = stage.words[ids], stage.positions[: ids.shape[1]], stage.types[0]
    exact = exact_norm(stage, words.astype(np.float64) + kind + positions)
    our_sum = exact_norm(stage, (words + positions) + kind)
    their_sum = exact_norm(stage, (words + kind) + positions)
    ours = encode(options, path, ids)
    print(f"{os.path.basename(path):40s} {stage.kind:5s} {ids.shape[0]:2d} x {ids.shape[1]:3d} "
          f"{exact.shape[-1]:4d} {np.abs(exact).max():8.3g} {apart(ours, exact):8.2e} "
          f"{apart(our_sum, exact):8.2e} {apart(ours, our_sum):8.2e} {apart(their_sum, exact):8.2e} "
          f"{apart(exact.astype(np.float32), exact):8.2e}")
    return apart(ours, exact)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help=".gguf")
    parser.add_argument("--command", default="build/posemb", help="posemb")
    parser.add_argument("--device", help="as posemb takes it")
    parser.add_argument("--limit", type=float, default=2e-5, help="a larger difference is a failure")
    options = parser.parse_args()
    print(f"{'file':40s} {'type':5s} {'tokens':8s} {'D':>4s} {'up to':>8s} {'off f64':>8s} {'by sum':>8s} "
          f"{'by norm':>8s} {'order':>8s} {'rounding':>8s}", flush=True)
    largest = max(compare(path, options) for path in options.files)
    print(f"largest difference from float64: {largest:.2e}")
    if not largest <= options.limit:
        sys.exit(f"that is above {options.limit:g}")


if __name__ == "__main__":
    main()
