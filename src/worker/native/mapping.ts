/**
 * Memory that the operating system can be told to give back: anonymous regions that become views of a file. Linux with
 * glibc or musl; the constants below are those of x86-64 and arm64. Knows addresses and bytes, nothing of weights.
 */
import { join } from "node:path";
import process from "node:process";
import koffi from "koffi";
import { GatewayError } from "../../errors.ts";
import { settleKoffi } from "./koffi-settings.ts";
import { addressOf } from "./memory.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MADV_WILLNEED = 3;
const MADV_DONTNEED = 4;
/** Linux 5.14; older kernels say EINVAL, and the pages then come as they are touched. */
const MADV_POPULATE_READ = 22;
const O_CLOEXEC = 0o2000000;
const MAP_FAILED = 2n ** 64n - 1n;
const ENOSPC = 28;

function loadLibc() {
  if (process.platform !== "linux") {
    throw new GatewayError(
      "unsupported",
      `Weights on disk need Linux: on ${process.platform} all weights stay in memory.`,
    );
  }
  const names = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
  settleKoffi();
  let library: ReturnType<typeof koffi.load> | undefined;
  for (const name of names) {
    try {
      library = koffi.load(name);
      break;
    } catch {
      // The next one.
    }
  }
  if (library === undefined) {
    throw new GatewayError("unsupported", `Weights on disk need the C library; found none of ${names.join(", ")}.`);
  }
  const call = (name: string, result: string, args: string[]) => library.func(name, result, args);
  let trim: (() => void) | undefined;
  try {
    const native = call("malloc_trim", "int", ["size_t"]);
    trim = () => void native(0);
  } catch {
    // musl gives memory back by itself.
  }
  return {
    // Held: the functions below live in it.
    library,
    mmap: call("mmap", "uint64", ["uint64", "uint64", "int", "int", "int", "int64"]),
    munmap: call("munmap", "int", ["uint64", "uint64"]),
    madvise: call("madvise", "int", ["uint64", "uint64", "int"]),
    mlock: call("mlock", "int", ["uint64", "uint64"]),
    munlock: call("munlock", "int", ["uint64", "uint64"]),
    mkostemp: call("mkostemp", "int", ["void *", "int"]),
    unlink: call("unlink", "int", ["void *"]),
    open: call("open", "int", ["void *", "int"]),
    read: call("read", "int64", ["int", "void *", "uint64"]),
    close: call("close", "int", ["int"]),
    pwrite: call("pwrite", "int64", ["int", "uint64", "uint64", "int64"]),
    pwriteFrom: call("pwrite", "int64", ["int", "void *", "uint64", "int64"]),
    fallocate: call("fallocate", "int", ["int", "int", "int64", "int64"]),
    memcpy: call("memcpy", "uint64", ["uint64", "uint64", "uint64"]),
    copyFrom: call("memcpy", "uint64", ["uint64", "void *", "uint64"]),
    alignedAlloc: call("aligned_alloc", "uint64", ["uint64", "uint64"]),
    free: call("free", "void", ["uint64"]),
    pageBytes: Number(call("getpagesize", "int", [])()),
    trim,
  };
}

let shared: ReturnType<typeof loadLibc> | undefined;

/** The C library, loaded at the first call. Throws GatewayError `unsupported` elsewhere than on Linux. */
export function openLibc(): ReturnType<typeof loadLibc> {
  shared ??= loadLibc();
  return shared;
}

/** Rounded up to whole pages of memory. */
export function toPages(bytes: number): number {
  const { pageBytes } = openLibc();
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

/** Gives free heap memory back to the operating system; does nothing where that cannot be asked for. */
export function trimHeap(): void {
  if (process.platform === "linux") openLibc().trim?.();
}

function failed(what: string): GatewayError {
  const errno = koffi.errno();
  if (errno === ENOSPC) {
    return new GatewayError(
      "limit_exceeded",
      `${what}: no space is left on the device. Free some, or name another directory.`,
    );
  }
  return new GatewayError("internal", `${what}: error ${errno} of the operating system.`);
}

/**
 * Gives the memory of whole pages within part of an array back to the operating system; they read as zeros from then
 * on. Does nothing where that cannot be asked for, or for less than a page.
 *
 * @param start @param end bytes from the array's first one
 */
export function discardMemory(array: ArrayBufferView, start: number, end: number): void {
  if (process.platform !== "linux") return;
  const { madvise, pageBytes } = openLibc();
  const address = Number(addressOf(array));
  const from = Math.ceil((address + start) / pageBytes) * pageBytes;
  const to = Math.floor((address + end) / pageBytes) * pageBytes;
  if (to > from) madvise(from, to - from, MADV_DONTNEED);
}

/** Copies bytes of a typed array to an address. */
export function copyTo(address: bigint, values: ArrayBufferView): void {
  openLibc().copyFrom(address, values, values.byteLength);
}

/** A file without a name: it is gone with the last process that has it open, however that ends. */
export class Spool {
  readonly #directory: string;
  readonly #fd: number;
  #size = 0;
  #closed = false;

  /** @throws GatewayError `source_unreadable` when no file can be made there */
  constructor(directory: string) {
    const libc = openLibc();
    this.#directory = directory;
    const encoded = new TextEncoder().encode(join(directory, "tidegate-weights-XXXXXX"));
    const path = new Uint8Array(new ArrayBuffer(encoded.length + 1));
    path.set(encoded);
    this.#fd = Number(libc.mkostemp(path, O_CLOEXEC));
    if (this.#fd < 0) {
      throw new GatewayError(
        "source_unreadable",
        `No file can be made in ${directory} for weights on disk: error ${koffi.errno()} of the operating system.`,
      );
    }
    libc.unlink(path);
  }

  get fd(): number {
    return this.#fd;
  }

  /** Bytes taken on disk. */
  get size(): number {
    return this.#size;
  }

  /** Room for so many bytes at the end; returns its offset, on a page. Throws `limit_exceeded` when the disk is full. */
  allocate(bytes: number): number {
    const offset = this.#size;
    const length = toPages(bytes);
    if (openLibc().fallocate(this.#fd, 0, offset, length) !== 0) {
      const errno = koffi.errno();
      // EOPNOTSUPP: the file grows as it is written.
      if (errno === ENOSPC) throw failed(`${this.#directory} has no room for ${length} bytes of weights`);
    }
    this.#size += length;
    return offset;
  }

  /** Writes values of JavaScript's memory to the file. */
  writeValues(offset: number, values: ArrayBufferView): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let done = 0; done < bytes.length; ) {
      const rest = bytes.subarray(done);
      const count = Number(openLibc().pwriteFrom(this.#fd, rest, rest.length, offset + done));
      if (count <= 0) throw failed(`Weights could not be written to ${this.#directory}`);
      done += count;
    }
  }

  /** Writes memory to the file. */
  write(offset: number, address: bigint, bytes: number): void {
    for (let done = 0; done < bytes; ) {
      const count = Number(openLibc().pwrite(this.#fd, address + BigInt(done), bytes - done, offset + done));
      if (count <= 0) throw failed(`Weights could not be written to ${this.#directory}`);
      done += count;
    }
  }

  /** Idempotent. Views of the file stay valid. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    openLibc().close(this.#fd);
  }
}

/** A range of addresses. First memory that is written; after `seal` a view of a file, whose pages come and go. */
export class Region {
  readonly base: bigint;
  #length: number;
  #used = 0;
  #sealed = false;
  #locked = false;

  /** Reserves addresses; memory is taken as it is touched. */
  constructor(bytes: number) {
    this.#length = toPages(bytes);
    const protection = PROT_READ | PROT_WRITE;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    this.base = BigInt(openLibc().mmap(0, this.#length, protection, flags, -1, 0));
    if (this.base === MAP_FAILED) throw failed(`${this.#length} bytes of addresses could not be reserved`);
  }

  /** Bytes, in whole pages. */
  get bytes(): number {
    return this.#length;
  }

  get locked(): boolean {
    return this.#locked;
  }

  /** The next free address; null when the region is full. */
  allocate(bytes: number, alignment = 64): bigint | null {
    const at = Math.ceil(this.#used / alignment) * alignment;
    if (at + bytes > this.#length || this.#sealed) return null;
    this.#used = at + bytes;
    return this.base + BigInt(at);
  }

  /** Moves what was written into the spool: from now on the addresses are a view of it, with no page in memory. */
  seal(spool: Spool): void {
    const bytes = Math.max(1, this.#used);
    const offset = spool.allocate(bytes);
    spool.write(offset, this.base, bytes);
    this.view(spool, offset, bytes);
  }

  /** Makes the addresses a view of the spool from `offset` on, a multiple of the page, and gives back the rest. */
  view(spool: Spool, offset: number, bytes: number): void {
    const libc = openLibc();
    const length = toPages(bytes);
    // Private: what writes here by mistake writes a copy of its own.
    const flags = MAP_PRIVATE | MAP_FIXED;
    const at = BigInt(libc.mmap(this.base, length, PROT_READ | PROT_WRITE, flags, spool.fd, offset));
    if (at !== this.base) throw failed("Weights could not be mapped");
    if (length < this.#length) libc.munmap(this.base + BigInt(length), this.#length - length);
    this.#length = length;
    this.#sealed = true;
  }

  /** Brings all pages into memory. */
  populate(): void {
    openLibc().madvise(this.base, this.#length, MADV_POPULATE_READ);
  }

  /** Lets the operating system read ahead; returns at once. */
  readAhead(): void {
    openLibc().madvise(this.base, this.#length, MADV_WILLNEED);
  }

  /** Gives the memory of all pages back. The next use reads them again. */
  drop(): void {
    if (this.#locked) this.unlock();
    openLibc().madvise(this.base, this.#length, MADV_DONTNEED);
  }

  /** Keeps the pages from being paged out. false where the operating system does not allow so much (RLIMIT_MEMLOCK). */
  lock(): boolean {
    this.#locked ||= openLibc().mlock(this.base, this.#length) === 0;
    return this.#locked;
  }

  unlock(): void {
    openLibc().munlock(this.base, this.#length);
    this.#locked = false;
  }

  /** Gives the addresses back; nothing may use them any more. Idempotent. */
  release(): void {
    if (this.#length > 0) openLibc().munmap(this.base, this.#length);
    this.#length = 0;
  }
}
