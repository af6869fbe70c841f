/** The error body of the control routes: RFC 9457 problem details with our closed list of codes. */
import { z } from "zod";

export const Problem = z
  .object({
    type: z.string().meta({ description: "`urn:tidegate:error:` and the code." }),
    title: z.string().meta({ description: "The code in words." }),
    status: z.number().int().min(400).max(599),
    detail: z.string().meta({ description: "What is wrong: the field, its value and what is accepted." }),
    code: z.string().meta({ description: "One of the closed list of codes.", "x-error-code": true }),
    retryable: z.boolean().meta({ description: "True when the very same request may succeed later." }),
    param: z.string().optional().meta({ description: "The field at fault, as the caller wrote it." }),
    phase: z.string().optional().meta({ description: "Phase of the weight sync that failed." }),
    replica: z.string().optional(),
    tensor: z.string().optional().meta({ description: "Name of the tensor at fault." }),
    missing_bytes: z
      .number()
      .int()
      .min(1)
      .optional()
      .meta({ description: "How much memory more would have been enough." }),
    upstream: z.string().optional().meta({ description: "What the upstream said, cut to a bounded length." }),
    request_id: z.string(),
  })
  .meta({
    id: "Problem",
    description: "RFC 9457 problem details. Served as `application/problem+json`.",
    example: {
      type: "urn:tidegate:error:not_found",
      title: "not found",
      status: 404,
      detail: "No server is called embedded-7. GET /api/servers lists them.",
      code: "not_found",
      retryable: false,
      param: "id",
      request_id: "0f8c8a52-7d0e-4c5a-9f5e-0d6a0f6a2f10",
    },
  });
export type Problem = z.infer<typeof Problem>;
