#!/usr/bin/env python3
"""Compare candidates for BERT's embedding stage in one process, see README.md. Use run.sh."""
import argparse
import dataclasses
import datetime
import gc
import json
import os
import platform
import statistics
import sys
import time

import numpy as np

import candidates
import stage_peer
import workload

SHAPES = [(32, 128, 384), (32, 128, 768), (32, 512, 384), (32, 512, 768)]
QUICK_SHAPES = [(32, 128, 384)]
SAMPLE_SECONDS = 0.02  # how long a sample lasts, or longer
SETTLE_SECONDS = 0.02  # before a sample: threads of the last candidate stop spinning
WARM_SECONDS = 0.03  # then, uncounted: the scheduler gives each thread a core
TRIALS = 5  # samples of each copy, after which only the best one goes on
LARGEST_ERROR = 2e-5  # of a sound candidate; outputs reach 6
FOREIGN_LOAD = 0.05  # CPUs that other processes may take without a warning


@dataclasses.dataclass
class Series:
    """The samples of one candidate."""
    candidate: object
    launches: int = 1
    next_launch: int = 0
    seconds: list = dataclasses.field(default_factory=list)

    def run(self):
        """-> seconds of one launch"""
        begin = time.perf_counter()
        self.candidate.run(self.next_launch, self.launches)
        self.next_launch += self.launches
        return (time.perf_counter() - begin) / self.launches

    def sample(self, keep=True):
        time.sleep(SETTLE_SECONDS)
        warm = time.perf_counter() + WARM_SECONDS
        while time.perf_counter() < warm:
            self.run()
        seconds = self.run()
        if keep:
            self.seconds.append(seconds)
        return seconds

    def calibrate(self):
        for _ in range(3):
            seconds = self.sample(keep=False)
        self.launches = max(1, round(SAMPLE_SECONDS / seconds))

    @property
    def smallest(self):
        return min(self.seconds)

    @property
    def median(self):
        return statistics.median(self.seconds)


class ForeignLoad:
    """How many CPUs other processes take, hypervisor included, since this was made. Linux."""

    def __init__(self):
        self._begin = self._now()

    @staticmethod
    def _now():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        ticks = user + nice + system + irq + softirq + steal
        own = os.times()
        return ticks / os.sysconf("SC_CLK_TCK") - own.user - own.system, time.perf_counter()

    def cpus(self):
        (begin, begin_time), (end, end_time) = self._begin, self._now()
        return max(0.0, (end - begin) / (end_time - begin_time))


def sample_all(all_series, repeats):
    """In turn, each repeat beginning with another one."""
    for repeat in range(repeats):
        for i in range(len(all_series)):
            all_series[(i + repeat) % len(all_series)].sample()


def best_copy(copies):
    series = [Series(copy) for copy in copies]
    for one in series:
        one.calibrate()
    sample_all(series, TRIALS)
    best = min(series, key=lambda one: one.smallest)
    best.seconds.clear()
    return best


def verify(stages, weights, tokens, launch):
    """{name: (largest difference from exact, from posemb)}; stops where one computes something
    else."""
    expected = workload.exact(weights, tokens, launch)
    differences = {}
    for stage in stages:
        stage.run(launch, 1)
        out = stage.output()
        if stage is stages[0]:
            first = out
        error = float(np.abs(out - expected).max())
        differences[stage.name] = error, float(np.abs(out - first).max())
        if not error <= LARGEST_ERROR:
            sys.exit(f"{stage.name} is off by {error:.1e}: no numbers")
    return differences


def measure(case, options, library):
    """([Series], posemb first and the copy last; their differences; the device; the load)"""
    weights, tokens = workload.make_weights(case.dim), workload.make_tokens(case)
    stages, copies = candidates.make(library, options.device, case, weights, tokens, options.threads)
    device = stages[0].peer.device
    differences = verify(stages, weights, tokens, 0)
    series = [Series(stage) for stage in stages]
    for one in series:
        one.calibrate()
    series.append(best_copy(copies))
    gc.disable()
    load = ForeignLoad()
    sample_all(series, options.repeats)
    cpus = load.cpus()
    gc.enable()
    for name, (error, apart) in verify(stages, weights, tokens, series[0].next_launch).items():
        differences[name] = max(differences[name][0], error), max(differences[name][1], apart)
    for candidate in stages + copies:
        getattr(candidate, "close", lambda: None)()
    return series, differences, device, cpus


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def records(case, series, differences, options, common):
    posemb, copy = series[0], series[-1]
    for one in series:
        error, apart = differences.get(one.candidate.name, (None, None))
        yield {
            "schema": 1, "kind": "peer", "stage": "bert", "candidate": one.candidate.name,
            "shape": case.shape, "dtype": "f32", "rows": case.rows, "threads": options.threads,
            "statistic": "min", "repeats": options.repeats, "launches": one.launches,
            "seconds": one.smallest, "median_seconds": one.median,
            "ratio_to_posemb": one.smallest / posemb.smallest,
            "median_ratio_to_posemb": one.median / posemb.median,
            "ratio_to_copy": one.smallest / copy.smallest,
            "max_error": error, "max_difference_to_posemb": apart,
            **common,
        }


def report(case, lines):
    print(f"\nBERT stage, {case.shape} float32, {case.rows} rows, {lines[0]['threads']} threads")
    print(f"{'':56s} {'min ms':>8s} {'median':>8s} {'/ posemb':>8s} {'/ copy':>7s} "
          f"{'off exact':>9s} {'off posemb':>10s}")
    for line in lines:
        off = ("" if line["max_error"] is None else
               f"{line['max_error']:9.1e} {line['max_difference_to_posemb']:10.1e}")
        print(f"{line['candidate']:56s} {1e3 * line['seconds']:8.3f} "
              f"{1e3 * line['median_seconds']:8.3f} {line['ratio_to_posemb']:8.2f} "
              f"{line['ratio_to_copy']:7.2f} {off}", flush=True)
    if line["foreign_cpus"] > FOREIGN_LOAD:
        print(f"DO NOT QUOTE: other programs took {line['foreign_cpus']:.2f} CPUs meanwhile", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, help="libposemb_stage_peer.so")
    parser.add_argument("--device", default="", help="as the posemb command takes it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one shape, few repeats")
    parser.add_argument("--repeats", type=int, help="samples of each candidate")
    parser.add_argument("--json", metavar="FILE", help="write JSON lines; the file is replaced")
    options = parser.parse_args()
    options.repeats = options.repeats or (9 if options.quick else 41)
    return options


def main():
    options = parse_arguments()
    library = stage_peer.load(options.library)
    versions = {"posemb": library.stage_peer_version().decode(), **candidates.versions(),
                "python": platform.python_version()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()), "on", cpu_name())
    written = []
    for shape in QUICK_SHAPES if options.quick else SHAPES:
        for rows in ("cold", "hot"):
            case = workload.Case(*shape, rows)
            series, differences, device, cpus = measure(case, options, library)
            common = {"foreign_cpus": round(cpus, 3), "device": device, "cpu": cpu_name(),
                      "versions": versions, "date": datetime.date.today().isoformat()}
            lines = list(records(case, series, differences, options, common))
            report(case, lines)
            written += lines
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in written)


if __name__ == "__main__":
    main()
