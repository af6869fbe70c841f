"""TRL 1.16's own VLLMClient as a trainer without a GPU: gloo in place of its two NCCL functions, everything else unmodified.

trl_trainer.py URL GROUP_PORT: reads checkpoint directories from standard input, one a line; after each sync it prints
`synced DIRECTORY`, or `failed: REASON`.
"""

import sys

import torch
import trl.generation.vllm_client as vllm_client
from tidegate_interop_gloo.group import PACKED_BYTES, Group, packs
from transformers import AutoModelForCausalLM


def send(iterator, group, src, post_iter_func):
    assert src == 0
    raw = (post_iter_func(item).detach().contiguous().view(torch.uint8).view(-1) for item in iterator)
    for held, _size in packs(((tensor, tensor.numel()) for tensor in raw), PACKED_BYTES):
        group.broadcast(torch.cat(held))


class Endpoint(Group):
    """TRL hands on `communicator.group` or the communicator itself, by version."""

    @property
    def group(self):
        return self


vllm_client.open_trainer_endpoint = lambda info: Endpoint(info["master_address"], info["master_port"], 0, info["world_size"])
vllm_client.packed_nccl_broadcast_producer = send

client = vllm_client.VLLMClient(base_url=sys.argv[1], group_port=int(sys.argv[2]))
print("world size", client.get_world_size() + 1, flush=True)
client.init_communicator(device="cuda")
print("joined", flush=True)
for line in sys.stdin:
    directory = line.strip()
    try:
        client.update_model_params(AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32))
        client.reset_prefix_cache()
        print(f"synced {directory}", flush=True)
    except Exception as error:  # noqa: BLE001 - the test reads it
        print(f"failed: {type(error).__name__}: {error}", flush=True)
