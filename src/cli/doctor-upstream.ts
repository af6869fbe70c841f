/** What `doctor` finds at an upstream: does it answer, what is it, can its weights be changed. Only GET requests. */
import type { Ports } from "../ports.ts";
import { toReason } from "./client.ts";
import type { Finding } from "./findings.ts";

/** A server that is loading a model can be slow; one that needs longer than this is not serving. */
const PATIENCE_MILLISECONDS = 5000;

type Answer = { readonly status: number; readonly body: unknown } | { readonly failure: string };

async function ask(ports: Pick<Ports, "fetch">, url: string): Promise<Answer> {
  try {
    const response = await ports.fetch(url, { method: "GET", signal: AbortSignal.timeout(PATIENCE_MILLISECONDS) });
    const text = await response.text();
    let body: unknown = text;
    try {
      body = JSON.parse(text);
    } catch {
      // Plain text is an answer too.
    }
    return { status: response.status, body };
  } catch (error) {
    const { name } = error as Error;
    return { failure: name === "TimeoutError" ? `silent for ${PATIENCE_MILLISECONDS / 1000} s` : toReason(error) };
  }
}

const isOk = (answer: Answer): answer is { status: 200; body: unknown } => "status" in answer && answer.status === 200;

const saidBy = (answer: Answer): string => ("failure" in answer ? answer.failure : `status ${answer.status}`);

/** Looks at one upstream. */
export async function checkUpstream(ports: Pick<Ports, "fetch">, base: string): Promise<Finding[]> {
  const url = base.replace(/\/+$/, "");
  const health = await ask(ports, `${url}/health`);
  if (!isOk(health)) {
    const trl = await ask(ports, `${url}/health/`);
    if (isOk(trl)) {
      return [{ level: "ok", subject: url, found: "a TRL server (trl vllm-serve); name it with --upstream-kind trl" }];
    }
    const refused = "failure" in health;
    return [
      {
        level: "failure",
        subject: url,
        found: `/health: ${saidBy(health)}`,
        mend: refused
          ? "start the server, or correct host and port; inside a container 127.0.0.1 is the container itself"
          : "wait until the server has loaded its model; its log says why it is not healthy",
      },
    ];
  }
  const findings: Finding[] = [];
  const version = await ask(ports, `${url}/version`);
  const number = isOk(version) ? (version.body as { version?: unknown }).version : undefined;
  findings.push({ level: "ok", subject: url, found: number === undefined ? "healthy" : `healthy, vLLM ${number}` });
  const models = await ask(ports, `${url}/v1/models`);
  const data = isOk(models) ? (models.body as { data?: readonly { id?: unknown }[] }).data : undefined;
  if (data !== undefined && data.length > 0) {
    findings.push({ level: "ok", subject: url, found: `serves ${data.map(({ id }) => String(id)).join(", ")}` });
  } else {
    const asksKey = "status" in models && models.status === 401;
    findings.push({
      level: "failure",
      subject: url,
      found: `/v1/models: ${asksKey ? "asks for a key" : saidBy(models)}`,
      mend: asksKey ? "give it with --upstream-api-key" : "start the server with a model",
    });
  }
  const dev = await ask(ports, `${url}/get_world_size`);
  findings.push(
    isOk(dev)
      ? { level: "ok", subject: url, found: "weights can be changed (development routes are on)" }
      : {
          level: "warning",
          subject: url,
          found: "generation works, but its weights cannot be changed (development routes are off)",
          mend: "start vLLM with VLLM_SERVER_DEV_MODE=1 in its environment (vLLM 0.16 or newer)",
        },
  );
  return findings;
}
