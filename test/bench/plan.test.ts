// What the arguments of the bench ask for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PARTS, planOf, roomCountsOf, stagesOf } from "../../bench/plan.ts";

test("without arguments everything is measured once, on all rooms, and nothing is stored", () => {
  assert.deepEqual(planOf([]), {
    parts: [...PARTS],
    rooms: [],
    rounds: 1,
    save: false,
    json: false,
    help: false,
  });
});

test("parts come in the order of measuring, rooms as they are given, each once", () => {
  const plan = planOf([
    "--only",
    "run, ingest",
    "--rooms",
    "656A,413,656A",
    "--rounds",
    "3",
    "--save",
    "--json",
  ]);
  assert.deepEqual(plan.parts, ["ingest", "run"]);
  assert.deepEqual(plan.rooms, ["656A", "413"]);
  assert.equal(plan.rounds, 3);
  assert.ok(plan.save && plan.json);
});

test("a wrong argument is refused with what is allowed", () => {
  assert.throws(() => planOf(["--only", "run,silver"]), /--only run,silver: replay, .* are allowed/);
  assert.throws(() => planOf(["--only", ""]), /are allowed/);
  for (const rounds of ["0", "21", "1.5", "many"]) {
    assert.throws(() => planOf(["--rounds", rounds]), /from 1 to 20/);
  }
  assert.throws(() => planOf(["--fast"]), /--fast/);
  assert.throws(() => planOf(["run"]), /run/);
});

test("the API is measured on the lake of run, so run comes with it", () => {
  assert.deepEqual(stagesOf(planOf(["--only", "api"])), ["run"]);
  assert.deepEqual(stagesOf(planOf(["--only", "pace,memory"])), []);
  assert.deepEqual(stagesOf(planOf(["--only", "gold,replay"])), ["replay", "gold"]);
});

test("memory is looked at on one, four and all rooms, and run on all of them is not repeated", () => {
  assert.deepEqual(roomCountsOf(planOf([]), 14), [1, 4]);
  assert.deepEqual(roomCountsOf(planOf(["--only", "memory"]), 14), [1, 4, 14]);
  assert.deepEqual(roomCountsOf(planOf(["--only", "memory"]), 2), [1, 2]);
  assert.deepEqual(roomCountsOf(planOf(["--only", "memory"]), 1), [1]);
  assert.deepEqual(roomCountsOf(planOf(["--only", "run"]), 14), []);
});
