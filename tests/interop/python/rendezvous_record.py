"""Records the fixtures of tests/unit/native-*.test.ts from real torch, CPython and vLLM.

usage: rendezvous_record.py          writes tests/fixtures/rendezvous/{torch-client,vllm-rank-1,pickles,packed-runs}.json
"""

import collections
import json
import os
import pickle
import platform
import random
import select
import socket
import sys
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import torch
import vllm
from rendezvous import HOST, OPERATIONS, TIMEOUT, VALUES, run_torch_client, to_python
from torch.distributed import TCPStore
from vllm.distributed.utils import StatelessProcessGroup
from vllm.distributed.weight_transfer.packed_tensor import pack_tensors

OUT = Path("tests/fixtures/rendezvous")
MADE_BY = {"torch": torch.__version__, "vllm": vllm.__version__, "python": platform.python_version()}
LARGE = {"set_large", "get_large"}


class Tap:
    """Passes one connection on and keeps its bytes: "c" from the client, "s" from the server."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.exchange: list[list[str]] = []
        self.target = port
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection((HOST, self.target))
        while True:
            for ready in select.select([client, server], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    client.close()
                    server.close()
                    return
                (server if ready is client else client).sendall(data)
                side = "c" if ready is client else "s"
                if self.exchange and self.exchange[-1][0] == side:
                    self.exchange[-1][1] += data.hex()
                else:
                    self.exchange.append([side, data.hex()])


def write(name: str, content: dict) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_text(json.dumps({"madeBy": MADE_BY, **content}, indent=1, ensure_ascii=False) + "\n")


def record_client() -> None:
    OPERATIONS[:] = [operation for operation in OPERATIONS if operation[0] not in LARGE]
    server = TCPStore(HOST, 0, None, True, timeout=TIMEOUT, wait_for_workers=False, use_libuv=False)
    tap = Tap(server.port)
    results = run_torch_client(tap.port)
    tap.thread.join()
    write("torch-client.json", {"operations": OPERATIONS, "results": results, "exchange": tap.exchange})


STEPS = [["broadcast", 0, VALUES[2]], ["barrier"], ["broadcast", 1, VALUES[7]], ["all_gather", ["zero", "one"]], ["barrier"]]


def run_rank(group: StatelessProcessGroup) -> None:
    for name, *args in STEPS:
        if name == "broadcast":
            group.broadcast_obj(to_python(args[1]), args[0])
        elif name == "all_gather":
            group.all_gather_obj(args[0][group.rank])
        else:
            group.barrier()


def record_rank() -> None:
    """Rank 1 of 2, with vLLM's class on both sides and known names of the barriers."""
    names = [uuid.UUID(int=(4 << 76) | (2 << 62) | index) for index in range(2)]
    queue = collections.deque(names)
    uuid.uuid4 = queue.popleft
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    zero: list = []

    def host() -> None:
        zero.append(StatelessProcessGroup.create(HOST, port, 0, 2, store_timeout=20))
        run_rank(zero[0])

    thread = threading.Thread(target=host)
    thread.start()
    tap = Tap(port)
    one = StatelessProcessGroup.create(HOST, tap.port, 1, 2, store_timeout=20)
    run_rank(one)
    thread.join()
    del one
    tap.thread.join()
    write("vllm-rank-1.json", {"steps": STEPS, "uuids": [str(name) for name in names], "exchange": tap.exchange})


class Evil:
    def __reduce__(self) -> tuple:
        return (os.system, ("touch /tmp/pwned",))


class Plain:
    pass


def record_pickles() -> None:
    # A copy per protocol, so that no two values share an object and CPython writes no memo reference.
    taken = [
        {"value": value, "protocol": protocol, "hex": pickle.dumps(to_python(json.loads(json.dumps(value))), protocol).hex()}
        for value in [*VALUES, "", "x" * 300, [], {"dict": []}, 2**40, -129]
        for protocol in (3, 4, 5)
    ]
    one = ["shared"]
    refused = {
        "a call of os.system": (Evil(), "system"),
        "an instance": (Plain(), "__main__.Plain"),
        "a class": (collections.OrderedDict, "collections.OrderedDict"),
        "a builtin": (eval, "builtins.eval"),
        "a float": (1.5, "BINFLOAT"),
        "a set": ({1, 2}, "EMPTY_SET"),
        "a frozenset": (frozenset([1]), "FROZENSET"),
        "a bytearray": (bytearray(b"x"), "BYTEARRAY8"),
        "a complex number": (1j, "builtins.complex"),
        "a huge int": (2**80, "int of"),
        "a code object": (compile("1", "x", "eval").co_code.__class__, "builtins.bytes"),
        "a list twice": ([one, one], "twice"),
        "a dict with a tuple as key": ({(1, 2): 3}, "neither str nor int"),
        "a tensor": (torch.zeros(2), "torch._utils._rebuild_tensor_v2"),
    }
    refused_list = [
        {"name": name, "says": says, "hex": pickle.dumps(value, 5 if name == "a bytearray" else 4).hex()}
        for name, (value, says) in refused.items()
    ]
    refused_list += [
        {"name": "protocol 0", "says": "PROTO", "hex": pickle.dumps([1], 0).hex()},
        {"name": "protocol 1", "says": "PROTO", "hex": pickle.dumps([1], 1).hex()},
    ]
    write("pickles.json", {"taken": taken, "refused": refused_list})


def record_runs() -> None:
    """How vLLM cuts a list of tensors into packed broadcasts."""
    draw = random.Random(412)
    cases = []
    for limit in (1, 100, 1000, 4096, 10**9):
        sizes = [draw.choice([0, 1, 7, 64, 100, 999, 1000, 1001, 5000]) for _ in range(60)]
        tensors = iter([(str(index), torch.zeros(size, dtype=torch.uint8)) for index, size in enumerate(sizes)])
        runs = []
        while (chunk := pack_tensors(tensors, lambda item: item[1], limit)) is not None:
            runs.append(len(chunk.names))
        cases.append({"limit": limit, "sizes": sizes, "runs": runs})
    write("packed-runs.json", {"cases": cases})


if __name__ == "__main__":
    record_runs()
    record_client()
    record_pickles()
    record_rank()
    sys.exit(0)
