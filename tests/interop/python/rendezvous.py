"""Rendezvous beside the real thing: our TCPStore client and server against torch's, our process group against vLLM's own.

usage: rendezvous.py [bun|deno|node ...]      default: all three; run from the root of the repository

Needs torch and vLLM (tests/interop/setup.sh). Every line says what was checked; the last is "N passed, N failed".
"""

import ctypes
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from datetime import timedelta

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

import torch
from torch.distributed import TCPStore
from vllm.distributed.device_communicators.pynccl_wrapper import ncclUniqueId
from vllm.distributed.utils import StatelessProcessGroup

HOST = "127.0.0.1"
TIMEOUT = timedelta(seconds=20)
PEER = "tests/native/peer.ts"
DENO_RIGHTS = ["run", "--no-prompt", f"--allow-net={HOST}", "--allow-read"]
FIND = "import { binaryOf } from './scripts/runtimes.mjs'; console.log(binaryOf(process.argv[1]))"
counts = {True: 0, False: 0}


def report(ok: bool, what: str, detail: object = "") -> None:
    counts[ok] += 1
    print(f"{'ok' if ok else 'not ok'} {what}" + ("" if ok else f": {detail}"), flush=True)


@functools.cache
def command_of(runtime: str) -> list[str]:
    found = subprocess.run(
        ["node", "--input-type=module", "-e", FIND, runtime], capture_output=True, text=True, check=True
    )
    return [found.stdout.strip(), *(DENO_RIGHTS if runtime == "deno" else []), PEER]


class Peer:
    """One TypeScript process."""

    def __init__(self, runtime: str, **instructions: object) -> None:
        self.process = subprocess.Popen(
            command_of(runtime), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.process.stdin.write(json.dumps(instructions) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended without an answer"}

    def end(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


# The same operations through both clients on all three servers must give the same results.
OPERATIONS = [
    ["set", "a", "first"],
    ["get", "a"],
    ["set", "a", ""],
    ["get", "a"],
    ["add", "counter", 5],
    ["add", "counter", -7],
    ["get", "counter"],
    ["num_keys"],
    ["check", ["a"]],
    ["check", ["a", "missing"]],
    ["wait", ["a", "counter"], 5000],
    ["wait", ["missing"], 300],
    ["set", "after", "the connection still works after a wait in vain"],
    ["get", "after"],
    ["compare_set", "cas", "", "one"],
    ["compare_set", "cas", "one", "two"],
    ["compare_set", "cas", "wrong", "three"],
    ["compare_set", "absent", "wrong", "three"],
    ["get", "cas"],
    ["set", "ключ/鍵", "é"],
    ["get", "ключ/鍵"],
    ["delete_key", "a"],
    ["delete_key", "a"],
    ["check", ["a"]],
    ["num_keys"],
    ["set_large", "large", 5_000_000],
    ["get_large", "large"],
    ["delete_key", "large"],
]


def run_torch_client(port: int) -> list:
    store = TCPStore(HOST, port, None, False, timeout=TIMEOUT)
    results: list = []
    for name, *args in OPERATIONS:
        if name == "set":
            results.append(store.set(*args))
        elif name == "get":
            results.append(store.get(*args).decode())
        elif name == "add":
            results.append(store.add(*args))
        elif name == "check":
            results.append(store.check(*args))
        elif name == "wait":
            try:
                store.wait(args[0], timedelta(milliseconds=args[1]))
                results.append("ready")
            except torch.distributed.DistStoreError:
                results.append("timeout")
        elif name == "compare_set":
            results.append(store.compare_set(*args).decode())
        elif name == "num_keys":
            results.append(store.num_keys())
        elif name == "delete_key":
            results.append(store.delete_key(*args))
        elif name == "set_large":
            results.append(store.set(args[0], b"\x07" * args[1]))
        elif name == "get_large":
            results.append(sum(store.get(args[0])))
    return results


def check_stores(runtimes: list[str]) -> None:
    expected = {}
    for libuv in (True, False):
        name = "torch's libuv server" if libuv else "torch's thread server"
        # Without wait_for_workers the server starts alone.
        server = TCPStore(HOST, 0, None, True, timeout=TIMEOUT, wait_for_workers=False, use_libuv=libuv)
        expected[libuv] = run_torch_client(server.port)
        del server
        for runtime in runtimes:
            server = TCPStore(HOST, 0, None, True, timeout=TIMEOUT, wait_for_workers=False, use_libuv=libuv)
            peer = Peer(runtime, role="client", port=server.port, operations=OPERATIONS)
            answer = peer.answer()
            peer.end()
            same = answer.get("results") == expected[libuv]
            report(same, f"our client on {runtime}, {name}: {len(OPERATIONS)} operations as torch's client", (answer, expected[libuv]))
            del server
    report(expected[True] == expected[False], "torch's two servers agree on these operations", expected)
    for runtime in runtimes:
        peer = Peer(runtime, role="server")
        port = peer.answer()["port"]
        results = run_torch_client(port)
        report(results == expected[True], f"torch's client, our server on {runtime}: {len(OPERATIONS)} operations", results)
        check_waiters(runtime, port)
        peer.end()


def check_waiters(runtime: str, port: int) -> None:
    """Five torch clients wait for one key each of ours; a sixth sets them."""
    got: dict[int, bytes] = {}

    def wait_for(index: int) -> None:
        got[index] = TCPStore(HOST, port, None, False, timeout=TIMEOUT).get(f"late/{index}")

    threads = [threading.Thread(target=wait_for, args=(index,)) for index in range(5)]
    for thread in threads:
        thread.start()
    setter = TCPStore(HOST, port, None, False, timeout=TIMEOUT)
    for index in reversed(range(5)):
        setter.set(f"late/{index}", str(index))
    for thread in threads:
        thread.join()
    expected = {index: str(index).encode() for index in range(5)}
    report(got == expected, f"torch's clients wait on our server on {runtime}: five waiters woken by a sixth", got)


def to_python(value: object) -> object:
    if isinstance(value, list):
        return [to_python(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return bytes.fromhex(value["bytes"])
    if "id" in value:
        return ncclUniqueId.from_buffer_copy(bytes.fromhex(value["id"]))
    if "int" in value:
        return int(value["int"])
    if "tuple" in value:
        return tuple(to_python(item) for item in value["tuple"])
    return {key: to_python(item) for key, item in value["dict"]}


def to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, ncclUniqueId):
        return {"id": bytes(ctypes.string_at(ctypes.addressof(value), 128)).hex()}
    if isinstance(value, tuple):
        return {"tuple": [to_json(item) for item in value]}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[key, to_json(item)] for key, item in value.items()]}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return {"int": str(value)}
    return value


VALUES = [
    None,
    True,
    {"id": bytes(range(128)).hex()},
    "größe 鍵 🌊",
    {"bytes": "00ff" * 300},
    [0, 255, 256, 65535, 65536, -1, -2147483648, 2147483648, {"int": str(2**63 - 1)}, {"int": str(-(2**63))}],
    {"tuple": [1, {"tuple": []}, {"tuple": ["x", None, False, {"bytes": ""}]}]},
    {"dict": [["names", ["a.weight", "b.weight"]], ["shapes", [[2, 3], [4]]], [7, {"dict": []}]]},
    list(range(1100)),
]


def steps_for(world: int) -> list:
    steps = [["broadcast", 0, VALUES[2]], ["barrier"]]
    steps += [["broadcast", index % world, value] for index, value in enumerate(VALUES)]
    steps += [["barrier"], ["all_gather", [f"rank {rank}" for rank in range(world)]], ["barrier"]]
    steps += [["send", rank, (rank + 1) % world, ["hello", rank]] for rank in range(world)]
    return [*steps, ["barrier"]]


def expected_for(steps: list, rank: int) -> list:
    results = []
    for name, *args in steps:
        if name == "broadcast":
            results.append(args[1])
        elif name == "all_gather":
            results.append(args[0])
        elif name == "send":
            results.append(args[2] if rank == args[1] else None)
        else:
            results.append("passed")
    return results


def run_python_rank(port: int, rank: int, world: int, barrier: str, steps: list, listener, out: dict) -> None:
    try:
        group = StatelessProcessGroup.create(
            HOST, port, rank, world, store_timeout=20, listen_socket=listener
        )
        results = []
        for name, *args in steps:
            if name == "broadcast":
                results.append(to_json(group.broadcast_obj(to_python(args[1]) if rank == args[0] else None, args[0])))
            elif name == "all_gather":
                results.append([to_json(item) for item in group.all_gather_obj(to_python(args[0][rank]))])
            elif name == "send":
                if rank == args[0]:
                    group.send_obj(to_python(args[2]), args[1])
                results.append(to_json(group.recv_obj(args[0])) if rank == args[1] else None)
            elif barrier == "arrival":
                group.barrier()
                results.append("passed")
            else:
                # The barrier of vLLM 0.8: its whole body.
                for source in range(world):
                    group.broadcast_obj(None, src=source)
                results.append("passed")
        out[rank] = {"results": results}
        # The store lives as long as its object; rank 0 hosts it until all have finished.
        out[f"group {rank}"] = group
    except Exception as error:  # reported as this rank's result
        out[rank] = {"error": repr(error)}


def check_group(layout: str, runtimes: list[str], barrier: str) -> None:
    """`layout` has a letter per rank: p is vLLM's own class, t is ours."""
    world = len(layout)
    steps = steps_for(world)
    out: dict = {}
    peers: dict[int, Peer] = {}
    threads = []
    chosen = [runtimes[rank % len(runtimes)] for rank in range(world)]
    listener = None
    port = 0
    if layout[0] == "p":
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
    for rank, kind in enumerate(layout):
        if kind == "t":
            peers[rank] = Peer(
                chosen[rank], role="rank", port=port, rank=rank, worldSize=world, barrier=barrier, steps=steps
            )
            if rank == 0:
                port = peers[0].answer()["port"]
        else:
            args = (port, rank, world, barrier, steps, listener if rank == 0 else None, out)
            threads.append(threading.Thread(target=run_python_rank, args=args))
            threads[-1].start()
    for rank, peer in peers.items():
        out[rank] = peer.answer()
    for thread in threads:
        thread.join()
    for peer in peers.values():
        peer.end()
    wrong = {rank: out[rank] for rank in range(world) if out[rank].get("results") != expected_for(steps, rank)}
    ours = ", ".join(chosen[rank] for rank, kind in enumerate(layout) if kind == "t")
    host = "ours" if layout[0] == "t" else "vLLM's"
    what = f"group of {world} ({layout}; ours on {ours}; store {host}; {barrier} barrier): {len(steps)} steps on every rank"
    report(not wrong, what, wrong)


if __name__ == "__main__":
    runtimes = sys.argv[1:] or ["bun", "deno", "node"]
    check_stores(runtimes)
    for barrier in ("arrival", "broadcast"):
        for layout in ("pt", "tp", "ptp", "tpp", "ttp", "pttp", "tptp", "ptptt", "tpptp"):
            check_group(layout, runtimes, barrier)
    print(f"{counts[True]} passed, {counts[False]} failed")
    sys.exit(0 if counts[False] == 0 else 1)
