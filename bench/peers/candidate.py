"""What all candidates have in common."""
import workload

# Where results lie. How many pages a launch is given is measured, see sampling.py.
MADE_ONCE = "made once"                # output and intermediate results
OUTPUT_MADE_ONCE = "output made once"  # intermediate results are the package's own affair
SUM_MADE_ONCE = "sum made once"        # and the norm's output in each call
PER_CALL = "per call"


class Candidate:
    """Computes the whole stage of a case, or is a copy. Everything but the launches themselves (weights, ids
    of all sets, memory that is made once) is made by the constructor."""
    name = ""
    memory = ""  # one of the above
    isa = None   # what the package says about the instructions that it runs; None: nothing

    def __init__(self, case, weights, tokens):
        self.case, self.weights, self.tokens = case, weights, tokens

    def run(self, first, launches):
        """Launch with the sets from `first` on, and return when all is done."""
        for launch in range(first, first + launches):
            self.launch(launch % workload.SETS)

    def launch(self, k):
        """One launch with set k; need not have ended where run() waits."""
        raise NotImplementedError

    def output(self):
        """Of the last launch: [B, S, D] float32. Stages only."""
        raise NotImplementedError

    def close(self):
        """Threads and devices go."""
