import { VLLMClient } from "../src/index.ts";

const client = new VLLMClient({ baseUrl: process.env.TIDEGATE_URL ?? "http://127.0.0.1:8000" });
await client.checkServer({ totalTimeout: 60 });

const [before] = await client.generate(["What is 17 + 25?"], { temperature: 0, maxTokens: 16 });
const { version, digest } = await client.updateModelParams(`${process.cwd()}/models/tide-nano/trained`, {
  label: "step 412",
  onProgress: (sync) => console.log(sync.phase, `${sync.bytes_done}/${sync.bytes_total} bytes`),
});
const [after] = await client.generateDetailed(["What is 17 + 25?"], { temperature: 0, maxTokens: 16 });

console.log({ before, version, digest, after: after?.text, answeredBy: after?.weightVersion });
