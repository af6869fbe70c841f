/** A chat format put onto a model directory: the request and what came of it. */
import { z } from "zod";

/** A path on the gateway's machine. No file system knows longer ones, none allows a zero byte. */
const Path = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0]*$/);

/** A row of a large model takes 16 KiB; this many are a gigabyte of padding. */
export const LARGEST_MULTIPLE = 65_536;

/** The formats there are. */
const FormatName = z.enum(["chatml"]);
export const FORMAT_NAMES: readonly string[] = FormatName.options;

export const ChatFormatRequest = z
  .strictObject({
    model: Path.meta({
      description: "Hugging Face model directory on the gateway's machine. Only read.",
      example: "/models/llama-base",
    }),
    format: FormatName.default("chatml"),
    resize_to_multiple_of: z
      .number()
      .int()
      .min(1)
      .max(LARGEST_MULTIPLE)
      .nullable()
      .default(null)
      .meta({ description: "Embedding rows are rounded up to a multiple of this. Default: as many rows as tokens." }),
    output: Path.meta({
      description: "The new directory; must not exist. It appears whole or not at all.",
      example: "/models/llama-chatml",
    }),
    seed: z
      .number()
      .int()
      .default(0)
      .meta({ description: "Of the small noise in the new rows. The same seed gives the same rows." }),
  })
  .meta({ id: "ChatFormatRequest" });
export type ChatFormatRequest = z.infer<typeof ChatFormatRequest>;

const Rows = z.number().int().min(1);
const TokenId = z.number().int().min(0);

export const ChatFormatResult = z
  .object({
    format: z.enum(["chatml"]),
    output: z.string().meta({ description: "Absolute path of the new directory." }),
    special_tokens: z.object({ bos_token: z.string(), eos_token: z.string(), pad_token: z.string() }),
    token_ids: z.object({ bos_token_id: TokenId, eos_token_id: TokenId, pad_token_id: TokenId }),
    tokens: z.number().int().min(0).meta({ description: "Tokens of the tokenizer, added ones included." }),
    embedding_rows: z.object({ before: Rows, after: Rows }),
    chat_template: z.string(),
    files: z.array(z.string()).meta({ description: "Names of the files in the new directory." }),
  })
  .meta({ id: "ChatFormatResult" });
export type ChatFormatResult = z.infer<typeof ChatFormatResult>;
