"""TRL 0.17 asks transformers whether `vllm_ascend` is installed; transformers 5 answers with a tuple, which TRL takes for yes.
This gives its import what it would have had without that mistake. The client itself stays as released."""

from vllm.distributed.device_communicators.pynccl import PyNcclCommunicator as PyHcclCommunicator  # noqa: F401
