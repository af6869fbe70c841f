/**
 * Random requests as strangers send them: completions of texts, token ids and several prompts, chats; lengths, sampling
 * settings, `n`, stops; whole and streamed; some are cut off. Drawn from one seed, sent in random arrival, then each once
 * more alone. Knows HTTP only.
 */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function createDraw(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Plan {
  readonly index: number;
  readonly path: "/v1/completions" | "/v1/chat/completions";
  /** Without `stream`. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly stream: boolean;
  /** Neither greedy nor seeded ones of a request are left to chance; this one says which it is. */
  readonly greedy: boolean;
  /** Milliseconds after the one before it. */
  readonly gap: number;
  /** Chunks (streams) or milliseconds (whole answers) after which the client leaves; null = it stays. */
  readonly leave: number | null;
}

export interface PlanOptions {
  readonly seed: number;
  readonly requests: number;
  /** Mean milliseconds between two arrivals. */
  readonly meanGap: number;
  readonly maxTokens: number;
  /** Tokens of the longest prompt of ids. */
  readonly maxPrompt: number;
  /** Share of the requests whose client leaves early. */
  readonly leaving: number;
}

const STEMS = [
  "What is 17 + 25?",
  "What is 42 - 17? Please answer with the number alone, and with nothing before it.",
  "The quick brown fox jumps over the lazy dog. ",
  "Once upon a time there was a gateway that stood between those who train and those who serve. ",
  "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25",
];
const STOPS = ["4", "\n", "the", " 1", "?"];

/** What one seed gives, in order of arrival. */
export function planLoad({ seed, requests, meanGap, maxTokens, maxPrompt, leaving }: PlanOptions): Plan[] {
  const draw = createDraw(seed);
  const below = (limit: number): number => Math.floor(draw() * limit);
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const maybe = (share: number, fields: () => Record<string, unknown>) => (draw() < share ? fields() : {});
  // Starts that several prompts share: what the prefix cache is for.
  const shared = Array.from({ length: 6 }, () => Array.from({ length: maxPrompt }, () => 3 + below(500)));
  const ids = (): number[] => [
    ...oneOf(shared).slice(0, 1 + below(maxPrompt - 4)),
    ...Array.from({ length: below(4) }, () => 3 + below(500)),
  ];
  const text = (): string => `${oneOf(STEMS).repeat(1 + below(3))}${below(100)}`;
  return Array.from({ length: requests }, (_, index): Plan => {
    const greedy = draw() < 0.5;
    const chat = draw() < 0.3;
    const sampled = (): Record<string, unknown> => ({
      temperature: oneOf([0.3, 0.7, 1, 1.4]),
      seed: below(2 ** 31),
      ...maybe(0.4, () => ({ top_p: oneOf([0.5, 0.9, 0.95]) })),
      ...maybe(0.3, () => ({ top_k: oneOf([1, 5, 40]) })),
      ...maybe(0.2, () => ({ min_p: oneOf([0.02, 0.2]) })),
      ...maybe(0.3, () => ({ n: 2 + below(4) })),
    });
    const stream = draw() < 0.5;
    const body = {
      ...(chat
        ? { messages: [{ role: "user", content: text() }] }
        : { prompt: oneOf<() => unknown>([text, ids, ids, () => [ids(), ids(), ids()]])() }),
      max_tokens: 1 + below(maxTokens),
      return_token_ids: true,
      ...(greedy ? { temperature: 0 } : sampled()),
      ...maybe(0.3, () => ({ ignore_eos: true })),
      ...maybe(0.2, () => ({ stop: [oneOf(STOPS)] })),
      ...maybe(0.1, () => ({ stop_token_ids: [3 + below(500)] })),
      ...maybe(0.1, () => ({ repetition_penalty: 1.2 })),
      ...maybe(0.1, () => ({ presence_penalty: 0.5, frequency_penalty: 0.2 })),
      ...maybe(0.1, () => ({ min_tokens: 1 })),
      ...maybe(0.1, () => ({ logprobs: chat ? true : 2 })),
      ...(stream ? {} : maybe(0.08, () => ({ prompt_logprobs: 1 }))),
    };
    const leave = draw() < leaving ? 1 + below(stream ? 12 : 60) : null;
    const gap = -Math.log(1 - draw()) * meanGap;
    return { index, path: chat ? "/v1/chat/completions" : "/v1/completions", body, stream, greedy, gap, leave };
  });
}

interface Piece {
  readonly index: number;
  readonly text?: string;
  readonly message?: { readonly content: string | null };
  readonly delta?: { readonly content?: string | null };
  readonly token_ids?: readonly number[] | null;
  readonly finish_reason?: string | null;
}
interface Body {
  readonly choices?: readonly Piece[];
  readonly usage?: { readonly prompt_tokens_details?: { readonly cached_tokens: number } | null } | null;
  readonly error?: { readonly message: string };
}

/** What came of one sample. */
export interface Sample {
  text: string;
  readonly ids: number[];
  finish: string | null;
}

export interface Answer {
  /** null: the client left first. */
  readonly status: number | null;
  /** By index; of a client that left, what it had by then. */
  readonly samples: Map<number, Sample>;
  readonly cachedTokens: number;
  /** What a refusal or a broken stream said. */
  readonly error: string | null;
}

function take(samples: Map<number, Sample>, choices: readonly Piece[] | undefined): void {
  for (const { index, text, message, delta, token_ids, finish_reason } of choices ?? []) {
    let sample = samples.get(index);
    if (sample === undefined) {
      sample = { text: "", ids: [], finish: null };
      samples.set(index, sample);
    }
    sample.text += text ?? message?.content ?? delta?.content ?? "";
    sample.ids.push(...(token_ids ?? []));
    if (finish_reason !== null && finish_reason !== undefined) sample.finish = finish_reason;
  }
}

const cachedOf = (body: Body): number => body.usage?.prompt_tokens_details?.cached_tokens ?? 0;

/** Sends one. Never rejects over what the server or the client's leaving does. */
export async function send(url: string, plan: Plan, alone = false): Promise<Answer> {
  const stream = plan.stream && !alone;
  const leave = alone ? null : plan.leave;
  const controller = new AbortController();
  const samples = new Map<number, Sample>();
  let cachedTokens = 0;
  let left = false;
  const quit = (): void => {
    left = true;
    controller.abort();
  };
  const timer = leave !== null && !stream ? setTimeout(quit, leave) : undefined;
  try {
    const response = await fetch(`${url}${plan.path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...plan.body, stream, ...(stream ? { stream_options: { include_usage: true } } : {}) }),
      signal: controller.signal,
    });
    if (!stream || response.status !== 200 || response.body === null) {
      const body = (await response.json()) as Body;
      take(samples, body.choices);
      return { status: response.status, samples, cachedTokens: cachedOf(body), error: body.error?.message ?? null };
    }
    let rest = "";
    let chunks = 0;
    const decoder = new TextDecoder();
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue;
        if (line === "data: [DONE]") return { status: 200, samples, cachedTokens, error: null };
        const body = JSON.parse(line.slice(6)) as Body;
        if (body.error !== undefined) return { status: 200, samples, cachedTokens, error: body.error.message };
        take(samples, body.choices);
        cachedTokens += cachedOf(body);
        chunks += 1;
      }
      if (leave !== null && chunks >= leave) {
        quit();
        return { status: null, samples, cachedTokens, error: null };
      }
    }
    return { status: 200, samples, cachedTokens, error: "the stream ended without [DONE]" };
  } catch (error) {
    if (left) return { status: null, samples, cachedTokens, error: null };
    return { status: null, samples, cachedTokens, error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** Sends all in their random arrival; resolves when the last has ended. */
export async function arrive(url: string, plans: readonly Plan[]): Promise<Answer[]> {
  const answers: Promise<Answer>[] = [];
  for (const plan of plans) {
    await new Promise((resolve) => setTimeout(resolve, plan.gap));
    answers.push(send(url, plan));
  }
  return await Promise.all(answers);
}

export interface Comparison {
  readonly compared: number;
  readonly left: number;
  readonly cachedTokens: number;
  /** One sentence each. */
  readonly differences: readonly string[];
}

const startsWith = (whole: readonly number[], part: readonly number[]): boolean =>
  part.every((id, at) => whole[at] === id);

/** Why a sample is not that of the request alone; null when it is. A client that left has a beginning of it. */
function differs(got: Sample, want: Sample | undefined, left: boolean): string | null {
  if (want === undefined) return "is not there when alone";
  if (left) return startsWith(want.ids, got.ids) && want.text.startsWith(got.text) ? null : "is no beginning of it";
  if (got.ids.join() !== want.ids.join()) {
    const at = got.ids.findIndex((id, index) => id !== want.ids[index]);
    return `has other tokens from ${at} on: ${got.ids.slice(at, at + 4)} not ${want.ids.slice(at, at + 4)}`;
  }
  if (got.text !== want.text) return `has the text ${JSON.stringify(got.text)}, not ${JSON.stringify(want.text)}`;
  return got.finish === want.finish ? null : `ends with ${got.finish}, not ${want.finish}`;
}

/** Sends every plan once more, one at a time, and compares. */
export async function compareAlone(
  url: string,
  plans: readonly Plan[],
  answers: readonly Answer[],
  onDone: (done: number) => void = () => {},
): Promise<Comparison> {
  const differences: string[] = [];
  let left = 0;
  for (const [at, plan] of plans.entries()) {
    const answer = answers[at]!;
    const name = `request ${plan.index} (${plan.greedy ? "greedy" : "seeded"}${plan.stream ? ", streamed" : ""})`;
    if (answer.error !== null || (answer.status ?? 200) !== 200) {
      differences.push(`${name}: ${answer.status ?? "no status"} ${answer.error}`);
      continue;
    }
    if (answer.status === null) left += 1;
    const alone = await send(url, plan, true);
    if (alone.status !== 200) differences.push(`${name} alone: ${alone.status} ${alone.error}`);
    if (answer.status !== null && answer.samples.size !== alone.samples.size) {
      differences.push(`${name}: ${answer.samples.size} samples, alone ${alone.samples.size}`);
    }
    for (const [index, sample] of answer.samples) {
      const why = differs(sample, alone.samples.get(index), answer.status === null);
      if (why !== null) differences.push(`${name}, sample ${index}: ${why}; ${JSON.stringify(plan.body)}`);
    }
    onDone(at + 1);
  }
  const cachedTokens = answers.reduce((sum, answer) => sum + answer.cachedTokens, 0);
  return { compared: plans.length - left, left, cachedTokens, differences };
}

interface FleetBody {
  readonly servers: readonly {
    readonly state: string;
    readonly in_flight: number;
    readonly details: Readonly<Record<string, unknown>>;
  }[];
}

/** Requests and sequences that the gateway and its workers still hold; waits some seconds for zero. */
export async function whatIsLeft(url: string): Promise<Readonly<Record<string, number>>> {
  let left: Record<string, number> = {};
  for (let tries = 0; tries < 60; tries += 1) {
    const { servers } = (await (await fetch(`${url}/api/fleet`)).json()) as FleetBody;
    const sum = (value: (server: FleetBody["servers"][number]) => unknown): number =>
      servers.reduce((total, server) => total + Number(value(server)), 0);
    left = {
      in_flight: sum(({ in_flight }) => in_flight),
      running: sum(({ details }) => details.running_sequences),
      waiting: sum(({ details }) => details.waiting_sequences),
    };
    if (Object.values(left).every((count) => count === 0)) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return left;
}
