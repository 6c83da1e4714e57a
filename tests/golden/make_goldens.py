#!/usr/bin/env python3
"""Make the goldens of this folder again: sinusoidal tables and position ids as other packages make them.

    make_goldens.py [--out DIR] [--wheels DIR] [--errors] [GROUP ...]

Each GROUP is one package (see GROUPS at the end; without any: all). A group whose package is missing
is skipped with a message, and its lines in index.tsv, positions.tsv and errors.tsv stay as they are.
So the TensorFlow groups can be run in an environment of their own, see requirements*.txt.

Packages that are listed in requirements-modules.txt are not installed: one module of theirs is
executed out of the downloaded wheel in --wheels, with empty stand-ins for its unrelated imports.

--errors measures instead how far each framework is from the exact sinusoid over whole ranges.
"""
import argparse
import csv
import glob
import importlib.metadata
import math
import os
import sys
import types
import zipfile

import mpmath
import numpy as np

mpmath.mp.dps = 50
HERE = os.path.dirname(os.path.abspath(__file__))
NEAR = list(range(10))
FAR = [100, 511, 2047, 131071]

# ---------------------------------------------------------------------------------------------------
# The exact value, from the knobs of a line of index.tsv

#            layout         first     denominator shift  odd
CONVENTIONS = {
    "vaswani":       ("interleaved", "sine",   "real",  0, "first"),
    "t2t":           ("halves",      "sine",   "floor", 1, "zero"),
    "marian-hf":     ("halves",      "sine",   "real",  0, "first"),
    "marian-cpp":    ("halves",      "sine",   "real",  1, "second"),
    "dit":           ("halves",      "cosine", "floor", 0, "zero"),
    "ddpm":          ("halves",      "sine",   "floor", 1, "zero"),
    "xtransformers": ("halves",      "sine",   "floor", 0, "refused"),
    "mlx":           ("halves",      "sine",   "floor", 1, "refused"),
    "detr":          ("interleaved", "sine",   "real",  0, "refused"),
}


def default_amplitude(convention, dim):
    if convention == "xtransformers":
        return 1 / mpmath.sqrt(dim)
    if convention == "mlx":
        return mpmath.sqrt(mpmath.mpf(2) / dim)
    return mpmath.mpf(1)


def parse_overrides(text):
    return {} if text == "-" else dict(part.split("=") for part in text.split(";"))


def channel_plan(convention, dim, base, frequency, overrides):
    """[(omega, 0 sine | 1 cosine | None zero)] for each channel of a row."""
    layout, first, denominator, shift, odd = CONVENTIONS[convention]
    layout = overrides.get("layout", layout)
    first = overrides.get("first", first)
    denominator = overrides.get("denominator", denominator)
    shift = mpmath.mpf(overrides.get("shift", shift))
    odd = overrides.get("odd", odd)
    half = dim // 2
    d = (mpmath.mpf(dim) / 2 if denominator == "real" else mpmath.mpf(half)) - shift
    trig = (0, 1) if first == "sine" else (1, 0)

    def omega(i):
        return mpmath.mpf(frequency) * (mpmath.mpf(base) ** (-mpmath.mpf(i) / d) if i else 1)

    if layout == "interleaved":
        plan = [(omega(c // 2), trig[c % 2]) for c in range(2 * half)]
        extra = (omega(half), trig[0]) if odd == "first" and dim % 2 else None
    else:
        n1 = half + (1 if odd == "first" and dim % 2 else 0)
        plan = [(omega(i), trig[0]) for i in range(n1)] + [(omega(i), trig[1]) for i in range(half)]
        extra = (omega(0), trig[1]) if odd == "second" else None
    if dim % 2 and len(plan) < dim:
        assert odd != "refused"
        plan.append(extra if extra else (mpmath.mpf(0), None))
    assert len(plan) == dim
    return plan


def exact_row(plan, amplitude, position):
    out = []
    for omega, kind in plan:
        angle = position * omega
        out.append(mpmath.mpf(0) if kind is None else
                   amplitude * (mpmath.cos(angle) if kind else mpmath.sin(angle)))
    return out


def parse_positions(text):
    if ":" in text:
        a, b = text.split(":")
        return list(range(int(a), int(b)))
    return [float(p) if any(c in p for c in ".en") else int(p) for p in text.split(",")]


def parse_axes(text):
    """'y4x5:xy' -> axes [('y', 4), ('x', 5)], segments ['x', 'y']"""
    grid, order = text.split(":")
    axes = []
    for c in grid:
        if c.isalpha():
            axes.append([c, 0])
        else:
            axes[-1][1] = axes[-1][1] * 10 + int(c)
    return [tuple(a) for a in axes], list(order)


def exact_table(line, folder):
    """All rows of a line of index.tsv, as mpmath numbers."""
    dim = int(line["dim"])
    overrides = parse_overrides(line["overrides"])
    scale = mpmath.mpf(line["position_scale"])

    def segment(n):
        plan = channel_plan(line["convention"], n, line["base"], line["frequency"], overrides)
        amplitude = (default_amplitude(line["convention"], n) if line["amplitude"] == "-"
                     else mpmath.mpf(line["amplitude"]))
        return plan, amplitude

    if line["axes"] == "1":
        plan, amplitude = segment(dim)
        return [exact_row(plan, amplitude, mpmath.mpf(p) * scale)
                for p in parse_positions(line["positions"])]
    if line["axes"].startswith("explicit:"):  # 'explicit:yx', positions '@FILE' of [rows, axes]
        points = np.load(os.path.join(folder, line["positions"][1:]))
        plan, amplitude = segment(dim // points.shape[1])
        return [sum((exact_row(plan, amplitude, mpmath.mpf(float(p)) * scale) for p in point), [])
                for point in points]
    axes, order = parse_axes(line["axes"])
    coordinates = {}
    for (name, count), text in zip(axes, line["positions"].split(";")):
        coordinates[name] = parse_positions(text)
        assert len(coordinates[name]) == count
    dims = ([int(n) for n in overrides["dims"].split("+")] if "dims" in overrides
            else [dim // len(order)] * len(order))
    rows = [{}]
    for name, _ in axes:  # the first axis is the slowest
        rows = [dict(row, **{name: p}) for row in rows for p in coordinates[name]]
    segments = [segment(n) for n in dims]
    return [sum((exact_row(plan, amplitude, mpmath.mpf(row[name]) * scale)
                 for (plan, amplitude), name in zip(segments, order)), []) for row in rows]


def rule_positions(given, rule, padding, pad_id, start, past):
    """The positions of a line of positions.tsv: of every token, also of those that are pads."""
    given = np.asarray(given)
    if rule == "ragged":
        (bounds,) = given
        return np.array([[s - a + start for a, b in zip(bounds, bounds[1:]) for s in range(a, b)]])
    if padding == "left-count":
        real = np.arange(8)[None] >= given[:, None]
    elif padding == "token":
        real = given != int(pad_id)
    elif padding == "mask":
        real = given != 0
    else:
        real = np.ones(given.shape, bool)
    if rule == "index":
        columns = given.shape[1] - (past if padding == "mask" else 0)
        return np.broadcast_to(start + past + np.arange(columns), (len(given), columns))
    count = np.cumsum(real, 1) - (real if rule == "count-before" else 0)
    out = start + np.where(real, count + (0 if padding == "mask" else past), 0)
    return out[:, past:] if padding == "mask" else out


def pads_of(given, padding, pad_id, past):
    given = np.asarray(given)
    if padding == "left-count":
        return np.arange(8)[None] < given[:, None]
    if padding == "token":
        return given == int(pad_id)
    return given[:, past:] == 0 if padding == "mask" else np.zeros(given.shape, bool)


# ---------------------------------------------------------------------------------------------------
# Writing files and lines

INDEX_COLUMNS = ["file", "model", "kind", "package", "version", "call", "convention", "dim", "base",
                 "frequency", "amplitude", "position_scale", "positions", "axes", "overrides",
                 "max_error", "note"]
POSITION_COLUMNS = ["file_ids", "file_positions", "model", "package", "version", "call", "rule",
                    "padding", "pad_id", "start", "past", "policy", "compare", "file_values", "dim",
                    "convention", "note"]
ENCODE_COLUMNS = ["file_out", "file_table", "file_ids", "model", "package", "version", "call", "dim",
                  "convention", "token_scale", "rule", "padding", "pad_id", "start", "past", "policy",
                  "max_error", "note"]
ERROR_COLUMNS = ["framework", "package", "version", "dim", "below_512", "below_2048", "below_131072"]


class Book:
    """The lines of one table of goldens; those of groups that do not run are kept."""

    def __init__(self, path, columns, key):
        self.path, self.columns, self.key, self.lines = path, columns, key, {}
        if os.path.exists(path):
            with open(path, newline="") as f:
                for line in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
                    self.lines[line[key]] = line

    def forget(self, group):
        for name in [n for n in self.lines if n.split("-")[0] == group]:
            del self.lines[name]

    def add(self, **line):
        line = {k: str(v) for k, v in line.items()}
        assert sorted(line) == sorted(self.columns), set(line) ^ set(self.columns)
        assert not any("\t" in v or "\n" in v for v in line.values())
        assert line[self.key] not in self.lines, line[self.key]
        self.lines[line[self.key]] = line
        return line

    def save(self):
        with open(self.path, "w", newline="") as f:
            f.write("\t".join(self.columns) + "\n")
            for name in sorted(self.lines):
                f.write("\t".join(self.lines[name][c] for c in self.columns) + "\n")


class Maker:
    def __init__(self, out):
        self.out = out
        self.index = Book(os.path.join(out, "index.tsv"), INDEX_COLUMNS, "file")
        self.positions = Book(os.path.join(out, "positions.tsv"), POSITION_COLUMNS, "file_positions")
        self.encode = Book(os.path.join(out, "encode.tsv"), ENCODE_COLUMNS, "file_out")
        self.books = (self.index, self.positions, self.encode)
        self.group = ""

    def write(self, name, array):
        array = np.ascontiguousarray(array)
        assert array.dtype in (np.float32, np.float64, np.int64), array.dtype
        path = os.path.join(self.out, name)
        np.save(path, array)
        assert os.path.getsize(path) < 20000, name

    def values(self, name, array, model, package, version, call, convention, positions, kind="executed",
               base="10000", frequency="1", amplitude="-", scale="1", axes="1", overrides="-", note=""):
        """One table: array[row] is the encoding at positions[row]."""
        array = to_numpy(array)
        if not isinstance(positions, str):
            positions = format_positions(positions)
        file = "%s-%s-d%d.npy" % (self.group, name, array.shape[1])
        line = dict(file=file, model=model, kind=kind, package=package, version=version, call=call,
                    convention=convention, dim=array.shape[1], base=base, frequency=frequency,
                    amplitude=amplitude, position_scale=scale, positions=positions, axes=axes,
                    overrides=overrides, max_error="?", note=note or "-")
        line = {k: str(v) for k, v in line.items()}
        exact = exact_table(line, self.out)
        assert array.shape == (len(exact), len(exact[0])), (file, array.shape, len(exact))
        error = max(abs(mpmath.mpf(float(a)) - e) for ra, re in zip(array, exact)
                    for a, e in zip(ra, re))
        if array.dtype == np.float32:  # float32 angles: the error grows with the largest angle
            if positions.startswith("@"):
                largest = np.abs(np.load(os.path.join(self.out, positions[1:]))).max()
            else:
                largest = max(abs(p) for part in positions.split(";") for p in parse_positions(part))
            angle = largest * abs(float(frequency)) * float(scale)
            amount = float(default_amplitude(convention, array.shape[1])) if amplitude == "-" else \
                abs(float(amplitude))
            assert error < amount * (3e-7 * angle + 1e-6), (file, mpmath.nstr(error, 3), angle)
        line["max_error"] = "%.3g" % float(error)
        self.write(file, array)
        self.index.add(**line)

    def ids(self, name, ids, positions, model, package, version, call, rule, padding="none", pad_id="-",
            start=0, past=0, policy="computed", compare="all", values=None, convention="t2t", note=""):
        """One position rule: ids or mask, the positions, and if given the encoding of each token."""
        ids, positions = to_numpy(ids).astype(np.int64), to_numpy(positions).astype(np.int64)
        files = ["%s-positions-%s-%s.npy" % (self.group, name, part) for part in ("in", "out", "values")]
        self.write(files[0], ids)
        self.write(files[1], positions)
        ours = rule_positions(ids, rule, padding, pad_id, start, past)
        if rule == "ragged":
            pads = np.arange(positions.shape[1])[None] >= ours.shape[1]
            ours = np.concatenate([ours, np.full((1, int(pads.sum())), start)], 1)
        else:
            pads = pads_of(ids, padding, pad_id, past)
        differ = ours != positions
        assert not (differ & ~pads).any() and differ.any() == (compare == "tokens"), (name, ours, positions)
        if values is not None:
            values = to_numpy(values)
            self.write(files[2], values)
            plan = channel_plan(convention, values.shape[-1], "10000", "1", {})
            for row, p, pad in zip(values.reshape(-1, values.shape[-1]), positions.ravel(), pads.ravel()):
                want = [0] * len(plan) if pad else exact_row(plan, 1, mpmath.mpf(int(p)))
                assert max(abs(float(v) - w) for v, w in zip(row, want)) < 1e-5, (name, p)
        self.positions.add(file_ids=files[0], file_positions=files[1], model=model, package=package,
                           version=version, call=call, rule=rule, padding=padding, pad_id=pad_id,
                           start=start, past=past, policy=policy, compare=compare,
                           file_values=files[2] if values is not None else "-",
                           dim=values.shape[-1] if values is not None else "-",
                           convention=convention if values is not None else "-", note=note or "-")

    def encoded(self, name, table, ids, out, model, package, version, call, convention, rule="index",
                padding="none", pad_id="-", start=0, past=0, policy="computed", note=""):
        """A whole embedding stage: out = sqrt(D) * table[ids] + encoding."""
        table, ids, out = to_numpy(table), to_numpy(ids).astype(np.int64), to_numpy(out)
        dim = table.shape[1]
        files = ["%s-encode-%s-%s.npy" % (self.group, name, part) for part in ("table", "ids", "out")]
        for file, array in zip(files, (table, ids, out)):
            self.write(file, array)
        plan = channel_plan(convention, dim, "10000", "1", {})
        positions = rule_positions(ids, rule, padding, pad_id, start, past)
        pads = pads_of(ids, padding, pad_id, past)
        worst = mpmath.mpf(0)
        for b, s in np.ndindex(ids.shape):
            pe = [0] * dim if pads[b, s] and policy == "zero-position" else \
                exact_row(plan, 1, mpmath.mpf(int(positions[b, s])))
            for c in range(dim):
                want = mpmath.sqrt(dim) * mpmath.mpf(float(table[ids[b, s], c])) + pe[c]
                worst = max(worst, abs(want - mpmath.mpf(float(out[b, s, c]))))
        assert worst < 1e-5, (name, float(worst))
        self.encode.add(file_out=files[2], file_table=files[0], file_ids=files[1], model=model, package=package,
                        version=version, call=call, dim=dim, convention=convention, token_scale="sqrt(D)",
                        rule=rule, padding=padding, pad_id=pad_id, start=start, past=past, policy=policy,
                        max_error="%.3g" % float(worst), note=note or "-")


def to_numpy(array):
    if hasattr(array, "detach"):
        array = array.detach().cpu().numpy()
    elif hasattr(array, "numpy"):
        array = array.numpy()
    return np.array(array)


def format_positions(positions):
    positions = [int(p) if isinstance(p, (int, np.integer)) else float(np.float32(p)) for p in positions]
    if len(positions) > 2 and all(isinstance(p, int) for p in positions) and \
            positions == list(range(positions[0], positions[0] + len(positions))):
        return "%d:%d" % (positions[0], positions[-1] + 1)
    return ",".join(repr(p) for p in positions)


# ---------------------------------------------------------------------------------------------------
# Loading one module out of a wheel

WHEELS = "wheels"


class Missing(Exception):
    pass


class Hollow(types.ModuleType):
    """A stand-in for an import that the executed code does not need."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def anything(*args, **kwargs):  # serves as a decorator, with or without arguments
            return args[0] if len(args) == 1 and callable(args[0]) and not kwargs else anything
        return anything


def stand_in(name, **contents):
    module = Hollow(name)
    module.__path__ = []
    module.__dict__.update(contents)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
    return module


def find_wheel(package):
    found = sorted(glob.glob(os.path.join(WHEELS, package + "-*.whl")))
    if not found:
        raise Missing("no wheel of %s in %s" % (package, WHEELS))
    return found[-1], os.path.basename(found[-1]).split("-")[1]


def module_of_wheel(package, path, name):
    """Execute the module at `path` inside the wheel; -> module, version of the package."""
    wheel, version = find_wheel(package)
    with zipfile.ZipFile(wheel) as z:
        source = z.read(path).decode()
    module = types.ModuleType(name)
    module.__file__ = package + "/" + path
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module, version


def version_of(package):
    return importlib.metadata.version(package)


def torch_index_rows(count):
    """A table whose row r is [r]: a lookup in it returns the row numbers that were looked up."""
    import torch
    return torch.arange(count, dtype=torch.float32)[:, None]


# Ids with pads (1) at the right, at the left, in the middle, and none
PADDED_IDS = [[7, 8, 9, 4, 5, 1, 1, 1],
              [1, 1, 1, 7, 8, 9, 4, 5],
              [7, 1, 8, 9, 1, 1, 4, 5],
              [7, 8, 9, 4, 5, 6, 7, 2]]
MASK = [[1, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1],
        [1, 0, 1, 1, 0, 0, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1]]
DENSE_IDS = [[7, 8, 9, 4, 5], [3, 1, 0, 6, 2]]


# ---------------------------------------------------------------------------------------------------
# transformers

def make_transformers(m):
    import torch
    import transformers
    version = transformers.__version__
    torch.manual_seed(0)

    def values(name, array, model, call, convention, positions, **more):
        m.values(name, array, model, "transformers", version, call, convention, positions, **more)

    # Fairseq's family: rows 2 ... 11 by forward(), which never reaches rows 0 and 1 with tokens,
    # then far rows of a table that get_embedding() makes.
    from transformers.models.m2m_100 import modeling_m2m_100 as m2m
    from transformers.models.nllb_moe import modeling_nllb_moe as nllb
    from transformers.models.speech_to_text import modeling_speech_to_text as s2t
    from transformers.models.fsmt import modeling_fsmt as fsmt
    from transformers.models.xglm import modeling_xglm as xglm

    ten = torch.full((1, 10), 9)
    for dim in (6, 7, 64, 65):
        e = m2m.M2M100SinusoidalPositionalEmbedding(8, dim, padding_idx=1)
        far = [e(torch.full((1, 1), 9), past_key_values_length=p - 2)[0] for p in FAR]
        values("m2m100", torch.cat([e(ten)[0]] + far), "m2m100",
               "M2M100SinusoidalPositionalEmbedding(8, D, 1)(10 tokens without pads); the far rows: one "
               "token with past_key_values_length = position - 2; the table regrows", "t2t",
               list(range(2, 12)) + FAR)
    nllb_module = nllb.NllbMoeSinusoidalPositionalEmbedding
    values("nllbmoe", nllb_module(8, 16, 1)(ten)[0], "m2m100",
           "NllbMoeSinusoidalPositionalEmbedding(8, D, 1)(10 tokens without pads)", "t2t",
           list(range(2, 12)))
    for dim in (9, 16):
        e = s2t.Speech2TextSinusoidalPositionalEmbedding(8, dim, 1)
        table = e.get_embedding(FAR[-1] + 1, dim, 1)
        values("speech2text", torch.cat([e(ten)[0], table[FAR]]), "speech2text",
               "Speech2TextSinusoidalPositionalEmbedding(8, D, 1)(10 tokens without pads); the far rows "
               "of get_embedding(131072, D, 1)", "t2t", list(range(2, 12)) + FAR)
        e = fsmt.SinusoidalPositionalEmbedding(40, dim, 1)
        table = e.get_embedding(FAR[-1] + 1, dim, 1)
        values("fsmt", torch.cat([e(ten)[0], table[FAR]]), "fsmt",
               "SinusoidalPositionalEmbedding(40, D, 1)(10 tokens without pads); the far rows of "
               "get_embedding(131072, D, 1)", "t2t", list(range(2, 12)) + FAR)
        e = xglm.XGLMSinusoidalPositionalEmbedding(8, dim, 1)
        near = e(torch.arange(10)[None])[0]
        far = [e(torch.tensor([[p - 2]]), past_key_values_length=p)[0] for p in FAR]
        values("xglm", torch.cat([near] + far), "xglm",
               "XGLMSinusoidalPositionalEmbedding(8, D, 1)(position_ids = position - 2)", "t2t",
               list(range(2, 12)) + FAR)

    from transformers.models.musicgen import modeling_musicgen as musicgen
    for dim in (9, 64):
        e = musicgen.MusicgenSinusoidalPositionalEmbedding(FAR[-1] + 1, dim)
        far = [e(torch.zeros(1, 4, 1), past_key_values_length=p) for p in FAR]
        values("musicgen", torch.cat([e(torch.zeros(1, 4, 10))] + far), "musicgen",
               "MusicgenSinusoidalPositionalEmbedding(131072, D)([1, 4, 10] codes); the far rows by "
               "past_key_values_length", "t2t", NEAR + FAR, overrides="first=cosine",
               note="the cosines come first")

    from transformers.models.whisper import modeling_whisper as whisper
    for dim in (6, 64):
        values("whisper", whisper.sinusoids(FAR[-1] + 1, dim)[NEAR + FAR], "whisper-encoder",
               "sinusoids(131072, D)", "t2t", NEAR + FAR)

    from transformers.models.marian import modeling_marian as marian
    from transformers.models.pegasus import modeling_pegasus as pegasus
    for dim, far in ((6, FAR[:3]), (7, FAR), (64, FAR[:3])):
        e = marian.MarianSinusoidalPositionalEmbedding(far[-1] + 1, dim)
        rows = [e(torch.Size([1, 10]))] + [e(torch.Size([1, 1]), past_key_values_length=p) for p in far]
        values("marian", torch.cat(rows), "marian",
               "MarianSinusoidalPositionalEmbedding(n, D)([1, 10]); the far rows by "
               "past_key_values_length", "marian-hf", NEAR + far,
               note="angles in float64, then rounded")
    e = pegasus.PegasusSinusoidalPositionalEmbedding(512, 16)
    rows = [e(torch.Size([1, 10])), e(torch.Size([1, 1]), past_key_values_length=511)]
    values("pegasus", torch.cat(rows), "marian", "PegasusSinusoidalPositionalEmbedding(512, D)([1, 10])",
           "marian-hf", NEAR + [511], note="another model with the formula of Marian")

    from transformers.models.roformer import modeling_roformer as roformer
    for dim in (8, 9):
        e = roformer.RoFormerSinusoidalPositionalEmbedding(2048, dim)
        rows = [e(torch.Size([1, 10]))] + [e(torch.Size([1, 1]), past_key_values_length=p) for p in FAR[:3]]
        values("roformer", torch.cat(rows), "roformer",
               "RoFormerSinusoidalPositionalEmbedding(2048, D)([1, 10]); the far rows by "
               "past_key_values_length", "marian-hf", NEAR + FAR[:3])

    from transformers.models.distilbert import modeling_distilbert as distilbert
    from transformers.models.xlm import modeling_xlm as xlm
    for name, module, dims in (("distilbert", distilbert, (7, 8, 64)), ("xlm", xlm, (9, 16))):
        for dim in dims:
            far = FAR if dim < 64 else FAR[:3]
            table = torch.nn.Parameter(torch.zeros(far[-1] + 1, dim))
            module.create_sinusoidal_embeddings(n_pos=far[-1] + 1, dim=dim, out=table)
            values(name, table[NEAR + far], "distilbert",
                   "create_sinusoidal_embeddings(n_pos, D, out) of %s" % name, "vaswani", NEAR + far,
                   note="angles in float64, then rounded")

    from transformers.models.ctrl import modeling_ctrl as ctrl
    for dim in (6, 7, 64):
        values("ctrl", ctrl.positional_encoding(FAR[-1] + 1, dim, torch.float32)[NEAR + FAR], "ctrl",
               "positional_encoding(131072, D, float32)", "marian-hf", NEAR + FAR)

    from transformers.models.deprecated.transfo_xl import modeling_transfo_xl as xl
    for dim in (8, 16):
        positions = torch.arange(9, -6, -1.0)
        positions = torch.cat([positions, torch.tensor([511.0, 2047.0, 131071.0, -131071.0])])
        values("transfoxl", xl.PositionalEmbedding(dim)(positions)[:, 0], "transformer-xl",
               "PositionalEmbedding(D)(descending positions 9 ... -5 and far ones)", "marian-hf",
               [int(p) for p in positions], note="negative positions are part of the model")

    # Grids
    from transformers.models.detr import modeling_detr as detr
    e = detr.DetrSinePositionEmbedding(8)
    grid = e(torch.zeros(1), torch.ones(1, 4, 5, dtype=torch.int64))[0]
    values("detr", grid.flatten(1).T, "detr",
           "DetrSinePositionEmbedding(8)(mask of ones [1, 4, 5]), [1, 16, 4, 5] turned to rows", "detr",
           "1:5;1:6", axes="y4x5:yx", note="positions count from 1")
    e = detr.DetrSinePositionEmbedding(32, temperature=20)
    values("detr-t20", e(torch.zeros(1), torch.ones(1, 3, 4, dtype=torch.int64))[0].flatten(1).T, "detr",
           "DetrSinePositionEmbedding(32, temperature=20)(mask of ones [1, 3, 4])", "detr", "1:4;1:5",
           base="20", axes="y3x4:yx")
    e = detr.DetrSinePositionEmbedding(8, normalize=True)
    values("detr-normalized", e(torch.zeros(1), torch.ones(1, 4, 4, dtype=torch.int64))[0].flatten(1).T, "detr",
           "DetrSinePositionEmbedding(8, normalize=True)(mask of ones [1, 4, 4])", "detr", "1:5;1:5",
           scale=repr(2 * math.pi / (4 + 1e-6)), axes="y4x4:yx",
           note="position_scale is 2 pi / (4 + 1e-6); the framework rounds the scaled position")
    from transformers.models.deformable_detr import modeling_deformable_detr as deformable
    e = deformable.DeformableDetrSinePositionEmbedding(8, normalize=True)
    values("deformable-normalized", e(torch.zeros(1), torch.ones(1, 4, 4, dtype=torch.int64))[0].flatten(1).T,
           "detr", "DeformableDetrSinePositionEmbedding(8, normalize=True)(mask of ones [1, 4, 4])", "detr",
           "0.5,1.5,2.5,3.5;0.5,1.5,2.5,3.5", scale=repr(2 * math.pi / (4 + 1e-6)), axes="y4x4:yx",
           note="a later model with the centres of the cells; position_scale is 2 pi / (4 + 1e-6)")
    mask2d = torch.tensor([[[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]], [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]])
    for name, normalize in (("detr-padded", False), ("detr-padded-normalized", True)):
        e = detr.DetrSinePositionEmbedding(8, normalize=normalize)
        y, x = mask2d.cumsum(1, dtype=torch.float32), mask2d.cumsum(2, dtype=torch.float32)
        if normalize:
            y, x = (y / (y[:, -1:, :] + 1e-6) * e.scale, x / (x[:, :, -1:] + 1e-6) * e.scale)
        points = "%s-%s-coordinates.npy" % (m.group, name)
        m.write(points, torch.stack([y, x], -1).reshape(-1, 2).numpy())
        values(name, e(torch.zeros(1), mask2d).permute(0, 2, 3, 1).reshape(-1, 16), "detr",
               "DetrSinePositionEmbedding(8, normalize=%s)(mask [2, 3, 4] with pads), turned to rows" % normalize,
               "detr", "@" + points, axes="explicit:yx",
               note="the coordinates, [rows, 2] float32, are what the model computes from the mask")

    from transformers.models.vit_mae import modeling_vit_mae as mae
    for dim, side in ((16, 4), (32, 5)):
        values("vitmae", mae.get_2d_sincos_pos_embed(dim, side), "mae",
               "get_2d_sincos_pos_embed(D, %d)" % side, "marian-hf", "0:%d;0:%d" % (side, side),
               axes="y%dx%d:xy" % (side, side), note="float64; the first half encodes x")

    # Position rules
    def ids(name, *args, **more):
        model, call = args[2:4]
        m.ids(name, args[0], args[1], model, "transformers", version, call, **more)

    padded = torch.tensor(PADDED_IDS)
    mask = torch.tensor(MASK)
    dense = torch.tensor(DENSE_IDS)
    for past in (0, 3):
        tag = "" if past == 0 else "-past%d" % past
        e = m2m.M2M100SinusoidalPositionalEmbedding(40, 8, padding_idx=1)
        ids("m2m100" + tag, padded, m2m.create_position_ids_from_input_ids(padded, 1, past), "m2m100",
            "create_position_ids_from_input_ids(ids, 1, past); values: "
            "M2M100SinusoidalPositionalEmbedding(40, 8, 1)(ids, past_key_values_length=past)",
            rule="count", padding="token", pad_id=1, start=1, past=past, policy="zero-position",
            values=e(padded, past_key_values_length=past), note="pads stay at padding_idx, whose row is zero")
        e = s2t.Speech2TextSinusoidalPositionalEmbedding(40, 8, 1)
        ids("speech2text" + tag, padded, e.create_position_ids_from_input_ids(padded, 1, past),
            "speech2text", "Speech2TextSinusoidalPositionalEmbedding.create_position_ids_from_input_ids"
            "(ids, 1, past); values: its forward()", rule="count", padding="token", pad_id=1, start=1,
            past=past, policy="zero-position", values=e(padded, past))
        from transformers.models.roberta import modeling_roberta as roberta
        from transformers.models.esm import modeling_esm as esm
        ids("roberta" + tag, padded, roberta.create_position_ids_from_input_ids(padded, 1, past), "roberta",
            "create_position_ids_from_input_ids(ids, 1, past)", rule="count", padding="token", pad_id=1,
            start=1, past=past)
        ids("esm" + tag, padded, esm.create_position_ids_from_input_ids(padded, 1, past), "esm",
            "create_position_ids_from_input_ids(ids, 1, past)", rule="count", padding="token", pad_id=1,
            start=1, past=past)
        from transformers.models.opt import modeling_opt as opt
        e = opt.OPTLearnedPositionalEmbedding(40, 1)
        e.weight.data = torch_index_rows(42)
        whole = torch.cat([torch.ones(4, past, dtype=torch.int64), mask], 1)
        if past:
            whole[1, :2] = 0
        ids("opt" + tag, whole, e(whole, past)[..., 0], "opt",
            "OPTLearnedPositionalEmbedding(mask over past + S, past) with a table of row numbers",
            rule="count", padding="mask", start=1, past=past,
            note="the mask covers past + S columns; pads are at row 1")
    wide = torch.where(padded == 1, torch.tensor(3), padded + 3)
    ids("roberta-pad3", wide, roberta.create_position_ids_from_input_ids(wide, 3, 0), "roberta",
        "create_position_ids_from_input_ids(ids, 3): another padding_idx", rule="count", padding="token",
        pad_id=3, start=3)
    config = transformers.RobertaConfig(vocab_size=16, hidden_size=4, max_position_embeddings=40,
                                        type_vocab_size=1, pad_token_id=1)
    e = roberta.RobertaEmbeddings(config)
    ids("roberta-inputs-embeds", dense, e.create_position_ids_from_inputs_embeds(torch.zeros(2, 5, 4)),
        "roberta", "RobertaEmbeddings.create_position_ids_from_inputs_embeds([2, 5, 4])", rule="index",
        start=2, note="without ids pads are not known")
    e = fsmt.SinusoidalPositionalEmbedding(40, 8, 1)
    ids("fsmt", padded, e.make_positions(padded, 1), "fsmt",
        "SinusoidalPositionalEmbedding.make_positions(ids, 1); values: its forward()", rule="count",
        padding="token", pad_id=1, start=1, policy="zero-position", values=e(padded))

    # Models that number columns: what forward() looks up in the table of positions
    def looked_up(module, run):
        seen = []
        handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
        with torch.no_grad():
            run()
        handle.remove()
        return seen[0]

    def past_of(layers, heads, width, past, parts=2):
        return tuple(tuple(torch.zeros(2, heads, past, width) for _ in range(parts)) for _ in range(layers))

    bert = transformers.BertModel(transformers.BertConfig(
        vocab_size=16, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4,
        max_position_embeddings=40, is_decoder=True)).eval()
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=16, n_positions=40, n_embd=4, n_layer=1, n_head=1)).eval()
    for past in (0, 3):
        tag = "" if past == 0 else "-past%d" % past
        cache = past_of(1, 1, 4, past) if past else None
        found = looked_up(bert.embeddings.position_embeddings,
                          lambda: bert(dense, past_key_values=cache, use_cache=True))
        ids("bert" + tag, dense, found.expand(2, 5), "bert",
            "BertModel(ids, past_key_values): ids given to position_embeddings", rule="index", past=past)
        found = looked_up(gpt2.transformer.wpe, lambda: gpt2(dense, past_key_values=cache))
        ids("gpt2" + tag, dense, found.expand(2, 5), "gpt2",
            "GPT2LMHeadModel(ids, past_key_values): ids given to wpe", rule="index", past=past)
        e = marian.MarianSinusoidalPositionalEmbedding(40, 1)
        e.weight = torch.nn.Parameter(torch_index_rows(40), requires_grad=False)
        ids("marian" + tag, dense, e(dense.shape, past)[:, 0].expand(2, 5), "marian",
            "MarianSinusoidalPositionalEmbedding([2, 5], past) with a table of row numbers", rule="index",
            past=past)
        e = xglm.XGLMSinusoidalPositionalEmbedding(40, 4, 1)
        e.weights = torch_index_rows(42)
        found = e(torch.arange(past, past + 5)[None].repeat(2, 1), past)[..., 0]
        ids("xglm" + tag, dense, found, "xglm",
            "XGLMSinusoidalPositionalEmbedding(position_ids past ..., past) with a table of row numbers",
            rule="index", start=2, past=past, note="pads are not special")
        e = musicgen.MusicgenSinusoidalPositionalEmbedding(40, 4)
        e.weights = torch.nn.Parameter(torch_index_rows(40), requires_grad=False)
        ids("musicgen" + tag, dense, e(dense[:, None], past)[:, 0].expand(2, 5), "musicgen",
            "MusicgenSinusoidalPositionalEmbedding(codes, past) with a table of row numbers", rule="index",
            past=past)
    prepared = gpt2.prepare_inputs_for_generation(padded, attention_mask=mask)
    ids("gpt2-generate", mask, prepared["position_ids"], "gpt2",
        "GPT2LMHeadModel.prepare_inputs_for_generation(ids, attention_mask=mask)['position_ids']",
        rule="count-before", padding="mask",
        compare="tokens", note="pads are at 1 here, which attention hides")

    # Whole embedding stages: what the first layer of a model is given
    def first_input(layer, run):
        seen = []
        handle = layer.register_forward_pre_hook(
            lambda _, args, kwargs=None: seen.append(args[0].clone()))
        with torch.no_grad():
            run()
        handle.remove()
        return seen[0]

    def encoded(name, table, ids, out, model, call, convention, **more):
        m.encoded(name, table, ids, out, model, "transformers", version, call, convention, **more)

    small = dict(vocab_size=12, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                 decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8, max_position_embeddings=64,
                 scale_embedding=True, pad_token_id=1, decoder_start_token_id=2, init_std=0.5)
    model = marian.MarianModel(transformers.MarianConfig(**small)).eval()
    out = first_input(model.encoder.layers[0], lambda: model.encoder(padded))
    encoded("marian", model.encoder.embed_tokens.weight, padded, out, "marian",
            "MarianModel.encoder(ids): what its first layer is given", "marian-hf",
            note="pads have a position like all others; their token row is zero")
    model = m2m.M2M100Model(transformers.M2M100Config(**small)).eval()
    out = first_input(model.encoder.layers[0], lambda: model.encoder(padded))
    encoded("m2m100", model.encoder.embed_tokens.weight, padded, out, "m2m100",
            "M2M100Model.encoder(ids): what its first layer is given", "t2t", rule="count", padding="token",
            pad_id=1, start=1, policy="zero-position")
    config = transformers.XGLMConfig(vocab_size=12, d_model=16, ffn_dim=8, num_layers=1, attention_heads=2,
                                     max_position_embeddings=64, init_std=0.5)
    model = xglm.XGLMModel(config).eval()
    out = first_input(model.layers[0], lambda: model(padded))
    encoded("xglm", model.embed_tokens.weight, padded, out, "xglm",
            "XGLMModel(ids): what its first layer is given", "t2t", start=2,
            note="pads have a position like all others")
    config = transformers.FSMTConfig(langs=["en", "de"], src_vocab_size=12, tgt_vocab_size=12, d_model=16,
                                     encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                                     decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
                                     max_position_embeddings=64, init_std=0.5)
    model = fsmt.FSMTModel(config).eval()
    out = first_input(model.encoder.layers[0], lambda: model.encoder(padded, attention_mask=mask))
    encoded("fsmt", model.encoder.embed_tokens.weight, padded, out.transpose(0, 1), "fsmt",
            "FSMTModel.encoder(ids, mask): what its first layer is given, [S, B, D] turned to [B, S, D]", "t2t",
            rule="count", padding="token", pad_id=1, start=1, policy="zero-position")


# ---------------------------------------------------------------------------------------------------
# diffusers

def make_diffusers(m):
    import torch
    import diffusers
    from diffusers.models import embeddings as e
    version = diffusers.__version__

    def values(name, array, model, call, convention, positions, **more):
        m.values(name, array, model, "diffusers", version, call, convention, positions, **more)

    steps = [0.0, 1.0, 2.0, 0.5, 0.001, 7.25, 123.456, 998.39, 999.0, 1000.0, -3.75, 50000.5, 1e6]
    t = torch.tensor(steps)
    for dim in (8, 9, 320):
        values("timestep-sd", e.Timesteps(dim, True, 0)(t), "stable-diffusion",
               "Timesteps(D, flip_sin_to_cos=True, downscale_freq_shift=0)(t)", "dit", steps)
    for dim in (8, 9, 64):
        values("timestep-ddpm", e.get_timestep_embedding(t, dim), "ddpm", "get_timestep_embedding(t, D)",
               "ddpm", steps)
    few = steps[:-2]
    values("timestep-int", e.get_timestep_embedding(torch.tensor([0, 1, 500, 999]), 64, True, 0),
           "stable-diffusion", "get_timestep_embedding(int64 t, D, True, 0)", "dit", [0, 1, 500, 999])
    values("timestep-flip1", e.get_timestep_embedding(t, 16, True, 1), "ddpm",
           "get_timestep_embedding(t, D, flip_sin_to_cos=True, downscale_freq_shift=1)", "ddpm", steps,
           overrides="first=cosine")
    values("timestep-noflip0", e.get_timestep_embedding(t, 16, False, 0), "ddpm",
           "get_timestep_embedding(t, D, flip_sin_to_cos=False, downscale_freq_shift=0)", "dit", steps,
           overrides="first=sine")
    values("timestep-shift0.5", e.get_timestep_embedding(t, 17, False, 0.5), "ddpm",
           "get_timestep_embedding(t, D, False, downscale_freq_shift=0.5)", "ddpm", steps,
           overrides="denominator=floor;shift=0.5")
    values("timestep-scale1000", e.get_timestep_embedding(t[:10] / 1000, 64, True, 0, scale=1000),
           "stable-diffusion", "get_timestep_embedding(t, D, True, 0, scale=1000)", "dit",
           [float(v) for v in t[:10] / 1000], scale="1000")
    values("timestep-period", e.get_timestep_embedding(torch.tensor(few), 64, True, 0, max_period=1000000),
           "stable-diffusion", "get_timestep_embedding(t, D, True, 0, max_period=1000000)", "dit", few,
           base="1000000")
    for dim in (8, 64):
        pe = e.SinusoidalPositionalEmbedding(dim, 2048)
        values("vaswani", pe(torch.zeros(1, 2048, dim))[0, NEAR + FAR[:3]], "transformer",
               "SinusoidalPositionalEmbedding(D, 2048)(zeros)", "vaswani", NEAR + FAR[:3])

    def grid_values(name, array, model, call, positions, axes, **more):
        values(name, array, model, call, "marian-hf", positions, axes=axes, **more)

    grid_values("grid2d", e.get_2d_sincos_pos_embed(16, 4, base_size=4), "mae",
                "get_2d_sincos_pos_embed(D, 4, base_size=4)", "0:4;0:4", "y4x4:xy",
                note="float64; the first half encodes x")
    half = lambda n, by: ",".join(repr(float(np.float32(k) / np.float32(by))) for k in range(n))
    grid_values("grid2d-scaled", e.get_2d_sincos_pos_embed(32, (4, 8), base_size=2, interpolation_scale=2.0),
                "mae", "get_2d_sincos_pos_embed(D, (4, 8), base_size=2, interpolation_scale=2.0)",
                half(4, 4) + ";" + half(8, 8), "y4x8:xy", note="positions y / 4 and x / 8")
    grid_values("grid2d-rect", e.get_2d_sincos_pos_embed_from_grid(
        16, np.stack(np.meshgrid(np.arange(5, dtype=np.float32), np.arange(3, dtype=np.float32)))), "mae",
        "get_2d_sincos_pos_embed_from_grid(D, meshgrid(x 0 ... 4, y 0 ... 2))", "0:3;0:5", "y3x5:xy")
    cube = e.get_3d_sincos_pos_embed(32, (4, 3), 2)
    grid_values("grid3d", cube.reshape(-1, 32), "mae",
                "get_3d_sincos_pos_embed(D, spatial_size=(4, 3), temporal_size=2)", "0:2;0:3;0:4",
                "t2y3x4:txy", overrides="dims=8+12+12", note="spatial_size is (width, height)")
    cube = e.get_3d_sincos_pos_embed(16, (3, 2), 3, 2.0, 4.0)
    grid_values("grid3d-scaled", cube.reshape(-1, 16), "mae",
                "get_3d_sincos_pos_embed(D, (3, 2), 3, spatial_interpolation_scale=2, temporal 4)",
                "0.0,0.25,0.5;0.0,0.5;0.0,0.5,1.0", "t3y2x3:txy", overrides="dims=4+6+6")


# ---------------------------------------------------------------------------------------------------
# Small packages

def make_timm(m):
    import torch  # noqa: F401
    wheel, version = find_wheel("timm")
    stand_in("timm").__path__ = [wheel + "/timm"]
    stand_in("timm.layers").__path__ = [wheel + "/timm/layers"]
    from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
    for dim, size, temperature in ((16, (3, 5), 10000.0), (32, (4, 4), 100.0)):
        m.values("sincos2d-interleaved", build_sincos2d_pos_embed(
            size, dim, temperature=temperature, interleave_sin_cos=True), "timm", "timm", version,
            "build_sincos2d_pos_embed(%s, D, temperature=%g, interleave_sin_cos=True)" % (size, temperature),
            "marian-hf", "0:%d;0:%d" % size, base="%g" % temperature, axes="y%dx%d:yx" % size,
            note="timm/layers/pos_embed_sincos.py executed out of the wheel; with "
            "interleave_sin_cos=False the channels are [sin y | sin x | cos y | cos x]")


def make_xtransformers(m):
    import torch
    from x_transformers.x_transformers import AbsolutePositionalEmbedding, ScaledSinusoidalEmbedding
    version = version_of("x-transformers")
    for dim in (8, 64):
        e = ScaledSinusoidalEmbedding(dim)
        far = e(torch.zeros(1, 4, dim), pos=torch.tensor(FAR))
        m.values("scaled", torch.cat([e(torch.zeros(1, 10, dim)), far]), "x-transformers", "x-transformers",
                 version, "ScaledSinusoidalEmbedding(D)(x); the far rows: pos=...", "xtransformers", NEAR + FAR)
    pos = [-2.0, -1.0, 0.5, 1.75, 300.25]
    e = ScaledSinusoidalEmbedding(16, theta=500)
    e.scale.data[:] = 1.5
    m.values("theta", e(torch.zeros(1, 5, 16), pos=torch.tensor(pos)), "x-transformers", "x-transformers",
             version, "ScaledSinusoidalEmbedding(D, theta=500)(x, pos), scale set to 1.5", "xtransformers",
             pos, base="500", amplitude="1.5")
    e = AbsolutePositionalEmbedding(1, 40)
    e.emb.weight.data = torch_index_rows(40)
    count = torch.tensor([0, 3, 5, 1])
    m.ids("left", count, e(torch.zeros(4, 8, 1), seq_start_pos=count)[..., 0], "x-transformers",
          "x-transformers", version, "AbsolutePositionalEmbedding(1, 40)(x, seq_start_pos) with a table of "
          "row numbers", rule="count-before", padding="left-count",
          note="the input file is [B], the pads at the left of each row; pads are clamped to 0; "
          "ScaledSinusoidalEmbedding itself fails with seq_start_pos in this version")


def make_mlx(m):
    import mlx.core as mx
    import mlx.nn as nn
    version = version_of("mlx")
    mx.set_default_device(mx.cpu)

    def values(name, positions, call, dim, arguments=None, **more):
        e = nn.SinusoidalPositionalEncoding(dim, **(arguments or {}))
        m.values(name, np.array(e(mx.array(positions))), "mlx", "mlx", version,
                 "nn.SinusoidalPositionalEncoding(D%s)(positions)" % call, "mlx", positions, **more)

    for dim in (8, 64):
        values("default", NEAR + FAR, "", dim)
    values("float", [-2.5, -1.0, 0.25, 3.0, 1000.125], "", 16)
    values("cosfirst", NEAR, ", cos_first=True", 16, dict(cos_first=True), overrides="first=cosine")
    values("freqs", NEAR + FAR[:2], ", min_freq=0.001, max_freq=2", 16, dict(min_freq=0.001, max_freq=2),
           base="2000", frequency="2")
    values("turns", [0.0, 0.125, 0.3, 1.0, 17.75], ", full_turns=True, scale=1", 16,
           dict(full_turns=True, scale=1), frequency=repr(2 * math.pi), amplitude="1")


def make_ctranslate2(m):
    """An encoder of one layer with weights of zero returns embedding 0 + position encoding."""
    import tempfile
    import ctranslate2
    from ctranslate2.specs import transformer_spec
    for dim in (8, 16):
        def zeros(*shape):
            return np.zeros(shape, np.float32)
        encoder = transformer_spec.TransformerEncoderSpec(1, 1, pre_norm=True, no_final_norm=True)
        encoder.scale_embeddings = False
        encoder.embeddings[0].weight = zeros(4, dim)
        layer = encoder.layer[0]
        for norm in (layer.self_attention.layer_norm, layer.ffn.layer_norm):
            norm.gamma, norm.beta = zeros(dim), zeros(dim)
        for linear, rows in ((layer.self_attention.linear[0], 3 * dim), (layer.self_attention.linear[1], dim),
                             (layer.ffn.linear_0, dim), (layer.ffn.linear_1, dim)):
            linear.weight, linear.bias = zeros(rows, dim), zeros(rows)
        spec = transformer_spec.TransformerEncoderModelSpec(encoder)
        spec.register_vocabulary(["<unk>", "<s>", "</s>", "a"])
        spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = "<unk>", "<s>", "</s>"
        spec.config.layer_norm_epsilon = 1e-5
        with tempfile.TemporaryDirectory() as folder:
            spec.validate()
            spec.save(folder)
            model = ctranslate2.Encoder(folder, device="cpu", compute_type="float32", intra_threads=1)
            out = np.array(model.forward_batch([[3] * 700]).last_hidden_state)[0]
        columns = NEAR + [99, 498, 499, 500, 699]
        m.values("default", out[columns], "ctranslate2", "ctranslate2", ctranslate2.__version__,
                 "Encoder.forward_batch(700 tokens) of a spec without stored encodings, one layer, all weights "
                 "zero: the output is the generated encoding", "t2t", [c + 1 for c in columns],
                 note="column s has position s + 1; the table starts with 500 rows and regrows")


# ---------------------------------------------------------------------------------------------------
# Modules executed out of wheels

def make_fairseq(m):
    import torch
    stand_in("fairseq")
    stand_in("fairseq.modules")
    stand_in("fairseq.modules.multihead_attention")
    utils, version = module_of_wheel("fairseq", "fairseq/utils.py", "fairseq.utils")
    sys.modules["fairseq"].utils = utils
    module, _ = module_of_wheel("fairseq", "fairseq/modules/sinusoidal_positional_embedding.py",
                                "fairseq.modules.sinusoidal_positional_embedding")
    for dim in (6, 7, 64):
        e = module.SinusoidalPositionalEmbedding(dim, 1, 16)
        e(torch.full((1, FAR[2]), 9))  # the table regrows
        far = [e(torch.full((1, 1), 9), incremental_state={}, timestep=torch.tensor([p - 2]))[0]
               for p in FAR[:3]]
        table = e.get_embedding(FAR[-1] + 1, dim, 1)
        m.values("sinusoidal", torch.cat([e(torch.full((1, 10), 9))[0]] + far + [table[FAR[3:]]]), "fairseq",
                 "fairseq", version, "SinusoidalPositionalEmbedding(D, 1, 16)(10 tokens without pads); then "
                 "incremental steps, timestep = position - 2; row 131071 of get_embedding(131072, D, 1)", "t2t",
                 list(range(2, 12)) + FAR, note="fairseq/modules/sinusoidal_positional_embedding.py and "
                 "fairseq/utils.py executed out of the wheel")
    padded = torch.tensor(PADDED_IDS)
    for dim in (8, 9):
        e = module.SinusoidalPositionalEmbedding(dim, 1, 16)
        m.ids("d%d" % dim, padded, utils.make_positions(padded, 1), "fairseq", "fairseq", version,
              "utils.make_positions(ids, 1); values: SinusoidalPositionalEmbedding(%d, 1, 16)(ids)" % dim,
              rule="count", padding="token", pad_id=1, start=1, policy="zero-position", values=e(padded))
    zero = torch.where(padded == 1, torch.tensor(0), padded)
    m.ids("pad0", zero, utils.make_positions(zero, 0), "fairseq", "fairseq", version,
          "utils.make_positions(ids, 0); values: SinusoidalPositionalEmbedding(8, 0, 16)(ids)", rule="count",
          padding="token", pad_id=0, start=0, policy="zero-position",
          values=module.SinusoidalPositionalEmbedding(8, 0, 16)(zero))


def make_fairseq2(m):
    import torch
    wheel, version = find_wheel("fairseq2")
    stand_in("fairseq2").__path__ = [wheel + "/fairseq2"]
    if not hasattr(torch, "_dynamo"):  # older PyTorch has no compiler, and these two have no effect without one
        torch._dynamo = types.SimpleNamespace(maybe_mark_dynamic=lambda *a: None, mark_dynamic=lambda *a: None)
    if not hasattr(torch, "compiler"):
        torch.compiler = types.SimpleNamespace(is_compiling=lambda: False)
    from fairseq2.nn import BatchLayout
    from fairseq2.nn.position_encoder import (Sinusoidal2dPositionEncoder, Sinusoidal3dPositionEncoder,
                                              SinusoidalPositionEncoder)
    how = "imported out of the wheel, without its native part"
    for dim in (8, 64):
        e = SinusoidalPositionEncoder(dim, 2048)
        rows = e(torch.zeros(1, 2048, dim), BatchLayout((1, 2048), None))[0, NEAR + FAR[:3]]
        m.values("sinusoidal", rows, "fairseq2", "fairseq2", version,
                 "SinusoidalPositionEncoder(D, 2048)(zeros)", "t2t", NEAR + FAR[:3], note=how)
    e = SinusoidalPositionEncoder(16, 40, _legacy_pad_idx=1)
    m.values("legacy", e(torch.zeros(1, 10, 16), BatchLayout((1, 10), None))[0], "m2m100", "fairseq2", version,
             "SinusoidalPositionEncoder(D, 40, _legacy_pad_idx=1)(zeros)", "t2t", "2:12",
             note="what NLLB uses; " + how)
    e = Sinusoidal2dPositionEncoder(16, (3, 5))
    m.values("grid2d", e.freqs.reshape(-1, 16), "fairseq2", "fairseq2", version,
             "Sinusoidal2dPositionEncoder(D, (3, 5)).freqs", "marian-hf", "0:3;0:5", axes="y3x5:yx",
             note="the first half encodes y; " + how)
    e = Sinusoidal3dPositionEncoder(32, (2, 3, 4))
    m.values("grid3d", e.freqs.reshape(-1, 32), "fairseq2", "fairseq2", version,
             "Sinusoidal3dPositionEncoder(D, (2, 3, 4)).freqs", "marian-hf", "0:2;0:3;0:4", axes="t2y3x4:tyx",
             overrides="dims=16+8+8", note=how)
    e = Sinusoidal3dPositionEncoder(24, (2, 3, 2), uniform_power=True)
    m.values("grid3d-uniform", e.freqs.reshape(-1, 24), "fairseq2", "fairseq2", version,
             "Sinusoidal3dPositionEncoder(D, (2, 3, 2), uniform_power=True).freqs", "marian-hf", "0:2;0:3;0:2",
             axes="t2y3x2:tyx", overrides="dims=8+8+8", note=how)
    layout = BatchLayout((12,), [3, 5, 1], packed=True)
    e = SinusoidalPositionEncoder(8, 40)
    m.ids("ragged", [[0, 3, 8, 9]], layout.position_indices[None], "fairseq2", "fairseq2", version,
          "BatchLayout((12,), [3, 5, 1], packed=True).position_indices; values: "
          "SinusoidalPositionEncoder(8, 40)(zeros, layout)", rule="ragged", policy="zero-position", compare="tokens",
          values=e(torch.zeros(12, 8), layout)[None],
          note="the input file is cu_seqlens [1, N + 1]; columns behind the last sequence are pads, at -1 here")
    layout = BatchLayout((3, 6), [6, 4, 1])
    m.ids("padded", [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]], layout.position_indices,
          "fairseq2", "fairseq2", version, "BatchLayout((3, 6), [6, 4, 1]).position_indices; values: "
          "SinusoidalPositionEncoder(8, 40)(zeros, layout)", rule="index", padding="mask",
          policy="zero-position", values=e(torch.zeros(3, 6, 8), layout),
          compare="tokens", note="pads are at -1 here, whose row is zero")


def make_espnet(m):
    import torch
    stand_in("espnet2")
    stand_in("espnet2.asr")
    stand_in("espnet2.asr.frontend")
    stand_in("espnet2.asr.frontend.cnn")
    module, version = module_of_wheel("espnet", "espnet/nets/pytorch_backend/transformer/embedding.py",
                                      "espnet_embedding")
    how = "espnet/nets/pytorch_backend/transformer/embedding.py executed out of the wheel"
    for dim in (8, 64):
        e = module.PositionalEncoding(dim, 0.0, max_len=16)
        rows = e(torch.zeros(1, FAR[-1] + 1, dim))[0, NEAR + FAR]
        m.values("positional", rows, "espnet", "espnet", version, "PositionalEncoding(D, 0.0, max_len=16)"
                 "(zeros [1, 131072, D])", "vaswani", NEAR + FAR, note=how)
    torch.manual_seed(1)
    words = torch.nn.Embedding(12, 16)
    ids = torch.tensor(DENSE_IDS)
    m.encoded("positional", words.weight, ids, module.PositionalEncoding(16, 0.0)(words(ids)), "espnet", "espnet",
              version, "PositionalEncoding(16, 0.0)(word vectors)", "vaswani", note=how)
    e = module.RelPositionalEncoding(16, 0.0, 16)
    e.eval()
    _, pe = e(torch.zeros(1, 6, 16))
    m.values("relative", pe[0], "espnet", "espnet", version, "RelPositionalEncoding(D, 0.0, 16)(zeros "
             "[1, 6, D])[1]", "vaswani", [5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5],
             note="positions of both signs; " + how)


def make_opennmtpy(m):
    import torch
    stand_in("onmt")
    stand_in("onmt.modules")
    stand_in("onmt.modules.util_class", Elementwise=torch.nn.ModuleList)
    stand_in("onmt.utils")
    stand_in("onmt.utils.logging", logger=None)
    module, version = module_of_wheel("OpenNMT_py", "onmt/modules/embeddings.py", "onmt_embeddings")
    for kind, model, convention in (("SinusoidalInterleaved", "opennmt-py", "vaswani"),
                                    ("SinusoidalConcat", "opennmt-py-concat", "t2t")):
        for dim in (6, 64):
            e = module.PositionalEncoding(dim, kind, max_len=FAR[-1] + 1)
            rows = [e(torch.zeros(1, 10, dim))[0]] + [e(torch.zeros(1, 1, dim), step=p)[0] for p in FAR]
            m.values(kind.lower(), torch.cat(rows), model, "OpenNMT-py", version,
                     "PositionalEncoding(D, '%s', max_len=131072)(zeros, step)" % kind, convention, NEAR + FAR,
                     note="onmt/modules/embeddings.py executed out of the wheel")
        torch.manual_seed(1)
        words = torch.nn.Embedding(12, 16)
        ids = torch.tensor(DENSE_IDS)
        for past in (0, 7):
            out = module.PositionalEncoding(16, kind)(words(ids), step=past)
            m.encoded("%s-step%d" % (kind.lower(), past), words.weight, ids, out, model, "OpenNMT-py", version,
                      "PositionalEncoding(16, '%s')(word vectors, step=%d)" % (kind, past), convention, past=past)


def make_ggml(m):
    """ggml's libraries, called by ctypes, as the wheel of a program that contains them has them."""
    import ctypes
    import tempfile
    wheel, _ = find_wheel("pywhispercpp")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as z:
            names = [n for n in z.namelist() if n.startswith("pywhispercpp.libs/")]
            for n in names:
                z.extract(n, folder)

        def library(start):
            (n,) = [n for n in names if os.path.basename(n).startswith(start)]
            return ctypes.CDLL(os.path.join(folder, n), mode=ctypes.RTLD_GLOBAL), n.split(".so.")[1]
        for n in names:
            if "gomp" in n:
                ctypes.CDLL(os.path.join(folder, n), mode=ctypes.RTLD_GLOBAL)
        base, version = library("libggml-base-")
        cpu, _ = library("libggml-cpu-")

    class InitParams(ctypes.Structure):
        _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]

    def function(lib, name, result, *arguments):
        f = getattr(lib, name)
        f.restype, f.argtypes = result, arguments
        return f
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    context = function(base, "ggml_init", pointer, InitParams)(InitParams(16 << 20, None, False))
    new_tensor = function(base, "ggml_new_tensor_1d", pointer, pointer, integer, ctypes.c_int64)
    data_of = function(base, "ggml_get_data", pointer, pointer)
    bytes_of = function(base, "ggml_nbytes", ctypes.c_size_t, pointer)
    embed = function(base, "ggml_timestep_embedding", pointer, pointer, pointer, integer, integer)
    new_graph = function(base, "ggml_new_graph", pointer, pointer)
    expand = function(base, "ggml_build_forward_expand", None, pointer, pointer)
    compute = function(cpu, "ggml_graph_compute_with_ctx", integer, pointer, pointer, integer)
    steps = np.array([0, 1, 2, 0.5, 0.001, 7.25, 123.456, 998.39, 999, 1000, -3.75, 50000.5, 1e6], np.float32)
    for dim, period in ((8, 10000), (9, 10000), (64, 10000), (16, 500)):
        t = new_tensor(context, 0, len(steps))
        ctypes.memmove(data_of(t), steps.ctypes.data, steps.nbytes)
        out = embed(context, t, dim, period)
        graph = new_graph(context)
        expand(graph, out)
        assert compute(context, graph, 1) == 0
        size = bytes_of(out)
        array = np.frombuffer(ctypes.string_at(data_of(out), size), np.float32).reshape(len(steps), -1)
        m.values("timestep" if period == 10000 else "timestep-p%d" % period, array, "dit", "ggml", version,
                 "ggml_timestep_embedding(t, D, %d) on the CPU backend" % period, "dit", steps, base=str(period),
                 note="the libraries of ggml in the wheel of %s" % "-".join(os.path.basename(wheel).split("-")[:2]))


def make_lightseq(m):
    import torch  # noqa: F401
    module, version = module_of_wheel("lightseq", "lightseq/training/ops/pytorch/util.py", "lightseq_util")
    for dim in (8, 9):
        m.values("table", module.get_pos_embedding(FAR[-1] + 1, dim)[NEAR + FAR], "lightseq", "lightseq",
                 version, "get_pos_embedding(131072, D)", "t2t", NEAR + FAR,
                 note="lightseq/training/ops/pytorch/util.py executed out of the wheel")


# ---------------------------------------------------------------------------------------------------
# TensorFlow

def make_t2t(m):
    import tensorflow as tf  # noqa: F401
    for name in ("tensor2tensor", "tensor2tensor.layers", "tensor2tensor.utils",
                 "tensor2tensor.layers.area_attention", "tensor2tensor.layers.common_layers",
                 "tensor2tensor.utils.contrib", "tensor2tensor.utils.expert_utils", "tensorflow_probability"):
        stand_in(name)
    module, version = module_of_wheel("tensor2tensor", "tensor2tensor/layers/common_attention.py",
                                      "t2t_common_attention")
    how = "tensor2tensor/layers/common_attention.py executed out of the wheel with TensorFlow " + tf.__version__
    for dim in (2, 3, 6, 9, 64):
        rows = [module.get_timing_signal_1d(10, dim)[0]]
        rows += [module.get_timing_signal_1d(1, dim, start_index=p)[0] for p in FAR]
        m.values("timing", np.concatenate([to_numpy(r) for r in rows]), "tensor2tensor", "tensor2tensor", version,
                 "get_timing_signal_1d(10, D); the far rows: (1, D, start_index=position)", "t2t", NEAR + FAR,
                 note=how)
    m.values("timescales", module.get_timing_signal_1d(10, 16, 2.0, 2.0e3, 5)[0], "tensor2tensor",
             "tensor2tensor", version, "get_timing_signal_1d(10, D, min_timescale=2, max_timescale=2000, "
             "start_index=5)", "t2t", "5:15", base="1000", frequency="2",
             note="min_timescale multiplies the frequencies; " + how)


def make_opennmttf(m):
    import tensorflow as tf
    stand_in("opennmt")
    stand_in("opennmt.layers")
    stand_in("opennmt.layers.reducer", SumReducer=lambda dtype=None: (lambda xs: xs[0] + xs[1]))
    module, version = module_of_wheel("OpenNMT_tf", "opennmt/layers/position.py", "opennmt_position")
    e = module.SinusoidalPositionEncoder()
    how = "opennmt/layers/position.py executed out of the wheel with TensorFlow " + tf.__version__
    for dim in (6, 64):
        rows = [e(tf.zeros((1, 10, dim)))[0]] + [e(tf.zeros((1, 1, dim)), position=p)[0] for p in FAR]
        m.values("sinusoidal", np.concatenate([to_numpy(r) for r in rows]), "opennmt-tf", "OpenNMT-tf", version,
                 "SinusoidalPositionEncoder()(zeros [1, 10, D]); the far rows: position=...", "t2t",
                 list(range(1, 11)) + FAR, note="column s has position s + 1; " + how)


    class Numbers(module.PositionEncoder):
        """Returns the positions themselves."""

        def _encode(self, positions, depth):
            return tf.cast(positions, tf.float32)[..., None]

    m.ids("columns", DENSE_IDS, Numbers()(tf.zeros((2, 5, 1)))[..., 0], "opennmt-tf", "OpenNMT-tf", version,
          "PositionEncoder.call(zeros [2, 5, 1]) of a subclass that returns the positions", rule="index", start=1,
          note=how)


def make_kerashub(m):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras
    stand_in("keras_hub")
    stand_in("keras_hub.src")
    stand_in("keras_hub.src.api_export", keras_hub_export=lambda *a, **k: (lambda c: c))
    module, version = module_of_wheel("keras_hub", "keras_hub/src/layers/modeling/sine_position_encoding.py",
                                      "keras_hub_sine")
    how = "sine_position_encoding.py executed out of the wheel with Keras %s on %s" % (
        keras.__version__, keras.backend.backend())
    e = module.SinePositionEncoding()
    for dim in (6, 7, 65):
        rows = [e(np.zeros((1, 10, dim), np.float32))[0]]
        rows += [e(np.zeros((1, 1, dim), np.float32), start_index=p)[0] for p in FAR]
        m.values("sine", np.concatenate([to_numpy(r) for r in rows]), "keras-hub", "keras-hub", version,
                 "SinePositionEncoding()(zeros [1, 10, D]); the far rows: start_index=position", "vaswani",
                 NEAR + FAR, note=how)
    e = module.SinePositionEncoding(max_wavelength=500)
    pos = [0.0, 1.0, 1.0, 7.0, 3.5, -2.0, 300.25]
    m.values("wavelength", e(np.zeros((1, 7, 16), np.float32), positions=np.array(pos, np.float32))[0],
             "keras-hub", "keras-hub", version, "SinePositionEncoding(max_wavelength=500)(zeros, positions=...)",
             "vaswani", pos, base="500", note=how)


# ---------------------------------------------------------------------------------------------------
# Written anew in mpmath from the description of the original, rounded once: for code that is not
# executed here. Each is written as its source says, not with the knobs above.

def make_formula(m):
    mp = mpmath

    def table(positions, dim, row, dtype=np.float32):
        return np.array([[float(v) for v in row(mp.mpf(p), dim)] for p in positions], dtype)

    def values(name, model, original, convention, positions, dim, row, **more):
        m.values(name, table(positions, dim, row), model, "mpmath", mpmath.__version__, original, convention,
                 positions, kind="formula", **more)

    def attention_is_all_you_need(p, dim):  # PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i + 1) = cos
        return [(mp.cos if c % 2 else mp.sin)(p / mp.mpf(10000) ** (mp.mpf(c - c % 2) / dim))
                for c in range(dim)]

    for dim in (8, 9, 64):
        values("transformer", "transformer", "the formula of section 3.5 of Attention Is All You Need",
               "vaswani", NEAR + FAR, dim, attention_is_all_you_need)

    def marian_cpp(p, dim):  # v = (t + start) * exp((i % (d / 2)) * -(log(1e4) / (d / 2. - 1)))
        half = dim // 2
        out = []
        for i in range(dim):
            v = p * mp.exp((i % half) * -(mp.log(10000) / (mp.mpf(dim) / 2 - 1)))
            out.append(mp.sin(v) if i < half else mp.cos(v))
        return out

    for dim in (6, 7, 16, 65):
        values("marian-cpp", "marian-cpp", "Marian, gSinusoidalPositionEmbeddings in "
               "src/tensors/gpu/tensor_operators.cu", "marian-cpp", NEAR + FAR, dim, marian_cpp)

    def tensor2tensor(p, dim):
        half = dim // 2
        increment = mp.log(10000) / max(half - 1, 1)
        scaled = [p * mp.exp(-increment * i) for i in range(half)]
        return [mp.sin(s) for s in scaled] + [mp.cos(s) for s in scaled] + [mp.mpf(0)] * (dim % 2)

    for dim in (2, 8, 9):
        values("tensor2tensor", "tensor2tensor", "get_timing_signal_1d in tensor2tensor/layers/"
               "common_attention.py", "t2t", NEAR + FAR, dim, tensor2tensor)
    values("fastertransformer", "tensor2tensor", "FasterTransformer, examples/tensorflow/common_utils/"
           "position.py", "t2t", list(range(1, 11)), 8, tensor2tensor, note="positions count from 1")

    def dit(t, dim):  # freqs = exp(-log(P) * arange(half) / half), [cos | sin], zero for an odd dim
        half = dim // 2
        args = [t * mp.exp(-mp.log(10000) * i / half) for i in range(half)]
        return [mp.cos(a) for a in args] + [mp.sin(a) for a in args] + [mp.mpf(0)] * (dim % 2)

    steps = [float(np.float32(t)) for t in (0, 1, 0.5, 0.001, 17.3, 123.456, 998.39, 999, -3.75, 1e6)]
    for dim in (8, 9, 64):
        values("dit", "dit", "DiT, TimestepEmbedder.timestep_embedding in models.py", "dit", steps, dim, dit)

    def mae_1d(p, dim):
        omega = [1 / mp.mpf(10000) ** (mp.mpf(i) / (mp.mpf(dim) / 2)) for i in range(dim // 2)]
        return [mp.sin(p * w) for w in omega] + [mp.cos(p * w) for w in omega]

    # grid = meshgrid(grid_w, grid_h): grid[0] varies along x; its encoding comes first
    cells = [(y, x) for y in range(4) for x in range(4)]
    rows = [[float(v) for v in mae_1d(mp.mpf(x), 8) + mae_1d(mp.mpf(y), 8)] for y, x in cells]
    m.values("mae", np.array(rows), "mae", "mpmath", mpmath.__version__, "MAE, get_2d_sincos_pos_embed in "
             "util/pos_embed.py", "marian-hf", "0:4;0:4", kind="formula", axes="y4x4:xy",
             note="float64; the first half encodes x")

    def detr_axis(p, dim):
        out = []
        for c in range(dim):
            a = p / mp.mpf(10000) ** (2 * mp.mpf(c // 2) / dim)
            out.append(mp.cos(a) if c % 2 else mp.sin(a))
        return out

    rows = [[float(v) for v in detr_axis(mp.mpf(y), 8) + detr_axis(mp.mpf(x), 8)]
            for y in range(1, 4) for x in range(1, 6)]
    m.values("detr", np.array(rows, np.float32), "detr", "mpmath", mpmath.__version__, "DETR, "
             "PositionEmbeddingSine in models/position_encoding.py, without pads", "detr", "1:4;1:6",
             kind="formula", axes="y3x5:yx")

    def before(ids, pad):
        return [[sum(t != pad for t in row[:s]) if row[s] != pad else 0 for s in range(len(row))] for row in ids]

    m.ids("lightseq", PADDED_IDS, before(PADDED_IDS, 1), "lightseq", "python", "-",
          "get_tokens_position in lightseq/csrc/kernels/cuda/embedding_kernels.cu: how many tokens before are "
          "not pads", rule="count-before", padding="token", pad_id=1, policy="zero-row",
          note="formula; the rows of pads are zeros, so that their positions do not matter")
    m.ids("detr-mask", MASK, np.cumsum(np.array(MASK), 1), "detr", "python", "-",
          "not_mask.cumsum along one axis in models/position_encoding.py", rule="count", padding="mask",
          compare="tokens",
          note="formula; pads have the count so far, not 0")


# ---------------------------------------------------------------------------------------------------
# How far whole tables are from exact. The reference is long double (64 bits of mantissa) with
# frequencies of 50 digits.

def measure_errors(path):
    book = Book(path, ERROR_COLUMNS, "framework")
    dim, limits = 64, (512, 2048, 131072)

    def long_double(x):
        high = float(x)
        return np.longdouble(high) + np.longdouble(float(x - mpmath.mpf(high)))

    def measure(name, package, version, convention, table, overrides=None, step=8192):
        """table(a, b): the float32 rows of the positions a ... b - 1"""
        plan = channel_plan(convention, dim, "10000", "1", overrides or {})
        omega = np.array([long_double(w) for w, _ in plan], np.longdouble)
        is_cosine = np.array([k == 1 for _, k in plan])
        amplitude = long_double(default_amplitude(convention, dim))
        worst, result, done = np.longdouble(0), [], 0
        for limit in limits:
            while done < limit:
                end = min(done + step, limit)
                got = to_numpy(table(done, end)).astype(np.longdouble)
                angle = np.arange(done, end).astype(np.longdouble)[:, None] * omega
                want = amplitude * np.where(is_cosine, np.cos(angle), np.sin(angle))
                worst = max(worst, np.abs(got - want).max())
                done = end
            result.append("%.1e" % float(worst))
        book.lines.pop(name, None)
        book.add(framework=name, package=package, version=version, dim=dim, below_512=result[0],
                 below_2048=result[1], below_131072=result[2])
        print(name, *result)

    def attempt(f):
        try:
            f()
        except (ImportError, Missing) as problem:
            print("skipped %s: %s" % (f.__name__, problem))

    def of_transformers():
        import torch
        import transformers
        v = transformers.__version__
        from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding as M2M
        whole = M2M.get_embedding(limits[-1], dim, None)
        measure("M2M100", "transformers", v, "t2t", lambda a, b: whole[a:b])
        from transformers.models.whisper.modeling_whisper import sinusoids
        wave = sinusoids(limits[-1], dim)
        measure("Whisper encoder", "transformers", v, "t2t", lambda a, b: wave[a:b])
        from transformers.models.ctrl.modeling_ctrl import positional_encoding
        ctrl = positional_encoding(limits[-1], dim, torch.float32)
        measure("CTRL", "transformers", v, "marian-hf", lambda a, b: ctrl[a:b])
        from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding as Marian
        marian = Marian(limits[-1], dim).weight
        measure("Marian", "transformers", v, "marian-hf", lambda a, b: marian[a:b])

    def of_fairseq():
        import torch  # noqa: F401
        stand_in("fairseq").utils = None
        module, v = module_of_wheel("fairseq", "fairseq/modules/sinusoidal_positional_embedding.py", "fs_spe")
        whole = module.SinusoidalPositionalEmbedding.get_embedding(limits[-1], dim, None)
        measure("fairseq", "fairseq", v, "t2t", lambda a, b: whole[a:b])

    def of_diffusers():
        import torch
        import diffusers
        from diffusers.models.embeddings import get_timestep_embedding as embed
        measure("timesteps of Stable Diffusion", "diffusers", diffusers.__version__, "dit",
                lambda a, b: embed(torch.arange(a, b).float(), dim, True, 0))
        measure("timesteps of DDPM", "diffusers", diffusers.__version__, "ddpm",
                lambda a, b: embed(torch.arange(a, b).float(), dim))

    def of_espnet():
        import torch
        for name in ("espnet2", "espnet2.asr", "espnet2.asr.frontend", "espnet2.asr.frontend.cnn"):
            stand_in(name)
        module, v = module_of_wheel("espnet", "espnet/nets/pytorch_backend/transformer/embedding.py", "esp_e")
        pe = module.PositionalEncoding(dim, 0.0, limits[-1]).pe[0]
        measure("espnet", "espnet", v, "vaswani", lambda a, b: pe[a:b])

    def of_xtransformers():
        import torch
        from x_transformers.x_transformers import ScaledSinusoidalEmbedding
        e = ScaledSinusoidalEmbedding(dim)
        measure("x-transformers (amplitude 1/8)", "x-transformers", version_of("x-transformers"), "xtransformers",
                lambda a, b: e(torch.zeros(1, b - a, dim), pos=torch.arange(a, b)))

    def of_mlx():
        import mlx.core as mx
        import mlx.nn as nn
        e = nn.SinusoidalPositionalEncoding(dim)
        measure("MLX on a CPU (amplitude 0.177)", "mlx", version_of("mlx"), "mlx",
                lambda a, b: np.array(e(mx.arange(a, b))))

    def of_keras():
        import tensorflow  # noqa: F401
        import keras  # noqa: F401
        for name in ("keras_hub", "keras_hub.src"):
            stand_in(name)
        stand_in("keras_hub.src.api_export", keras_hub_export=lambda *a, **k: (lambda c: c))
        module, v = module_of_wheel("keras_hub", "keras_hub/src/layers/modeling/sine_position_encoding.py", "kh_s")
        e = module.SinePositionEncoding()
        measure("keras-hub on TensorFlow", "keras-hub", v, "vaswani",
                lambda a, b: e(np.zeros((1, b - a, dim), np.float32), start_index=a)[0])

    def of_t2t():
        import tensorflow  # noqa: F401
        for name in ("tensor2tensor", "tensor2tensor.layers", "tensor2tensor.utils",
                     "tensor2tensor.layers.area_attention", "tensor2tensor.layers.common_layers",
                     "tensor2tensor.utils.contrib", "tensor2tensor.utils.expert_utils", "tensorflow_probability"):
            stand_in(name)
        module, v = module_of_wheel("tensor2tensor", "tensor2tensor/layers/common_attention.py", "t2t_ca")
        measure("tensor2tensor on TensorFlow", "tensor2tensor", v, "t2t",
                lambda a, b: module.get_timing_signal_1d(b - a, dim, start_index=a)[0])

    for f in (of_transformers, of_fairseq, of_diffusers, of_espnet, of_xtransformers, of_mlx, of_keras, of_t2t):
        attempt(f)
    book.save()


GROUPS = {"transformers": make_transformers, "diffusers": make_diffusers, "timm": make_timm,
          "xtransformers": make_xtransformers, "mlx": make_mlx, "ctranslate2": make_ctranslate2,
          "fairseq": make_fairseq, "fairseq2": make_fairseq2, "espnet": make_espnet,
          "opennmtpy": make_opennmtpy, "ggml": make_ggml, "lightseq": make_lightseq, "t2t": make_t2t,
          "opennmttf": make_opennmttf, "kerashub": make_kerashub, "formula": make_formula}


def main():
    global WHEELS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=HERE)
    parser.add_argument("--wheels", default=WHEELS)
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(GROUPS))
    options = parser.parse_args()
    WHEELS = options.wheels
    try:
        import torch
        torch.set_num_threads(1)
    except ImportError:
        pass
    if options.errors:
        return measure_errors(os.path.join(options.out, "errors.tsv"))
    maker = Maker(options.out)
    for name in options.groups or GROUPS:
        maker.group = name
        kept = [dict(book.lines) for book in maker.books]
        for book in maker.books:
            book.forget(name)
        try:
            GROUPS[name](maker)
            for book in maker.books:
                book.save()
            print("made %s" % name)
        except (ImportError, Missing) as problem:
            for book, lines in zip(maker.books, kept):
                book.lines = lines
            print("skipped %s: %s" % (name, problem))


if __name__ == "__main__":
    main()
