/**
 * C += A·B for row-major float32 matrices: two small WebAssembly functions with 128-bit vectors, put together here byte by byte. Four
 * times as fast as a loop in JavaScript, which is what makes training without Python bearable.
 */

const bytes = (...parts: readonly (number | readonly number[])[]): number[] => parts.flat() as number[];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return out;
}

const section = (id: number, content: readonly number[]): number[] => bytes(id, leb(content.length), content);
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, ...leb(value)];
const ADD = 0x6a;
const SHIFT_LEFT = 0x74;
const SHIFT_RIGHT = 0x76;
const load = (offset: number): number[] => [0xfd, 0x00, 0x02, offset];
const loadSplat = (): number[] => [0xfd, 0x09, 0x02, 0x00];
const store = (offset: number): number[] => [0xfd, 0x0b, 0x02, offset];
const VECTOR_ADD = [0xfd, 0xe4, 0x01];
const VECTOR_MULTIPLY = [0xfd, 0xe6, 0x01];
const ZERO = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const advance = (local: number, by: number): number[] => bytes(get(local), constant(by), ADD, set(local));
/** Counts a local down and goes round while it is not zero. */
const countDown = (local: number): number[] => bytes(get(local), constant(1), 0x6b, 0x22, local, 0x0d, 0x00);

/** `(c, a, b, k, n)`: `rows` rows of C += A·B, eight columns at a time, the sums held in registers over all of k. */
function kernel(rows: number): number[] {
  const [c, a, b, k, n, stride, panel, left, inner] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  const row = (index: number): number => 9 + index;
  const out = (index: number): number => 9 + rows + index;
  const firstVector = 9 + 2 * rows;
  const [low, high, splat] = [firstVector, firstVector + 1, firstVector + 2];
  const sum = (index: number, half: number): number => firstVector + 3 + 2 * index + half;
  const every = Array.from({ length: rows }, (_, index) => index);
  const code = bytes(
    bytes(get(n), constant(2), SHIFT_LEFT, set(stride), get(n), constant(3), SHIFT_RIGHT, set(left)),
    get(b),
    set(panel),
    ...every.map((index) =>
      index === 0 ? bytes(get(c), set(out(0))) : bytes(get(out(index - 1)), get(stride), ADD, set(out(index))),
    ),
    [0x03, 0x40],
    ...every.map((index) => bytes(ZERO, set(sum(index, 0)), ZERO, set(sum(index, 1)))),
    ...every.map((index) =>
      index === 0
        ? bytes(get(a), set(row(0)))
        : bytes(get(row(index - 1)), get(k), constant(2), SHIFT_LEFT, ADD, set(row(index))),
    ),
    bytes(get(panel), set(b), get(k), set(inner)),
    [0x03, 0x40],
    bytes(get(b), load(0), set(low), get(b), load(16), set(high)),
    ...every.map((index) =>
      bytes(
        bytes(get(row(index)), loadSplat(), set(splat)),
        bytes(get(sum(index, 0)), get(splat), get(low), VECTOR_MULTIPLY, VECTOR_ADD, set(sum(index, 0))),
        bytes(get(sum(index, 1)), get(splat), get(high), VECTOR_MULTIPLY, VECTOR_ADD, set(sum(index, 1))),
        advance(row(index), 4),
      ),
    ),
    bytes(get(b), get(stride), ADD, set(b)),
    countDown(inner),
    0x0b,
    ...every.map((index) =>
      bytes(
        bytes(get(out(index)), get(out(index)), load(0), get(sum(index, 0)), VECTOR_ADD, store(0)),
        bytes(get(out(index)), get(out(index)), load(16), get(sum(index, 1)), VECTOR_ADD, store(16)),
        advance(out(index), 32),
      ),
    ),
    advance(panel, 32),
    countDown(left),
    0x0b,
    0x0b,
  );
  // Locals: integers (0x7f), then vectors (0x7b).
  const body = bytes(2, leb(4 + 2 * rows), 0x7f, leb(3 + 2 * rows), 0x7b, code);
  return bytes(leb(body.length), body);
}

type Kernel = (c: number, a: number, b: number, k: number, n: number) => void;

const name = (text: string): number[] => bytes(text.length, [...new TextEncoder().encode(text)]);

/** Two functions of one type over one imported memory. */
const MODULE = new Uint8Array(
  bytes(
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, bytes(1, 0x60, 5, [0x7f, 0x7f, 0x7f, 0x7f, 0x7f], 0)),
    section(2, bytes(1, name("env"), name("memory"), 0x02, 0x00, 0x01)),
    section(3, [2, 0, 0]),
    section(7, bytes(2, name("four"), 0x00, 0, name("one"), 0x00, 1)),
    section(10, bytes(2, kernel(4), kernel(1))),
  ),
);

const compiled = new WebAssembly.Module(MODULE);
const PAGE = 65_536;

/**
 * One block of memory for all arrays of a model, since WebAssembly computes only on what lies in its own. Pages cost nothing until they
 * are used; it never grows, because growing would take the arrays away.
 */
export class Arena {
  readonly #buffer: ArrayBuffer;
  readonly #four: Kernel;
  readonly #one: Kernel;
  #used = 0;

  constructor(mebibytes = 256) {
    const memory = new WebAssembly.Memory({ initial: (mebibytes * 2 ** 20) / PAGE });
    const { four, one } = new WebAssembly.Instance(compiled, { env: { memory } }).exports;
    this.#buffer = memory.buffer as ArrayBuffer;
    this.#four = four as unknown as Kernel;
    this.#one = one as unknown as Kernel;
  }

  /** Zeros. */
  take(length: number): Float32Array<ArrayBuffer> {
    const begin = this.#used;
    // Whole vectors, so that every array begins aligned.
    this.#used += Math.ceil(length / 4) * 16;
    if (this.#used > this.#buffer.byteLength) throw new RangeError("the arena is full");
    return new Float32Array(this.#buffer, begin, length).fill(0);
  }

  mark(): number {
    return this.#used;
  }

  /** Takes back all that was given out since the mark. */
  release(mark: number): void {
    this.#used = mark;
  }

  /** C [m, n] += A [m, k] · B [k, n]. All three come from this arena; n is a multiple of 8. */
  multiplyAdd(
    c: Float32Array,
    a: Float32Array,
    b: Float32Array,
    { m, k, n }: { readonly m: number; readonly k: number; readonly n: number },
  ): void {
    if (n % 8 !== 0) throw new RangeError(`n must be a multiple of 8, got ${n}`);
    if (c.length < m * n || a.length < m * k || b.length < k * n) throw new RangeError("a matrix is too short");
    for (const { buffer } of [a, b, c]) if (buffer !== this.#buffer) throw new RangeError("a matrix of another arena");
    if (k === 0) return;
    let row = 0;
    const at = (first: number): readonly [number, number, number, number, number] => [
      c.byteOffset + 4 * first * n,
      a.byteOffset + 4 * first * k,
      b.byteOffset,
      k,
      n,
    ];
    for (; row + 4 <= m; row += 4) this.#four(...at(row));
    for (; row < m; row += 1) this.#one(...at(row));
  }
}

/** `to` [columns, rows] = transpose of `from` [rows, columns]. */
export function transpose(to: Float32Array, from: Float32Array, rows: number, columns: number): void {
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) to[column * rows + row] = from[row * columns + column]!;
  }
}
