/** torch's names of element types, for the types that NCCL moves. Pure facts. */
import { type Dtype, isDtype } from "./dtype.ts";

/** Without "torch.". */
export const TORCH_DTYPE: Readonly<Partial<Record<Dtype, string>>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  F8_E4M3: "float8_e4m3fn",
  F8_E5M2: "float8_e5m2",
  I64: "int64",
  I32: "int32",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

const BY_NAME = new Map(Object.entries(TORCH_DTYPE).map(([dtype, name]) => [name, dtype as Dtype]));

/**
 * The type of torch's name ("bfloat16", "torch.bfloat16") or safetensors' ("BF16"); undefined = unknown.
 *
 * @example
 * ```ts
 * import { parseTorchDtype } from "./torch-dtype.ts";
 * if (parseTorchDtype("torch.bfloat16") !== "BF16" || parseTorchDtype("half") !== undefined) throw new Error("names");
 * ```
 */
export function parseTorchDtype(text: string): Dtype | undefined {
  const name = text.replace(/^torch\./, "");
  return BY_NAME.get(name) ?? (isDtype(name) ? name : undefined);
}
