"""posemb through libposemb_stage_peer.so, see stage_peer.h."""
import ctypes

import numpy as np

MESSAGE_SIZE = 640
Floats = ctypes.POINTER(ctypes.c_float)
Ids = ctypes.POINTER(ctypes.c_int32)


class Model(ctypes.Structure):
    _fields_ = [("dim", ctypes.c_uint32), ("token_scale", ctypes.c_float),
                ("words", Floats), ("vocab", ctypes.c_uint64),
                ("learned", Floats), ("position_rows", ctypes.c_uint64),
                ("segments", Floats), ("segment_rows", ctypes.c_uint64),
                ("gamma", Floats), ("beta", Floats),
                ("epsilon", ctypes.c_float), ("streamed", ctypes.c_uint32)]


class Input(ctypes.Structure):
    _fields_ = [("batch", ctypes.c_uint64), ("length", ctypes.c_uint64), ("sets", ctypes.c_uint64),
                ("ids", Ids), ("segment_ids", Ids), ("start", ctypes.c_int64)]


def load(path):
    library = ctypes.CDLL(path)
    peer, message, count = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64
    signatures = {
        "create": (peer, [message, ctypes.POINTER(Model), ctypes.POINTER(Input), message]),
        "destroy": (None, [peer]),
        "version": (message, []),
        "device": (message, [peer]),
        "run": (ctypes.c_int, [peer, count, count, message]),
        "read": (ctypes.c_int, [peer, Floats, message]),
        "copies": (count, [peer]),
        "copy_name": (message, [peer, count]),
        "copy": (ctypes.c_int, [peer, count, count, count, message]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, "stage_peer_" + name)
        function.restype, function.argtypes = result, arguments
    return library


def _pointer(array, kind):
    if array is None:
        return None
    assert array.flags.c_contiguous
    return array.ctypes.data_as(kind)


def _rows(array):
    return 0 if array is None else len(array)


def make_model(weights, epsilon, learned, streamed=False):
    """The model of workload.Weights. epsilon: of a LayerNorm, or None where there is none. learned: positions
    are looked up; else they are sinusoids."""
    words, positions, segments = weights.words, weights.positions if learned else None, weights.segments
    return Model(words.shape[1], weights.scale, _pointer(words, Floats), len(words),
                 _pointer(positions, Floats), _rows(positions), _pointer(segments, Floats), _rows(segments),
                 _pointer(weights.gamma, Floats), _pointer(weights.beta, Floats), epsilon or 0, streamed)


class StagePeer:
    """One model on one device. `ids` and `segments` are [sets, B, S] int32."""

    def __init__(self, library, selector, model, ids, segments=None, start=0):
        self.shape = (*ids.shape[1:], model.dim)
        self._library = library
        self._message = ctypes.create_string_buffer(MESSAGE_SIZE)
        inputs = Input(ids.shape[1], ids.shape[2], len(ids), _pointer(ids, Ids),
                       _pointer(segments, Ids), start)
        self._peer = library.stage_peer_create(selector.encode(), ctypes.byref(model),
                                               ctypes.byref(inputs), self._message)
        self._check(self._peer)
        self.device = library.stage_peer_device(self._peer).decode()

    def _check(self, result):
        if not result:
            raise RuntimeError(self._message.value.decode())

    def close(self):
        self._library.stage_peer_destroy(self._peer)
        self._peer = None

    def run(self, first, launches):
        self._check(self._library.stage_peer_run(self._peer, first, launches, self._message))

    def read(self):
        out = np.empty(self.shape, np.float32)
        self._check(self._library.stage_peer_read(self._peer, _pointer(out, Floats), self._message))
        return out

    def copy_names(self):
        return [self._library.stage_peer_copy_name(self._peer, i).decode()
                for i in range(self._library.stage_peer_copies(self._peer))]

    def copy(self, index, first, launches):
        self._check(self._library.stage_peer_copy(self._peer, index, first, launches, self._message))
