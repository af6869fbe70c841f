/** `tidegate doctor`: what it found, what would fail, and the mend for each. Changes nothing. */
import { checkStore } from "../platform/check-store.ts";
import { EXIT } from "../platform/run.ts";
import type { Ports } from "../ports.ts";
import type { Options } from "./arguments.ts";
import { createCommand } from "./command.ts";
import { judgeLoss, type LossTable, measureLoss, showLoss } from "./doctor-loss.ts";
import { checkMachine } from "./doctor-machine.ts";
import { checkModel } from "./doctor-model.ts";
import { checkUpstream } from "./doctor-upstream.ts";
import { showFindings } from "./findings.ts";
import { type Command, UsageError } from "./io.ts";

const DEVICES = ["auto", "cpu", "webgpu", "cuda"];
/** What is compared with float32; a directory has no blocks to keep. */
const LOSS_FORMS = ["keep", "int8", "int4"];

const OPTIONS: Options = {
  upstream: { value: "URL", repeatable: true, help: "A vLLM server to look at, or dns://NAME:PORT." },
  model: { value: "PATH", help: "A model directory or GGUF file to look at; says what each quantisation of it loses." },
  quantize: { value: "keep|int8|int4", help: "Measure the loss of this one alone; it fails when it ruins the model." },
  device: { value: "auto|cpu|webgpu|cuda", help: "Load the model there, and list operators that would run elsewhere." },
  "accept-loss": { help: "A loss that ruins the model is no failure." },
  "skip-loss": { help: "Do not run the model." },
  store: { value: "STORE", help: "A store to look at, as for serve: sqlite:FILE or redis://HOST:PORT." },
  "store-password-file": {
    value: "FILE",
    help: "Its password, where the address has none (or TIDEGATE_STORE_PASSWORD).",
  },
  port: { value: "N", help: "The port the gateway would listen on. Default: 8000." },
  json: { help: "Print the findings as JSON." },
};

/** The servers behind an upstream: its URL itself, or every address of a `dns://` name. */
async function toServers(ports: Pick<Ports, "resolve">, upstream: string): Promise<readonly string[]> {
  const [, name, port] = /^dns:\/\/(.+):(\d+)\/?$/.exec(upstream) ?? [];
  if (name === undefined) return [upstream];
  try {
    const found = (await ports.resolve?.(name.replace(/^\[|\]$/g, ""))) ?? [];
    if (found.length === 0) throw new Error("it has no address");
    return found.map((address) => `http://${address.includes(":") ? `[${address}]` : address}:${port}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--upstream ${upstream}: ${name} cannot be looked up (${reason}).`);
  }
}

/** The command. Ends with 4 when something would fail. */
export const doctor: Command = createCommand({
  summary: "Find what would fail, and how to mend it.",
  usage: "doctor [options]",
  about: "Looks at this machine, a model and upstream servers, and says what would fail.",
  options: OPTIONS,
  async run({ values }, io) {
    const port = Number(values.port ?? 8000);
    const findings = await checkMachine(io.ports, port);
    let table = "";
    let loss: LossTable | undefined;
    const asked = typeof values.quantize === "string" ? values.quantize : undefined;
    if (asked !== undefined && !LOSS_FORMS.includes(asked)) {
      throw new UsageError(`--quantize must be one of ${LOSS_FORMS.join(", ")}, got "${asked}"`);
    }
    if (typeof values.device === "string" && !DEVICES.includes(values.device)) {
      throw new UsageError(`--device must be one of ${DEVICES.join(", ")}, got "${values.device}"`);
    }
    if (typeof values.model === "string") {
      const found = await checkModel(io.ports, values.model);
      findings.push(...found);
      if (values["skip-loss"] !== true && found.every(({ level }) => level !== "failure")) {
        const path = io.ports.files!.resolve(values.model);
        const isFile = (await io.ports.files!.stat(path))?.kind === "file";
        const forms = asked === undefined ? LOSS_FORMS.slice(isFile ? 0 : 1) : [asked];
        loss = await measureLoss(io.ports, path, forms, typeof values.device === "string" ? values.device : "");
        table = showLoss(loss);
        findings.push(...judgeLoss(loss, asked, values["accept-loss"] === true));
      }
    }
    for (const upstream of (values.upstream as string[] | undefined) ?? []) {
      for (const url of await toServers(io.ports, upstream)) findings.push(...(await checkUpstream(io.ports, url)));
    }
    if (typeof values.store === "string") {
      const file = values["store-password-file"];
      const settings = {
        store: values.store,
        storePassword: io.env.TIDEGATE_STORE_PASSWORD,
        storePasswordFile: typeof file === "string" ? file : undefined,
      };
      const { place, findings: found } = await checkStore(settings, io.ports);
      findings.push(...found.map((one) => ({ ...one, subject: `store ${place}` })));
    }
    if (values.json === true)
      io.out(`${JSON.stringify({ findings, ...(loss === undefined ? {} : { loss }) }, null, 2)}\n`);
    else io.out(`${showFindings(findings)}${table}`);
    return findings.some(({ level }) => level === "failure") ? EXIT.failed : EXIT.done;
  },
});
