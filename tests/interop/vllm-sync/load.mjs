// Streams that run all the while, and what they must say: each answer is that of one version, token for token.

export const PROMPTS = [
  [5, 6, 7, 8],
  [100, 40, 33],
  [9, 9, 250, 17, 60, 3],
];
/** Tokens per answer; every answer has exactly so many. */
export const LENGTH = 48;

const fields = (prompt) => ({
  model: "tide-nano",
  prompt,
  max_tokens: LENGTH,
  ignore_eos: true,
  temperature: 0,
  return_token_ids: true,
});

/** Token ids of one greedy answer. */
export async function greedy(url, prompt) {
  const answer = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fields(prompt)),
  });
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()).choices[0].token_ids;
}

async function stream(url, prompt) {
  const answer = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...fields(prompt), stream: true }),
  });
  const text = await answer.text();
  if (answer.status !== 200) return { bad: `${answer.status}: ${text.slice(0, 300)}` };
  const events = text.split("\n\n").filter((event) => event.startsWith("data: {"));
  const ids = [];
  for (const event of events) {
    const body = JSON.parse(event.slice(6));
    if (body.error) return { bad: event };
    for (const choice of body.choices ?? []) ids.push(...(choice.token_ids ?? []));
  }
  return { version: answer.headers.get("x-weight-version"), by: answer.headers.get("x-served-by"), ids };
}

/** Starts `count` streams, each one after the other, until `stop`; it resolves with all answers. */
export function startLoad(url, count) {
  let go = true;
  const answers = [];
  const one = async (at) => {
    for (let turn = at; go; turn += 1) {
      const prompt = turn % PROMPTS.length;
      try {
        answers.push({ prompt, ...(await stream(url, PROMPTS[prompt])) });
      } catch (error) {
        answers.push({ prompt, bad: String(error) });
      }
    }
  };
  const running = Array.from({ length: count }, (_, at) => one(at));
  return {
    answers,
    async stop() {
      go = false;
      await Promise.all(running);
      return answers;
    },
  };
}
