/**
 * The client: every route typed from the OpenAPI document, plus a reader of event streams, which OpenAPI cannot
 * describe. Plain JavaScript, so that it runs unbuilt from node_modules; the types are in index.d.ts.
 */
import createFetchClient from "openapi-fetch";

/** Creates a client. */
export function createTidegateClient({ baseUrl = "http://127.0.0.1:8000", apiKey, ...options } = {}) {
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  return createFetchClient({ ...options, baseUrl, headers: { ...headers, ...options.headers } });
}

/** One event of server-sent-events text without its empty line; undefined for comments. */
function parseEvent(text) {
  const event = { event: "message", id: undefined, data: "" };
  const data = [];
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf(":");
    if (at === 0 || line === "") continue;
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "event") event.event = value;
    else if (name === "id") event.id = value;
  }
  return data.length === 0 ? undefined : { ...event, data: data.join("\n") };
}

/** Reads a body of server-sent events. Leaving the loop cancels the body. */
export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.search(/\r?\n\r?\n/); end >= 0; end = text.search(/\r?\n\r?\n/)) {
        const event = parseEvent(text.slice(0, end));
        text = text.slice(end).replace(/^\r?\n\r?\n/, "");
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel();
  }
}

/** A call that the gateway refused; `problem` is the body it answered with. */
export class TidegateError extends Error {
  name = "TidegateError";
  constructor(response, problem) {
    super(problem?.detail ?? `The gateway answered ${response.status}.`);
    this.status = response.status;
    this.code = problem?.code;
    this.problem = problem;
  }
}

/** Follows a weight sync to its end: yields it after every change, the final state last. */
export async function* followWeightSync(client, id, { signal } = {}) {
  const { data, error, response } = await client.GET("/api/weight-syncs/{id}/events", {
    params: { path: { id } },
    parseAs: "stream",
    signal,
  });
  if (!response.ok || data === undefined || data === null) throw new TidegateError(response, error);
  for await (const event of readEvents(data)) {
    if (event.event === "sync") yield JSON.parse(event.data).sync;
  }
}
