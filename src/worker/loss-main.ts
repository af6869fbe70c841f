/**
 * The process behind `tidegate doctor --model`: measures what quantisation loses and prints one JSON object a line. A
 * process of its own, so that weights which crash the native code end nothing else.
 */
import process from "node:process";
import { GatewayError } from "../errors.ts";
import { createReadOnlyFiles } from "./files.ts";
import { compareForms, type LossForm, tryDevice } from "./loss/compare.ts";

const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Arguments: the word for process lists, the model, the forms, the device to try. */
const [, model = "", forms = "", device = ""] = process.argv.slice(2);
// The parent is gone: nobody reads the answer.
process.stdin.on("end", () => process.exit(0)).resume();
try {
  if (device !== "") say({ type: "device", ...(await tryDevice(createReadOnlyFiles(), model, device as "auto")) });
  const { weightBytes, positions } = await compareForms({
    files: createReadOnlyFiles(),
    model,
    forms: forms.split(",") as LossForm[],
    onRow: (row) => say({ type: "row", ...row }),
  });
  say({ type: "reference", weightBytes, positions });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  say({ type: "error", code: error instanceof GatewayError ? error.code : "internal", message });
}
process.stdout.write("", () => process.exit(0));
