/**
 * One tensor with more or fewer rows, as a stream: kept rows byte for byte, then the new ones. The tensor is read once
 * for the mean (more often where very many rows are added) and once for the copy; in memory are a piece and the new rows.
 */
import { narrow, type WideableDtype, widen } from "../tensor/half.ts";
import type { Weights } from "../tensor/weights.ts";
import { COVARIANCE_FACTOR, createRowDraw } from "./draw-rows.ts";
import type { VocabularyTensor } from "./vocabulary-tensors.ts";

/** Multiplications between two breaths of the event loop: a few milliseconds. */
const WORK_LIMIT = 4 * 2 ** 20;
/** Numbers that the rows being drawn may take (64 MiB); more rows are drawn in several passes. */
const DRAW_LIMIT = 8 * 2 ** 20;
/** transformers draws a bias from N(mean, (1e-9 · deviation)²). */
const BIAS_FACTOR = 1e-18;
/** Streams of one seed: embedding and head, each with room for its passes. */
const HEAD_STREAM = 2 ** 16;
const BIAS_STREAM = 2 ** 17;

export interface RowResize {
  /** Rows afterwards. */
  readonly rows: number;
  readonly seed: number;
}

interface Plan {
  readonly weights: Weights;
  readonly target: VocabularyTensor;
  readonly width: number;
  readonly rowBytes: number;
  readonly signal: AbortSignal | undefined;
}

async function drawRows(plan: Plan, count: number, seed: number, stream: number): Promise<Uint8Array> {
  const { weights, target, width, rowBytes, signal } = plan;
  const factor = target.kind === "bias" ? BIAS_FACTOR : COVARIANCE_FACTOR;
  const draw = createRowDraw({ width, count, seed, stream, factor });
  const rowsAtOnce = Math.max(1, Math.floor(WORK_LIMIT / (width * count)));
  const dtype = target.tensor.dtype as WideableDtype;
  for await (const piece of weights.chunks(target.name, rowsAtOnce * rowBytes)) {
    signal?.throwIfAborted();
    draw.add(widen(dtype, piece));
  }
  return narrow(dtype, draw.rows());
}

/**
 * The resized tensor's bytes. `tied`: embedding and head are drawn alike, so that equal matrices stay equal;
 * else the head is drawn for itself.
 */
export async function* resizeRows(
  weights: Weights,
  target: VocabularyTensor,
  resize: RowResize,
  options: { readonly tied: boolean; readonly signal?: AbortSignal | undefined },
): AsyncIterable<Uint8Array> {
  const { shape, byteLength } = target.tensor;
  const before = shape[0] ?? 0;
  const rowBytes = byteLength / before;
  let left = Math.min(before, resize.rows) * rowBytes;
  for await (const piece of weights.chunks(target.name)) {
    options.signal?.throwIfAborted();
    yield piece.byteLength <= left ? piece : piece.subarray(0, left);
    left -= Math.min(left, piece.byteLength);
    if (left === 0) break;
  }
  const width = shape[1] ?? 1;
  const plan: Plan = { weights, target, width, rowBytes, signal: options.signal };
  const first = target.kind === "bias" ? BIAS_STREAM : target.kind === "head" && !options.tied ? HEAD_STREAM : 0;
  const perPass = Math.max(1, Math.floor(DRAW_LIMIT / width));
  for (let done = before, stream = first; done < resize.rows; stream += 1) {
    const count = Math.min(perPass, resize.rows - done);
    yield await drawRows(plan, count, resize.seed, stream);
    done += count;
  }
}
