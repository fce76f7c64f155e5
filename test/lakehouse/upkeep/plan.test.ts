// The plan of compaction: what it merges, that it comes to an end, and what it costs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { AddFile } from "../../../src/lakehouse/delta/actions.ts";
import {
  markSorted,
  planCompaction,
  type PlanRules,
  TIER_FACTOR,
  tierOf,
} from "../../../src/lakehouse/upkeep/plan.ts";

const MB = 1_048_576;
const HOUR_MS = 3_600_000;
const CLOSED = "2013-08-23";
const OPEN = "2013-08-24";

const RULES: PlanRules = {
  targetBytes: 256 * MB,
  isClosed: ({ event_date: day }) => day === CLOSED,
  isSorted: true,
  nowMs: 0,
};

let files = 0;
const file = (size: number, day: string, facts: Partial<AddFile> & { rows?: number } = {}): AddFile => {
  const { rows = 10, ...given } = facts;
  files += 1;
  return {
    path: `event_date=${day}/${String(files).padStart(9, "0")}.parquet`,
    partitionValues: { event_date: day },
    size,
    modificationTime: 0,
    dataChange: true,
    stats: JSON.stringify({ numRecords: rows }),
    ...given,
  };
};

const rowsOf = ({ stats = "{}" }: AddFile): number =>
  (JSON.parse(stats) as { numRecords: number }).numRecords;
const total = (some: readonly AddFile[]): number => some.reduce((sum, { size }) => sum + size, 0);

/** Carries out a plan; what is merged weighs a little less than its parts. */
function carriedOut(held: readonly AddFile[], plan: readonly (readonly AddFile[])[]): AddFile[] {
  const gone = new Set(plan.flat());
  const merged = plan.map((group) =>
    markSorted(
      file(Math.ceil(total(group) * 0.9), group[0]!.partitionValues["event_date"]!, {
        rows: group.reduce((sum, one) => sum + rowsOf(one), 0),
      }),
    ),
  );
  return [...held.filter((one) => !gone.has(one)), ...merged];
}

const anyFiles = fc.array(
  fc
    .record({
      size: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 400 * MB })),
      day: fc.constantFrom(CLOSED, OPEN),
      rows: fc.integer({ min: 0, max: 300_000 }),
      modificationTime: fc.integer({ min: -5 * HOUR_MS, max: 0 }),
    })
    .map(({ size, day, ...facts }) => file(size, day, facts)),
  { maxLength: 60 },
);

describe("any plan", () => {
  test("merges files of one partition each, none twice, and makes no file of more than the target", () => {
    fc.assert(
      fc.property(anyFiles, (held) => {
        const plan = planCompaction(held, RULES);
        assert.equal(new Set(plan.flat()).size, plan.flat().length);
        for (const group of plan) {
          assert.equal(new Set(group.map((one) => one.partitionValues["event_date"])).size, 1);
          if (group.length > 1) assert.ok(total(group) <= RULES.targetBytes);
        }
      }),
    );
  });

  test("leaves nothing to do after a few rounds", () => {
    fc.assert(
      fc.property(anyFiles, (held) => {
        let now = held;
        for (let round = 0; round < 10; round += 1) now = carriedOut(now, planCompaction(now, RULES));
        assert.deepEqual(planCompaction(now, RULES), []);
        assert.equal(
          now.reduce((sum, one) => sum + rowsOf(one), 0),
          held.reduce((sum, one) => sum + rowsOf(one), 0),
        );
      }),
    );
  });

  test("leaves of an open partition at most seven files a tier, beside those of half the target", () => {
    fc.assert(
      fc.property(anyFiles, (held) => {
        let now = held;
        for (let round = 0; round < 10; round += 1) now = carriedOut(now, planCompaction(now, RULES));
        const small = now.filter(
          (one) => one.partitionValues["event_date"] === OPEN && one.size * 2 < RULES.targetBytes,
        );
        for (const [, tier] of Map.groupBy(small, ({ size }) => tierOf(size))) {
          assert.ok(tier.length < TIER_FACTOR);
        }
      }),
    );
  });
});

test("a partition that is appended to for long has few files, and each byte is written again once a tier", () => {
  let held: AddFile[] = [];
  let written = 0;
  let most = 0;
  const appends = 5000;
  for (let index = 0; index < appends; index += 1) {
    held.push(file(10_000, OPEN));
    const plan = planCompaction(held, RULES);
    written += total(plan.flat());
    held = carriedOut(held, plan);
    most = Math.max(most, held.length);
  }
  assert.ok(most <= 35, `${most} files`);
  assert.ok(written <= 6 * appends * 10_000, `${written / (appends * 10_000)} times`);
});

test("a closed partition of small files becomes one file, and is then left alone", () => {
  const held = [file(900_000, CLOSED), file(50_000, CLOSED), file(10, CLOSED)];
  const plan = planCompaction(held, RULES);
  assert.deepEqual(plan, [held]);
  assert.deepEqual(planCompaction(carriedOut(held, plan), RULES), []);
});

test("a closed partition above the target becomes several files of about the target", () => {
  const held = Array.from({ length: 10 }, () => file(60 * MB, CLOSED));
  assert.deepEqual(
    planCompaction(held, RULES).map((group) => group.length),
    [4, 4, 2],
  );
});

test("a large file whose rows are not in order is written again once its partition is closed", () => {
  const large = (day: string): AddFile => file(200 * MB, day, { rows: 1_000_000 });
  const closed = large(CLOSED);
  assert.deepEqual(planCompaction([closed, large(OPEN)], RULES), [[closed]]);
  assert.deepEqual(planCompaction([markSorted(closed)], RULES), []);
  assert.deepEqual(planCompaction([closed], { ...RULES, isSorted: false }), []);
});

test("a few late readings wait until a large file's day is quiet", () => {
  const day = markSorted(file(100 * MB, CLOSED, { rows: 1_000_000 }));
  const late = file(20_000, CLOSED);
  assert.deepEqual(planCompaction([day, late], RULES), []);
  assert.deepEqual(planCompaction([day, late], { ...RULES, nowMs: HOUR_MS + 1 }), [[day, late]]);
  const many = file(20 * MB, CLOSED);
  assert.deepEqual(planCompaction([day, many], RULES), [[day, many]]);
});
