/** Chat formats on model directories of the gateway's machine. The fleet is not touched: a server opens the new directory. */
import { applyChatFormat } from "../checkpoint/apply-chat-format.ts";
import { GatewayError } from "../errors.ts";
import type { Gateway } from "../gateway-types.ts";
import type { Logger } from "../observe/log.ts";
import type { Ports } from "../ports.ts";

/** Creates the operation; where the runtime has no files it refuses. */
export function createChatFormats(ports: Ports, log: Logger): Gateway["chatFormats"] {
  return {
    async create(request, signal) {
      const { files, random } = ports;
      if (files === undefined) {
        throw new GatewayError("unsupported", `This gateway runs on ${ports.runtime}, which has no files.`, {
          param: "model",
        });
      }
      const result = await applyChatFormat(files, request, { random, signal });
      log.info("chat format written", { model: request.model, output: result.output, ...result.embedding_rows });
      return result;
    },
  };
}
