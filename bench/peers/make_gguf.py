#!/usr/bin/env python3
"""Make GGUF files of the embedding stage of BERT, with token tables of many types.

    make_gguf.py [--model FILE] [--config FILE] [--words FILE] FOLDER [TYPE ...]

Keys and tensors have the names and types that llama.cpp's converter gives them; the layers of the model are
left out. Of F32, F16, BF16 and the types that the package gguf can quantise to (Q8_0 and so on) the file is
MODEL.TYPE.gguf, by default of the excerpt in data/. Of the types K it is random-512.TYPE.gguf: a made-up model
of D = 512 whose token table is random blocks. Without any TYPE: all.

Needs the packages of requirements-gguf.txt.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, PoolingType, TokenType
from gguf.quants import quantize

ROOT = Path(__file__).resolve().parents[2]
EXCERPT = ROOT / "data" / "all-MiniLM-L6-v2-excerpt.safetensors"

#         general.file_type, and where d and m of a random block lie
FILES = {"F32": ("ALL_F32", None), "F16": ("MOSTLY_F16", None), "BF16": ("MOSTLY_BF16", None),
         "Q8_0": ("MOSTLY_Q8_0", None), "Q4_0": ("MOSTLY_Q4_0", None), "Q4_1": ("MOSTLY_Q4_1", None),
         "Q5_0": ("MOSTLY_Q5_0", None), "Q5_1": ("MOSTLY_Q5_1", None),
         "Q2_K": ("MOSTLY_Q2_K", (80, 82)), "Q3_K": ("MOSTLY_Q3_K_M", (108,)),
         "Q4_K": ("MOSTLY_Q4_K_M", (0, 2)), "Q5_K": ("MOSTLY_Q5_K_M", (0, 2)),
         "Q6_K": ("MOSTLY_Q6_K", (208,))}

TENSORS = {"embeddings.word_embeddings.weight": "token_embd.weight",
           "embeddings.position_embeddings.weight": "position_embd.weight",
           "embeddings.token_type_embeddings.weight": "token_types.weight",
           "embeddings.LayerNorm.weight": "token_embd_norm.weight",
           "embeddings.LayerNorm.bias": "token_embd_norm.bias"}


def read_stage(path):
    """The tensors of the stage under their names in GGUF files, float32."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        start = file.tell()
        stage = {}
        for name, gguf_name in TENSORS.items():
            entry = header[name]
            assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
            file.seek(start + entry["data_offsets"][0])
            data = file.read(entry["data_offsets"][1] - entry["data_offsets"][0])
            stage[gguf_name] = np.frombuffer(data, "<f4").reshape(entry["shape"])
    return stage


def random_stage(dim=512, vocab=96, positions=32):
    random = np.random.default_rng(512)
    shapes = {"token_embd.weight": (vocab, dim), "position_embd.weight": (positions, dim),
              "token_types.weight": (2, dim), "token_embd_norm.weight": (dim,),
              "token_embd_norm.bias": (dim,)}
    stage = {name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
    stage["token_embd_norm.weight"] += np.float32(0.9)
    return stage


def random_blocks(kind, shape, places):
    """Random bytes but for d and m, which make values of the size of those of a model."""
    random = np.random.default_rng(kind.value)
    block, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (shape[0] * shape[1] // block, size), dtype=np.uint8)
    for place in places:
        numbers = random.uniform(2e-5, 2e-4, len(blocks)).astype("<f2")
        blocks[:, place : place + 2] = numbers.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def token_of(word):
    """As llama.cpp has the words of WordPiece: those that begin a word begin with U+2581."""
    if word.startswith("[") and word.endswith("]"):
        return word
    return word[2:] if word.startswith("##") else "\u2581" + word


def add_tokens(writer, words):
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token_of(word) for word in words])
    writer.add_token_types([TokenType.CONTROL if token_of(word) == word else TokenType.NORMAL
                            for word in words])
    for word, add in (("[UNK]", writer.add_unk_token_id), ("[SEP]", writer.add_sep_token_id),
                      ("[PAD]", writer.add_pad_token_id), ("[CLS]", writer.add_bos_token_id),
                      ("[MASK]", writer.add_mask_token_id)):
        if word in words:
            add(words.index(word))


def add_keys(writer, stage, config):
    writer.add_type("model")
    writer.add_context_length(len(stage["position_embd.weight"]))
    writer.add_embedding_length(stage["token_embd.weight"].shape[1])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.MEAN)
    writer.add_token_type_count(len(stage["token_types.weight"]))


def write(path, name, kind, stage, tokens, config, words):
    """`tokens`: the token table's numbers, or its bytes."""
    writer = GGUFWriter(path, "bert")
    writer.add_name(name)
    add_keys(writer, stage, config)
    writer.add_file_type(LlamaFileType[FILES[kind.name][0]])
    writer.add_quantization_version(2)
    add_tokens(writer, words)
    writer.add_tensor("token_embd.weight", tokens, raw_dtype=kind)
    for tensor in TENSORS.values():  # tables other than that of tokens, and norms, stay F32
        if tensor != "token_embd.weight":
            writer.add_tensor(tensor, stage[tensor])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {path.stat().st_size} bytes")


def write_type(options, name):
    kind, places = GGMLQuantizationType[name], FILES[name][1]
    config = json.loads(Path(options.config).read_text(encoding="utf-8"))
    if places:
        stage = random_stage()
        tokens = random_blocks(kind, stage["token_embd.weight"].shape, places)
        model, words = "random-512", [f"word{n}" for n in range(len(tokens))]
    else:
        stage = read_stage(options.model)
        tokens = quantize(stage["token_embd.weight"], kind)
        model, words = Path(options.model).stem, Path(options.words).read_text(encoding="utf-8").splitlines()
    assert len(words) == len(tokens)
    write(Path(options.folder) / f"{model}.{name}.gguf", model, kind, stage, tokens, config, words)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the folder to write to")
    parser.add_argument("types", nargs="*", metavar="TYPE", help="one of " + ", ".join(FILES))
    parser.add_argument("--model", default=EXCERPT, help="a .safetensors file of BERT, float32")
    parser.add_argument("--config", default=EXCERPT.with_suffix(".config.json"), help="its config.json")
    parser.add_argument("--words", default=EXCERPT.with_suffix(".words.txt"), help="its words, one a line")
    options = parser.parse_args()
    for name in options.types:
        if name not in FILES:
            parser.error(f"{name} is no type; they are {', '.join(FILES)}")
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    for name in options.types or FILES:
        write_type(options, name)


if __name__ == "__main__":
    main()
