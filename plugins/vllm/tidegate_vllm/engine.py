"""The worker's side of the backend, inside vLLM. Nothing of the model is touched before `finish_weight_update`."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.logger import init_logger

from .transfer import Expected, Transfer, remove_leftovers, staging_root
from .worker import repack_tied_heads

logger = init_logger(__name__)

PROTOCOL = 1


@dataclass
class TidegateInitInfo(WeightTransferInitInfo):
    protocol: int = PROTOCOL

    def __post_init__(self) -> None:
        if self.protocol != PROTOCOL:
            raise ValueError(f"this plugin speaks protocol {PROTOCOL}, the gateway {self.protocol}; install the one that came with it")


@dataclass
class TidegateUpdateInfo(WeightTransferUpdateInfo):
    action: str
    id: str
    url: str = ""
    token: str = ""
    digest: str = ""
    bytes: int = 0

    def __post_init__(self) -> None:
        if self.action not in ("fetch", "discard"):
            raise ValueError(f"action must be fetch or discard, got {self.action!r}")


def served_shapes(directory: str) -> Expected:
    """Names and shapes of a checkpoint directory's safetensors files; None where there are none."""
    from safetensors import safe_open

    files = sorted(glob.glob(os.path.join(directory, "*.safetensors"))) if os.path.isdir(directory) else []
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict
                shapes[name] = tuple(opened.get_slice(name).get_shape())
    return shapes or None


class TidegateWeightTransferEngine(WeightTransferEngine[TidegateInitInfo, TidegateUpdateInfo]):
    init_info_cls = TidegateInitInfo
    update_info_cls = TidegateUpdateInfo
    supports_draft_weight_update = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transfer: Transfer | None = None
        # The model's own place; reload_weights replaces it in the configuration.
        self._checkpoint = str(self.model_config.model)
        remove_leftovers(staging_root())

    def init_transfer_engine(self, init_info: TidegateInitInfo) -> None:
        """Nothing to set up: the connection is made per transfer."""

    def start_weight_update(self) -> None:
        """The old weights serve on until `finish_weight_update`."""

    def update_weights(self, update_info: dict[str, Any]) -> None:
        # Not the base's: it ends in torch.accelerator.synchronize(), which raises without an accelerator.
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: TidegateUpdateInfo) -> None:
        info = update_info
        if info.action == "discard":
            if self.transfer is not None and self.transfer.id == info.id:
                self._drop()
            return
        self._drop()
        checkpoint = self._checkpoint
        self.transfer = Transfer(info.id, info.url, info.token, info.digest, info.bytes, lambda: served_shapes(checkpoint))
        self.transfer.start()

    def finish_weight_update(self) -> None:
        transfer = self.transfer
        if transfer is None or transfer.state == "loaded":
            return
        if transfer.state != "staged":
            raise RuntimeError(f"the weights of {transfer.id} are not there to be loaded: {transfer.state} {transfer.error or ''}")
        from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

        try:
            initialize_layerwise_reload(self.model)
            self.model.load_weights(self._read(transfer.files))
            finalize_layerwise_reload(self.model, self.model_config)
            repack_tied_heads(self.model)
            if torch.accelerator.is_available():
                torch.accelerator.synchronize()
        except Exception as error:
            transfer.error = f"loading failed: {type(error).__name__}: {error}"
            transfer.state = "failed"
            raise
        transfer.state = "loaded"
        transfer.discard()
        logger.info("tidegate: loaded weights %s of transfer %s", transfer.digest, transfer.id)

    def shutdown(self) -> None:
        self._drop()

    def _drop(self) -> None:
        if self.transfer is not None:
            self.transfer.discard()
            self.transfer = None

    @staticmethod
    def _read(files: list[str]) -> Iterator[tuple[str, torch.Tensor]]:
        from safetensors import safe_open

        for path in files:
            with safe_open(path, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - not a dict
                    yield name, opened.get_tensor(name)
