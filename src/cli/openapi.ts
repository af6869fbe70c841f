/** `tidegate openapi`: prints the committed OpenAPI document, which the tests keep equal to the routes. */

import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { EXIT } from "../platform/run.ts";
import { type Options, parseArguments, toHelp } from "./arguments.ts";
import { type Command, OperationError } from "./io.ts";

const OPTIONS: Options = { yaml: { help: "YAML instead of JSON." } };
const help = (): string => toHelp("openapi [options]", "Prints the OpenAPI 3.1 document of all routes.", OPTIONS);

/** The command. */
export const openapi: Command = {
  summary: "Print the OpenAPI document.",
  help,
  async run(args, io) {
    const { values } = parseArguments(args, OPTIONS, { least: 0, most: 0, called: "" });
    if (values.help === true) {
      io.out(help());
      return EXIT.done;
    }
    const path = fileURLToPath(new URL("../../openapi/openapi.json", import.meta.url));
    const text = await io.ports.files!.readText(path).catch((cause) => {
      throw new OperationError(`cannot read ${path}: ${(cause as Error).message}`);
    });
    io.out(values.yaml === true ? stringify(JSON.parse(text)) : text);
    return EXIT.done;
  },
};
