"""ONNX Runtime: its one fused operator, or separate ones; inputs and output bound once."""
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import workload
from candidate import OUTPUT_MADE_ONCE, Candidate


def _bert_nodes(case):
    """One fused node, com.microsoft EmbedLayerNormalization, whose positions are columns."""
    assert case.start == 0
    inputs = ["ids", "segment_ids", "words", "positions", "segments", "gamma", "beta"]
    return [helper.make_node("EmbedLayerNormalization", inputs, ["out", "mask_index"],
                             domain="com.microsoft", epsilon=case.stage.epsilon)]


def _sinusoidal_nodes(case):
    """LayerNormalization by itself: com.microsoft SkipLayerNormalization, which adds too, takes longer."""
    total = "out" if case.stage.epsilon is None else "sum"
    nodes = [helper.make_node("Gather", ["words", "ids"], ["rows"]),
             helper.make_node("Mul", ["rows", "scale"], ["scaled"]),
             helper.make_node("Add", ["scaled", "positions"], [total])]
    if case.stage.epsilon is not None:
        nodes.append(helper.make_node("LayerNormalization", ["sum", "gamma", "beta"], ["out"], axis=-1,
                                      epsilon=case.stage.epsilon))
    return nodes


def _model(case, weights):
    bert, shape = case.stage.bert, case.shape[:2]
    tables = {"words": weights.words, "positions": weights.positions if bert else
              weights.positions[case.positions], "segments": weights.segments, "gamma": weights.gamma,
              "beta": weights.beta, "scale": None if bert else np.float32(weights.scale)}
    inputs = ("ids", "segment_ids") if bert else ("ids",)
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, case.shape)]
    if bert:
        outputs.append(helper.make_tensor_value_info("mask_index", TensorProto.INT32, shape[:1]))
    graph = helper.make_graph(
        _bert_nodes(case) if bert else _sinusoidal_nodes(case), "stage",
        [helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name in inputs], outputs,
        [numpy_helper.from_array(np.asarray(array), name) for name, array in tables.items()
         if array is not None])
    return helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])


class OnnxRuntime(Candidate):
    memory = OUTPUT_MADE_ONCE

    def __init__(self, case, weights, tokens, threads):
        super().__init__(case, weights, tokens)
        self.name = "ONNX Runtime, " + (
            "EmbedLayerNormalization" if case.stage.bert else
            "Gather, Mul, Add" if case.stage.epsilon is None else
            "Gather, Mul, Add, LayerNormalization")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            _model(case, weights).SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._out = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(case.shape, np.float32))
        self._mask_index = onnxruntime.OrtValue.ortvalue_from_numpy(np.empty(case.batch, np.int32))
        self._bindings = [self._binding(k) for k in range(workload.SETS)]

    def _binding(self, k):
        binding = self._session.io_binding()
        inputs = {"ids": self.tokens.ids, "segment_ids": self.tokens.segments}
        for name, array in inputs.items():
            if array is not None:
                binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array[k]))
        binding.bind_ortvalue_output("out", self._out)
        if self.case.stage.bert:
            binding.bind_ortvalue_output("mask_index", self._mask_index)
        return binding

    def launch(self, k):
        self._session.run_with_iobinding(self._bindings[k])

    def output(self):
        return self._out.numpy()


def versions():
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
