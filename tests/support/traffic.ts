/** Generations over several gateways while a test does its worst, and the judgement of every answer. */
import { postJson } from "../system/serve.ts";

/** What came of the traffic. */
export interface Traffic {
  readonly answers: number;
  /** What must not be: an answer whose text is not that of its version, a status that no client can use. */
  readonly wrong: readonly string[];
  /** By status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Where to ask from now on. */
  aim(urls: readonly string[]): void;
  stop(): Promise<void>;
}

/** Statuses that say "later": nothing was answered. */
const LATER = new Set([503, 504]);

/** Starts `lanes` loops per gateway. The same prompt, greedy: one version has one answer, whoever gives it. */
export function startTraffic(first: readonly string[], lanes = 2): Traffic {
  let urls = first;
  let running = true;
  let answers = 0;
  const wrong: string[] = [];
  const statuses = new Map<number, number>();
  const texts = new Map<string, string>();

  async function lane(at: number): Promise<void> {
    while (running) {
      const url = urls[at % urls.length];
      if (url !== undefined) {
        try {
          const { status, headers, body } = await postJson<{ choices?: { text: string; finish_reason?: string }[] }>(
            `${url}/v1/completions`,
            { model: "tiny", prompt: "The gateway", max_tokens: 6, temperature: 0 },
            { "x-request-timeout": "5" },
          );
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          const version = headers.get("x-weight-version") ?? "";
          const { text = "", finish_reason: reason } = body.choices?.[0] ?? {};
          if (status === 200) {
            answers += 1;
            const known = texts.get(version);
            // A sync that ends what runs leaves the beginning of an answer.
            if (reason === "abort") {
              if (known?.startsWith(text) === false) wrong.push(`${version}: ${text}, no beginning of ${known}`);
            } else if (known === undefined) texts.set(version, text);
            else if (known !== text)
              wrong.push(`${headers.get("x-served-by")} at ${url} as version ${version}: ${text}, not ${known}`);
          } else if (!LATER.has(status)) wrong.push(`${status} at ${url}: ${JSON.stringify(body).slice(0, 300)}`);
          else if (status === 503 && headers.get("retry-after") === null)
            wrong.push(`503 without retry-after at ${url}`);
        } catch {
          // The gateway was just killed.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  const all = Array.from({ length: lanes * first.length }, (_, at) => lane(at));
  return {
    get answers() {
      return answers;
    },
    wrong,
    statuses,
    aim(next) {
      urls = next;
    },
    async stop() {
      running = false;
      await Promise.all(all);
    },
  };
}
