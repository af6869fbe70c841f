/** `tidegate openapi`: prints the committed OpenAPI document, which the tests keep equal to the routes. */

import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { createCommand } from "./command.ts";
import { type Command, OperationError } from "./io.ts";

const OPTIONS: Options = { yaml: { help: "YAML instead of JSON." } };
/** The command. */
export const openapi: Command = createCommand({
  summary: "Print the OpenAPI document.",
  usage: "openapi [options]",
  about: "Prints the OpenAPI 3.1 document of all routes.",
  options: OPTIONS,
  async run({ values }, io) {
    const path = fileURLToPath(new URL("../../openapi/openapi.json", import.meta.url));
    const text = await io.ports.files!.readText(path).catch((cause) => {
      throw new OperationError(`cannot read ${path}: ${(cause as Error).message}`);
    });
    io.out(values.yaml === true ? stringify(JSON.parse(text)) : text);
    return EXIT.done;
  },
});
