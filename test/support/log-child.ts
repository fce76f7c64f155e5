// The process that tests start to have a second writer. It reads lines: `append N` appends N batches of 3 records,
// each with its number as progress, and prints the end offset after each one that was acknowledged.

import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { openEmbeddedLog } from "../../src/adapters/embedded/event-log.ts";
import { recordsOf } from "../../src/log/records.ts";
import { present } from "../../src/support/assert.ts";
import { systemClock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";

const file = present(process.argv[2], "the log's file");
const options = { file, clock: systemClock, logger: silentLogger, retention: { maxBytes: 1e9 } };
await using log = await openEmbeddedLog(options);
await log.createTopics([{ name: "iot.co2", partitions: 1 }]);
const producer = `child-${process.pid}`;
writeSync(1, `${producer}\n`);

let appended = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const batches = Number(line.split(" ")[1]);
  for (let i = 0; i < batches; i += 1) {
    const records = recordsOf(
      [0, 1, 2].map((n) => ({ key: producer, value: `${producer} ${appended + n}` })),
    );
    const notes = new Map([["appended", String(appended + 3)]]);
    await log.append([{ topic: "iot.co2", partition: 0, records }], { producer, notes });
    appended += 3;
    writeSync(1, `${appended}\n`);
  }
}
