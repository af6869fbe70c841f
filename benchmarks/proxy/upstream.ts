/**
 * The upstream of the proxy benchmark: answers each workload with fixed bytes, as cheaply as it can, so that what is
 * measured is the proxy. `bun benchmarks/proxy/upstream.ts` prints its URL as its first line.
 */
import { RESPONSES } from "./workloads.ts";

const json = { "content-type": "application/json" };

function stream(chunks: readonly Uint8Array[], pauseMilliseconds: number): Response {
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = chunks[next];
      next += 1;
      if (chunk === undefined) return controller.close();
      await Bun.sleep(pauseMilliseconds);
      controller.enqueue(chunk);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === "/health") return new Response(null);
    if (path === "/version") return Response.json({ version: "0.32.0" });
    if (path === "/v1/models") {
      return Response.json({
        object: "list",
        data: [
          { id: "m", object: "model", created: 1, owned_by: "vllm", root: "m", parent: null, max_model_len: 32768 },
        ],
      });
    }
    if (request.method !== "POST") return new Response(null, { status: 404 });
    const workload = request.headers.get("x-workload") ?? "a";
    await request.arrayBuffer();
    if (workload === "e") return stream(RESPONSES.e, 2);
    return new Response(RESPONSES[workload as "a" | "b" | "c" | "d"], { headers: json });
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
