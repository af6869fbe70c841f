/** Greedy streams without end against one server, and what came of each: for looking at a switch of weights from outside. */

/** One finished completion. */
export interface Finished {
  readonly prompt: string;
  readonly text: string;
  /** Weight version at the head of the answer and in its last chunk. */
  readonly first: string;
  readonly last: string;
}

const HEADERS = { "content-type": "application/json" };

/** Bodies of the completions that are sent. */
const toBody = (prompt: string, tokens: number, stream: boolean): string =>
  JSON.stringify({ prompt, max_tokens: tokens, ignore_eos: true, temperature: 0, stream });

/** The greedy answer to a prompt, whole. */
export async function ask(url: string, prompt: string, tokens: number): Promise<string> {
  const body = toBody(prompt, tokens, false);
  const response = await fetch(`${url}/v1/completions`, { method: "POST", headers: HEADERS, body });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return ((await response.json()) as { choices: { text: string }[] }).choices[0]?.text ?? "";
}

async function readStream(url: string, prompt: string, tokens: number, onToken: () => void): Promise<Finished> {
  const body = toBody(prompt, tokens, true);
  const response = await fetch(`${url}/v1/completions`, { method: "POST", headers: HEADERS, body });
  if (response.status !== 200 || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  const decoder = new TextDecoder();
  let [rest, text, last] = ["", "", ""];
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const chunk = JSON.parse(line.slice(6)) as {
        choices?: { text: string }[];
        weight_version?: unknown;
        error?: unknown;
      };
      if (chunk.error !== undefined) throw new Error(line);
      text += chunk.choices?.[0]?.text ?? "";
      if (chunk.weight_version !== undefined) last = JSON.stringify(chunk.weight_version);
      onToken();
    }
  }
  return { prompt, text, first: response.headers.get("x-weight-version") ?? "", last };
}

/** Streams that begin anew whenever they end. */
export interface Streams {
  /** Every chunk that came, in milliseconds of `performance.now()`. */
  readonly chunks: readonly number[];
  readonly finished: readonly Finished[];
  /** Rejects when a stream failed. */
  stop(): Promise<void>;
}

/** Runs `count` streams at a time over the prompts, from now until they are stopped. */
export function runStreams(url: string, prompts: readonly string[], count: number, tokens: number): Streams {
  const chunks: number[] = [];
  const finished: Finished[] = [];
  let running = true;
  const all = Promise.all(
    Array.from({ length: count }, async (_, index) => {
      // Of different lengths, so that they do not end all at once.
      for (let turn = index; running; turn += 1) {
        const prompt = prompts[turn % prompts.length] ?? "";
        finished.push(await readStream(url, prompt, tokens - (turn % 4), () => void chunks.push(performance.now())));
      }
    }),
  );
  all.catch(() => {});
  return {
    chunks,
    finished,
    async stop() {
      running = false;
      await all;
    },
  };
}
