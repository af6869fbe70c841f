/** How a server gets a set of weights, as a type: by our plugin, over NCCL, or from a disk that both see. */
import type { WeightVersion } from "../../contract/ids.ts";
import type { CallOptions, WeightTarget } from "../engine.ts";

/** How a server gets a set and loads it. */
export interface WeightWay {
  /** As `WeightTarget.stage`; nothing that serves is changed. */
  readonly stage: WeightTarget["stage"];
  /** Overwrites the weights, in place; the server is paused. */
  load(id: string, version: WeightVersion, options: CallOptions): Promise<void>;
  discard(id: string): Promise<void>;
  /** After a switch, however it ended: gives back what only that needed. Never rejects. */
  release?(options: CallOptions): Promise<void>;
}
