/** Whether a server's word that it finished an update is borne out by what it says of itself afterwards. Pure. */
import type { TransferIdentity } from "../../engine/engine.ts";

/** `ok` null: the server has no way to tell, and its confirmation must do. `label` is what the finish asked for. */
export function judgeFinish(
  before: TransferIdentity | undefined,
  found: TransferIdentity | undefined,
  label: string,
): { ok: boolean | null; reason: string } {
  if (found === undefined)
    return { ok: false, reason: "It confirmed the finish but does not say which weights it has." };
  if (before?.instance != null && found.instance !== null && before.instance !== found.instance) {
    return { ok: false, reason: "It was restarted in the middle of the update." };
  }
  if (found.label === null || before?.label == null || before.label === label) return { ok: null, reason: "" };
  if (found.label === label) return { ok: true, reason: "" };
  return {
    ok: false,
    reason: `It confirmed the finish, but says that its weights are ${JSON.stringify(found.label)} and not ${JSON.stringify(label)}.`,
  };
}
