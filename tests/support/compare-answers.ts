/**
 * One recorded answer beside ours: every way in which they differ, as paths. Ids, times and names of the machine may
 * have any value of their type, the text of an error too; everything else counts, logprobs to 1e-3.
 */

/** What an answer is, whatever sent it. */
export interface Answer {
  readonly status: number;
  /** Content type. */
  readonly type: string;
  readonly text: string;
}

export interface Difference {
  /** `status`, `type`, or a JSON path such as `$.choices[].text`; `events[]` stands for the data of a stream's events. */
  readonly at: string;
  readonly theirs: string;
  readonly ours: string;
}

/** Names whose values belong to one run or one program. */
const FREE = new Set(["id", "created", "system_fingerprint", "root", "owned_by", "message", "model"]);

const TOLERANCE = 1e-3;

const kindOf = (value: unknown): string =>
  value === undefined ? "absent" : value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

const LONGEST = 60;
const show = (value: unknown): string => {
  const text = value === undefined ? "absent" : (JSON.stringify(value) ?? "absent");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
};

type Report = (at: string, theirs: unknown, ours: unknown) => void;

function compareValues(at: string, theirs: unknown, ours: unknown, exact: boolean, report: Report): void {
  const kind = kindOf(theirs);
  if (kind !== kindOf(ours)) {
    report(at, theirs, ours);
    return;
  }
  if (kind === "array") {
    const [left, right] = [theirs as unknown[], ours as unknown[]];
    // Of what is drawn at random, only the form is comparable.
    if (left.length !== right.length && (exact || (left.length === 0) !== (right.length === 0))) {
      report(`${at}.length`, left.length, right.length);
    }
    for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
      compareValues(`${at}[]`, left[index], right[index], exact, report);
    }
    return;
  }
  if (kind === "object") {
    const [left, right] = [theirs as Record<string, unknown>, ours as Record<string, unknown>];
    // Maps by token or token id: drawn tokens have other keys.
    const open = !exact && Object.keys(left).every((key) => !/^[a-z_]+$/.test(key));
    const keys = open ? [] : [...new Set([...Object.keys(left), ...Object.keys(right)])];
    for (const key of keys) {
      if (FREE.has(key) && kindOf(left[key]) === kindOf(right[key])) continue;
      compareValues(`${at}.${key}`, left[key], right[key], exact, report);
    }
    return;
  }
  if (!exact || theirs === ours) return;
  const near = kind === "number" && Math.abs((theirs as number) - (ours as number)) <= TOLERANCE;
  if (!near || Number.isInteger(theirs) !== Number.isInteger(ours)) report(at, theirs, ours);
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** By choice: which of several samples speaks first is the scheduler's affair. What belongs to none stays behind. */
const choiceOf = (event: unknown): number => {
  const { choices } = (typeof event === "object" && event !== null ? event : {}) as { choices?: { index?: number }[] };
  return choices?.[0]?.index ?? Number.MAX_SAFE_INTEGER;
};

const eventsOf = (text: string): unknown[] =>
  text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => parseJson(event.replace(/^data: /, "")))
    .sort((left, right) => choiceOf(left) - choiceOf(right));

/** Every path once. `exact`: the answer is no work of chance, so that values count and not only their types. */
export function compareAnswers(theirs: Answer, ours: Answer, exact: boolean): Difference[] {
  const found = new Map<string, Difference>();
  const report: Report = (at, left, right) => {
    if (!found.has(at)) found.set(at, { at, theirs: show(left), ours: show(right) });
  };
  if (theirs.status !== ours.status) report("status", theirs.status, ours.status);
  const [left, right] = [theirs, ours].map(({ type }) => type.split(";")[0]?.trim() ?? "");
  if (left !== right) report("type", left, right);
  if (left === "text/event-stream" && right === left) {
    compareValues("events", eventsOf(theirs.text), eventsOf(ours.text), exact, report);
  } else compareValues("$", parseJson(theirs.text), parseJson(ours.text), exact, report);
  return [...found.values()];
}
