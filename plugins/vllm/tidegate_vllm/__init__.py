"""Weight-transfer backend `tidegate` for vLLM, and two methods for its workers. vLLM calls `register` in every process."""

BACKEND = "tidegate"


def register() -> None:
    """Adds the backend to vLLM's registry and the methods to its workers; calling it again changes nothing."""
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory

    if BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(BACKEND, "tidegate_vllm.engine", "TidegateWeightTransferEngine")

    # vLLM's weight routes have no room for an answer; methods of the worker do, over /collective_rpc.
    from vllm.v1.worker.worker_base import WorkerBase

    from . import worker

    WorkerBase.tidegate_status = worker.tidegate_status
    WorkerBase.tidegate_repack = worker.tidegate_repack
