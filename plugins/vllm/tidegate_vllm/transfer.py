"""One transfer: files from the gateway to a local directory, hashed on the way, in a thread of its own. Knows no vLLM."""

import http.client
import json
import os
import shutil
import socket
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping

from .safetensors_stream import FileHash, WeightsError, weight_digest

PIECE_BYTES = 4 * 2**20
FILE_LIMIT = 4096
LIST_LIMIT = 16 * 2**20
# A gateway that sends nothing for so long is gone.
SILENCE_S = 60.0
# Broken connections per file; each attempt goes on where the last one broke.
BREAKS = 5
TOTAL_S = 3600.0
PREFIX = "tidegate-weights-"

# Names and shapes of the served checkpoint, where they are known.
Expected = Mapping[str, tuple[int, ...]] | None


def staging_root() -> str:
    return os.environ.get("TIDEGATE_STAGING_DIR") or tempfile.gettempdir()


def remove_leftovers(root: str) -> None:
    """Removes what processes of this user left that are not there any more."""
    try:
        names = [name for name in os.listdir(root) if name.startswith(PREFIX)]
    except OSError:
        return
    for name in names:
        path = os.path.join(root, name)
        try:
            pid = int(name[len(PREFIX) :].split("-")[0])
            if os.stat(path).st_uid != os.getuid():
                continue
            os.kill(pid, 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, ValueError):
            continue


class Transfer:
    """States: fetching → staged → loaded, or failed. `status` may be asked at any time, from any thread."""

    def __init__(self, transfer_id: str, url: str, token: str, digest: str, size: int, expected: Callable[[], Expected]) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be an http or https URL")
        if size < 0:
            raise ValueError(f"bytes must be 0 or more, got {size}")
        self.id = transfer_id
        self.state = "fetching"
        self.digest: str | None = None
        self.error: str | None = None
        self.bytes_done = 0
        self.bytes_total = size
        self.files: list[str] = []
        self._parts = parts
        self._token = token
        self._announced = digest
        self._expected = expected
        self._cancelled = threading.Event()
        self._deadline = time.monotonic() + TOTAL_S
        self._directory: str | None = None
        self._thread = threading.Thread(target=self._run, name="tidegate-fetch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def status(self) -> dict[str, object]:
        return {
            "state": self.state,
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
            "digest": self.digest,
            "error": self.error,
        }

    def discard(self) -> None:
        """Ends the fetch and removes its files. Does not wait: the thread cleans up behind itself."""
        self._cancelled.set()
        if not self._thread.is_alive():
            self._remove()

    def _remove(self) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _run(self) -> None:
        try:
            self._fetch()
            self.state = "staged"
        except (WeightsError, OSError, http.client.HTTPException) as error:
            self.error = str(error) or type(error).__name__
            self.state = "failed"
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway must hear of it
            self.error = f"{type(error).__name__}: {error}"
            self.state = "failed"
        if self.state == "failed" or self._cancelled.is_set():
            self._remove()

    def _fetch(self) -> None:
        sizes = self._list()
        if sum(sizes) != self.bytes_total:
            raise WeightsError(f"the gateway lists {sum(sizes)} bytes, {self.bytes_total} were announced")
        root = staging_root()
        room = shutil.disk_usage(root).free
        if room < self.bytes_total:
            raise WeightsError(f"{root} has room for {room} bytes, the weights have {self.bytes_total}; see TIDEGATE_STAGING_DIR")
        self._directory = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root)
        entries: dict[str, tuple[str, str, tuple[int, ...], str]] = {}
        for index, size in enumerate(sizes):
            path = os.path.join(self._directory, f"weights-{index:05d}.safetensors")
            for name, entry in self._fetch_file(index, size, path).items():
                if name in entries:
                    raise WeightsError(f"tensor {name!r} comes twice")
                entries[name] = entry
            self.files.append(path)
        found = weight_digest(entries.values())
        if found != self._announced:
            raise WeightsError(f"the fetched weights have the digest {found}, not {self._announced}")
        self._compare({name: entry[2] for name, entry in entries.items()})
        self.digest = found

    def _compare(self, found: Mapping[str, tuple[int, ...]]) -> None:
        """Before anything is loaded: vLLM notices a strange tensor only when its parameters are gone."""
        expected = self._expected()
        if expected is None:
            return
        for name, shape in found.items():
            if name not in expected:
                raise WeightsError(f"tensor {name!r} is not part of the served model")
            if expected[name] != shape:
                raise WeightsError(f"tensor {name!r} has the shape {list(shape)}; the served model has {list(expected[name])}")
        missing = [name for name in expected if name not in found]
        if missing:
            raise WeightsError(f"tensor {missing[0]!r} is missing ({len(missing)} in all)")

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=SILENCE_S)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise WeightsError("the transfer was discarded")
        if time.monotonic() > self._deadline:
            raise WeightsError(f"the transfer took longer than {TOTAL_S:.0f} s")

    def _open(self, connection: http.client.HTTPConnection, path: str, first: int) -> http.client.HTTPResponse:
        headers = {"authorization": f"Bearer {self._token}", "accept-encoding": "identity"}
        if first > 0:
            headers["range"] = f"bytes={first}-"
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        if response.status != (206 if first > 0 else 200):
            detail = response.read(300).decode("utf-8", "replace")
            raise WeightsError(f"the gateway answered {response.status} for {path}: {detail}")
        return response

    def _list(self) -> list[int]:
        connection = self._connect()
        try:
            body = self._open(connection, self._parts.path, 0).read(LIST_LIMIT + 1)
        finally:
            connection.close()
        if len(body) > LIST_LIMIT:
            raise WeightsError("the gateway's list of files is too long")
        try:
            sizes = [entry["bytes"] for entry in json.loads(body)["files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError("the gateway's list of files is malformed") from error
        if len(sizes) > FILE_LIMIT or not all(type(size) is int and 0 <= size <= self.bytes_total for size in sizes):
            raise WeightsError("the gateway's list of files is malformed")
        return sizes

    def _fetch_file(self, index: int, size: int, path: str) -> dict[str, tuple[str, str, tuple[int, ...], str]]:
        where = f"file {index}"
        hashed = FileHash(size, where)
        buffer = memoryview(bytearray(min(PIECE_BYTES, max(size, 1))))
        done = breaks = 0
        with open(path, "wb", buffering=0) as out:
            while done < size:
                self._check()
                connection = self._connect()
                try:
                    response = self._open(connection, f"{self._parts.path}/{index}", done)
                    while done < size:
                        self._check()
                        count = response.readinto(buffer[: min(len(buffer), size - done)])
                        if not count:
                            raise ConnectionError("the connection ended early")
                        piece = buffer[:count]
                        hashed.push(piece)
                        written = 0
                        while written < count:
                            written += out.write(piece[written:])
                        done += count
                        self.bytes_done += count
                except (ConnectionError, socket.timeout, http.client.HTTPException) as error:
                    # Reading again has no effect on the gateway; what was hashed and written stays.
                    breaks += 1
                    if breaks > BREAKS:
                        raise WeightsError(f"{where}: the connection broke {breaks} times: {error}") from error
                    self._cancelled.wait(0.2 * breaks)
                finally:
                    connection.close()
        hashed.end()
        return {t.name: (t.name, t.dtype, t.shape, hashed.hashes[t.name]) for t in hashed.tensors}
