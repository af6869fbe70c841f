"""The worker's side: parameters are emptied at start, filled by update, whole again at finish, as with vLLM's nccl backend."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

from .group import PACKED_BYTES, Group, packs


@dataclass(kw_only=True)
class InitInfo(WeightTransferInitInfo):
    master_address: str
    master_port: int
    rank_offset: int
    world_size: int
    packed: bool = False
    packed_buffer_size_bytes: int = PACKED_BYTES
    packed_num_buffers: int = 2


@dataclass
class UpdateInfo(WeightTransferUpdateInfo):
    names: list[str]
    dtype_names: list[str]
    shapes: list[list[int]]


class InteropGlooEngine(WeightTransferEngine[InitInfo, UpdateInfo]):
    init_info_cls = InitInfo
    update_info_cls = UpdateInfo

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._group: Group | None = None
        self._limit = -1

    def init_transfer_engine(self, init_info: InitInfo) -> None:
        rank = init_info.rank_offset + self.parallel_config.rank
        self._limit = init_info.packed_buffer_size_bytes if init_info.packed else -1
        self._group = Group(init_info.master_address, init_info.master_port, rank, init_info.world_size)

    def start_weight_update(self) -> None:
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        # Without the base's torch.accelerator.synchronize(), which raises on a CPU.
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: UpdateInfo) -> None:
        if self._group is None:
            raise RuntimeError("no group; call init_weight_transfer_engine first")
        sized = []
        for name, dtype_name, shape in zip(update_info.names, update_info.dtype_names, update_info.shapes, strict=True):
            dtype = getattr(torch, dtype_name)
            count = math.prod(shape) * dtype.itemsize
            sized.append(((name, dtype, shape, count), count))
        for held, size in packs(sized, self._limit):
            buffer = torch.empty(size, dtype=torch.uint8)
            self._group.broadcast(buffer)
            at, tensors = 0, []
            for name, dtype, shape, count in held:
                tensors.append((name, buffer[at : at + count].clone().view(dtype).view(shape)))
                at += count
            self.model.load_weights(tensors)

    def finish_weight_update(self) -> None:
        finalize_layerwise_reload(self.model, self.model_config)
        # vLLM 0.32 on a CPU leaves a tied output head as it was; see plugins/vllm.
        from tidegate_vllm.worker import repack_tied_heads

        repack_tied_heads(self.model)

    def shutdown(self) -> None:
        self._group = None
