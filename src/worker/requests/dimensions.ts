/** Which lengths of an embedding a model was trained for: vLLM 0.32's `is_matryoshka` and `matryoshka_dimensions`. Pure. */
import type { Pooling } from "../../contract/generation.ts";
import { GatewayError } from "../../errors.ts";

/** What config.json says of shorter embeddings: none, any, or these. */
export type Matryoshka = boolean | readonly number[];

/** What of a model its embeddings depend on. */
export interface EmbeddingModel {
  /** Lengths of shorter embeddings; default none. */
  readonly matryoshka?: Matryoshka;
  /** Numbers of a hidden state. */
  readonly hiddenSize: number;
}

/** Reads `matryoshka_dimensions` and `is_matryoshka` of config.json. */
export function toMatryoshka(config: Readonly<Record<string, unknown>>): Matryoshka {
  const { matryoshka_dimensions: dimensions, is_matryoshka: any } = config;
  if (!Array.isArray(dimensions) || dimensions.length === 0) return any === true;
  return dimensions.filter((one): one is number => Number.isInteger(one));
}

const refuse = (message: string): GatewayError => new GatewayError("invalid_value", message, { param: "dimensions" });

/** Throws GatewayError `invalid_value` for a length that the model was not trained for. */
export function checkDimensions({ dimensions }: Pooling, { matryoshka = false, hiddenSize }: EmbeddingModel): void {
  if (dimensions === undefined) return;
  if (matryoshka === false) {
    throw refuse(
      `The model does not support Matryoshka embeddings; dimensions must be unset (received dimensions=${dimensions}).`,
    );
  }
  if (dimensions < 1 || dimensions > hiddenSize) {
    throw refuse(`The model only supports dimensions in range [1, ${hiddenSize}], got ${dimensions}.`);
  }
  if (matryoshka !== true && !matryoshka.includes(dimensions)) {
    throw refuse(`The model only supports Matryoshka dimensions [${matryoshka.join(", ")}], got ${dimensions}.`);
  }
}
