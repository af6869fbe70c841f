"""Methods that vLLM's workers get; `worker` is vLLM's own. Called by `/collective_rpc`, on every rank."""

from typing import Any


def tidegate_status(worker: Any, id: str = "") -> dict[str, object]:
    """How far the transfer `id` is, and the digest it found."""
    engine = getattr(worker, "weight_transfer_engine", None)
    transfer = getattr(engine, "transfer", None)
    if transfer is None or transfer.id != id:
        return {"state": "idle", "bytes_done": 0, "bytes_total": 0, "digest": None, "error": None}
    return transfer.status()


def tidegate_repack(worker: Any) -> dict[str, int]:
    """Makes packed copies of tied output heads anew; see `repack_tied_heads`."""
    return {"repacked": repack_tied_heads(worker.get_model())}


def repack_tied_heads(model: Any) -> int:
    """
    On a CPU vLLM 0.32 multiplies with a packed copy of each weight. A reload packs anew what it has loaded, and an output
    head that is the embedding counts as not loaded: it would keep the old copy. Gives the number of copies made.
    """
    from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return 0
    count = 0
    for module in model.modules():
        if isinstance(module, VocabParallelEmbedding) and hasattr(module, "cpu_linear") and not module.weight.is_meta:
            module.quant_method.process_weights_after_loading(module)
            count += 1
    return count
