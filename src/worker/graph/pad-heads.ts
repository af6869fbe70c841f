/**
 * The attention kernel takes head dimensions that are multiples of 16. Others are padded with zeros that change
 * nothing: both rotary halves keep their places at the start of the kernel's halves, and the excess stays zero.
 */

/** Where the elements of a checkpoint tensor go in the kernel's layout. */
export interface HeadPadding {
  /** Which axis of the tensor is (heads × headDim). */
  readonly axis: "rows" | "columns";
  readonly headDim: number;
  readonly kernelHeadDim: number;
}

/** Index in the kernel's (heads × kernelHeadDim) axis of an index in the checkpoint's (heads × headDim) axis. */
function toKernelIndex(index: number, { headDim, kernelHeadDim }: HeadPadding): number {
  const head = Math.floor(index / headDim);
  const inner = index % headDim;
  const half = headDim / 2;
  return head * kernelHeadDim + (inner < half ? inner : kernelHeadDim / 2 + inner - half);
}

/**
 * Spreads a row-major matrix over a zeroed target.
 *
 * @param columns of the source; 1 for a bias
 * @param target [rows', columns'] of the kernel's layout, all zero
 */
export function placeHeads(source: Float32Array, columns: number, target: Float32Array, padding: HeadPadding): void {
  const rows = source.length / columns;
  if (padding.axis === "rows") {
    for (let row = 0; row < rows; row++) {
      target.set(source.subarray(row * columns, (row + 1) * columns), toKernelIndex(row, padding) * columns);
    }
    return;
  }
  const places = Int32Array.from({ length: columns }, (_, column) => toKernelIndex(column, padding));
  const width = (columns / padding.headDim) * padding.kernelHeadDim;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      target[row * width + places[column]!] = source[row * columns + column]!;
    }
  }
}
