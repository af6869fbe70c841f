/** From a client to its connection, for the parts of the library that speak to the same gateway. Keeps keys private. */
import type { Connection } from "./http.ts";

const connections = new WeakMap<object, Connection>();

/** Called once, by the client's constructor. */
export function registerConnection(client: object, connection: Connection): void {
  connections.set(client, connection);
}

/** Throws TypeError for what is no client of this library. */
export function connectionOf(client: object): Connection {
  const found = connections.get(client);
  if (found === undefined) throw new TypeError("client must be a VLLMClient of this library.");
  return found;
}
