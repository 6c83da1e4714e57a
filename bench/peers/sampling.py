"""Samples of candidates, taken in turn, with what else the machine did meanwhile."""
import dataclasses
import os
import resource
import statistics
import time

SAMPLE_SECONDS = 0.02  # how long a sample lasts, or longer
SETTLE_SECONDS = 0.02  # before a sample: threads of the last candidate stop spinning
WARM_SECONDS = 0.03  # then, uncounted: the scheduler gives each thread a core
TRIALS = 5  # samples of each copy, after which only the best one goes on


def _minor_faults():
    """Pages that this process has been given, in all of its threads."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@dataclasses.dataclass
class Series:
    """The samples of one candidate."""
    candidate: object
    launches: int = 1
    next_launch: int = 0
    seconds: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)

    def run(self):
        """-> seconds of one launch, minor page faults of one launch"""
        faults, begin = _minor_faults(), time.perf_counter()
        self.candidate.run(self.next_launch, self.launches)
        self.next_launch += self.launches
        return ((time.perf_counter() - begin) / self.launches,
                (_minor_faults() - faults) / self.launches)

    def sample(self, keep=True):
        time.sleep(SETTLE_SECONDS)
        warm = time.perf_counter() + WARM_SECONDS
        while time.perf_counter() < warm:
            self.run()
        seconds, faults = self.run()
        if keep:
            self.seconds.append(seconds)
            self.faults.append(faults)
        return seconds

    def calibrate(self):
        for _ in range(3):
            seconds = self.sample(keep=False)
        self.launches = max(1, round(SAMPLE_SECONDS / seconds))

    def forget(self):
        self.seconds.clear()
        self.faults.clear()

    @property
    def smallest(self):
        return min(self.seconds)

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def minor_faults(self):
        return statistics.median(self.faults)


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
    best.forget()
    return best
