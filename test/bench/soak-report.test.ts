// What the samples of a soak say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { minutesText, type Sample, verdictOf, verdictText } from "../../bench/soak-report.ts";

const MINUTES = 4;

/** A sample every 10 s; memory and files come from how far the soak is, 0 to 1. */
function samples(memoryMb: (share: number) => number, files: (share: number) => number): readonly Sample[] {
  return Array.from({ length: MINUTES * 6 }, (_, index) => {
    const share = (index + 1) / (MINUTES * 6);
    return {
      seconds: (index + 1) * 10,
      memoryMb: memoryMb(share),
      messages: (index + 1) * 50_000,
      lag: 1000,
      filesOnDisk: 100,
      tables: { bronze: { files: files(share), partitions: Math.ceil(share * 10) } },
    };
  });
}

test("memory and files that stay where they are, are bounded, however many partitions there are", () => {
  const verdict = verdictOf(
    samples(
      (share) => (share < 0.25 ? 100 : 500),
      (share) => 3 * Math.ceil(share * 10),
    ),
  );
  assert.equal(verdict.memoryRatio, 1);
  assert.deepEqual(verdict.tables, [{ name: "bronze", filesMax: 30, perPartitionMax: 3, ratio: 1 }]);
  assert.ok(verdict.isBounded);
  assert.match(verdictText(verdict), /^bounded: /m);
});

test("memory that grows is found, and so are files", () => {
  const leaking = verdictOf(
    samples(
      (share) => 100 + 400 * share,
      () => 10,
    ),
  );
  assert.ok(leaking.memoryRatio > 1.5 && !leaking.isBounded);
  const littering = verdictOf(
    samples(
      () => 100,
      (share) => 1000 * share * share,
    ),
  );
  assert.ok((littering.tables[0]?.ratio ?? 0) > 1.2 && !littering.isBounded);
  assert.match(verdictText(littering), /^NOT BOUNDED: /m);
});

test("each minute is a row with the messages that came in it", () => {
  const lines = minutesText(
    samples(
      () => 100,
      () => 10,
    ),
  ).split("\n");
  assert.match(lines[0] ?? "", /^minute +messages +lag +peak MB +on disk +bronze$/);
  assert.match(lines[3] ?? "", /^ *1\.8 +300,000 +1,000 +100 +100 +10$/);
});
