"""The candidates: each computes the whole stage. run(first, launches) launches with the sets from
`first` on and returns when all is done; output() is that of the last launch, [B, S, D] float32."""
import concurrent.futures
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import stage_peer
import workload

logging.disable(logging.WARNING)  # that there is no CUDA
import torch  # noqa: E402
import torch._dynamo  # noqa: E402


class Posemb:
    name = "posemb"

    def __init__(self, library, selector, weights, tokens):
        self.peer = stage_peer.StagePeer(library, selector, stage_peer.bert(weights, workload.EPSILON),
                                         tokens.ids, tokens.segments)

    def run(self, first, launches):
        self.peer.run(first, launches)

    def output(self):
        return self.peer.read()

    def close(self):
        self.peer.close()


class PosembCopy:
    """A plain copy by OpenCL, of as many bytes as the output has."""

    def __init__(self, peer, index, name):
        self.name = "copy: OpenCL, " + name
        self._peer, self._index = peer, index

    def run(self, first, launches):
        self._peer.copy(self._index, first, launches)


class NumpyCopy:
    """A plain copy of the same bytes: numpy.copyto, cut up for threads."""

    def __init__(self, case, weights, threads):
        self.name = f"copy: numpy.copyto, {threads} threads"
        self._threads, self._rows = threads, case.tokens
        self._source = weights.words
        self._out = np.empty((case.tokens, case.dim), np.float32)
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)

    def _part(self, part, begin):
        first, end = (self._rows * k // self._threads for k in (part, part + 1))
        np.copyto(self._out[first:end], self._source[begin + first:begin + end])

    def run(self, first, launches):
        room = len(self._source) - self._rows + 1
        for launch in range(first, first + launches):
            begin = launch % workload.SETS * self._rows % room
            list(self._pool.map(self._part, range(self._threads), [begin] * self._threads))

    def close(self):
        self._pool.shutdown()


class Torch:
    """What the PyTorch candidates share: weights, ids, and the loop."""

    def __init__(self, case, weights, tokens):
        self._words, self._positions, self._segments, self._gamma, self._beta = (
            torch.from_numpy(a) for a in (weights.words, weights.positions, weights.segments,
                                          weights.gamma, weights.beta))
        self._ids = torch.from_numpy(tokens.ids.astype(np.int64))
        self._segment_ids = torch.from_numpy(tokens.segments.astype(np.int64))
        self._case = case
        self._out = None

    def run(self, first, launches):
        with torch.inference_mode():
            for launch in range(first, first + launches):
                k = launch % workload.SETS
                self._out = self._stage(self._ids[k], self._segment_ids[k])

    def output(self):
        return self._out.numpy().reshape(self._case.shape)


class TorchEager(Torch):
    """As BERT of transformers does it."""
    name = "PyTorch, eager"

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._position_ids = torch.arange(case.length)[None]

    def _stage(self, ids, segment_ids):
        embedding = torch.nn.functional.embedding
        x = embedding(ids, self._words) + embedding(segment_ids, self._segments)
        x += embedding(self._position_ids, self._positions)
        return torch.nn.functional.layer_norm(x, (self._case.dim,), self._gamma, self._beta,
                                              workload.EPSILON)


class TorchPreallocated(Torch):
    """Sums in place, in memory made once, and no lookup of what is the same in every row. LayerNorm
    allocates its output: its form with `out` is that and a copy, which is slower."""
    name = "PyTorch, preallocated but for LayerNorm"

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._x = torch.empty(case.tokens, case.dim)
        self._segment_rows = torch.empty(case.tokens, case.dim)
        self._ids = self._ids.flatten(1)
        self._segment_ids = self._segment_ids.flatten(1)
        self._places = self._positions[:case.length]

    def _stage(self, ids, segment_ids):
        torch.index_select(self._words, 0, ids, out=self._x)
        torch.index_select(self._segments, 0, segment_ids, out=self._segment_rows)
        x = self._x.add_(self._segment_rows).view(self._case.shape).add_(self._places)
        return torch.nn.functional.layer_norm(x, (self._case.dim,), self._gamma, self._beta,
                                              workload.EPSILON)


class TorchCompiled(TorchEager):
    """torch.compile, which makes one C++ loop of the eager stage; needs a C++ compiler."""
    name = "PyTorch, compiled"

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._stage = torch.compile(self._stage, dynamic=False, fullgraph=True)


class TorchCompiledPreallocated(TorchCompiled):
    """The same into memory made once."""
    name = "PyTorch, compiled and preallocated"

    def __init__(self, case, weights, tokens):
        super().__init__(case, weights, tokens)
        self._memory = torch.empty(case.shape)
        self._stage = torch.compile(self._stage_into, dynamic=False, fullgraph=True)

    def _stage_into(self, ids, segment_ids):
        return self._memory.copy_(TorchEager._stage(self, ids, segment_ids))


def onnx_model(weights):
    """One fused node, com.microsoft EmbedLayerNormalization."""
    tables = {"words": weights.words, "positions": weights.positions, "segments": weights.segments,
              "gamma": weights.gamma, "beta": weights.beta}
    node = helper.make_node("EmbedLayerNormalization", ["ids", "segment_ids", *tables],
                            ["out", "mask_index"], domain="com.microsoft", epsilon=workload.EPSILON)
    shape = ["batch", "length"]
    graph = helper.make_graph(
        [node], "stage",
        [helper.make_tensor_value_info(n, TensorProto.INT32, shape) for n in ("ids", "segment_ids")],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [*shape, weights.words.shape[1]]),
         helper.make_tensor_value_info("mask_index", TensorProto.INT32, ["batch"])],
        [numpy_helper.from_array(array, name) for name, array in tables.items()])
    return helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])


class OnnxRuntime:
    name = "ONNX Runtime, EmbedLayerNormalization"

    def __init__(self, case, weights, tokens, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            onnx_model(weights).SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._out = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(case.shape, np.float32))
        mask_index = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(case.batch, np.int32))
        self._bindings = [self._binding(tokens, k, mask_index) for k in range(workload.SETS)]

    def _binding(self, tokens, k, mask_index):
        binding = self._session.io_binding()
        for name, array in (("ids", tokens.ids), ("segment_ids", tokens.segments)):
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array[k]))
        binding.bind_ortvalue_output("out", self._out)
        binding.bind_ortvalue_output("mask_index", mask_index)
        return binding

    def run(self, first, launches):
        for launch in range(first, first + launches):
            self._session.run_with_iobinding(self._bindings[launch % workload.SETS])

    def output(self):
        return self._out.numpy()


def versions():
    return {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__, "numpy": np.__version__}


def compiled(case, weights, tokens):
    """Those of torch.compile; none, with a message, where it does not work."""
    made = []
    for kind in (TorchCompiled, TorchCompiledPreallocated):
        candidate = kind(case, weights, tokens)
        try:
            candidate.run(0, 1)
        except Exception as failure:  # whatever compilers and their absence throw
            print(f"{kind.name}: skipped, {str(failure).splitlines()[0]}", file=sys.stderr)
        else:
            made.append(candidate)
    return made


def make(library, selector, case, weights, tokens, threads):
    """All candidates that compute the stage, posemb first, and the copies."""
    torch.set_num_threads(threads)
    torch._dynamo.reset()
    posemb = Posemb(library, selector, weights, tokens)
    stages = [posemb, TorchEager(case, weights, tokens), TorchPreallocated(case, weights, tokens),
              *compiled(case, weights, tokens), OnnxRuntime(case, weights, tokens, threads)]
    copies = [PosembCopy(posemb.peer, i, name) for i, name in enumerate(posemb.peer.copy_names())]
    return stages, copies + [NumpyCopy(case, weights, threads)]
