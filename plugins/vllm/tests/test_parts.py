"""The plugin without vLLM: the format while it streams, the digest, and transfers against a small HTTP server."""

import hashlib
import http.server
import json
import os
import struct
import threading

import pytest

from tidegate_vllm import transfer as module
from tidegate_vllm.safetensors_stream import FileHash, WeightsError, weight_digest
from tidegate_vllm.transfer import Transfer


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


BIG = os.urandom(3_000_000)
FILE = safetensors({"b": ("U8", [len(BIG)], BIG), "a": ("F32", [2], b"\0" * 8), "empty": ("F32", [0], b"")})


def digest_of(*files: bytes) -> str:
    entries = []
    for file in files:
        hashed = FileHash(len(file), "file")
        hashed.push(memoryview(file))
        hashed.end()
        entries += [(t.name, t.dtype, t.shape, hashed.hashes[t.name]) for t in hashed.tensors]
    return weight_digest(entries)


def test_digest_is_the_gateways():
    # The example of the definition in src/tensor/digest.ts, by hand.
    raw = hashlib.sha256(b"\0" * 12).hexdigest()
    line = '["lm_head.weight","BF16",[2,3],"' + raw + '"]\n'
    assert weight_digest([("lm_head.weight", "BF16", (2, 3), raw)]) == "sha256:" + hashlib.sha256(line.encode()).hexdigest()
    # UTF-16 order: U+1F600 (surrogates from D83D) comes before U+FF5E.
    first, second = ("\U0001f600", "F32", (1,), raw), ("\uff5e", "F32", (1,), raw)
    lines = "".join(json.dumps([n, d, list(s), h], ensure_ascii=False, separators=(",", ":")) + "\n" for n, d, s, h in (first, second))
    assert weight_digest([second, first]) == "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("step", [1, 7, 4096, len(FILE)])
def test_pieces_of_any_length(step):
    small = safetensors({"x": ("U8", [5], b"12345"), "y": ("U8", [3], b"678")}) if step < 100 else FILE
    hashed = FileHash(len(small), "file")
    for at in range(0, len(small), step):
        hashed.push(memoryview(small)[at : at + step])
    hashed.end()
    for tensor in hashed.tensors:
        start = len(small) - hashed.tensors[-1].end
        assert hashed.hashes[tensor.name] == hashlib.sha256(small[start + tensor.begin : start + tensor.end]).hexdigest()


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"{x",
        struct.pack("<Q", 2) + b"{}" + b"extra",
        safetensors({"x": ("U8", [5], b"12345")})[:-1],
        FILE.replace(b'"data_offsets": [0, ', b'"data_offsets": [1, '),
        FILE.replace(b'"shape": [2]', b'"shape": [-]'),
    ],
)
def test_malformed_files_are_refused(bad):
    with pytest.raises(WeightsError):
        hashed = FileHash(len(bad), "file")
        hashed.push(memoryview(bad))
        hashed.end()


class Gateway:
    """Serves files for one token. `cut`: close so many answers after half of what was asked."""

    def __init__(self, *files: bytes) -> None:
        self.files, self.cut, self.requests = files, 0, []
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:  # noqa: N802
                gateway.requests.append((self.path, self.headers.get("range")))
                if self.headers["authorization"] != "Bearer secret":
                    return self.answer(401, b"{}")
                if self.path == "/w":
                    listed = {"files": [{"index": i, "bytes": len(f)} for i, f in enumerate(gateway.files)]}
                    return self.answer(200, json.dumps(listed).encode())
                body = gateway.files[int(self.path.rsplit("/", 1)[1])]
                first = int((self.headers.get("range") or "bytes=0-")[6:-1])
                self.answer(206 if first else 200, body[first:])

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if gateway.cut > 0 and len(body) > 1000:
                    gateway.cut -= 1
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    self.connection.close()
                    self.close_connection = True
                    return
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/w"


@pytest.fixture
def staging(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEGATE_STAGING_DIR", str(tmp_path))
    return tmp_path


def run(gateway: Gateway, digest: str, size: int, token: str = "secret", expected=None) -> Transfer:
    transfer = Transfer("ws_1", gateway.url, token, digest, size, lambda: expected)
    transfer.start()
    transfer._thread.join(30)
    return transfer


def test_fetches_hashes_and_stages(staging):
    other = safetensors({"c": ("U8", [3], b"abc")})
    gateway = Gateway(FILE, other)
    transfer = run(gateway, digest_of(FILE, other), len(FILE) + len(other))
    assert transfer.status() == {
        "state": "staged",
        "bytes_done": len(FILE) + len(other),
        "bytes_total": len(FILE) + len(other),
        "digest": digest_of(FILE, other),
        "error": None,
    }
    assert [open(path, "rb").read() for path in transfer.files] == [FILE, other]
    transfer.discard()
    assert list(staging.iterdir()) == []


def test_goes_on_where_a_connection_broke(staging):
    gateway = Gateway(FILE)
    gateway.cut = 3
    transfer = run(gateway, digest_of(FILE), len(FILE))
    assert transfer.state == "staged", transfer.error
    assert [r for p, r in gateway.requests if p == "/w/0"][0] is None
    assert all(r is not None for p, r in gateway.requests[2:])
    gateway.cut = 100
    module_breaks = run(gateway, digest_of(FILE), len(FILE))
    assert module_breaks.state == "failed" and "broke" in (module_breaks.error or "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "sha256:" + "0" * 64}, "have the digest"),
        ({"size": len(FILE) + 1}, "were announced"),
        ({"token": "guess"}, "answered 401"),
        ({"expected": {"a": (2,), "b": (len(BIG),)}}, "'empty' is not part"),
        ({"expected": {"a": (3,), "b": (len(BIG),), "empty": (0,)}}, "'a' has the shape [2]"),
        ({"expected": {"a": (2,), "b": (len(BIG),), "empty": (0,), "z": (1,)}}, "'z' is missing"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_stays(staging, change, words):
    gateway = Gateway(FILE)
    arguments = {"digest": digest_of(FILE), "size": len(FILE), **change}
    transfer = run(gateway, **arguments)
    assert transfer.state == "failed"
    assert words in (transfer.error or "")
    assert "secret" not in (transfer.error or "")
    assert list(staging.iterdir()) == []


def test_no_room_and_time_limits(staging, monkeypatch):
    gateway = Gateway(FILE)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("U", (), {"free": 10})())
    assert "room for 10 bytes" in (run(gateway, digest_of(FILE), len(FILE)).error or "")
    monkeypatch.undo()
    monkeypatch.setenv("TIDEGATE_STAGING_DIR", str(staging))
    monkeypatch.setattr(module, "TOTAL_S", -1.0)
    assert "longer than" in (run(gateway, digest_of(FILE), len(FILE)).error or "")


def test_discard_ends_a_fetch_that_hangs(staging, monkeypatch):
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    url = f"http://127.0.0.1:{listener.server_port}/w"
    transfer = Transfer("ws_1", url, "secret", "sha256:", 1, lambda: None)
    transfer.start()
    transfer.discard()
    transfer._thread.join(10)
    assert transfer.state == "failed"


def test_leftovers_of_dead_processes_are_removed(tmp_path):
    (tmp_path / f"{module.PREFIX}999999999-x").mkdir()
    (tmp_path / f"{module.PREFIX}{os.getpid()}-x").mkdir()
    (tmp_path / "other").mkdir()
    module.remove_leftovers(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", f"{module.PREFIX}{os.getpid()}-x"]
