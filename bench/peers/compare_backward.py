#!/usr/bin/env python3
"""Compare PyTorch's gradient of an embedding with posemb's: `posemb bench --backward` and PyTorch take turns.

usage: bench/peers/run.sh --python bench/peers/compare_backward.py [--command build/posemb] [--shape BxSxD]
                                                                   [--rounds N] [--json FILE]
Nothing else should run on the machine.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

import torch

REPEATS = 15
CASES = {  # name of posemb's case -> how PyTorch makes that gradient
    "token table, dense": ["embedding_dense_backward", "zeros and index_add_", "zero_ and index_add_, preallocated"],
    "token table, added to": ["embedding_dense_backward and add_", "index_add_"],
    "token table, segments": ["sparse gradient, coalesced"],
    "tokens and positions": ["autograd, tokens and positions"],
    "all through LayerNorm": ["autograd, through layer_norm"],
}


def make_calls(batch, length, rows, dim):
    """-> {name: function}; the same work as posemb's cases: ids are distinct rows."""
    tokens = batch * length
    ids = torch.randperm(rows)[:tokens]
    grad = torch.rand(tokens, dim)
    table = torch.zeros(rows, dim)
    dense_grad = torch.zeros(rows, dim)

    def dense():
        return torch.ops.aten.embedding_dense_backward(grad, ids, rows, -1, False)

    def zeros_and_add():
        return torch.zeros(rows, dim).index_add_(0, ids, grad)

    def zero_and_add():
        return dense_grad.zero_().index_add_(0, ids, grad)

    def accumulate():
        return table.add_(dense())

    def add():
        return table.index_add_(0, ids, grad)

    def segments():
        return torch.sparse_coo_tensor(ids[None], grad, (rows, dim), check_invariants=False).coalesce()

    assert torch.equal(dense(), zeros_and_add()) and torch.equal(dense(), zero_and_add())
    assert torch.equal(dense(), segments().to_dense())
    calls = {"embedding_dense_backward": dense, "zeros and index_add_": zeros_and_add,
             "zero_ and index_add_, preallocated": zero_and_add, "embedding_dense_backward and add_": accumulate,
             "index_add_": add, "sparse gradient, coalesced": segments}
    calls.update(make_autograd_calls(ids.view(batch, length), grad.view(batch, length, dim), rows, dim))
    return calls


def make_autograd_calls(ids, grad, rows, dim):
    """The backward of a stage that has run forward, as loss.backward() makes it."""
    length = ids.shape[1]
    tokens = torch.rand(rows, dim, requires_grad=True)
    positions = torch.rand(length, dim, requires_grad=True)
    gamma = torch.ones(dim, requires_grad=True)
    beta = torch.zeros(dim, requires_grad=True)
    summed = torch.nn.functional.embedding(ids, tokens) + positions
    normed = torch.nn.functional.layer_norm(summed, (dim,), gamma, beta, 1e-5)

    def of_sum():
        return torch.autograd.grad(summed, (tokens, positions), grad, retain_graph=True)

    def of_norm():
        return torch.autograd.grad(normed, (tokens, positions, gamma, beta), grad, retain_graph=True)

    return {"autograd, tokens and positions": of_sum, "autograd, through layer_norm": of_norm}


def seconds_of(call):
    best = float("inf")
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def run_posemb(command, shape):
    """-> {name of the case: its record}"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bench.jsonl")
        subprocess.run([command, "bench", "--backward", "--shape", shape, "--json", path], check=True,
                       stdout=subprocess.DEVNULL)
        with open(path, encoding="utf-8") as lines:
            records = {line["gradients"]: line for line in map(json.loads, lines) if line["kind"] == "backward"}
    if not records:
        raise SystemExit(f"compare_backward.py: {command} measured no gradients of {shape}")
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--command", default="build/posemb")
    parser.add_argument("--shape", default="8x2048x1024")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    batch, length, dim = (int(part) for part in options.shape.split("x"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    calls = {}
    torch_seconds = {}
    posemb_seconds = {}
    for _ in range(options.rounds):
        records = run_posemb(options.command, options.shape)
        for name in CASES:
            posemb_seconds[name] = min(posemb_seconds.get(name, float("inf")), records[name]["seconds"])
        rows = records[next(iter(CASES))]["table_rows"]
        calls = calls or make_calls(batch, length, rows, dim)
        for name, call in calls.items():
            call()
            torch_seconds[name] = min(torch_seconds.get(name, float("inf")), seconds_of(call))
    lines = []
    for case, names in CASES.items():
        for name in names:
            ratio = torch_seconds[name] / posemb_seconds[case]
            print(f"{case:24} {posemb_seconds[case] * 1e3:8.2f} ms   PyTorch {name:35}"
                  f" {torch_seconds[name] * 1e3:8.2f} ms  {ratio:5.2f}")
            lines.append({"schema": 2, "kind": "backward peer", "candidate": f"PyTorch {torch.__version__}, {name}",
                          "gradients": case, "shape": [batch, length, dim], "table_rows": rows, "statistic": "min",
                          "repeats": REPEATS * options.rounds, "seconds": torch_seconds[name],
                          "posemb_seconds": posemb_seconds[case], "ratio_to_posemb": ratio})
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    main()
