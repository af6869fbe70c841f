/** What `doctor` finds in a model directory or file, from names and `config.json` alone; the worker checks every tensor itself. */
import type { Ports } from "../ports.ts";
import type { Finding } from "./findings.ts";

const CONFIG_LIMIT = 2 ** 20;

/** The architectures whose graph the worker can build: the names of src/worker/architectures.ts, which a test compares. */
export const ARCHITECTURES: readonly string[] = [
  "LlamaForCausalLM",
  "MistralForCausalLM",
  "Qwen2ForCausalLM",
  "Qwen3ForCausalLM",
];

const PARTS: readonly (readonly [name: string, level: "failure" | "warning", mend: string])[] = [
  [
    "tokenizer.json",
    "failure",
    "save it with tokenizer.save_pretrained(DIR) of a fast tokenizer, or serve token ids alone with --skip-tokenizer-init",
  ],
  // It is served without: special tokens are then named by config.json alone.
  ["tokenizer_config.json", "warning", "save it with tokenizer.save_pretrained(DIR)"],
];

function checkArchitecture(text: string): Finding {
  let config: { architectures?: unknown };
  try {
    config = JSON.parse(text);
  } catch (error) {
    const mend = "restore the file from the model's source";
    return { level: "failure", subject: "config.json", found: (error as Error).message, mend };
  }
  const name = Array.isArray(config.architectures) ? String(config.architectures[0]) : "none";
  if (ARCHITECTURES.includes(name)) return { level: "ok", subject: "architecture", found: name };
  return {
    level: "failure",
    subject: "architecture",
    found: `${name} cannot be served by the embedded engine`,
    mend: `serve it with vLLM and name that server with --upstream; embedded are ${ARCHITECTURES.join(", ")}`,
  };
}

/** A GGUF file says all by itself; what it holds is seen by the process that loads it. */
async function checkFile(files: NonNullable<Ports["files"]>, path: string): Promise<Finding> {
  const reader = await files.openRead(path);
  try {
    const first = await reader.read(0, Math.min(4, reader.size));
    if (String.fromCharCode(...first) === "GGUF") return { level: "ok", subject: "model", found: "a GGUF file" };
    return {
      level: "failure",
      subject: "model",
      found: `${path} is no GGUF file: it does not begin with "GGUF"`,
      mend: "give a GGUF file, or the directory that holds config.json",
    };
  } finally {
    await reader.close();
  }
}

/** Looks at the directory or file. */
export async function checkModel(ports: Pick<Ports, "files">, directory: string): Promise<Finding[]> {
  const files = ports.files!;
  const root = files.resolve(directory);
  const found = await files.stat(root);
  if (found?.kind === "file") return [await checkFile(files, root)];
  if (found?.kind !== "directory") {
    return [
      {
        level: "failure",
        subject: "model",
        found: `${directory} is not there`,
        mend: "give a Hugging Face model directory, the one that holds config.json, or a GGUF file",
      },
    ];
  }
  const names = new Set(await files.list(root));
  const findings: Finding[] = [];
  if (names.has("config.json")) {
    findings.push(checkArchitecture(await files.readText(files.resolve(root, "config.json"), CONFIG_LIMIT)));
  } else {
    const mend = "give the directory that holds config.json";
    findings.push({ level: "failure", subject: "config.json", found: `missing in ${directory}`, mend });
  }
  for (const [name, level, mend] of PARTS) {
    findings.push(
      names.has(name)
        ? { level: "ok", subject: name, found: "there" }
        : { level, subject: name, found: `missing in ${directory}`, mend },
    );
  }
  const weights = [...names].filter((name) => name.endsWith(".safetensors"));
  findings.push(
    weights.length > 0
      ? { level: "ok", subject: "weights", found: `${weights.length} safetensors file${weights.length > 1 ? "s" : ""}` }
      : {
          level: "failure",
          subject: "weights",
          found: `no .safetensors file in ${directory}`,
          mend: "save the model with model.save_pretrained(DIR, safe_serialization=True)",
        },
  );
  return findings;
}
