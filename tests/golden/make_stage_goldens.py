#!/usr/bin/env python3
"""Make the goldens of whole stages again: stages.tsv and the files stage-*.npy.

    make_stage_goldens.py [--out DIR]

Embedding stages and norms of transformers are executed in evaluation mode with random weights, in the
model's own type. README.md describes the columns. Needs the packages of bench/peers:

    bench/peers/run.sh --python tests/golden/make_stage_goldens.py
"""
import argparse
import csv
import dataclasses
import logging
import math
import os

import numpy as np

logging.disable(logging.WARNING)  # that there is no CUDA
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers.models.bert.modeling_bert import BertEmbeddings  # noqa: E402
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm  # noqa: E402
from transformers.models.llama.modeling_llama import LlamaRMSNorm  # noqa: E402
from transformers.models.roberta.modeling_roberta import RobertaEmbeddings  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB = 50
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}

COLUMNS = ["stage", "model", "call", "transformers", "torch", "dtype", "dim", "operation", "sum",
           "token_scale", "position_kind", "rule", "padding", "pad_id", "start", "past", "norm",
           "gamma", "epsilon", "rounding", "max_error", "differing",
           "file_ids", "file_words", "file_rows", "file_positions", "file_padding",
           "file_position_table", "file_segment_ids", "file_segment_table", "file_gamma",
           "file_beta", "file_out"]


@dataclasses.dataclass
class Stage:
    """One line of stages.tsv, with its arrays as tensors of the model's type, or int64."""
    name: str
    model: str
    call: str
    dtype: str
    out: torch.Tensor
    ids: torch.Tensor = None
    words: torch.Tensor = None
    rows: torch.Tensor = None              # of norms alone
    sum: str = "words+positions"           # the order in which the model adds
    token_scale: float = 1.0
    position_kind: str = "learned"
    rule: str = "index"
    padding_kind: str = "none"
    pad_id: str = "-"
    start: int = 0
    past: int = 0
    positions: torch.Tensor = None         # the rule's input
    padding: torch.Tensor = None           # the mask
    used_positions: torch.Tensor = None    # rows of position_table; only to check with
    position_table: torch.Tensor = None
    segment_ids: torch.Tensor = None
    segment_table: torch.Tensor = None
    norm: str = "none"
    gamma_kind: str = "factor"
    gamma: torch.Tensor = None
    beta: torch.Tensor = None
    epsilon: float = 0.0


# ---------------------------------------------------------------------------------------------------
# The same stage written anew, to say how far the model is from it


def narrow(x, dtype):
    """Round a float64 tensor to the type of the model."""
    return x if dtype is None else x.float().to(dtype).double()


def sum_of(stage, dtype):
    """The sum in float64; each step rounded to dtype unless that is None."""
    if stage.rows is not None:
        return stage.rows.double()
    x = narrow(stage.token_scale * stage.words.double()[stage.ids], dtype)
    for term in stage.sum.split("+")[1:]:
        if term == "positions":
            term_rows = stage.position_table.double()[stage.used_positions]
        else:
            term_rows = stage.segment_table.double()[stage.segment_ids]
        x = narrow(x + term_rows, dtype)
    return x


def norm_of(stage, x, dtype):
    """The norm in float64. Of RMSNorm with a factor, the normalised row is rounded to dtype too."""
    if stage.norm == "none":
        return x
    if stage.norm == "layer":
        x = x - x.mean(-1, keepdim=True)
    y = x / torch.sqrt((x * x).mean(-1, keepdim=True) + stage.epsilon)
    if stage.norm == "rms" and stage.gamma_kind == "factor":
        y = narrow(y, dtype)
    y = y * (stage.gamma.double() + (1 if stage.gamma_kind == "one-plus" else 0))
    return y if stage.beta is None else y + stage.beta.double()


def largest_error(stage):
    expected = norm_of(stage, sum_of(stage, None), None)
    return float((stage.out.double() - expected).abs().max())


def differing_elements(stage):
    """Those that are not the nearest to what rounding each step gives."""
    dtype = DTYPES[stage.dtype]
    expected = norm_of(stage, sum_of(stage, dtype), dtype)
    return int((stage.out.double() != narrow(expected, dtype)).sum())


# ---------------------------------------------------------------------------------------------------
# The models


def randomize(module, dtype, seed):
    """Weights of the size of trained ones; factors of norms are near 1, or near 0 where 1 is added."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            values = torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.dim() == 1
            parameter.copy_(0.2 * values if is_norm else 0.7 * values)
            if is_norm and name.endswith("weight") and not isinstance(module, GemmaRMSNorm):
                parameter.add_(1)
    return module.to(DTYPES[dtype]).eval()


def random_ids(shape, seed, low=0, high=VOCAB):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def padded_ids(seed, pad_id, pads_left):
    """[3, 7] without pads, with two and with five of them, at one side."""
    ids = random_ids((3, 7), seed, low=5)
    for row, count in enumerate((0, 2, 5)):
        ids[row, :count] = pad_id if pads_left else ids[row, :count]
        if not pads_left and count:
            ids[row, -count:] = pad_id
    return ids


def bert_like(model, dim, dtype, seed):
    config = transformers.BertConfig(vocab_size=VOCAB, hidden_size=dim, max_position_embeddings=20,
                                     type_vocab_size=2, pad_token_id=0, layer_norm_eps=1e-12)
    embeddings = randomize(BertEmbeddings(config), dtype, seed)
    common = {"model": model, "dtype": dtype, "words": embeddings.word_embeddings.weight,
              "position_table": embeddings.position_embeddings.weight,
              "segment_table": embeddings.token_type_embeddings.weight,
              "gamma": embeddings.LayerNorm.weight, "beta": embeddings.LayerNorm.bias,
              "norm": "layer", "epsilon": 1e-12, "sum": "words+segments+positions"}
    return embeddings, common


def make_bert(dtype):
    embeddings, common = bert_like("bert", 48, dtype, 11)
    ids, segments = random_ids((2, 7), 12), (torch.arange(7) >= torch.tensor([[3], [5]])).long()
    yield Stage(name=f"bert-{dtype}", call="BertEmbeddings(ids, token_type_ids)", ids=ids,
                segment_ids=segments, used_positions=torch.arange(7),
                out=embeddings(ids, segments), **common)
    if dtype == "f32":
        yield Stage(name="bert-past5-f32", ids=ids, segment_ids=segments, past=5,
                    call="BertEmbeddings(ids, token_type_ids, past_key_values_length=5)",
                    used_positions=torch.arange(5, 12),
                    out=embeddings(ids, segments, past_key_values_length=5), **common)


def make_roberta(dtype):
    config = transformers.RobertaConfig(vocab_size=VOCAB, hidden_size=32, max_position_embeddings=20,
                                        type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
    embeddings = randomize(RobertaEmbeddings(config), dtype, 21)
    ids = padded_ids(22, 1, pads_left=False)
    mask = (ids != 1).long()
    yield Stage(name=f"roberta-{dtype}", model="roberta", call="RobertaEmbeddings(ids)", dtype=dtype,
                ids=ids, words=embeddings.word_embeddings.weight, rule="count", padding_kind="token",
                pad_id="1", start=1, used_positions=mask.cumsum(1) * mask + 1,
                position_table=embeddings.position_embeddings.weight,
                segment_ids=torch.zeros_like(ids),
                segment_table=embeddings.token_type_embeddings.weight, norm="layer", epsilon=1e-5,
                gamma=embeddings.LayerNorm.weight, beta=embeddings.LayerNorm.bias,
                sum="words+segments+positions", out=embeddings(ids))


def gpt2_sum(model, **inputs):
    """What GPT2Model hands to its first layer."""
    seen = []
    hook = model.drop.register_forward_hook(lambda module, inputs, output: seen.append(output))
    model(**inputs)
    hook.remove()
    return seen[0]


def make_gpt2(dtype):
    config = transformers.GPT2Config(vocab_size=VOCAB, n_embd=64, n_head=2, n_layer=0, n_positions=20)
    model = randomize(transformers.GPT2Model(config), dtype, 31)
    common = {"model": "gpt2", "dtype": dtype, "words": model.wte.weight,
              "position_table": model.wpe.weight}
    ids = random_ids((2, 6), 32)
    yield Stage(name=f"gpt2-{dtype}", call="GPT2Model(ids), before its layers", ids=ids,
                used_positions=torch.arange(6), out=gpt2_sum(model, input_ids=ids), **common)
    if dtype == "f32":
        mask = (padded_ids(33, 0, pads_left=True) != 0).long()
        positions = (mask.cumsum(1) - 1).masked_fill(mask == 0, 1)
        ids = random_ids((3, 7), 34)
        yield Stage(name="gpt2-explicit-f32", ids=ids, rule="explicit", positions=positions,
                    call="GPT2Model(ids, position_ids as generate() makes them), before its layers",
                    used_positions=positions,
                    out=gpt2_sum(model, input_ids=ids, position_ids=positions), **common)


def make_opt(dtype):
    config = transformers.OPTConfig(vocab_size=VOCAB, hidden_size=32, word_embed_proj_dim=32, ffn_dim=8,
                                    num_hidden_layers=0, num_attention_heads=2,
                                    max_position_embeddings=20, do_layer_norm_before=False)
    decoder = randomize(transformers.OPTModel(config), dtype, 41).decoder
    ids = random_ids((3, 7), 42)
    mask = (padded_ids(43, 0, pads_left=True) != 0).long()
    yield Stage(name=f"opt-{dtype}", model="opt", dtype=dtype, ids=ids, padding=mask,
                call="OPTModel(ids, attention_mask) without layers", rule="count",
                words=decoder.embed_tokens.weight, position_table=decoder.embed_positions.weight,
                padding_kind="mask", start=1, used_positions=mask.cumsum(1) * mask - 1 + 2,
                out=decoder(ids, attention_mask=mask).last_hidden_state)


def exact_sinusoids(rows, dim):
    """[sin cos sin cos ...] of position * 10000^(-2i/dim), in float64."""
    angles = torch.arange(rows).double()[:, None] * 10000 ** (-2 * torch.arange(dim // 2).double() / dim)
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)


def make_distilbert(dtype):
    for sinusoidal in (False, True):
        config = transformers.DistilBertConfig(vocab_size=VOCAB, dim=32, max_position_embeddings=16,
                                               n_layers=0, n_heads=2, hidden_dim=8,
                                               sinusoidal_pos_embds=sinusoidal)
        embeddings = transformers.DistilBertModel(config).embeddings
        table = embeddings.position_embeddings.weight.detach().clone()
        randomize(embeddings, dtype, 51)
        if sinusoidal:
            embeddings.position_embeddings.weight.data.copy_(table)
        ids = random_ids((2, 9), 52)
        kind = "vaswani" if sinusoidal else "learned"
        yield Stage(name=f"distilbert-{kind}-{dtype}", model="distilbert", dtype=dtype, ids=ids,
                    call=f"DistilBertModel(sinusoidal_pos_embds={sinusoidal}).embeddings(ids)",
                    position_kind=kind, words=embeddings.word_embeddings.weight,
                    used_positions=torch.arange(9),
                    position_table=exact_sinusoids(16, 32) if sinusoidal else
                    embeddings.position_embeddings.weight,
                    norm="layer", epsilon=1e-12, gamma=embeddings.LayerNorm.weight,
                    beta=embeddings.LayerNorm.bias, out=embeddings(ids))


def make_gemma(dtype):
    """Scaled words and the norm; the factor sqrt(D) is rounded to the model's type."""
    config = transformers.GemmaConfig(vocab_size=VOCAB, hidden_size=40, num_hidden_layers=0,
                                      num_attention_heads=2, num_key_value_heads=1, head_dim=20,
                                      intermediate_size=8, rms_norm_eps=1e-6)
    model = transformers.GemmaModel(config)
    randomize(model, dtype, 61)
    model.norm = randomize(model.norm, dtype, 62)
    ids = random_ids((2, 6), 63)
    scale = float(torch.tensor(math.sqrt(40), dtype=DTYPES[dtype]))
    yield Stage(name=f"gemma-{dtype}", model="gemma", dtype=dtype, ids=ids, sum="words",
                call="GemmaModel(ids) without layers", words=model.embed_tokens.weight,
                token_scale=scale, position_kind="none", norm="rms", gamma_kind="one-plus",
                gamma=model.norm.weight, epsilon=1e-6,
                out=model(input_ids=ids, use_cache=False).last_hidden_state)


def make_norm(kind, dtype):
    dim, epsilon = (64, 1e-5) if kind is LlamaRMSNorm else (40, 1e-6)
    norm = randomize(kind(dim, eps=epsilon), dtype, 71)
    name = "llama" if kind is LlamaRMSNorm else "gemma"
    rows = torch.randn((2, 3, dim), generator=torch.Generator().manual_seed(72))
    rows *= torch.tensor([1e-3, 1.0, 40.0])[:, None]  # where epsilon counts, and where it does not
    rows = rows.to(DTYPES[dtype])
    yield Stage(name=f"{name}-norm-{dtype}", model=name, call=f"{kind.__name__}(rows)", dtype=dtype,
                rows=rows, sum="rows", position_kind="none", norm="rms", gamma=norm.weight,
                gamma_kind="factor" if kind is LlamaRMSNorm else "one-plus", epsilon=epsilon,
                out=norm(rows))


def all_stages():
    for dtype in DTYPES:
        yield from make_bert(dtype)
        yield from make_gpt2(dtype)
        yield from make_gemma(dtype)
        yield from make_norm(LlamaRMSNorm, dtype)
        yield from make_norm(GemmaRMSNorm, dtype)
    yield from make_roberta("f32")
    for dtype in ("f32", "bf16"):
        yield from make_opt(dtype)
    yield from make_distilbert("f32")


# ---------------------------------------------------------------------------------------------------
# Files


def save(folder, stage, part, tensor):
    """-> the file's name. bfloat16 is written as its bits, and the name says so."""
    if tensor is None:
        return "-"
    tensor = tensor.detach().contiguous()
    name = f"stage-{stage.name}-{part}.npy"
    if tensor.dtype == torch.bfloat16:
        name = f"stage-{stage.name}-{part}-bits.npy"
        tensor = tensor.view(torch.int16)
        array = tensor.numpy().view(np.uint16)
    else:
        array = tensor.numpy()
    np.save(os.path.join(folder, name), array, allow_pickle=False)
    return name


def shared_files(stage):
    """The fields that are files: (column, part of the name, tensor)."""
    learned = stage.position_kind == "learned"
    return [("file_ids", "ids", stage.ids), ("file_words", "words", stage.words),
            ("file_rows", "rows", stage.rows), ("file_positions", "positions", stage.positions),
            ("file_padding", "mask", stage.padding),
            ("file_position_table", "position-table", stage.position_table if learned else None),
            ("file_segment_ids", "segment-ids", stage.segment_ids),
            ("file_segment_table", "segment-table", stage.segment_table),
            ("file_gamma", "gamma", stage.gamma), ("file_beta", "beta", stage.beta),
            ("file_out", "out", stage.out)]


def line_of(folder, stage):
    line = {"stage": stage.name, "model": stage.model, "call": stage.call,
            "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
            "dtype": stage.dtype, "dim": stage.out.shape[-1],
            "operation": "encode" if stage.rows is None else "add", "sum": stage.sum,
            "token_scale": repr(stage.token_scale), "position_kind": stage.position_kind,
            "rule": stage.rule, "padding": stage.padding_kind, "pad_id": stage.pad_id,
            "start": stage.start, "past": stage.past, "norm": stage.norm,
            "gamma": "-" if stage.gamma is None else stage.gamma_kind,
            "epsilon": repr(stage.epsilon) if stage.norm != "none" else "-",
            "rounding": "once" if stage.dtype == "f32" else "each-step",
            "max_error": f"{largest_error(stage):.3g}", "differing": differing_elements(stage)}
    for column, part, tensor in shared_files(stage):
        line[column] = save(folder, stage, part, tensor)
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=HERE, help="the folder to write to")
    folder = parser.parse_args().out
    torch.set_num_threads(1)
    with torch.no_grad():
        lines = [line_of(folder, stage) for stage in all_stages()]
    with open(os.path.join(folder, "stages.tsv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{len(lines)} stages")


if __name__ == "__main__":
    main()
