/**
 * Edits a JSON object as text: the named members change, every other byte stays. Files written by Python hold numbers
 * (`1e-05`, `10000.0`, 30-digit integers) that would come out differently after parsing and printing.
 * Expects text that `JSON.parse` has accepted as an object; knows nothing of what the members mean.
 */

/** JSON that is put in as it is. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

interface Member {
  readonly key: string;
  /** Position of the opening quote of the key. */
  readonly start: number;
  readonly valueStart: number;
  /** Exclusive. */
  readonly end: number;
}

const SPACE = /[ \n\r\t]*/y;
const MARK = /["{}[\]]/g;
const SCALAR = /[^,}\] \n\r\t]*/y;

const skip = (pattern: RegExp, text: string, from: number): number => {
  pattern.lastIndex = from;
  pattern.test(text);
  return pattern.lastIndex;
};

/** End of the string whose opening quote is at `from`. */
function endOfString(text: string, from: number): number {
  for (let end = from + 1; ; end += 1) {
    end = text.indexOf('"', end);
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
}

function endOfValue(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first !== "{" && first !== "[") return skip(SCALAR, text, from);
  let depth = 0;
  MARK.lastIndex = from;
  for (;;) {
    const found = MARK.exec(text)?.[0];
    if (found === undefined) throw new SyntaxError("unexpected end of JSON");
    if (found === '"') MARK.lastIndex = endOfString(text, MARK.lastIndex - 1);
    else depth += found === "{" || found === "[" ? 1 : -1;
    if (depth === 0) return MARK.lastIndex;
  }
}

function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let at = skip(SPACE, text, text.indexOf("{") + 1);
  while (text[at] === '"') {
    const start = at;
    const keyEnd = endOfString(text, at);
    const valueStart = skip(SPACE, text, skip(SPACE, text, keyEnd) + 1);
    const end = endOfValue(text, valueStart);
    members.push({ key: JSON.parse(text.slice(start, keyEnd)) as string, start, valueStart, end });
    at = skip(SPACE, text, end);
    if (text[at] === ",") at = skip(SPACE, text, at + 1);
  }
  return members;
}

/** The text of one member's value; of the last one when the key is doubled, as `JSON.parse` has it. */
export function memberText(text: string, key: string): string | undefined {
  const member = membersOf(text).findLast((one) => one.key === key);
  return member === undefined ? undefined : text.slice(member.valueStart, member.end);
}

/** As Python's `json.dumps(indent=2)`, or on one line where the file is on one line. */
function print(value: unknown, lead: string): string {
  if (value instanceof RawJson) return value.text;
  if (!lead.includes("\n")) return JSON.stringify(value);
  const own = lead.slice(lead.lastIndexOf("\n") + 1);
  return JSON.stringify(value, null, 2).replaceAll("\n", `\n${own}`);
}

/**
 * Sets members, adds those that are not there (in order where the keys are sorted, else at the end) and removes those
 * whose value is undefined.
 *
 * @example
 * ```ts
 * import { editJson } from "./json-edit.ts";
 * const text = editJson('{\n  "eps": 1e-05,\n  "rows": 10\n}', { rows: 12 });
 * if (text !== '{\n  "eps": 1e-05,\n  "rows": 12\n}') throw new Error(text);
 * ```
 */
export function editJson(text: string, edits: Readonly<Record<string, unknown>>): string {
  const members = membersOf(text);
  const first = members[0];
  const lead = first === undefined ? "\n  " : text.slice(text.indexOf("{") + 1, first.start);
  const sorted = members.every(({ key }, index) => index === 0 || members[index - 1]!.key <= key);
  const known = new Set(members.map(({ key }) => key));
  const kept = members
    .filter(({ key }) => !Object.hasOwn(edits, key) || edits[key] !== undefined)
    .map(({ key, start, end, valueStart }) => ({
      key,
      text: Object.hasOwn(edits, key)
        ? text.slice(start, valueStart) + print(edits[key], lead)
        : text.slice(start, end),
    }));
  for (const [key, value] of Object.entries(edits)) {
    if (value === undefined || known.has(key)) continue;
    const after = sorted ? kept.findIndex((item) => item.key > key) : -1;
    kept.splice(after < 0 ? kept.length : after, 0, { key, text: `${JSON.stringify(key)}: ${print(value, lead)}` });
  }
  const last = members.at(-1);
  const open = text.indexOf("{") + 1;
  if (kept.length === 0) return `${text.slice(0, open)}${text.slice(text.lastIndexOf("}"))}`;
  const tail = last === undefined ? `\n${text.slice(text.lastIndexOf("}"))}` : text.slice(last.end);
  const between = lead.includes("\n") ? `,${lead}` : `, `;
  return `${text.slice(0, open)}${lead}${kept.map((item) => item.text).join(between)}${tail}`;
}
