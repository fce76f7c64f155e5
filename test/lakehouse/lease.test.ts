// The lease: one holder at a time, a dead one is followed, and the clocks of two processes need not agree.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryObjectStore } from "../../src/adapters/memory/object-store.ts";
import { LEASE_MS, type Lease, openLease } from "../../src/lakehouse/lease.ts";
import type { Clock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";

/** A clock that stands still; sleeping ends only when it is stopped. */
function stillClock(wallMs: number): Clock & { pass(ms: number): void } {
  let passedMs = 0;
  return {
    nowMs: () => wallMs,
    monotonicMs: () => passedMs,
    sleep: async (_ms, signal) =>
      new Promise((done) => {
        if (signal?.aborted !== false) done();
        else signal.addEventListener("abort", () => done(), { once: true });
      }),
    pass: (ms) => {
      passedMs += ms;
    },
  };
}

const store = memoryObjectStore();
const leaseOf = (name: string, clock: Clock): Lease =>
  openLease({ store, clock, logger: silentLogger, name });

/** Takes the lease and dies with it: its work never ends. */
async function takeAndDie(name: string, clock: Clock): Promise<void> {
  await new Promise<void>((taken) => {
    void leaseOf(name, clock).during(async () => {
      taken();
      return new Promise<string>(() => undefined);
    });
  });
}

test("of many that ask at once exactly one works, and the next holder is given its note", async () => {
  const leases = Array.from({ length: 8 }, () => leaseOf("many", stillClock(0)));
  let inside = 0;
  const results = await Promise.all(
    leases.map(async (lease) =>
      lease.during(async (note) => {
        inside += 1;
        assert.equal(inside, 1);
        await new Promise((turn) => setImmediate(turn));
        inside -= 1;
        return `${note}x`;
      }),
    ),
  );
  const worked = results.filter(Boolean).length;
  assert.ok(worked >= 1);
  let found = "";
  assert.ok(await leases[0]!.during(async (note) => (found = note)));
  assert.equal(found, "x".repeat(worked));
  assert.equal((await store.list("_atrium/leases/many/")).length, 1);
});

test("work that fails frees the lease, and keeps the note before it", async () => {
  const lease = leaseOf("failing", stillClock(0));
  assert.ok(await lease.during(async () => "before"));
  const failing = lease.during(async () => Promise.reject(new Error("of the work")));
  await assert.rejects(failing, /of the work/);
  assert.ok(
    await lease.during(async (note) => {
      assert.equal(note, "before");
      return note;
    }),
  );
});

for (const [name, wallMs] of [
  ["an hour slow", -3_600_000],
  ["a year fast", 31_536_000_000],
] as const) {
  test(`a dead holder is followed after ${LEASE_MS} ms by a process whose wall clock is ${name}, and not before`, async () => {
    await takeAndDie(name, stillClock(0));
    const clock = stillClock(wallMs);
    const lease = leaseOf(name, clock);
    const work = async (): Promise<string> => "";
    assert.equal(await lease.during(work), false);
    clock.pass(LEASE_MS - 1);
    assert.equal(await lease.during(work), false);
    clock.pass(1);
    assert.equal(await lease.during(work), true);
  });
}

test("a holder that shows signs of life keeps the lease for as long as it works", async () => {
  const clock = stillClock(0);
  // Each sleep of the holder ends when it is told to.
  const wakes: (() => void)[] = [];
  const holder = leaseOf("lively", {
    ...clock,
    sleep: async (_ms, signal) =>
      new Promise((done) => {
        wakes.push(done);
        if (signal?.aborted === true) done();
        else signal?.addEventListener("abort", () => done(), { once: true });
      }),
  });
  let end = (_note: string): void => undefined;
  const work = new Promise<string>((done) => (end = done));
  const held = holder.during(async () => work);
  const other = leaseOf("lively", clock);
  const beats = async (): Promise<number> => {
    const [term] = await store.list("_atrium/leases/lively/");
    if (term === undefined) return -1;
    return (JSON.parse(new TextDecoder().decode(await store.get(term.path))) as { beat: number }).beat;
  };
  for (let beat = 0; beat < 5; beat += 1) {
    while (wakes.length === 0 || (await beats()) < beat) await new Promise((turn) => setImmediate(turn));
    assert.equal(await other.during(async () => ""), false);
    clock.pass(LEASE_MS - 1);
    wakes.shift()?.();
  }
  end("");
  assert.ok(await held);
  assert.ok(await other.during(async () => ""));
});

test("a paused holder that awakes after it was followed frees nothing of the next one's", async () => {
  const clock = stillClock(0);
  let end = (_note: string): void => undefined;
  const taken = Promise.withResolvers<undefined>();
  const paused = leaseOf("paused", clock).during(async () => {
    taken.resolve(undefined);
    return new Promise<string>((done) => (end = done));
  });
  await taken.promise;
  const next = leaseOf("paused", clock);
  assert.equal(await next.during(async () => ""), false);
  clock.pass(LEASE_MS);
  const third = leaseOf("paused", clock);
  const isFollowed = await next.during(async () => {
    end("late");
    assert.ok(await paused);
    assert.equal(await third.during(async () => ""), false);
    return "of the next";
  });
  assert.ok(isFollowed);
  let found = "";
  assert.ok(await third.during(async (note) => (found = note)));
  assert.equal(found, "of the next");
});
