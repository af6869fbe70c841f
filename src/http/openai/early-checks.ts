/**
 * What vLLM 0.32 checks by hand before its schema (`validate_stream_options`, `check_logprobs`,
 * `check_cache_salt_support`): these refusals are of the kind `BadRequestError` also where a type is wrong.
 */
import { invalidValue } from "../../errors.ts";

type Body = Readonly<Record<string, unknown>>;

const SALT_LENGTH = 128;
/** What vLLM keeps for the keys of shared caches. */
const FORBIDDEN_IN_SALT = /[@/\\\0]/;

/** Python's truth. */
const isTrue = (value: unknown): boolean =>
  typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;
const isNumber = (value: unknown): boolean => typeof value === "number" || typeof value === "boolean";

/**
 * @param counts fields that count candidates: of completions `logprobs`, of chat `top_logprobs`
 * @throws GatewayError `invalid_value`
 */
export function checkEarly(body: Body, counts: readonly string[]): void {
  const { stream, stream_options: options, cache_salt: salt } = body;
  if (isTrue(options) && !isTrue(stream))
    throw invalidValue("stream_options", options, "left out unless stream is true");
  for (const name of [...counts, "prompt_logprobs"]) {
    if (isGiven(body[name]) && !isNumber(body[name])) throw invalidValue(name, body[name], "an integer");
  }
  if (isGiven(salt) && (typeof salt !== "string" || salt === "")) {
    throw invalidValue("cache_salt", salt, "a non-empty string");
  }
  if (typeof salt === "string" && (salt.length > SALT_LENGTH || FORBIDDEN_IN_SALT.test(salt))) {
    throw invalidValue("cache_salt", salt, `at most ${SALT_LENGTH} characters, without "@", "/", "\\" and NUL`);
  }
}
