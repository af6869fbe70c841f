/** The real app on a real socket over engines with a residency of their own making, and a client bound to it. */
import { createApp } from "../../src/app.ts";
import { loadPlatform } from "../../src/cli/runtime.ts";
import { connectModel, type ServedModel, VLLMClient } from "../../src/index.ts";
import { createRig, type Rig } from "../unit/cases/residency-rig.ts";
import { createFakeGateway } from "./fake-gateway.ts";

export interface LeaseServer {
  readonly rig: Rig;
  readonly url: string;
  readonly model: ServedModel;
  stop(): Promise<void>;
}

export async function startLeaseServer(replicas = 1): Promise<LeaseServer> {
  const platform = await loadPlatform();
  const ports = platform.createPorts();
  const rig = await createRig({ replicas, clock: ports.clock });
  const { gateway } = createFakeGateway({ over: { leases: rig.leases.api, residency: rig.residencies } });
  const real = { ...gateway, ports: { ...gateway.ports, clock: ports.clock, runtime: ports.runtime } };
  const listener = await platform.listen(createApp(real), { host: "127.0.0.1", port: 0 });
  const client = new VLLMClient({ baseUrl: listener.url });
  return {
    rig,
    url: listener.url,
    model: await connectModel(client),
    async stop() {
      await rig.leases.stop();
      await listener.closeNow();
    },
  };
}
