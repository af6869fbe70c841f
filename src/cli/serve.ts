/** `tidegate serve`: reads the settings and hands over to the platform. */
import { EXIT } from "../platform/run.ts";
import type { Options } from "./arguments.ts";
import { createCommand } from "./command.ts";
import type { Command } from "./io.ts";
import { loadPlatform } from "./runtime.ts";
import { readSettings, SETTING_OPTIONS, showSettings } from "./settings.ts";

const OPTIONS: Options = {
  ...SETTING_OPTIONS,
  check: { help: "Check the settings, print the effective ones with secrets hidden, and end." },
};

/** The command. */
export const serve: Command = createCommand({
  summary: "Serve a model or a fleet of vLLM servers over HTTP.",
  usage: "serve [options]",
  about:
    "Serves a model of this machine, or the vLLM servers named with --upstream, under one URL.\n" +
    "Without --model and --upstream it serves the shipped model tide-nano.\n" +
    "Every option is also an environment name: --max-model-len is TIDEGATE_MAX_MODEL_LEN.",
  options: OPTIONS,
  async run({ values }, io) {
    const settings = await readSettings(values, io.env, io.ports.files!);
    if (values.check === true) {
      io.out(showSettings(settings));
      return EXIT.done;
    }
    const { serve: serveGateway } = await import("../platform/serve.ts");
    return await serveGateway(await loadPlatform(), settings.config);
  },
});
