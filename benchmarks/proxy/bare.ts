/** The floor: the shortest reverse proxy that Bun allows. `bun benchmarks/proxy/bare.ts UPSTREAM` */
const upstream = process.argv[2] ?? "";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  fetch(request) {
    const { pathname, search } = new URL(request.url);
    return fetch(upstream + pathname + search, {
      method: request.method,
      headers: request.headers,
      body: request.body,
    });
  },
});
console.log(`listening on http://127.0.0.1:${server.port}`);
