// When messages are due.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newTimetable, type Pace } from "../../src/replay/pace.ts";

const dues = (pace: Pace, eventSeconds: readonly number[]): readonly number[] => {
  const timetable = newTimetable(pace, 500);
  return eventSeconds.map((seconds) => {
    const due = timetable?.nextDueMs(seconds) ?? NaN;
    timetable?.advance(seconds);
    return due;
  });
};

test("nothing is due at the highest pace", () => {
  assert.equal(newTimetable({ mode: "max" }, 500), undefined);
});

test("a rate spaces messages evenly, whatever their event times", () => {
  assert.deepEqual(
    dues({ mode: "rate", messagesPerSecond: 4 }, [9, 3, -Infinity, 7]),
    [500, 750, 1000, 1250],
  );
});

test("a rate does not drift over a million messages", () => {
  const timetable = newTimetable({ mode: "rate", messagesPerSecond: 3 }, 0);
  for (let i = 0; i < 1_000_000; i += 1) timetable?.advance(0);
  assert.equal(timetable?.nextDueMs(0), (1_000_000 * 1000) / 3);
});

test("time-warp keeps distances, divided by the factor", () => {
  assert.deepEqual(
    dues({ mode: "timewarp", factor: 10 }, [100, 100, 101, 105.5, 1100]),
    [500, 500, 600, 1050, 100_500],
  );
});

test("a late row, and one without a place in time, is due at once and moves nothing", () => {
  assert.deepEqual(
    dues({ mode: "timewarp", factor: 1 }, [-Infinity, 100, 102, 90, -Infinity, 103]),
    [500, 500, 2500, 2500, 2500, 3500],
  );
});
