/** `structured_outputs` and `response_format` as vLLM 0.32 has them; shared by chat, completions and TRL's routes. */
import { z } from "zod";

const JsonSchemaFormat = z
  .looseObject({
    name: z.string(),
    description: z.string().nullish(),
    schema: z.record(z.string(), z.unknown()).nullish().meta({ description: "The JSON schema." }),
    strict: z.boolean().nullish(),
  })
  .meta({ id: "JsonSchemaFormat" });

export const StructuredOutputsFields = z
  .looseObject({
    json: z
      .union([z.string(), z.record(z.string(), z.unknown())], { error: "a JSON schema, or its JSON text" })
      .nullish()
      .meta({ description: "The text is a value of this JSON schema." }),
    regex: z.string().nullish().meta({ description: "The whole text matches." }),
    choice: z.array(z.string()).nullish().meta({ description: "The text is one of these." }),
    grammar: z.string().nullish().meta({ description: "EBNF with a rule `root`." }),
    json_object: z.boolean().nullish().meta({ description: "The text is a JSON object." }),
    structural_tag: z
      .union([z.string(), z.record(z.string(), z.unknown())], { error: "a structural tag, or its JSON text" })
      .nullish()
      .meta({ description: "Free text with constrained parts." }),
    disable_any_whitespace: z.boolean().nullish().meta({ description: "JSON without whitespace; default false." }),
    disable_additional_properties: z.boolean().nullish().meta({ description: "Already so; accepted for vLLM's sake." }),
    whitespace_pattern: z.string().nullish().meta({ description: "A regular expression of JSON's whitespace." }),
  })
  .meta({
    id: "StructuredOutputs",
    description: "What the text has to be; exactly one constraint.",
    example: { choice: ["yes", "no"] },
  });
export type StructuredOutputsFields = z.infer<typeof StructuredOutputsFields>;

export const ResponseFormat = z
  .looseObject({
    type: z.enum(["text", "json_object", "json_schema", "structural_tag"]),
    json_schema: JsonSchemaFormat.nullish(),
  })
  .meta({ id: "ResponseFormat", example: { type: "json_object" } });
export type ResponseFormat = z.infer<typeof ResponseFormat>;

/** Fields of requests. */
export const StructuredFields = {
  structured_outputs: StructuredOutputsFields.nullish(),
  response_format: ResponseFormat.nullish(),
};
