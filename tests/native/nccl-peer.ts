/** The ranks of a fake vLLM server as members of a group over the C stand-in for NCCL. One broadcast per tensor. */
import type { Peer } from "../fakes/vllm/transfer.ts";
import { type NcclRanks, toDtype } from "./nccl-ranks.ts";

/** Creates the server's side; `ranks` keeps what every rank received. */
export function createNcclPeer(ranks: NcclRanks): Peer {
  return {
    async join(host, port, members, worldSize) {
      if (members.length !== ranks.count) throw new Error(`${members.length} ranks are to join, not ${ranks.count}`);
      await ranks.join({ host, port, first: members[0] ?? 0, worldSize, timeout: 15_000 });
      return {
        receive: (tensors) =>
          ranks.receive(
            tensors.map(({ name, dtype, shape }) => ({ name, dtype: toDtype(dtype), shape })),
            0,
            false,
          ),
        close: () => void ranks.leave(),
      };
    },
  };
}
