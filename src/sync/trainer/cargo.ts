/** What the calls of a trainer's session carry, as a type. */
import type { WeightVersion } from "../../contract/ids.ts";
import type { RankShare } from "./ranks.ts";

/** What the present calls carry beside what the machine knows. */
export interface Cargo {
  join: Readonly<Record<string, unknown>>;
  shares: readonly RankShare[];
  checkpointFormat: boolean | undefined;
  update: Readonly<Record<string, unknown>> | readonly unknown[];
  version: WeightVersion;
  label: string;
}
