/**
 * Many fake vLLM servers in one process of their own, for the sync benchmark. They take the bytes and drop them: what is
 * measured is the gateway. With `--backend tidegate` they fetch by URL, else they read every byte of the directory.
 *
 *   bun benchmarks/sync/upstreams.ts --count 16 [--backend tidegate]      first line: their URLs
 */
import { parseArgs } from "node:util";
import { startFakeWeights } from "../../tests/fakes/vllm-weights.ts";

const { values } = parseArgs({ options: { count: { type: "string", default: "1" }, backend: { type: "string" } } });
const servers = await Promise.all(
  Array.from({ length: Number(values.count) }, () =>
    startFakeWeights({ drops: true, ...(values.backend === undefined ? {} : { backend: values.backend }) }),
  ),
);
console.log(servers.map(({ url }) => url).join(" "));
