/** Calls recorded from vLLM (tests/fixtures/vllm), made again; and the data file that says where answers may differ. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Answer, Difference } from "./compare-answers.ts";

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** A body that is no JSON. */
  readonly raw?: string;
}

export interface Recorded {
  readonly case: string;
  readonly request: RecordedRequest;
  readonly response: { readonly status: number; readonly type: string; readonly body?: unknown; readonly raw?: string };
}

/** Differences with one reason: in the cases named (a `*` stands for anything), at the paths named and below them. */
export interface Listed {
  readonly cases: readonly string[];
  readonly at: readonly string[];
  readonly reason: string;
}

/** tests/fixtures/vllm/differences.json. */
export interface ListedDifferences {
  /** Of single calls. */
  readonly differences: readonly Listed[];
  /** Of calls that depend on each other. */
  readonly in_scenarios: readonly Listed[];
  /** Recordings of what an embedded replica does not have. */
  readonly not_replayed: readonly { readonly cases: readonly string[]; readonly reason: string }[];
}

/** The path of a file beside the recordings. */
export const recordingPath = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/vllm/${name}`, import.meta.url));

/** A JSON file beside the recordings. */
export const readRecording = <T>(name: string): T => JSON.parse(readFileSync(recordingPath(name), "utf8")) as T;

const toPattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[.+?^$()|[\]\\{}]/g, "\\$&").replaceAll("*", ".*")}$`);

/** Does a name with stars stand for this one? */
export const matches = (pattern: string, text: string): boolean => toPattern(pattern).test(text);

const covers = (at: string, path: string): boolean =>
  matches(at, path) || toPattern(`${at}.*`).test(path) || toPattern(`${at}[]*`).test(path);

/** The call, made here. */
export async function callAgain(url: string, request: RecordedRequest, signal?: AbortSignal): Promise<Response> {
  const { body: given } = request;
  const body = request.raw ?? (given === undefined ? undefined : JSON.stringify(given));
  return fetch(`${url}${request.path}`, {
    method: request.method,
    redirect: "manual",
    headers: { ...request.headers },
    ...(body === undefined || request.method === "GET" || request.method === "HEAD" ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  });
}

export async function toAnswer(response: Response): Promise<Answer> {
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    text: await response.text(),
  };
}

export function recordedAnswer({ response }: Pick<Recorded, "response">): Answer {
  const { status, type, raw, body } = response;
  return { status, type, text: raw ?? (typeof body === "string" ? body : JSON.stringify(body)) };
}

export type Found = Difference & { readonly case: string };

/** What is found and not listed, and what is listed and not found: lines, both empty when all is as the list says. */
export function compareWithList(
  found: readonly Found[],
  listed: readonly Listed[],
): { readonly unlisted: readonly string[]; readonly gone: readonly string[] } {
  const used = new Set<string>();
  const unlisted = found.filter((difference) => {
    let known = false;
    for (const [index, entry] of listed.entries()) {
      const inCase = entry.cases.find((name) => matches(name, difference.case));
      const at = entry.at.find((path) => covers(path, difference.at));
      if (inCase === undefined || at === undefined) continue;
      used.add(`${index} case ${inCase}`).add(`${index} at ${at}`);
      known = true;
    }
    return !known;
  });
  const gone = listed.flatMap(({ cases, at }, index) => [
    ...cases.filter((name) => !used.has(`${index} case ${name}`)).map((name) => `entry ${index}: case ${name}`),
    ...at.filter((path) => !used.has(`${index} at ${path}`)).map((path) => `entry ${index}: at ${path}`),
  ]);
  return {
    unlisted: unlisted.map((one) => `${one.case}: ${one.at}: theirs ${one.theirs}, ours ${one.ours}`),
    gone,
  };
}
