/** SQLite on every runtime with `node:sqlite` (Bun, Deno, Node). Loaded on use: most gateways need no file. */
import type { OpenDatabase, SqlValue } from "../../ports.ts";

/** See `OpenDatabase`. */
export const openDatabase: OpenDatabase = async (path) => {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  const prepared = new Map<string, ReturnType<typeof database.prepare>>();
  const prepare = (sql: string): ReturnType<typeof database.prepare> => {
    const known = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  return {
    exec: (sql) => database.exec(sql),
    all: (sql, ...values) =>
      (sql.startsWith("PRAGMA") ? database.prepare(sql) : prepare(sql)).all(...values) as Record<string, SqlValue>[],
    run: (sql, ...values) => void prepare(sql).run(...values),
    close: () => database.close(),
  };
};
