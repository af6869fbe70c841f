/** `tidegate servers`: the replicas as a table. */
import type { Server } from "../contract/control/servers.ts";
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { CLIENT_OPTIONS, createClient } from "./client.ts";
import { createCommand } from "./command.ts";
import type { Command } from "./io.ts";

const OPTIONS: Options = {
  ...CLIENT_OPTIONS,
  json: { help: "Print the JSON of GET /api/servers." },
};

const COLUMNS: readonly (readonly [string, (server: Server) => string])[] = [
  ["ID", ({ id }) => id],
  ["KIND", ({ kind }) => kind],
  ["STATE", ({ state }) => state],
  ["VERSION", ({ weight_version }) => String(weight_version ?? "-")],
  ["IN FLIGHT", ({ in_flight }) => String(in_flight)],
  ["WORLD SIZE", ({ world_size }) => String(world_size)],
  ["URL", ({ url }) => url ?? "-"],
  ["LAST ERROR", ({ last_error }) => last_error ?? "-"],
];

/** Columns as wide as their widest cell. */
export function toTable(servers: readonly Server[]): string {
  const rows = [COLUMNS.map(([title]) => title), ...servers.map((server) => COLUMNS.map(([, cell]) => cell(server)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** The command. */
export const servers: Command = createCommand({
  summary: "List the replicas behind a gateway.",
  usage: "servers [options]",
  about: "Lists the replicas behind a gateway.",
  options: OPTIONS,
  async run({ values }, io) {
    const response = await createClient(values, io).send("GET", "/api/servers");
    const body = (await response.json()) as { servers: Server[] };
    io.out(values.json === true ? `${JSON.stringify(body, null, 2)}\n` : toTable(body.servers));
    return EXIT.done;
  },
});
