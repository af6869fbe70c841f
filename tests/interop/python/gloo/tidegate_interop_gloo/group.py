"""A gloo group beside torch's global one; rank 0 (the trainer) hosts the store, as with vLLM's nccl backend."""

import datetime
from collections.abc import Iterable, Iterator

import torch
from torch.distributed import BroadcastOptions, PrefixStore, TCPStore
from torch.distributed.distributed_c10d import ProcessGroupGloo

LIMIT = datetime.timedelta(seconds=120)
# vLLM 0.32, nccl_engine.py: the default of `packed_buffer_size_bytes`.
PACKED_BYTES = 1 << 30


class Group:
    def __init__(self, host: str, port: int, rank: int, world_size: int) -> None:
        self._store = TCPStore(host, port, world_size, rank == 0, timeout=LIMIT, wait_for_workers=True)
        self._group = ProcessGroupGloo(PrefixStore("weights", self._store), rank, world_size, LIMIT)

    def broadcast(self, tensor: torch.Tensor) -> None:
        """From rank 0 to all."""
        options = BroadcastOptions()
        options.rootRank = 0
        options.rootTensor = 0
        self._group.broadcast([tensor], options).wait()


def packs(sized: Iterable[tuple[object, int]], limit: int) -> Iterator[tuple[list[object], int]]:
    """vLLM's packing: a buffer leaves when it holds more than `limit` bytes."""
    held: list[object] = []
    size = 0
    for item, count in sized:
        held.append(item)
        size += count
        if size > limit:
            yield held, size
            held, size = [], 0
    if held:
        yield held, size
