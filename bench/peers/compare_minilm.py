#!/usr/bin/env python3
"""all-MiniLM-L6-v2: its embedding stage by posemb and by transformers, and where they differ.

    scripts/run.sh --fetch
    bench/peers/run.sh --python bench/peers/compare_minilm.py --write-ids build/ids.npy
    build/posemb encode --model-file build/model/model.safetensors --ids build/ids.npy --out build/out.npy
    bench/peers/run.sh --python bench/peers/compare_minilm.py build/ids.npy build/out.npy

Both are compared with float64. What a float32 result is off by is then split up: by its sum, whose order is
(word + type) + position in transformers and (word + position) + type in posemb, and by the arithmetic of its
LayerNorm.
"""
import argparse
import logging
import os

import numpy as np

logging.disable(logging.WARNING)  # that there is no CUDA
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers.models.bert.modeling_bert import BertEmbeddings  # noqa: E402

EPSILON = 1e-12
SENTENCES = ["The dog chased the cat.", "The cat chased the dog.",
             "Embedding tables are read a row at a time, and rows are long.",
             "Unbelievable: a counterexample of 1,024 dimensions!"]


def write_ids(path, vocabulary):
    """Of the sentences, as the model's tokenizer makes them, with pads at the right."""
    tokenizer = transformers.BertTokenizer(vocabulary, do_lower_case=True)
    ids = tokenizer(SENTENCES, padding=True, return_tensors="np")["input_ids"]
    np.save(path, ids.astype(np.int32))
    print(f"{path}: {ids.shape[0]} sentences, {ids.shape[1]} tokens each with pads")


def load_embeddings(path):
    prefix = "embeddings."
    state = {name[len(prefix):]: tensor for name, tensor in load_file(path).items()
             if name.startswith(prefix) and not name.endswith("position_ids")}
    vocab, dim = state["word_embeddings.weight"].shape
    config = transformers.BertConfig(
        vocab_size=vocab, hidden_size=dim, layer_norm_eps=EPSILON,
        max_position_embeddings=len(state["position_embeddings.weight"]),
        type_vocab_size=len(state["token_type_embeddings.weight"]))
    embeddings = BertEmbeddings(config)
    embeddings.load_state_dict(state)
    return embeddings.eval()


def rows_of(embeddings, ids):
    """The float32 rows that are summed: words [B, S, D], positions [S, D], type 0 [D]."""
    return (embeddings.word_embeddings.weight.numpy()[ids],
            embeddings.position_embeddings.weight.numpy()[:ids.shape[1]],
            embeddings.token_type_embeddings.weight.numpy()[0])


def exact_norm(embeddings, x):
    """LayerNorm in float64."""
    x = x.astype(np.float64)
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
    gamma, beta = (p.numpy().astype(np.float64)
                   for p in (embeddings.LayerNorm.weight, embeddings.LayerNorm.bias))
    return x * gamma + beta


def apart(a, b):
    return float(np.abs(a.astype(np.float64) - b).max())


def report(name, out, own_sum, exact):
    """`own_sum`: the exact norm of the float32 sum in that one's order."""
    print(f"{name:14s} off float64 {apart(out, exact):.2e}; by its sum {apart(own_sum, exact):.2e}, "
          f"by its LayerNorm {apart(out, own_sum):.2e}")


def compare(embeddings, ids, ours):
    theirs = embeddings(torch.from_numpy(ids.astype(np.int64))).numpy()
    words, positions, kind = rows_of(embeddings, ids)
    exact = exact_norm(embeddings, words.astype(np.float64) + positions + kind)
    our_sum = exact_norm(embeddings, (words + positions) + kind)
    their_sum = exact_norm(embeddings, (words + kind) + positions)
    print(f"{ids.shape[0]} x {ids.shape[1]} tokens, D = {exact.shape[-1]}, values up to "
          f"{np.abs(exact).max():.3g}; rounding to float32 alone: {apart(exact.astype(np.float32), exact):.2e}")
    report("posemb", ours, our_sum, exact)
    report("transformers", theirs, their_sum, exact)
    print(f"apart          {apart(ours, theirs):.2e}, of which by the order of the sums "
          f"{apart(our_sum, their_sum):.2e}; {int((ours != theirs).sum())} of {ours.size} elements differ")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ids", nargs="?", help="[B, S] integers, .npy")
    parser.add_argument("out", nargs="?", help="what posemb made of them, [B, S, D] float32, .npy")
    parser.add_argument("--model", default="build/model", help="folder of model.safetensors, vocab.txt")
    parser.add_argument("--write-ids", metavar="FILE", help="write ids of some sentences, no more")
    options = parser.parse_args()
    if not options.write_ids and not options.out:
        parser.error("IDS and OUT are needed, or --write-ids")
    return options


def main():
    options = parse_arguments()
    if options.write_ids:
        write_ids(options.write_ids, os.path.join(options.model, "vocab.txt"))
        return
    ids = np.atleast_2d(np.load(options.ids))
    with torch.no_grad():
        embeddings = load_embeddings(os.path.join(options.model, "model.safetensors"))
        for parameter in embeddings.parameters():
            parameter.requires_grad_(False)
        ours = np.load(options.out).reshape(*ids.shape, -1)
        compare(embeddings, ids, ours)


if __name__ == "__main__":
    main()
