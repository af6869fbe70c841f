/** A container's memory limit is what the budget is checked against: control groups of both versions, over a tree of files that is played. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { readCgroupMemory } from "../../src/worker/cgroup.ts";
import { toKvBytes } from "../../src/worker/memory-budget.ts";

const MIB = 2 ** 20;
const read = (tree: Readonly<Record<string, string>>) =>
  readCgroupMemory((path) => (Object.hasOwn(tree, path) ? tree[path]! : null));

describe("memory of the control group", () => {
  test("version 2 in a container: its own root is the group; page cache that can go counts as free", () => {
    const tree = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.max": `${512 * MIB}\n`,
      "/sys/fs/cgroup/memory.current": `${300 * MIB}\n`,
      "/sys/fs/cgroup/memory.stat": `anon ${100 * MIB}\nfile ${200 * MIB}\ninactive_file ${150 * MIB}\nactive_file ${50 * MIB}\n`,
    };
    assert.deepEqual(read(tree), { limitBytes: 512 * MIB, freeBytes: 362 * MIB });
  });

  test("version 2: a group above may be the narrow one; max is no limit", () => {
    const tree = {
      "/proc/self/cgroup": "0::/kubepods.slice/pod7/box\n",
      "/sys/fs/cgroup/kubepods.slice/memory.max": "max\n",
      "/sys/fs/cgroup/kubepods.slice/pod7/memory.max": `${1024 * MIB}\n`,
      "/sys/fs/cgroup/kubepods.slice/pod7/memory.current": `${1000 * MIB}\n`,
      "/sys/fs/cgroup/kubepods.slice/pod7/box/memory.max": `${768 * MIB}\n`,
      "/sys/fs/cgroup/kubepods.slice/pod7/box/memory.current": `${64 * MIB}\n`,
    };
    assert.deepEqual(read(tree), { limitBytes: 768 * MIB, freeBytes: 24 * MIB });
  });

  test("version 1, where the path is one of the host that the container does not see", () => {
    const tree = {
      "/proc/self/cgroup": "5:cpu,cpuacct:/docker/f00\n4:memory:/docker/f00\n0::/\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${256 * MIB}\n`,
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${400 * MIB}\n`,
      "/sys/fs/cgroup/memory/memory.stat": `total_inactive_file ${200 * MIB}\n`,
    };
    assert.deepEqual(read(tree), { limitBytes: 256 * MIB, freeBytes: 56 * MIB });
  });

  test("no limit, no groups, nonsense", () => {
    assert.equal(read({}), null);
    const path = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    assert.equal(read({ "/proc/self/cgroup": "4:memory:/\n", [path]: "9223372036854771712\n" }), null);
    for (const value of ["max", "", "-1", "1e9", "lots", "9".repeat(30)]) {
      assert.equal(read({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": value }), null, value);
    }
    const outside = { "/proc/self/cgroup": "0::/../../etc\n", "/sys/fs/cgroup/etc/memory.max": "4096\n" };
    assert.equal(read(outside)?.limitBytes, 4096, "dots are left out: nothing outside the tree is read");
  });

  test("a model that the container cannot hold is refused with the container's numbers", () => {
    const tree = {
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/memory.max": `${512 * MIB}`,
      "/sys/fs/cgroup/memory.current": `${40 * MIB}`,
    };
    const plan = {
      weights: 500 * MIB,
      loading: 900 * MIB,
      buffers: 100 * MIB,
      bufferToken: 0,
      token: MIB / 8,
      positions: 2048,
    };
    const limits = { slots: 4, budgetBytes: undefined, replicas: 1 };
    assert.throws(
      () => toKvBytes(plan, limits, new Map(), read(tree)!.freeBytes),
      (error) =>
        error instanceof GatewayError && error.code === "limit_exceeded" && /472\.0 MiB are free/.test(error.message),
    );
  });
});
