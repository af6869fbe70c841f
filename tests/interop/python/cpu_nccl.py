"""In place of vLLM's PyNcclCommunicator on a machine without a GPU: vLLM's own rendezvous, and the C stand-in for NCCL and CUDA.

Everything above it – TRL's client, vLLM's StatelessProcessGroup – is the unmodified code.
"""

import ctypes
import os
import time
from types import SimpleNamespace

import torch
from vllm.distributed.device_communicators.pynccl_wrapper import ncclUniqueId

IN_PROGRESS = 7
TYPES = {
    torch.uint8: 1,
    torch.float16: 6,
    torch.float32: 7,
    torch.bfloat16: 9,
    torch.float8_e4m3fn: 10,
    torch.float8_e5m2: 11,
}


class Config(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint64),
        ("magic", ctypes.c_uint32),
        ("version", ctypes.c_uint32),
        ("blocking", ctypes.c_int),
    ]


class CpuNccl:
    def __init__(self, group, device):
        self.group, self.rank, self.world_size = group, group.rank, group.world_size
        self.nccl = ctypes.CDLL(os.environ["TIDEGATE_NCCL_LIBRARY"])
        unique_id = ncclUniqueId()
        if self.rank == 0:
            self.nccl.ncclGetUniqueId(ctypes.byref(unique_id))
        unique_id = group.broadcast_obj(unique_id, src=0)
        self.comm, self.stream = ctypes.c_void_p(), ctypes.c_void_p()
        config = Config(24, 0xCAFEBEEF, 21400, 0)
        join = self.nccl.ncclCommInitRankConfig
        join.argtypes = [ctypes.c_void_p, ctypes.c_int, ncclUniqueId, ctypes.c_int, ctypes.c_void_p]
        assert join(ctypes.byref(self.comm), self.world_size, unique_id, self.rank, ctypes.byref(config)) in (0, 7)
        code = ctypes.c_int(IN_PROGRESS)
        while code.value == IN_PROGRESS:
            self.nccl.ncclCommGetAsyncError(self.comm, ctypes.byref(code))
            time.sleep(0.001)
        assert code.value == 0, code.value
        assert self.nccl.cudaStreamCreateWithFlags(ctypes.byref(self.stream), 1) == 0
        one = (ctypes.c_float * 2)(1.0, 0.0)
        second = ctypes.byref(one, 4)
        reduce = self.nccl.ncclAllReduce
        reduce.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t] + [ctypes.c_int] * 2 + [ctypes.c_void_p] * 2
        assert reduce(ctypes.byref(one), second, 1, 7, 0, self.comm, self.stream) == 0
        self._wait()

    def _wait(self):
        while self.nccl.cudaStreamQuery(self.stream) != 0:
            time.sleep(0.0002)

    def broadcast(self, tensor, src, stream=None):
        send = self.nccl.ncclBroadcast
        send.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t] + [ctypes.c_int] * 2 + [ctypes.c_void_p] * 2
        where, kind = tensor.data_ptr(), TYPES[tensor.dtype]
        assert send(where, where, tensor.numel(), kind, src, self.comm, self.stream) == 0
        self._wait()


def stub(module) -> None:
    """Puts it into a client's module, with the two questions that TRL asks of CUDA."""
    module.PyNcclCommunicator = CpuNccl
    torch.cuda.get_device_properties = lambda device: SimpleNamespace(uuid="GPU-of-the-trainer")
    torch.cuda.current_stream = lambda *arguments: None
