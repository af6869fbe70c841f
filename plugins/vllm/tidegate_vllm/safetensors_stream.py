"""The safetensors format while it streams by: a bounded header, then tensors whose bytes are hashed piece by piece."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

# The format's own bound of a header.
HEADER_LIMIT = 100_000_000
LENGTH_BYTES = 8
TENSOR_LIMIT = 1_000_000


class WeightsError(Exception):
    """What came is not what was announced; the message names file or tensor."""


@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def parse_header(text: bytes, data_bytes: int, where: str) -> list[Tensor]:
    """Tensors in the order of their bytes; every byte of the data belongs to exactly one of them."""
    try:
        header = json.loads(text)
    except ValueError as error:
        raise WeightsError(f"{where}: the header is not JSON") from error
    if not isinstance(header, dict) or len(header) > TENSOR_LIMIT:
        raise WeightsError(f"{where}: the header is no object of at most {TENSOR_LIMIT} tensors")
    tensors = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (TypeError, KeyError, ValueError) as error:
            raise WeightsError(f"{where}: tensor {name!r} is malformed") from error
        whole = all(type(size) is int and size >= 0 for size in (*shape, begin, end))
        if not isinstance(dtype, str) or not whole:
            raise WeightsError(f"{where}: tensor {name!r} is malformed")
        tensors.append(Tensor(name, dtype, shape, begin, end))
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    at = 0
    for tensor in tensors:
        if tensor.begin != at or tensor.end < at:
            raise WeightsError(f"{where}: tensor {tensor.name!r} does not follow the one before it")
        at = tensor.end
    if at != data_bytes:
        raise WeightsError(f"{where}: its tensors have {at} bytes, the file has {data_bytes}")
    return tensors


class FileHash:
    """Takes the bytes of one file in order, in pieces of any length, and hashes each tensor. Holds one header at most."""

    def __init__(self, size: int, where: str) -> None:
        self._size = size
        self._where = where
        self._head = bytearray()
        self._need = LENGTH_BYTES
        self._header_bytes: int | None = None
        self._at = 0
        self._index = 0
        self._hash = hashlib.sha256()
        self.tensors: list[Tensor] = []
        self.hashes: dict[str, str] = {}

    def push(self, piece: memoryview) -> None:
        while len(piece) > 0 and self._need > 0:
            taken = piece[: self._need]
            self._head += taken
            self._need -= len(taken)
            piece = piece[len(taken) :]
            if self._need == 0:
                self._on_head()
        while len(piece) > 0:
            self._skip_empty()
            if self._index >= len(self.tensors):
                raise WeightsError(f"{self._where}: bytes follow the last tensor")
            taken = piece[: self.tensors[self._index].end - self._at]
            self._hash.update(taken)
            self._at += len(taken)
            piece = piece[len(taken) :]
            if self._at == self.tensors[self._index].end:
                self._finish_tensor()

    def end(self) -> None:
        self._skip_empty()
        if self._need > 0 or self._index < len(self.tensors):
            raise WeightsError(f"{self._where}: the data ends too early")

    def _on_head(self) -> None:
        if self._header_bytes is None:
            length = int.from_bytes(self._head, "little")
            if length > min(HEADER_LIMIT, self._size - LENGTH_BYTES):
                raise WeightsError(f"{self._where}: a header of {length} bytes does not fit")
            self._header_bytes = self._need = length
            self._head = bytearray()
            if length > 0:
                return
        data_bytes = self._size - LENGTH_BYTES - self._header_bytes
        self.tensors = parse_header(bytes(self._head), data_bytes, self._where)
        self._head = bytearray()

    def _skip_empty(self) -> None:
        while self._index < len(self.tensors) and self.tensors[self._index].end == self._at:
            self._finish_tensor()

    def _finish_tensor(self) -> None:
        self.hashes[self.tensors[self._index].name] = self._hash.hexdigest()
        self._hash = hashlib.sha256()
        self._index += 1


def weight_digest(entries: Iterable[tuple[str, str, tuple[int, ...], str]]) -> str:
    """`sha256:` over the lines `["name","dtype",[shape],"sha256"]`, sorted by name in order of UTF-16 code units."""
    total = hashlib.sha256()
    for name, dtype, shape, digest in sorted(entries, key=lambda entry: entry[0].encode("utf-16-be", "surrogatepass")):
        line = json.dumps([name, dtype, list(shape), digest], ensure_ascii=False, separators=(",", ":"))
        total.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return f"sha256:{total.hexdigest()}"
