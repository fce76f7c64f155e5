// Real readings of one room: the merge gives what sorting gives.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { localRawSource } from "../../src/adapters/local/raw-source.ts";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../src/reading/terms.ts";
import { replay } from "../../src/replay/replay.ts";
import { KETI_DIR, WITHOUT_KETI } from "../support/keti.ts";
import { recordingLog, replayOptions } from "../support/replay.ts";

test(
  "a real room's five files go out complete, in the order of time, each as its rows are",
  { skip: WITHOUT_KETI },
  async () => {
    const folder = KETI_DIR ?? "";
    // The order of the log is that of the merge within one partition: here all files go to one topic.
    const topic = { name: "iot.all", partitions: 1 };
    const log = recordingLog();
    const options = replayOptions({ source: localRawSource(folder), log, rooms: ["776"] });
    const topics = { co2: topic, humidity: topic, luminosity: topic, pir: topic, temperature: topic };
    const summary = await replay({ ...options, topics, partitionOf: () => 0 });

    const expected = SENSOR_TYPES.flatMap((sensor) => {
      const text = gunzipSync(
        readFileSync(join(folder, "776", `${SENSOR_TRAITS[sensor].fileName}.csv.gz`)),
      ).toString("latin1");
      return text
        .trimEnd()
        .split("\n")
        .map((line) => {
          const [ts, value] = line.split(",").map(Number);
          return {
            ts: ts ?? NaN,
            key: `776:${sensor}`,
            value: JSON.stringify({ room: "776", sensor, ts, value }),
          };
        });
    });
    const fileOrder = ["776:co2", "776:humidity", "776:luminosity", "776:pir", "776:temperature"];
    expected.sort((a, b) => a.ts - b.ts || fileOrder.indexOf(a.key) - fileOrder.indexOf(b.key));
    assert.equal(summary.messages, expected.length);
    assert.deepEqual([summary.late, summary.malformed, summary.files], [0, 0, 5]);
    const firstWrong = expected.findIndex(
      ({ key, value }, i) => log.records[i]?.value !== value || log.records[i]?.key !== key,
    );
    assert.equal(firstWrong, -1, `record ${firstWrong}: ${log.records[firstWrong]?.value}`);
    assert.deepEqual(
      [summary.firstEventMs, summary.lastEventMs],
      [(expected[0]?.ts ?? 0) * 1000, (expected.at(-1)?.ts ?? 0) * 1000],
    );
  },
);
