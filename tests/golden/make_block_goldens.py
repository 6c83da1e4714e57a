#!/usr/bin/env python3
"""Make the goldens of block storages again: blocks.tsv and the files blocks-*.npy.

    make_block_goldens.py [--out DIR] [--wheels DIR]

Blocks of ggml's types are dequantised by the package gguf; the libraries of ggml itself, in the wheel of
pywhispercpp in --wheels, must give the same bits. README.md describes the columns. Needs the packages of
bench/peers/requirements-gguf.txt.
"""
import argparse
import csv
import ctypes
import glob
import importlib.metadata
import json
import os
import tempfile
import zipfile

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

HERE = os.path.dirname(os.path.abspath(__file__))
EXCERPT = os.path.join(HERE, "..", "..", "data", "all-MiniLM-L6-v2-excerpt.safetensors")
WORDS = "embeddings.word_embeddings.weight"

COLUMNS = ["storage", "package", "version", "numpy", "ggml", "block", "block_bytes", "sweeps", "halves",
           "quantized", "nans", "file_blocks", "file_values"]
RANDOM_BLOCKS = 20000  # of each type, in which gguf and ggml must agree too

# Numbers of float16 at the ends of its kinds: zeros, subnormals, normals, infinities, NaNs.
HALVES = [0x0000, 0x7c00, 0x8001, 0x7bff, 0xfc00, 0x03ff, 0x8000, 0x7e00, 0xfbff, 0x0001, 0x83ff,
          0x0400, 0x3c00, 0xbc00, 0x7c01, 0xfe01]

# ---------------------------------------------------------------------------------------------------
# ggml itself, called by ctypes


def open_ggml(wheels):
    """-> its base library, its version."""
    (wheel,) = glob.glob(os.path.join(wheels, "pywhispercpp-*.whl"))
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for start in ("libgomp-", "libggml-base-"):  # the second wants the first
            (name,) = [n for n in archive.namelist() if "libs/" + start in n]
            library = ctypes.CDLL(archive.extract(name, folder))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library, name.split(".so.")[1]


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def ggml_dequantize(library, packed, name):
    block, _ = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    values = np.empty((len(packed), block), np.float32)
    dequantize_row = getattr(library, "dequantize_row_q" + name[1:])
    dequantize_row(pointer(packed), pointer(values), ctypes.c_int64(values.size))
    return values


def ggml_quantize(library, rows, name):
    kind = GGMLQuantizationType[name]
    block, size = GGML_QUANT_SIZES[kind]
    packed = np.empty((rows.size // block, size), np.uint8)
    library.ggml_quantize_chunk(kind.value, pointer(rows), pointer(packed), ctypes.c_int64(0),
                                ctypes.c_int64(len(rows)), ctypes.c_int64(rows.shape[1]), None)
    return packed


def dequantize_alike(library, packed, name):
    """By both packages: the bits, with one of all NaNs, whose sign and payload are the CPU's."""
    with np.errstate(invalid="ignore"):
        values = dequantize(packed, GGMLQuantizationType[name])
    theirs = ggml_dequantize(library, packed, name)
    for array in (values, theirs):
        array.view(np.uint32)[np.isnan(array)] = 0x7fc00000
    assert np.array_equal(values.view(np.uint32), theirs.view(np.uint32)), name
    return values


# ---------------------------------------------------------------------------------------------------
# Blocks from their fields: d and m [blocks] of uint16, q [blocks, channels], s and n [blocks, scales]


def halves(*fields):
    return [field.astype("<u2").view(np.uint8).reshape(-1, 2) for field in fields]


def nibbles(q, run):
    """Of each two runs of channels the first has the low nibbles, the second the high ones."""
    runs = q.reshape(len(q), -1, 2, run) & 15
    return (runs[:, :, 0] | runs[:, :, 1] << 4).reshape(len(q), -1)


def planes(bits, count, width):
    """`bits` of 32 channels in a byte each: those of the channel c + 32 are above those of c."""
    runs = bits.reshape(len(bits), -1, count, 32)
    return sum(runs[:, :, k] << width * k for k in range(count)).reshape(len(bits), -1)


def fifth_bits(q):
    return np.packbits(q.astype(np.uint8) >> 4, axis=-1, bitorder="little")


def scales_of_q3(s):
    low = s[:, :8] & 15 | (s[:, 8:] & 15) << 4
    return np.concatenate([low, sum(s[:, 4 * k : 4 * k + 4] >> 4 << 2 * k for k in range(4))], -1)


def scales_of_q4(s, n):
    return np.concatenate([s[:, :4] | s[:, 4:] >> 4 << 6, n[:, :4] | n[:, 4:] >> 4 << 6,
                           s[:, 4:] & 15 | (n[:, 4:] & 15) << 4], -1)


def pack(name, d, m, q, s, n):
    parts = {
        "Q8_0": lambda: [*halves(d), q],
        "Q4_0": lambda: [*halves(d), nibbles(q, 16)],
        "Q4_1": lambda: [*halves(d, m), nibbles(q, 16)],
        "Q5_0": lambda: [*halves(d), fifth_bits(q), nibbles(q, 16)],
        "Q5_1": lambda: [*halves(d, m), fifth_bits(q), nibbles(q, 16)],
        "Q2_K": lambda: [s | n << 4, planes(q, 4, 2), *halves(d, m)],
        "Q3_K": lambda: [planes(q >> 2, 8, 1), planes(q & 3, 4, 2), scales_of_q3(s), *halves(d)],
        "Q4_K": lambda: [*halves(d, m), scales_of_q4(s, n), nibbles(q, 32)],
        "Q5_K": lambda: [*halves(d, m), scales_of_q4(s, n), planes(q >> 4, 8, 1), nibbles(q, 32)],
        "Q6_K": lambda: [nibbles(q, 64), planes(q >> 4, 4, 2), s, *halves(d)],
    }[name]()
    return np.concatenate([part.astype(np.uint8) for part in parts], axis=-1)


# What is subtracted of q and s, and the sign of the second term.
#          q    s    term
FORMS = {"Q8_0": (0, 0, 0), "Q4_0": (8, 0, 0), "Q4_1": (0, 0, 1), "Q5_0": (16, 0, 0),
         "Q5_1": (0, 0, 1), "Q2_K": (0, 0, -1), "Q3_K": (4, 32, 0), "Q4_K": (0, 0, -1),
         "Q5_K": (0, 0, -1), "Q6_K": (32, 0, 0)}


def formula(name, d, m, q, s, n):
    """The same values in float64, which has them exactly, rounded once."""
    zero, zero_scale, sign = FORMS[name]
    if name == "Q8_0":
        q = q.astype(np.int8)
    if name == "Q6_K":
        s = s.astype(np.int8)
    d, m = (half.astype("<u2").view(np.float16).astype(np.float64)[:, None] for half in (d, m))
    per_scale = q.shape[1] // s.shape[1]
    product = d * np.repeat(s.astype(np.float64) - zero_scale, per_scale, 1) * (q.astype(np.float64) - zero)
    term = m * np.repeat(n.astype(np.float64), per_scale, 1)
    return (product + sign * term if sign else product).astype(np.float32)


# ---------------------------------------------------------------------------------------------------
# Blocks

#          values of q, of s and n; scales of a block; blocks
SWEEPS = {"Q8_0": (256, 1, 1, 256), "Q4_0": (16, 1, 1, 16), "Q4_1": (16, 1, 1, 16),
          "Q5_0": (32, 1, 1, 32), "Q5_1": (32, 1, 1, 32), "Q2_K": (4, 16, 16, 16),
          "Q3_K": (8, 64, 16, 32), "Q4_K": (16, 64, 8, 32), "Q5_K": (32, 64, 8, 32),
          "Q6_K": (64, 256, 16, 64)}


def check_sweep(values, count):
    """Every value is there, and every bit of every place has been both."""
    assert np.array_equal(np.unique(values), np.arange(count))
    for bit in range(count.bit_length() - 1):
        assert np.all(np.ptp(values >> bit & 1, axis=0) == 1)


def sweep(name, random):
    """Every q at every channel; scales and minima likewise where the blocks are enough."""
    numbers, scales, places, blocks = SWEEPS[name]
    k = np.arange(blocks)[:, None]
    q = (k + np.arange(GGML_QUANT_SIZES[GGMLQuantizationType[name]][0])) % numbers
    assert np.all(np.sort(q, 0).reshape(numbers, -1, q.shape[1]) == np.arange(numbers)[:, None, None])
    if scales == 1:
        s = n = np.ones((blocks, 1), np.int64)
    else:
        s = (k * 13 + np.arange(places) * 5) % scales
        n = (k * 29 + np.arange(places) * 11 + 7) % min(scales, 64)
        check_sweep(s, scales)
        check_sweep(n, min(scales, 64))
    d, m = (random.uniform(-2, 2, blocks).astype(np.float16).view(np.uint16) for _ in range(2))
    packed = pack(name, d, m, q, s, n)
    assert np.array_equal(dequantize(packed, GGMLQuantizationType[name]).view(np.uint32),
                          formula(name, d, m, q, s, n).view(np.uint32))
    return packed


def place_of_halves(name):
    """The bytes of d, and of m."""
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    return {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,)}.get(
        name, (0, 2) if FORMS[name][2] else (0,)), size


def odd_halves(name, random):
    """Random bytes, with each of HALVES as d and, in another order, as m; and with random ones."""
    places, size = place_of_halves(name)
    small = size < 64
    numbers = HALVES + [int(bits) for bits in random.integers(0, 65536, 32)] if small else HALVES[:10]
    packed = random.integers(0, 256, (len(numbers), size), dtype=np.uint8)
    for k, number in enumerate(numbers):
        packed[k, places[0] : places[0] + 2] = (number & 255, number >> 8)
        if len(places) == 2:
            other = numbers[(7 * k + 1) % len(numbers)]
            packed[k, places[1] : places[1] + 2] = (other & 255, other >> 8)
    return packed


def model_rows(count):
    """The first word rows of the excerpt of a model."""
    with open(EXCERPT, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        file.seek(header[WORDS]["data_offsets"][0], os.SEEK_CUR)
        dim = header[WORDS]["shape"][1]
        return np.frombuffer(file.read(4 * count * dim), "<f4").reshape(count, dim)


def quantized(name, library):
    """Of rows of a model: by the package gguf where it can, and ggml's are the same; else by ggml."""
    kind = GGMLQuantizationType[name]
    if name.endswith("K"):
        return ggml_quantize(library, model_rows(4).reshape(-1, 256)[:2].copy(), name)
    packed = quantize(model_rows(2), kind).reshape(-1, GGML_QUANT_SIZES[kind][1])
    assert np.array_equal(packed, ggml_quantize(library, model_rows(2), name))
    return packed


# ---------------------------------------------------------------------------------------------------
# Files


def line_of(folder, name, ggml):
    library, ggml_version = ggml
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    random = np.random.default_rng(list(SWEEPS).index(name))
    parts = [sweep(name, random), odd_halves(name, random), quantized(name, library)]
    packed = np.concatenate(parts)
    values = dequantize_alike(library, packed, name)
    dequantize_alike(library, random.integers(0, 256, (RANDOM_BLOCKS, size), dtype=np.uint8), name)
    assert packed.shape == (len(packed), size) and values.shape == (len(packed), block)
    line = {"storage": name, "package": "gguf", "version": importlib.metadata.version("gguf"),
            "numpy": np.__version__, "ggml": ggml_version, "block": block, "block_bytes": size,
            "sweeps": len(parts[0]), "halves": len(parts[1]), "quantized": len(parts[2]),
            "nans": int(np.isnan(values).sum()), "file_blocks": f"blocks-{name}.npy",
            "file_values": f"blocks-{name}-values.npy"}
    np.save(os.path.join(folder, line["file_blocks"]), packed, allow_pickle=False)
    np.save(os.path.join(folder, line["file_values"]), values, allow_pickle=False)
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=HERE, help="the folder to write to")
    parser.add_argument("--wheels", default="wheels", help="where the wheel of pywhispercpp is")
    options = parser.parse_args()
    folder, ggml = options.out, open_ggml(options.wheels)
    lines = [line_of(folder, name, ggml) for name in SWEEPS]
    with open(os.path.join(folder, "blocks.tsv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{sum(line['sweeps'] + line['halves'] + line['quantized'] for line in lines)} blocks")


if __name__ == "__main__":
    main()
