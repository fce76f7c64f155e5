// Progress: a rewritten line on a terminal, log lines elsewhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Logger, silentLogger } from "../../src/support/logger.ts";
import { progressReporter, statusLineOf } from "../../src/support/progress.ts";
import { stoppedClock } from "./command-line.ts";

const ERASE = "\r\u001b[2K";
const state = (rows: number) => () => ({ message: "work", text: `work: ${rows} rows`, fields: { rows } });

describe("without a terminal", () => {
  test("a log line is written every so often, and none for short work", () => {
    const lines: unknown[] = [];
    const logger: Logger = { ...silentLogger, info: (message, fields) => lines.push([message, fields]) };
    const clock = stoppedClock();
    const progress = progressReporter({ clock, logger, everyMs: 10_000 });
    for (let rows = 0; rows < 25; rows += 1) {
      progress.update(state(rows));
      clock.advance(1_000);
    }
    progress.end();
    assert.deepEqual(lines, [
      ["work", { rows: 10 }],
      ["work", { rows: 20 }],
    ]);
  });
});

describe("on a terminal", () => {
  test("one line is rewritten at most ten times a second and taken away at the end", () => {
    let screen = "";
    const statusLine = statusLineOf(
      (text) => (screen += text),
      () => 80,
    );
    const clock = stoppedClock();
    const progress = progressReporter({ clock, logger: silentLogger, statusLine, everyMs: 10_000 });
    for (let rows = 0; rows < 4; rows += 1) {
      progress.update(state(rows));
      clock.advance(50);
    }
    progress.end();
    progress.end();
    assert.equal(screen, `${ERASE}work: 0 rows${ERASE}work: 2 rows${ERASE}`);
  });

  test("other text appears above the status line", () => {
    let screen = "";
    const line = statusLineOf(
      (text) => (screen += text),
      () => 80,
    );
    line.write("first\n");
    line.show("busy");
    line.write("second\n");
    assert.equal(screen, `first\n${ERASE}busy${ERASE}second\nbusy`);
  });

  test("a status is cut to the width of the terminal", () => {
    let screen = "";
    statusLineOf(
      (text) => (screen += text),
      () => 5,
    ).show("abcdefgh");
    assert.equal(screen, `${ERASE}abcd`);
  });
});
