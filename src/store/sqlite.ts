/**
 * The store of one gateway that must outlive its end: a SQLite file. One gateway at a time: a lock on a file beside it
 * is held as long as the process lives, and the system gives it back even after `kill -9`.
 */
import { GatewayError, showValue } from "../errors.ts";
import type { Clock, OpenDatabase, Random, SqlDatabase } from "../ports.ts";
import { createStore } from "./create-store.ts";
import type { Cells, Store, StoreEntry } from "./store.ts";

/** `PRAGMA application_id` of our files: "tdgt". */
const APPLICATION_ID = 0x74646774;
/** `PRAGMA user_version`: the form of the tables. */
export const SCHEMA = 1;
/** Somebody else reads the file (a backup, a person): so long a write waits for them. */
const BUSY_MILLISECONDS = 5000;

const CREATE = `CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, value TEXT NOT NULL, until INTEGER) WITHOUT ROWID;
PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA};`;

/** What the store needs from outside. */
export interface SqliteOptions {
  readonly path: string;
  readonly open: OpenDatabase;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "uuid">;
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const refuse = (path: string, why: string, cause?: unknown): GatewayError =>
  new GatewayError("store_unavailable", `--store sqlite:${path}: ${why}`, {
    param: "store",
    ...(cause === undefined ? {} : { cause }),
  });

/** The mend for what SQLite says when it cannot open or use a file. */
function toOpenError(path: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const words = wordsOf(error);
  if (/locked|busy/i.test(words)) {
    return refuse(
      path,
      "another gateway uses this file. One at a time: end that one, choose another file, or share a Redis with --store redis://HOST:PORT.",
      error,
    );
  }
  if (/not a database|malformed|corrupt/i.test(words)) {
    return refuse(
      path,
      `the file is no SQLite database (${words}). Choose another file, or move this one away.`,
      error,
    );
  }
  if (/unable to open|cannot open|no such file|ENOENT/i.test(words)) {
    return refuse(
      path,
      `the file cannot be opened (${words}). Its directory must exist, and this user must be able to write there.`,
      error,
    );
  }
  if (/readonly|read-only/i.test(words)) {
    return refuse(
      path,
      `the file cannot be written (${words}). Give this user the right to, or choose another.`,
      error,
    );
  }
  return refuse(path, words, error);
}

const numberOf = (database: SqlDatabase, pragma: string): number =>
  Number(Object.values(database.all(`PRAGMA ${pragma}`)[0] ?? {})[0] ?? 0);

function prepare(database: SqlDatabase, path: string): void {
  const application = numberOf(database, "application_id");
  const schema = numberOf(database, "user_version");
  const tables = database.all("SELECT name FROM sqlite_master WHERE type = 'table'").length;
  if (application !== APPLICATION_ID && (application !== 0 || tables > 0)) {
    throw refuse(path, "this is a SQLite database of another program. Choose another file.");
  }
  if (schema > SCHEMA) {
    throw refuse(
      path,
      `it was written by a newer Tidegate (form ${schema}; this one knows ${SCHEMA}). Run that version, or choose another file.`,
    );
  }
  database.exec(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
  database.exec(`BEGIN IMMEDIATE; ${CREATE} COMMIT;`);
}

/** Held until the database is closed or the process ends, however it ends. */
async function lock(path: string, open: OpenDatabase): Promise<SqlDatabase> {
  const guard = await open(`${path}-lock`);
  try {
    guard.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    guard.exec("CREATE TABLE IF NOT EXISTS held (at TEXT); COMMIT;");
    // In exclusive mode the lock of a write outlives its transaction.
    guard.exec("BEGIN EXCLUSIVE; DELETE FROM held; COMMIT;");
    return guard;
  } catch (error) {
    guard.close();
    throw error;
  }
}

function toCells(database: SqlDatabase, guard: SqlDatabase, { path, clock }: SqliteOptions): Cells {
  const run = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      throw refuse(path, `${wordsOf(error)}.`, error);
    }
  };
  const liveValue = (key: string): string | undefined => {
    const [row] = database.all(
      "SELECT value FROM cells WHERE key = ? AND (until IS NULL OR until > ?)",
      key,
      clock.now(),
    );
    return row === undefined ? undefined : String(row.value);
  };
  return {
    facts: { kind: "sqlite", place: path, durable: true, shared: false },
    get: async (key) => run(() => liveValue(key)),
    transact: async (checks, writes) =>
      run(() => {
        database.exec("BEGIN IMMEDIATE");
        try {
          const holds = checks.every(({ key, value }) => liveValue(key) === value);
          for (const { key, value, expiresIn } of holds ? writes : []) {
            const until = expiresIn === undefined ? null : Math.ceil(clock.now() + expiresIn);
            if (value === null) database.run("DELETE FROM cells WHERE key = ?", key);
            else database.run("INSERT OR REPLACE INTO cells (key, value, until) VALUES (?, ?, ?)", key, value, until);
          }
          database.exec("COMMIT");
          return holds;
        } catch (error) {
          database.exec("ROLLBACK");
          throw error;
        }
      }),
    list: async (prefix, limit, after) =>
      run(() => {
        const now = clock.now();
        // Beyond every key with the prefix: texts are compared byte by byte, and U+10FFFF is the last character.
        const last = `${prefix}\u{10ffff}`;
        const rows = database.all(
          "SELECT key, value FROM cells WHERE key >= ? AND key <= ? AND key > ? AND (until IS NULL OR until > ?) ORDER BY key LIMIT ?",
          prefix,
          last,
          after ?? "",
          now,
          limit,
        );
        return rows.map(({ key, value }): StoreEntry => ({ key: String(key), value: String(value) }));
      }),
    async close() {
      database.close();
      guard.close();
    },
  };
}

/** Opens or makes the file. Throws GatewayError `store_unavailable` with the mend. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path, open, clock, random } = options;
  if (path.includes("\0")) throw refuse(showValue(path), "no file can be called so.");
  let guard: SqlDatabase | undefined;
  let database: SqlDatabase | undefined;
  try {
    guard = await lock(path, open);
    database = await open(path);
    prepare(database, path);
    // What has expired while nobody looked.
    database.run("DELETE FROM cells WHERE until IS NOT NULL AND until <= ?", clock.now());
    return createStore(toCells(database, guard, options), random.uuid);
  } catch (error) {
    database?.close();
    guard?.close();
    throw toOpenError(path, error);
  }
}
