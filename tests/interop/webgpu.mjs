// The embedded engine on WebGPU beside the CPU: answers, log probabilities and a weight sync. Needs a Vulkan driver and libvulkan.so.1;
// where there is no GPU, SwiftShader, which Chromium brings along, is one in software (it compiles slowly).
import { existsSync } from "node:fs";
import { join } from "node:path";

const SOFTWARE = ["/usr/lib/chromium/vk_swiftshader_icd.json", "/opt/google/chrome/vk_swiftshader_icd.json"];
/** float32 on both sides, sums in another order. */
const TOLERANCE = 1e-3;
const PROMPTS = [
  ...["What is 64 + 18?", "What is 17 + 25?", "What is 3 + 4?", "What is 99 + 1?"],
  // Longer than the tiles of a GPU's attention kernel.
  `${"Think of numbers, one after the other, and of nothing else. ".repeat(6)}What is 41 + 7?`,
];

const ask = async (url, content) => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content }], temperature: 0, max_tokens: 24, logprobs: true }),
  });
  const body = await response.json();
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body).slice(0, 300)}`);
  const [{ message, logprobs, finish_reason }] = body.choices;
  return { version: body.weight_version, text: message.content, finish: finish_reason, logprobs: logprobs.content };
};

/** `tools`: the suite's startGateway, stop, count, repository. */
export async function webgpu({ startGateway, stop, count, repository }) {
  const driver = process.env.VK_ICD_FILENAMES ?? SOFTWARE.find((file) => existsSync(file));
  const environment = driver === undefined ? {} : { VK_ICD_FILENAMES: driver };
  const arguments_ = (device) => ["--device", device, "--log-level", "warn"];
  let gpu;
  try {
    gpu = await startGateway(18490, arguments_("webgpu"), environment);
  } catch (error) {
    // Exit 3, with the reason on standard error: what a machine without a driver must get.
    console.log(`skipped: webgpu (${error.message})`);
    return;
  }
  const cpu = await startGateway(18491, arguments_("cpu"));
  try {
    const fleet = await (await fetch(`${gpu.url}/api/fleet`)).json();
    count(
      `webgpu: the fleet says so: ${fleet.servers[0].details.device}`,
      /^webgpu/.test(fleet.servers[0].details.device),
    );
    for (const version of [0, 1]) {
      for (const prompt of PROMPTS) {
        const [ours, theirs] = [await ask(gpu.url, prompt), await ask(cpu.url, prompt)];
        const gaps = ours.logprobs.map((token, at) =>
          Math.abs(token.logprob - (theirs.logprobs[at]?.logprob ?? Number.NaN)),
        );
        const same = ours.text === theirs.text && ours.finish === theirs.finish && ours.version === version;
        const worst = Math.max(...gaps);
        count(
          `webgpu: version ${version}, "${prompt}": ${JSON.stringify(ours.text)}, logprobs within ${worst}`,
          same && worst <= TOLERANCE,
        );
      }
      if (version > 0) break;
      for (const { url } of [gpu, cpu]) {
        const source = { kind: "disk", path: join(repository, "models/tide-nano/trained") };
        const sync = await fetch(`${url}/api/weight-syncs`, {
          method: "POST",
          headers: { "content-type": "application/json", prefer: "wait=100" },
          body: JSON.stringify({ source }),
        });
        if (sync.status !== 200) count(`webgpu: sync ${sync.status} ${(await sync.text()).slice(0, 300)}`, false);
      }
    }
  } finally {
    await stop(gpu.child);
    await stop(cpu.child);
  }
}
