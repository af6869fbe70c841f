/** Server-sent events of an answer as JSON values. Reads only what the commands need: `data` lines. */

/** One event is at most this long; more means that this is not our feed. */
const EVENT_LIMIT = 4 * 2 ** 20;

/** Yields the JSON of every `data` field; ends at `[DONE]` or with the body. Heartbeats are skipped. */
export async function* readEvents(response: Response): AsyncGenerator<unknown> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of response.body) {
    pending += decoder.decode(chunk, { stream: true });
    const events = pending.split(/\r?\n\r?\n/);
    pending = events.pop() ?? "";
    if (pending.length > EVENT_LIMIT) throw new Error(`an event is longer than ${EVENT_LIMIT} characters`);
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n");
      if (data === "[DONE]") return;
      if (data !== "") yield JSON.parse(data);
    }
  }
}
