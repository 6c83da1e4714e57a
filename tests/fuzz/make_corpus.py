#!/usr/bin/env python3
"""Make the seeds in corpus/ beside this script, again. Needs nothing but Python, so that compiled
programs have no right digest here: fuzz_blob.c writes some of its own."""
import json
import struct
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
BYTES = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "F64": 8, "U8": 1}


def write(target, name, content):
    folder = FOLDER / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def npy(descr, shape, data, version=1, order="False"):
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    start = 10 if version == 1 else 12
    text += b" " * (-(start + len(text) + 1) % 64) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def safetensors(tensors, metadata=None):
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape in tensors:
        size = BYTES[dtype]
        for count in shape:
            size *= count
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += bytes(i & 255 for i in range(size))
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


GGUF_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q",
                11: "<q", 12: "<d"}
GGUF_TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144),
              "I8": (24, 1, 1), "BF16": (30, 1, 2)}


def gguf_string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


def gguf_value(kind, value):
    return gguf_string(value) if kind == 8 else struct.pack(GGUF_NUMBERS[kind], value)


def gguf(values, tensors, version=3, alignment=32, end=True):
    """`values` are of key, type, value, where an array has (type, values); sizes outermost first."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    for key, kind, value in values:
        head += gguf_string(key) + struct.pack("<I", kind)
        if kind == 9:
            head += struct.pack("<IQ", value[0], len(value[1]))
            head += b"".join(gguf_value(value[0], each) for each in value[1])
        else:
            head += gguf_value(kind, value)
    data = b""
    for name, dtype, shape in tensors:
        number, block, size = GGUF_TYPES[dtype]
        for count in shape:
            size *= count
        data += bytes(-len(data) % alignment)
        head += gguf_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        head += struct.pack("<IQ", number, len(data))
        data += bytes(i & 255 for i in range(size // block))
    if end:
        data += bytes(-len(data) % alignment)
    return head + bytes(-len(head) % alignment) * bool(tensors) + data


def model(config, tensors):
    """As fuzz_model_file.c takes it apart."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode() if config else b""
    size = len(text) if config is not None else 0xFFFF
    return struct.pack("<H", size) + text + safetensors(tensors)


def make_npy():
    for name, descr, width in [("f4", "<f4", 4), ("f2", "<f2", 2), ("i4", "<i4", 4), ("i8", "<i8", 8),
                               ("i1", "|i1", 1), ("u1", "|u1", 1), ("bf16", "<V2", 2),
                               ("void", "|V2", 2)]:
        write("npy", name, npy(descr, "(2, 3)", bytes(range(6 * width))))
    write("npy", "b1", npy("|b1", "(3,)", b"\0\1\1"))
    write("npy", "bad_bool", npy("|b1", "(3,)", b"\0\1\2"))
    write("npy", "scalar", npy("<f4", "()", b"\0\0\0\0", version=2))
    write("npy", "empty", npy("<i8", "(0, 5)", b"", version=3))
    write("npy", "fortran", npy("<f4", "(1,)", b"\0\0\0\0", order="True"))
    write("npy", "overflow", npy("<f4", "(4294967296, 4294967296)", b""))


def make_safetensors():
    write("safetensors", "none", safetensors([]))
    write("safetensors", "two", safetensors([("ab", "F32", [2, 3]), ("b", "I8", [3])], {"k": "v"}))
    write("safetensors", "scalar", safetensors([("s", "F64", []), ("e", "U8", [0, 4])]))
    write("safetensors", "matrices", safetensors([("v", "BF16", [1, 2]), ("w", "F16", [2, 1])]))
    hole = b'{"t":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}'
    write("safetensors", "hole", struct.pack("<Q", len(hole)) + hole + bytes(5))
    bits = b'{"t":{"dtype":"F4","shape":[2,3],"data_offsets":[0,3]}}'
    write("safetensors", "bits", struct.pack("<Q", len(bits)) + bits + bytes(3))
    write("safetensors", "long", struct.pack("<Q", 2**63) + b"{}")


def make_gguf():
    write("gguf", "none", gguf([], []))
    write("gguf", "values", gguf([(f"k{kind}", kind, 1) for kind in GGUF_NUMBERS] + [("-", 5, -1)], []))
    write("gguf", "texts", gguf([("general.architecture", 8, "llama"), ("t", 8, b"a\0\xff"), ("e", 8, "")],
                                [], version=2))
    write("gguf", "arrays", gguf([("tokens", 9, (8, ["<s>", "", "ab"])), ("scores", 9, (6, [0.5, -1.0])),
                                  ("flags", 9, (7, [0, 1])), ("none", 9, (0, []))], []))
    write("gguf", "tensors", gguf([], [("token_embd.weight", "F32", [2, 3]), ("b", "I8", [5]),
                                       ("h", "BF16", [1, 2, 1, 3])]))
    write("gguf", "blocks", gguf([("general.alignment", 4, 8)],
                                 [("q", "Q8_0", [2, 32]), ("k", "Q4_K", [256]), ("v", "Q8_0", [96])],
                                 alignment=8, end=False))
    write("gguf", "scalar", gguf([("general.alignment", 4, 1)], [("", "F16", []), ("e", "F32", [0, 4])],
                                 alignment=1))
    write("gguf", "nested", gguf([("a", 9, (9, []))], []))
    write("gguf", "twice", gguf([("a", 0, 1), ("a", 0, 1)], [("t", "F32", [1]), ("t", "F32", [1])]))
    write("gguf", "alignment", gguf([("general.alignment", 4, 3)], []))
    write("gguf", "long", b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**64 - 1))
    write("gguf", "big_endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0))


CONFIGS = {
    "bert": {"architectures": ["BertModel"], "hidden_size": 4, "layer_norm_eps": 1e-12,
             "max_position_embeddings": 6, "model_type": "bert", "pad_token_id": 0,
             "position_embedding_type": "absolute", "type_vocab_size": 2, "vocab_size": 10},
    "gpt2": {"n_embd": 4, "n_positions": 6, "model_type": "gpt2", "layer_norm_epsilon": 1e-5},
    "bart": {"d_model": 4, "scale_embedding": False, "pad_token_id": None, "model_type": "bart"},
    "llama": {"hidden_size": 4, "rms_norm_eps": 1e-6, "model_type": "llama", "pad_token_id": -1},
    "distilbert": {"dim": 4, "sinusoidal_pos_embds": True, "model_type": "distilbert"},
    "contradiction": {"hidden_size": 4, "d_model": 5},
}


def make_config():
    for name, config in CONFIGS.items():
        write("config", name, json.dumps(config, indent=2).encode() + b"\n")
    write("config", "twice", b'{"dim":4,"\\u0064im":4}')
    write("config", "deep", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}")
    write("config", "text", b'{"model_type":"\\u00e9\\n","vocab_size":1e3}')


BERT = [("bert.embeddings.word_embeddings.weight", "F32", [10, 4]),
        ("bert.embeddings.position_embeddings.weight", "F32", [6, 4]),
        ("bert.embeddings.token_type_embeddings.weight", "F16", [2, 4]),
        ("bert.embeddings.LayerNorm.weight", "F32", [4]),
        ("bert.embeddings.LayerNorm.bias", "F32", [4])]
BART = [("model.shared.weight", "BF16", [10, 4]),
        ("model.encoder.embed_positions.weight", "BF16", [6, 4]),
        ("model.encoder.layernorm_embedding.weight", "BF16", [4]),
        ("model.decoder.embed_positions.weight", "BF16", [6, 4])]


def make_model_file():
    write("model_file", "bert", model(CONFIGS["bert"], BERT))
    write("model_file", "bert_no_config", model(None, BERT))
    write("model_file", "bert_of_gamma", model(None, [("embeddings.word_embeddings.weight", "F32", [3, 2]),
                                                      ("embeddings.LayerNorm.gamma", "F32", [2]),
                                                      ("embeddings.LayerNorm.beta", "F32", [2])]))
    write("model_file", "gpt2", model(CONFIGS["gpt2"], [("wte.weight", "F32", [10, 4]),
                                                        ("wpe.weight", "F32", [6, 4])]))
    write("model_file", "bart", model(CONFIGS["bart"], BART))
    write("model_file", "bart_encoder", model(b"e", BART))
    write("model_file", "t5_decoder", model(b"d", [("shared.weight", "F32", [3, 2]),
                                                   ("decoder.embed_tokens.weight", "F32", [3, 2]),
                                                   ("encoder.embed_tokens.weight", "F32", [3, 2])]))
    write("model_file", "scales", model(None, [("wte.weight", "I8", [3, 2]),
                                               ("wte.weight_scale", "F32", [3, 1])]))
    write("model_file", "scale", model(None, [("wte.weight", "I8", [3, 2]), ("wte.scales", "F32", [])]))
    write("model_file", "other_dim", model(None, [("wte.weight", "F32", [3, 2]),
                                                  ("wpe.weight", "F32", [3, 3])]))


    make_gguf_models()


def gguf_keys(architecture, *of_architecture):
    return [("general.architecture", 8, architecture),
            *((f"{architecture}.{key}", kind, value) for key, kind, value in of_architecture)]


def make_gguf_models():
    none = struct.pack("<H", 0xFFFF)
    bert = gguf_keys("bert", ("embedding_length", 4, 8), ("context_length", 4, 6), ("vocab_size", 4, 10),
                     ("attention.layer_norm_epsilon", 6, 1e-12))
    bert += [("tokenizer.ggml.token_type_count", 4, 2), ("tokenizer.ggml.padding_token_id", 4, 0)]
    tables = [("token_embd.weight", "F32", [10, 8]), ("position_embd.weight", "F16", [6, 8]),
              ("token_types.weight", "F32", [2, 8]), ("token_embd_norm.weight", "F32", [8]),
              ("token_embd_norm.bias", "F32", [8])]
    blocks = [("token_embd.weight", "Q8_0", [3, 64]), ("output_norm.weight", "F32", [64])]
    write("model_file", "gguf_bert", none + gguf(bert, tables))
    write("model_file", "gguf_blocks", none + gguf(
        gguf_keys("minicpm", ("embedding_scale", 6, 12.0), ("attention.layer_norm_rms_epsilon", 6, 1e-5)),
        blocks))
    write("model_file", "gguf_gemma", none + gguf(gguf_keys("gemma2", ("embedding_length", 4, 64)), blocks))
    write("model_file", "gguf_no_keys", none + gguf([], [("token_embd.weight", "Q4_K", [1, 256])]))
    write("model_file", "gguf_other_dim", none + gguf(gguf_keys("bert", ("embedding_length", 4, 9)), tables))


def make_blob():
    header = b"POSEMBPC" + struct.pack("<IIQ", 1, 5, 6)
    write("blob", "whole_but_digest", header + bytes(range(32)) + b"labelbinary")
    write("blob", "no_binary", b"POSEMBPC" + struct.pack("<IIQ", 1, 5, 0) + bytes(32) + b"label")
    write("blob", "long_label", b"POSEMBPC" + struct.pack("<IIQ", 1, 2**32 - 1, 2**64 - 1) + bytes(40))
    write("blob", "other_format", b"POSEMBPC" + struct.pack("<IIQ", 2, 5, 6) + bytes(43))
    write("blob", "parts", bytes([5, 200, 1]) + b"labelbinary")


def lines(*records):
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def make_report():
    def run(number):
        return {"schema": 2, "kind": "run", "run": f"{number:016x}", "device": f"d{number}", "platform": "p",
                "driver": "1", "seed": "5", "table_rows": 9, "cache_size": 33554432,
                "environment": {"POSEMB_CACHE": "off"}}

    def line(kind, number=1, **more):
        return {"schema": 2, "kind": kind, "run": f"{number:016x}", **more}

    def stage(number=1, digest=7, **more):
        return line("stage", number, op="encode", shape=[8, 512, 512], verified=True, digest=f"{digest:016x}",
                    seconds=2e-3, **more)

    copy = {"copy": {"seconds": 1e-3, "how": "h", "launches": 1}}
    shape = [1, 2, 3]
    write("report", "stage", lines(run(1), stage(timing="disagree", yardsticks={
        **copy, "gather + table": {"seconds": 3e-3}, "unfused": {"seconds": 4e-3, "launches": 2},
        "vendor sin": {"seconds": 1}})))
    write("report", "differ", lines(run(1), run(2), stage(yardsticks=copy), stage(2, 8, yardsticks=copy)))
    write("report", "types", lines(run(1), stage(table="q4_k", out="f16", norm="rms", yardsticks=copy)))
    write("report", "small", lines(run(1), {**stage(types=True), "shape": [1, 1, 64]}))
    write("report", "unverified", lines(run(1), line("stage", op="add", shape=shape, verified=False, differing=2)))
    write("report", "accuracy", lines(run(1), line("accuracy", method="posemb", position=100, max_error=6e-8),
                                      line("accuracy", method="sin/cos", position=1e9, max_error=2)))
    write("report", "others", lines(
        run(1), line("enqueue", seconds=3e-6, raw_seconds=2e-6), line("skip", what="w", reason="<r>&"),
        line("first call", caches="c", plan_seconds=0, first_seconds=1),
        line("rule", shape=shape, rule="r", seconds=1, ratio_to_index=2),
        line("part", shape=shape, part="p", seconds=2, copy_seconds=1),
        line("devices", count=2, shape=shape, verified=True, seconds=1, single_seconds=2),
        line("verify", values=9, differing=0, digest="0" * 16), line("of tomorrow")))
    write("report", "old", lines({
        "schema": 1, "kind": "stage", "device": "d", "platform": "p", "driver": "1", "op": "table",
        "shape": [1, 8192, 64], "dtype": "f32", "positions": "index", "verified": True, "seconds": 2,
        "copy_seconds": 1, "copy": "c"}))
    write("report", "peer", lines({"schema": 1, "kind": "peer", "stage": "s", "candidate": "c", "shape": shape,
                                   "rows": "hot", "seconds": 2, "ratio_to_posemb": 2}))
    write("report", "no_run", lines(stage()))
    write("report", "hostile", lines(run(1), line("skip", what="</p><script>\u202e\u0007", reason="\"'&|")))


def make_tuning():
    write("tuning", "built_in", (Path(__file__).parents[2] / "data" / "tuning.txt").read_bytes())
    write("tuning", "every_selector", b"""platform=PoCL device="AMD EPYC" driver=3.1 type=cpu shape=cpu: rows=2
op=encode position=sinusoidal table=q4_0 out=bf16 norm=layer dim=1..512: turns=3 prefetch=0 # comment
op=add position=learned table=f32 out=f32 norm=none dim=384: shared_rows=off\r
""")
    write("tuning", "every_setting", b"""any: shape=gpu vector=8 local_size=auto rows=16 shared_rows=1 turns=64 kept=0
any: streamed_threshold=3K follows_threshold=never count_columns=0 count_chunk=65536 prefetch="64"
""")
    write("tuning", "overflow", b"any: follows_threshold=17179869184G")
    write("tuning", "quotes", b"device=\"AMD: rows=1\nany: rows=2")
    write("tuning", "late_error", b"any: rows=1\n" * 40 + b"any: row=1\n")


make_npy()
make_safetensors()
make_gguf()
make_config()
make_model_file()
make_blob()
make_report()
make_tuning()
