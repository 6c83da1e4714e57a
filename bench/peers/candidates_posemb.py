"""posemb, and copies of as many bytes as the output has by the same OpenCL device."""
import stage_peer
from candidate import MADE_ONCE, Candidate


class Posemb(Candidate):
    name = "posemb"
    memory = MADE_ONCE

    def __init__(self, case, weights, tokens, library, selector):
        super().__init__(case, weights, tokens)
        model = stage_peer.make_model(weights, case.stage.epsilon, case.stage.bert)
        self.peer = stage_peer.StagePeer(library, selector, model, tokens.ids, tokens.segments, case.start)
        self.isa = "the OpenCL driver's, for " + self.peer.device.split(";")[0]

    def run(self, first, launches):
        self.peer.run(first, launches)

    def output(self):
        return self.peer.read()

    def close(self):
        self.peer.close()


class Copy(Candidate):
    memory = MADE_ONCE

    def __init__(self, posemb, index, name):
        super().__init__(posemb.case, posemb.weights, posemb.tokens)
        self.name = "copy: OpenCL, " + name
        self.isa = posemb.isa
        self._peer, self._index = posemb.peer, index

    def run(self, first, launches):
        self._peer.copy(self._index, first, launches)


def copies(posemb):
    return [Copy(posemb, i, name) for i, name in enumerate(posemb.peer.copy_names())]
