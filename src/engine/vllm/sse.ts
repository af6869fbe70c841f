/**
 * Reads server-sent events from an upstream: lenient (any line ending, comments, fields in any order), with every
 * length bounded. Gives the `data` of each event and nothing else.
 */
import { GatewayError } from "../../errors.ts";

/** Longest event. One with 20 candidates for each of a few hundred tokens is some 100 KB; 16 MiB is no stream any more. */
const EVENT_LIMIT = 16 * 1024 * 1024;

/** The data of every event, lines of one event joined by "\n". Ends with the body; a last event without its blank line counts. */
export async function* readEvents(body: ReadableStream<Uint8Array>, limit = EVENT_LIMIT): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  let size = 0;
  // "\r\n" may be cut between two chunks: then the "\n" that follows belongs to it.
  let skipNewline = false;

  const tooLong = (): GatewayError =>
    new GatewayError("upstream_failed", `An upstream sent an event of more than ${limit} characters.`);
  function onLine(line: string): string | undefined {
    if (line === "") {
      if (data.length === 0) return undefined;
      const event = data.join("\n");
      data = [];
      size = 0;
      return event;
    }
    if (!line.startsWith("data")) return undefined;
    const value = line === "data" ? "" : line[4] === ":" ? line.slice(line[5] === " " ? 6 : 5) : undefined;
    if (value === undefined) return undefined;
    size += value.length;
    if (size > limit) throw tooLong();
    data.push(value);
    return undefined;
  }

  try {
    for (;;) {
      const { done, value } = await reader.read();
      let text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (skipNewline && text.startsWith("\n")) text = text.slice(1);
      if (text !== "") skipNewline = false;
      const lines = (rest + text).split(/\r\n|\r|\n/);
      if (text.endsWith("\r")) skipNewline = true;
      rest = lines.pop() ?? "";
      if (rest.length > limit) throw tooLong();
      for (const line of lines) {
        const event = onLine(line);
        if (event !== undefined) yield event;
      }
      if (!done) continue;
      const last = onLine(rest) ?? onLine("");
      if (last !== undefined) yield last;
      return;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** JSON as Python writes it: bare NaN and Infinity, which JSON.parse refuses, become null. Strings stay as they are. */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const mended = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (match) =>
      match.startsWith('"') ? match : "null",
    );
    return JSON.parse(mended) as unknown;
  }
}
