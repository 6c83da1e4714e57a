#!/usr/bin/env python3
"""Compare candidates for a transformer's embedding stage in one process, see README.md. Use run.sh."""
import argparse
import contextlib
import dataclasses
import datetime
import gc
import json
import os
import platform
import sys

import numpy as np

import candidates
import sampling
import stage_peer
import workload
from workload import STAGES

BERT_SHAPES = [(32, 128, 384), (32, 128, 768), (32, 512, 384), (32, 512, 768)]
SINUSOIDAL_SHAPES = [(8, 2048, 1024), (1, 8192, 1024), (32, 512, 768), (8, 2048, 512), (32, 128, 768),
                     (1, 2048, 1024), (1, 1024, 1024), (8, 1, 1024)]
QUICK_SHAPE = (32, 128, 384)
DECODE_START = 1000  # position of the tokens of a shape with one column
LARGEST_ERROR = 2e-5  # of a sound candidate; outputs reach 9
FOREIGN_LOAD = 0.05  # CPUs that other processes may take without a warning

# glibc's malloc gives blocks of 32 MiB and more back to the kernel at once, and smaller ones not always.
# With these it keeps what it has.
KEEP_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=0xffffffffffffffff"


@dataclasses.dataclass
class Measured:
    """What came of one case."""
    series: list       # posemb first, the best copy last
    differences: dict  # {name: (largest difference from exact, from posemb)}
    device: str
    foreign_cpus: float


def verify(case, stages, launch):
    """{name: (largest difference from exact, from posemb)}; stops where one computes something else."""
    expected = workload.exact(case, stages[0].weights, stages[0].tokens, launch)
    differences = {}
    for stage in stages:
        stage.run(launch, 1)
        out = stage.output()
        if stage is stages[0]:
            first = out
        error = float(np.abs(out - expected).max())
        differences[stage.name] = error, float(np.abs(out - first).max())
        if not error <= LARGEST_ERROR:
            sys.exit(f"{case.stage.name}, {case.shape}: {stage.name} is off by {error:.1e}: no numbers")
    return differences


def measure(case, options, library):
    weights, tokens = workload.make_weights(case), workload.make_tokens(case)
    stages, copies = candidates.make(library, options.device, case, weights, tokens, options.threads)
    differences = verify(case, stages, 0)
    series = [sampling.Series(stage) for stage in stages]
    for one in series:
        one.calibrate()
    series.append(sampling.best_copy(copies))
    gc.collect()
    gc.disable()
    load = sampling.ForeignLoad()
    sampling.sample_all(series, options.repeats)
    cpus = load.cpus()
    gc.enable()
    for name, (error, apart) in verify(case, stages, series[0].next_launch).items():
        differences[name] = max(differences[name][0], error), max(differences[name][1], apart)
    device = stages[0].peer.device
    for candidate in stages + copies:
        candidate.close()
    return Measured(series, differences, device, cpus)


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def huge_pages():
    """What the kernel does where nobody asks for huge pages: "always", "madvise" or "never"."""
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
            return file.read().partition("[")[2].partition("]")[0]
    except OSError:
        return None


def machine(versions):
    """Keys that all records have."""
    return {"malloc": "keeps memory" if kept_memory() else "defaults", "huge_pages": huge_pages(),
            "cpu": cpu_name(), "versions": versions, "date": datetime.date.today().isoformat()}


def records(case, measured, options, common):
    posemb, copy = measured.series[0], measured.series[-1]
    for one in measured.series:
        candidate = one.candidate
        error, apart = measured.differences.get(candidate.name, (None, None))
        yield {
            "schema": 2, "kind": "peer", "stage": case.stage.name, "candidate": candidate.name,
            "shape": case.shape, "start": case.start, "dtype": "f32", "rows": case.rows,
            "threads": options.threads, "memory": candidate.memory, "isa": candidate.isa,
            "statistic": "min", "repeats": options.repeats, "launches": one.launches,
            "seconds": one.smallest, "median_seconds": one.median,
            "minor_faults": round(one.minor_faults, 2),
            "ratio_to_posemb": one.smallest / posemb.smallest,
            "median_ratio_to_posemb": one.median / posemb.median,
            "ratio_to_copy": one.smallest / copy.smallest,
            "max_error": error, "max_difference_to_posemb": apart,
            "foreign_cpus": round(measured.foreign_cpus, 3), "device": measured.device, **common,
        }


def report(case, lines):
    mebibytes = 4 * case.tokens * case.dim / 2**20
    print(f"\n{case.stage.name}, {case.shape} float32 ({mebibytes:.3g} MiB), {case.rows} rows, threads: "
          f"{lines[0]['threads']}, malloc: {lines[0]['malloc']}")
    print(f"{'':56s} {'min ms':>8s} {'median':>8s} {'/ posemb':>8s} {'/ copy':>7s} {'faults':>8s} "
          f"{'off exact':>9s} {'off posemb':>10s}")
    for line in lines:
        off = ("" if line["max_error"] is None else
               f"{line['max_error']:9.1e} {line['max_difference_to_posemb']:10.1e}")
        print(f"{line['candidate']:56s} {1e3 * line['seconds']:8.3f} "
              f"{1e3 * line['median_seconds']:8.3f} {line['ratio_to_posemb']:8.2f} "
              f"{line['ratio_to_copy']:7.2f} {line['minor_faults']:8.1f} {off}", flush=True)
    if line["foreign_cpus"] > FOREIGN_LOAD:
        print(f"DO NOT QUOTE: other programs took {line['foreign_cpus']:.2f} CPUs meanwhile", flush=True)


def cases(options):
    for stage in options.stage or STAGES:
        shapes = BERT_SHAPES if STAGES[stage].bert else SINUSOIDAL_SHAPES
        for shape in options.shape or ([QUICK_SHAPE] if options.quick else shapes):
            start = DECODE_START if shape[1] == 1 and not STAGES[stage].bert else 0
            for rows in options.rows or ("cold", "hot"):
                yield workload.Case(STAGES[stage], *shape, rows, start)


def parse_shape(text):
    try:
        batch, length, dim = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not B,S,D") from None
    if min(batch, length, dim) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' has a size below 1")
    return batch, length, dim


def check_shapes(parser, options):
    for case in cases(options):
        if case.stage.bert and not 2 <= case.length <= workload.LEARNED_ROWS:
            parser.error(f"--shape: bert takes 2 to {workload.LEARNED_ROWS} columns, not {case.length}")
        if case.tokens > workload.VOCAB:
            parser.error(f"--shape: {case.tokens} tokens, more than the {workload.VOCAB} words that are "
                         "cold once")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, help="libposemb_stage_peer.so")
    parser.add_argument("--device", default="", help="as the posemb command takes it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one shape, few repeats")
    parser.add_argument("--stage", action="append", choices=STAGES, help="in place of all; repeatable")
    parser.add_argument("--shape", action="append", type=parse_shape, metavar="B,S,D",
                        help="in place of each stage's; repeatable")
    parser.add_argument("--rows", action="append", choices=("cold", "hot"))
    parser.add_argument("--repeats", type=int, help="samples of each candidate")
    parser.add_argument("--keep-memory", action="store_true",
                        help="malloc gives nothing back to the kernel")
    parser.add_argument("--json", metavar="FILE", help="write JSON lines; the file is replaced")
    options = parser.parse_args()
    if options.repeats is not None and options.repeats < 1:
        parser.error(f"--repeats: {options.repeats} is below 1")
    options.repeats = options.repeats or (9 if options.quick else 15)
    check_shapes(parser, options)
    return options


def kept_memory():
    return os.environ.get("GLIBC_TUNABLES") == KEEP_MEMORY


@contextlib.contextmanager
def json_lines(path):
    """A function that writes a record. The file appears when all is done; what was measured before a
    failure is in FILE.part."""
    if path is None:
        yield lambda record: None
        return
    with open(path + ".part", "w", encoding="utf-8") as file:
        yield lambda record: print(json.dumps(record), file=file, flush=True)
    os.replace(path + ".part", path)


def main():
    options = parse_arguments()
    if options.keep_memory and not kept_memory():  # malloc reads it when the process begins
        os.environ["GLIBC_TUNABLES"] = KEEP_MEMORY
        os.execv(sys.executable, [sys.executable, *sys.argv])
    library = stage_peer.load(options.library)
    versions = {"posemb": library.stage_peer_version().decode(), **candidates.versions(),
                "python": platform.python_version()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()), "on", cpu_name())
    with json_lines(options.json) as write:
        for case in cases(options):
            measured = measure(case, options, library)
            lines = list(records(case, measured, options, machine(versions)))
            report(case, lines)
            for line in lines:
                write(line)


if __name__ == "__main__":
    main()
