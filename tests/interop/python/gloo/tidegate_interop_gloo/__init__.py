"""Registers the backend `interop_gloo`: bodies, blocking and packing of vLLM's nccl backend, over gloo."""


def register() -> None:
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory as Factory

    if "interop_gloo" not in Factory._registry:
        Factory.register_engine("interop_gloo", "tidegate_interop_gloo.engine", "InteropGlooEngine")
