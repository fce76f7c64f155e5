// Holds: when they are published, renewed and gone.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Engine, FilesInput, Query } from "../../src/lakehouse/engine.ts";
import { HOLD_MS, publishedHolds } from "../../src/lakehouse/holds.ts";
import { openLake, tableInput, type Lake } from "../../src/lakehouse/lake.ts";
import type { Clock } from "../../src/support/clock.ts";
import { type BareLake, makeBareLake } from "../support/bare-lake.ts";
import { textCodec } from "../support/delta.ts";

const TABLE = "bronze/rejected";
const NOTHING = { columns: [], rows: [], truncated: false };

/** A clock whose sleeps end when the test says so, or when their signal aborts. */
function steppedClock(lake: BareLake): Clock & { step(): Promise<void>; sleepers(): number } {
  let wake: (() => void)[] = [];
  return {
    nowMs: () => lake.clock.nowMs(),
    monotonicMs: () => lake.clock.monotonicMs(),
    sleep: async (_ms, signal) =>
      new Promise<void>((done) => {
        const end = (): void => {
          wake = wake.filter((other) => other !== end);
          done();
        };
        wake.push(end);
        signal?.addEventListener("abort", end);
      }),
    sleepers: () => wake.length,
    step: async () => {
      lake.clock.advance(HOLD_MS);
      for (const end of wake) end();
      // Lets what was waiting come to its next sleep.
      for (let count = 0; count < 5; count += 1) await turn();
    },
  };
}

interface Held {
  readonly lake: Lake;
  readonly clock: ReturnType<typeof steppedClock>;
  /** What is published now. */
  readonly published: () => Promise<readonly number[]>;
}

/** The lake as a process has it whose queries do `during` while they run. */
async function opened(bare: BareLake, during: (held: Held) => Promise<void>): Promise<Held> {
  const clock = steppedClock(bare);
  const engine: Engine = {
    write: async () => Promise.reject(new Error("nothing is written")),
    query: async () => {
      await during(held);
      return NOTHING;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const parts = { store: bare.store, codec: textCodec, bronzePartitionBy: ["event_date"] };
  const lake = await openLake({ ...parts, engine, clock }, { create: false });
  const published = async (): Promise<readonly number[]> => {
    const holds = await publishedHolds(bare.store, { nowMs: bare.clock.nowMs(), keep: true });
    return [...(holds.get(TABLE) ?? [])];
  };
  const held: Held = { lake, clock, published };
  return held;
}

const query = (input: FilesInput): Query => ({
  sql: "select 1",
  inputs: [input],
  rowsMax: 1,
  timeoutMs: 1000,
});

async function inputOf(lake: Lake, version?: number): Promise<FilesInput> {
  return tableInput(lake, TABLE, { snapshot: await lake.table(TABLE).snapshot(version) });
}

test("a query on the newest version writes nothing as long as it is short", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  let ran = 0;
  const { lake, clock } = await opened(bare, async () => {
    ran += 1;
    assert.deepEqual(await bare.store.list("_atrium/holds/"), []);
  });
  await lake.engine.query(query(await inputOf(lake)));
  assert.equal(ran, 1);
  assert.deepEqual([clock.sleepers(), await bare.store.list("_atrium/holds/")], [0, []]);
});

test("a query that lasts is published, renewed before it expires, and taken back at its end", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  const seen: (readonly number[])[] = [];
  const { lake, clock, published } = await opened(bare, async (held) => {
    for (let step = 0; step < 8; step += 1) {
      await held.clock.step();
      // The next renewal may be late.
      bare.clock.advance(HOLD_MS * 1.5);
      seen.push(await held.published());
    }
  });
  await lake.engine.query(query(await inputOf(lake)));
  assert.deepEqual(
    seen,
    Array.from({ length: 8 }, () => [1]),
  );
  assert.deepEqual([clock.sleepers(), await published()], [0, []]);
  assert.deepEqual(await bare.store.list("_atrium/holds/"), []);
});

test("an older version is published before it is read", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  await bare.commit(TABLE, {});
  let seen: readonly number[] = [];
  const { lake, published } = await opened(bare, async (held) => {
    seen = await held.published();
  });
  await lake.engine.query(query(await inputOf(lake, 1)));
  assert.deepEqual([seen, await published()], [[1], []]);
});

test("a version that was replaced a moment ago is not published, and one that was replaced long ago is", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  const seen: (readonly number[])[] = [];
  const { lake } = await opened(bare, async (held) => {
    seen.push(await held.published());
  });
  const input = await inputOf(lake);
  await bare.commit(TABLE, {});
  await lake.table(TABLE).snapshot();
  await lake.engine.query(query(input));
  bare.clock.advance(HOLD_MS + 1);
  await lake.engine.query(query(input));
  assert.deepEqual(seen, [[], [1]]);
});

test("calls that overlap hold their versions until the last of each has ended, also when one fails", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  await bare.commit(TABLE, {});
  const { lake, published } = await opened(bare, async () => undefined);
  const hold: typeof lake.holds.during = async (versions, work) => lake.holds.during(versions, work);
  await hold([{ table: TABLE, version: 0 }], async () => {
    await assert.rejects(
      hold(
        [
          { table: TABLE, version: 0 },
          { table: TABLE, version: 1 },
        ],
        async () => {
          assert.deepEqual(
            (await published()).toSorted((a, b) => a - b),
            [0, 1],
          );
          throw new Error("this query fails");
        },
      ),
      /this query fails/,
    );
    assert.ok((await published()).includes(0));
  });
  assert.deepEqual(await published(), []);
});

test("a reader that may not write still reads", async () => {
  await using bare = await makeBareLake();
  await bare.commit(TABLE, {});
  await bare.commit(TABLE, {});
  const { lake } = await opened(bare, async () => undefined);
  bare.store.put = async () => Promise.reject(new Error("read-only"));
  const answer = await lake.engine.query(query(await inputOf(lake, 1)));
  assert.deepEqual(answer, NOTHING);
});

test("a hold that cannot be read counts for nothing, and goes in its time", async () => {
  await using bare = await makeBareLake();
  for (const [index, text] of ["", "{", '{"expiresMs":"x","tables":{}}', "null"].entries()) {
    await bare.store.put(`_atrium/holds/${index}.json`, new TextEncoder().encode(text));
  }
  assert.equal((await publishedHolds(bare.store, { nowMs: bare.clock.nowMs() })).size, 0);
  assert.equal((await bare.store.list("_atrium/holds/")).length, 4);
  bare.clock.advance(1_000_000);
  await publishedHolds(bare.store, { nowMs: bare.clock.nowMs() });
  assert.deepEqual(await bare.store.list("_atrium/holds/"), []);
});
