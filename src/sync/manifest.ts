/** What arrives against what the model has: every tensor by name, dtype and shape. Pure; looks at headers only. */
import type { TensorSpec } from "../engine/engine.ts";
import { type ErrorCode, GatewayError, showValue } from "../errors.ts";
import type { TensorEntry } from "../tensor/safetensors.ts";

/** How many names a message lists before it says how many more there are. */
const NAMES_SHOWN = 3;

/** Floating-point dtypes that a server casts into each other while it loads. */
const isFloat = (dtype: string): boolean => dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** A float, or one of the block types of a GGUF file: floats in their place are rounded as they arrive. */
const isRounded = (dtype: string): boolean => isFloat(dtype) || /^Q\d_/.test(dtype);

const refuse = (code: ErrorCode, tensor: string, message: string): GatewayError =>
  new GatewayError(code, message, { tensor, phase: "receive" });

export interface ManifestCheck {
  /** Takes the tensors of one more file. Throws at the first that is extra, doubled, or of another dtype or shape. */
  add(tensors: readonly TensorEntry[], from: string): void;
  /** Call after the last file. Throws `weights_missing_tensor` unless partial; answers whether every tensor came. */
  end(): { readonly complete: boolean };
}

/**
 * Starts a check against the model's manifest.
 *
 * @param manifest null where no replica can tell what its model has: then only doubled tensors are found.
 * @param partial only some tensors need to come, but at least one.
 * @throws GatewayError from its methods: `weights_unexpected_tensor`, `weights_duplicate_tensor`,
 * `weights_dtype_mismatch`, `weights_shape_mismatch`, `weights_missing_tensor`; all name the tensor.
 */
export function createManifestCheck(manifest: readonly TensorSpec[] | null, partial: boolean): ManifestCheck {
  const expected = manifest === null ? null : new Map(manifest.map((spec) => [spec.name, spec]));
  const seen = new Map<string, string>();
  return {
    add(tensors, from) {
      for (const { name, dtype, shape } of tensors) {
        const shown = showValue(name);
        const other = seen.get(name);
        if (other !== undefined) {
          throw refuse("weights_duplicate_tensor", name, `Tensor ${shown} is in ${other} and again in ${from}.`);
        }
        if (expected === null) {
          seen.set(name, from);
          continue;
        }
        const spec = expected.get(name);
        if (spec === undefined) {
          throw refuse("weights_unexpected_tensor", name, `Tensor ${shown} is not part of the served model.`);
        }
        if (dtype !== spec.dtype && !(spec.castable === true && isFloat(dtype) && isRounded(spec.dtype))) {
          throw refuse(
            "weights_dtype_mismatch",
            name,
            `Tensor ${shown} is ${dtype}; the served model has ${spec.dtype}.`,
          );
        }
        if (shape.length !== spec.shape.length || shape.some((size, axis) => size !== spec.shape[axis])) {
          throw refuse(
            "weights_shape_mismatch",
            name,
            `Tensor ${shown} has the shape [${shape}]; the served model has [${spec.shape}].`,
          );
        }
        seen.set(name, from);
      }
    },
    end() {
      if (manifest === null) {
        if (seen.size > 0) return { complete: !partial };
        throw new GatewayError("weights_malformed", "The source holds no tensor.", { phase: "receive" });
      }
      const missing = manifest.filter((spec) => !seen.has(spec.name)).map((spec) => spec.name);
      const [first] = missing;
      if (first === undefined) return { complete: true };
      if (partial && seen.size > 0) return { complete: false };
      const listed = missing.slice(0, NAMES_SHOWN).map(showValue).join(", ");
      const more = missing.length > NAMES_SHOWN ? ` and ${missing.length - NAMES_SHOWN} more` : "";
      throw refuse(
        "weights_missing_tensor",
        first,
        partial
          ? `The source holds no tensor; a partial sync needs at least one of ${listed}${more}.`
          : `Missing: ${listed}${more}. Send every tensor of the model, or say "partial": true.`,
      );
    },
  };
}

/** First difference between two manifests in words; undefined when they are the same model. Order does not count. */
export function manifestDifference(a: readonly TensorSpec[], b: readonly TensorSpec[]): string | undefined {
  const other = new Map(b.map((spec) => [spec.name, spec]));
  for (const { name, dtype, shape } of a) {
    const spec = other.get(name);
    if (spec === undefined) return `tensor ${showValue(name)} is only in one of them`;
    if (spec.dtype !== dtype || String(spec.shape) !== String(shape)) {
      return `tensor ${showValue(name)} is ${dtype} [${shape}] in one and ${spec.dtype} [${spec.shape}] in the other`;
    }
  }
  return a.length === b.length ? undefined : `they have ${a.length} and ${b.length} tensors`;
}
