/** The container's health check: 0 when the gateway can serve, 1 with the reason when it cannot. */
import process from "node:process";

const port = process.env.TIDEGATE_PORT ?? "8000";
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) });
  if (!response.ok) process.stderr.write(await response.text());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error}\n`);
  process.exitCode = 1;
}
