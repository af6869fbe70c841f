/** A Redis for tests that stop it: a real one where this machine has one, else the fake. */
import assert from "node:assert/strict";
import process from "node:process";
import { startFakeRedis } from "../fakes/redis-server.ts";
import { startRealRedis } from "./real-redis.ts";

/** The store that a test can stop, kill and start again. */
export interface StoppableStore {
  readonly url: string;
  readonly kind: string;
  freeze(): void;
  thaw(): void;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a real one, or the fake where there is none and TIDEGATE_REQUIRE_REDIS is not 1. */
export async function startStore(): Promise<StoppableStore> {
  const real = await startRealRedis();
  if (real !== undefined) {
    return {
      url: real.url,
      kind: `redis ${real.version}`,
      freeze: () => real.signal("SIGSTOP"),
      thaw: () => real.signal("SIGCONT"),
      kill: real.kill,
      restart: real.restart,
      stop: real.stop,
    };
  }
  assert.notEqual(process.env.TIDEGATE_REQUIRE_REDIS, "1", "no redis-server here");
  const fake = await startFakeRedis();
  return {
    url: fake.url,
    kind: "fake",
    freeze: fake.freeze,
    thaw: fake.thaw,
    async kill() {
      await fake.close();
      fake.forget();
    },
    restart: fake.reopen,
    stop: fake.close,
  };
}
