/** What a policy is: one function. Types only. */
import type { ReplicaRecord } from "../replica.ts";

/** One of the replicas that `takes` accepts; undefined where it accepts none. `prefix`: see `LeaseWishes`. */
export type Pick = (
  replicas: readonly ReplicaRecord[],
  takes: (replica: ReplicaRecord) => boolean,
  prefix: readonly number[] | undefined,
) => ReplicaRecord | undefined;
