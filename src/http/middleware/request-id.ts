/** The id under which one request appears in answers, log lines, the audit log and at upstreams. */

/** Letters, digits and `._:/+=-`, up to 128: what tracing systems send, and nothing that could break a log line or a header. */
const SANE = /^[A-Za-z0-9._:/+=-]{1,128}$/;

/** The caller's own id when it is sane, else a new one. */
export function chooseRequestId(incoming: string | null, create: () => string): string {
  return incoming !== null && SANE.test(incoming) ? incoming : create();
}
