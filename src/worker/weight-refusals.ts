/**
 * What is said of weights that are not the model's: file, tensor, what there is, what is accepted, and the mend. Tensors
 * that were sent have no file that the sender knows: none is named then. Reads nothing.
 */
import { type ErrorCode, GatewayError, showValue } from "../errors.ts";

type WeightsCode = Extract<ErrorCode, `weights_${string}`>;

const FLOATS = "F32, F16 or BF16";
/** The last sentence where a file stands beside a configuration that it does not follow. */
const MEND = "Take the config.json and the weights of one and the same model.";

const refuse = (code: WeightsCode, tensor: string, file: string | undefined, message: string): GatewayError =>
  new GatewayError(code, file === undefined ? message : `${file}: ${message}`, { tensor });

const withMend = (message: string, file: string | undefined) => (file === undefined ? message : `${message} ${MEND}`);

/** A tensor that the configuration asks for. `file`: the model's directory or file. */
export function missingTensor(tensor: string, file: string | undefined): GatewayError {
  const hint =
    tensor === "lm_head.weight"
      ? " If the head is the embedding, config.json must say tie_word_embeddings: true."
      : file === undefined
        ? ""
        : ` The model's configuration asks for it. ${MEND}`;
  return refuse("weights_missing_tensor", tensor, file, `Tensor ${tensor} is missing.${hint}`);
}

/** One that it does not ask for. */
export function unexpectedTensor(tensor: string, file: string | undefined, tied: boolean): GatewayError {
  const why = tied && tensor === "lm_head.weight" ? " (its embeddings are tied: the head is the embedding)" : "";
  const message = `Tensor ${showValue(tensor)} is not part of this model${why}.`;
  return refuse("weights_unexpected_tensor", tensor, file, withMend(message, file));
}

/** A head beside the embedding that it is said to be. */
export function otherHead(tensor: string, file: string | undefined): GatewayError {
  return refuse(
    "weights_unexpected_tensor",
    tensor,
    file,
    `Tensor ${tensor} is not the embedding, although the model's embeddings are tied. ` +
      "Leave it out, or say tie_word_embeddings: false in config.json.",
  );
}

/** One of another shape. */
export function wrongShape(
  tensor: string,
  file: string | undefined,
  shape: readonly number[],
  wanted: readonly number[],
): GatewayError {
  const message = `Tensor ${tensor} must have shape ${showValue(wanted)} as the model's configuration says, got ${showValue(shape)}.`;
  return refuse("weights_shape_mismatch", tensor, file, withMend(message, file));
}

/** One of a type that is not read. */
export function wrongType(tensor: string, file: string | undefined, dtype: string): GatewayError {
  const mend = file === undefined ? "" : " Save the model in one of these.";
  return refuse("weights_dtype_mismatch", tensor, file, `Tensor ${tensor} must be ${FLOATS}, got ${dtype}.${mend}`);
}

/** The place of an element in a shape, as numpy writes it. */
export function toCoordinates(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${place}]`;
}

/** NaN or an infinity. `index`: of the element, or of the first of its block, in the file's order. */
export function nonFinite(
  tensor: string,
  file: string | undefined,
  place: { readonly index: number; readonly value: number; readonly shape: readonly number[] },
): GatewayError {
  const { index, value, shape } = place;
  return refuse(
    "weights_non_finite",
    tensor,
    file,
    `Tensor ${tensor} holds NaN or infinite values: the first is ${value} at ${toCoordinates(index, shape)} of [${shape}]. ` +
      "Only finite weights are accepted; save the model again from weights that are.",
  );
}
