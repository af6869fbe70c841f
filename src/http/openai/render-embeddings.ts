/** Vectors of one generation → the answer of `/v1/embeddings`, field for field as vLLM 0.32 writes it, plus the weight stamp. */
import type { GenerateEvent } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";
import type { Stamp } from "../../gateway-types.ts";
import { toBase64 } from "../../lib/base64.ts";
import type { VersionSpan } from "../stamp.ts";
import { toUsage, toWeightFields } from "./answer-fields.ts";
import type { ParsedEmbedding } from "./embedding-request.ts";

/** Every number's bytes the other way round. */
function toBigEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setFloat32(4 * index, value);
  return bytes;
}

const toShown = (values: Float32Array, { format, bigEndian }: ParsedEmbedding): readonly number[] | string => {
  if (format === "float") return Array.from(values);
  return toBase64(bigEndian ? toBigEndian(values) : values);
};

/** Reads all events. Rejects when the generation fails, and when a pause or a switch of weights ended it. */
export async function renderEmbeddings(
  events: AsyncIterable<GenerateEvent>,
  parsed: ParsedEmbedding,
  stamp: Stamp,
): Promise<{ readonly body: string; readonly span: VersionSpan }> {
  const data = parsed.request.prompts.map((_, index) => ({
    index,
    object: "embedding",
    embedding: null as readonly number[] | string | null,
  }));
  let span: VersionSpan = { first: stamp.weightVersion, last: stamp.weightVersion };
  const counts = { prompt: 0, completion: 0, cached: 0 };
  for await (const event of events) {
    if (event.type === "end") span = { first: event.firstVersion, last: event.lastVersion };
    else if (event.type === "prompt") {
      counts.prompt += event.tokenIds.length;
      counts.cached += event.cachedTokens;
    } else if (event.type === "embedding") {
      const item = data[event.prompt];
      if (item !== undefined) item.embedding = toShown(event.values, parsed);
    }
  }
  if (data.some((item) => item.embedding === null)) {
    throw new GatewayError("no_replica", "The embedding was ended by a pause or a switch of weights; send it again.", {
      retryAfter: 1,
    });
  }
  const body = JSON.stringify({
    id: parsed.id,
    object: "list",
    created: parsed.created,
    model: stamp.model,
    data,
    usage: toUsage(counts),
    ...toWeightFields(stamp, span),
  });
  return { body, span };
}
