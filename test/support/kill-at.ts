// Preloaded into the real program (NODE_OPTIONS=--import): kills or halts it at the n-th passing of a fault point.
//
// KILL_AT      `point#n`; left out: it is never killed by itself
// KILL_SIGNAL  SIGKILL (default) or SIGSTOP
// PASSED_FILE  takes the point that was passed last, so that whoever kills at random knows where it hit

import { openSync, writeSync } from "node:fs";
import { isFaultPoint, onFaultPoint, type FaultPoint } from "../../src/support/fault-point.ts";

/** Wider than any name: one write of one width replaces the name before. */
const NAME_WIDTH = 40;

const { KILL_AT = "", KILL_SIGNAL = "SIGKILL", PASSED_FILE } = process.env;
const [target = "", count = "1"] = KILL_AT.split("#");
if (target !== "" && !isFaultPoint(target)) throw new Error(`KILL_AT: there is no fault point ${target}`);
const passedFile = PASSED_FILE === undefined ? undefined : openSync(PASSED_FILE, "w");
let left = Number(count);

onFaultPoint((point: FaultPoint) => {
  if (passedFile !== undefined) writeSync(passedFile, point.padEnd(NAME_WIDTH), 0);
  if (point !== target) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, KILL_SIGNAL);
});
