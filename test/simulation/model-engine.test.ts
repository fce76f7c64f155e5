// The model engine of the simulation says what DuckDB says, so that histories on it mean something.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { localObjectStore } from "../../src/adapters/local/object-store.ts";
import { ingest } from "../../src/lakehouse/bronze/ingest.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import { openLake, tableInput, type Lake } from "../../src/lakehouse/lake.ts";
import { localEngine } from "../../src/lakehouse/local-inputs.ts";
import { refineBatch } from "../../src/lakehouse/silver/refine.ts";
import { compactTable } from "../../src/lakehouse/upkeep/compact.ts";
import { TABLE_NAMES, tableDefinition, type TableName } from "../../src/reading/tables.ts";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../../src/reading/terms.ts";
import { seededChance } from "../../src/support/chance.ts";
import type { Clock } from "../../src/support/clock.ts";
import { silentLogger } from "../../src/support/logger.ts";
import { textCodec } from "../support/delta.ts";
import { makeTestLake, testClock, type TestLake } from "../support/lake.ts";
import { Disk } from "./disk.ts";
import { modelEngine } from "./model-engine.ts";
import { type Row, rowsOfFile } from "./model-rows.ts";
import { plainFiles } from "./simulated-files.ts";

const QUERY_TIMEOUT_MS = 60_000;
const START = 1_377_298_800; // 2013-08-23T23:00:00Z
/**
 * What both engines are compared by. The model leaves out most figures of gold and has counts in their place, which
 * change more often: so it has more revisions.
 */
const COMPARED: Readonly<Partial<Record<TableName, readonly string[]>>> = {
  "bronze/readings": [
    "room",
    "sensor_type",
    "ts_unix",
    "value",
    "event_date",
    "topic",
    "offset",
    "attributes",
  ],
  "bronze/rejected": ["topic", "offset", "key", "value", "reason"],
  "silver/readings": [
    "sensor_id",
    "ts_unix",
    "event_date",
    "value_raw",
    "value_clean",
    "unit",
    "is_valid",
    "quality_flag",
    "offset",
  ],
  "gold/sensor_hourly": ["room", "sensor_type", "event_date", "hour_utc", "nb_readings", "nb_valid"],
  "gold/sensor_daily": ["room", "sensor_type", "event_date", "nb_readings", "nb_valid"],
  "gold/room_daily": ["room", "event_date"],
};

/** Around the limits of the sensor types. */
const VALUES = [-1, 0, 0.5, 1.5, 10, 22, 30, 31, 45, 100, 1000.25, 3000, 5000, 5001];
/** Every type with every value. */
const EVERY_VALUE = SENSOR_TYPES.flatMap((sensor) =>
  VALUES.map((value, index) => ({
    key: `413:${sensor}`,
    value: JSON.stringify({ room: "413", sensor, ts: START + index, value }),
  })),
);

const readingText = fc
  .record({
    room: fc.constantFrom("413", "4 15"),
    sensor: fc.constantFrom(...SENSOR_TYPES),
    ts: fc.integer({ min: START, max: START + 12 }).map((second) => START + (second - START) * 600),
    value: fc.constantFrom(...VALUES),
  })
  .chain((reading) => fc.constantFrom(reading, { ...reading, note: 1 }))
  .map((reading) => ({ key: `${reading.room}:${reading.sensor}`, value: JSON.stringify(reading) }));
const otherText = fc
  .constantFrom("no reading", "{}", '{"room":"413","sensor":"co2","ts":-1,"value":1}')
  .map((value) => ({ key: "413:co2", value }));
const round = fc.array(fc.oneof({ weight: 5, arbitrary: readingText }, otherText), {
  minLength: 1,
  maxLength: 14,
});

test("the model engine gives the rows that DuckDB gives, in bronze, silver and gold, compacted or not", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 3 }), async (rounds) => {
      const clock = testClock();
      await using real = await makeTestLake({ clock });
      const disk = new Disk(() => clock.nowMs());
      const model = await modelLake(disk, clock);
      for (const messages of [EVERY_VALUE, ...rounds]) {
        await real.send(messages);
        for (const lake of [real.lake, model]) await allStages(real, lake);
      }
      for (const [name, columns] of Object.entries(COMPARED)) {
        const rows = await modelRows(disk, model, name as TableName);
        assert.deepEqual(textsOf(rows, columns), textsOf(await realRows(real, name, columns), columns), name);
      }
    }),
    // Shrinking would take minutes.
    { numRuns: 5, endOnFailure: true },
  );
});

async function modelLake(disk: Disk, clock: Clock): Promise<Lake> {
  disk.mkdir("/scratch", true);
  const files = plainFiles(disk);
  const engine = modelEngine({ files, scratchFolder: "/scratch", chance: seededChance(1) });
  const { partitionColumns } = tableDefinition("bronze/readings");
  const store = localObjectStore("/lake", { files });
  return openLake(
    {
      store,
      engine: localEngine(engine, store),
      codec: textCodec,
      clock,
      bronzePartitionBy: partitionColumns,
    },
    { create: true },
  );
}

async function allStages({ log }: TestLake, lake: Lake): Promise<void> {
  await ingest({
    lake,
    log,
    topics: SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic),
    batchRowsMax: 1000,
    batchAgeMsMax: 0,
    logger: silentLogger,
    signal: new AbortController().signal,
    isComplete: () => true,
  });
  while ((await refineBatch({ lake, batchRowsMax: 1000, queryTimeoutMs: QUERY_TIMEOUT_MS })) !== undefined);
  await makeGold({ lake, queryTimeoutMs: QUERY_TIMEOUT_MS });
  for (const name of TABLE_NAMES) await compactTable({ lake, targetBytes: 1_000_000 }, name);
}

async function modelRows(disk: Disk, lake: Lake, name: TableName): Promise<readonly Row[]> {
  const { files } = tableInput(lake, name, { snapshot: await lake.table(name).snapshot() });
  return files.flatMap(({ path, partitionValues }) =>
    rowsOfFile(disk.read(`/lake/${path}`), partitionValues),
  );
}

async function realRows(real: TestLake, name: string, columns: readonly string[]): Promise<readonly Row[]> {
  const list = columns.map((column) => `"${column}"`).join(", ");
  const found = await real.rows(`select ${list} from ${name.replace("/", "_")}`);
  return found.map((row) =>
    Object.fromEntries(columns.map((column, index) => [column, row[index]])),
  ) as Row[];
}

function textsOf(rows: readonly Row[], columns: readonly string[]): readonly string[] {
  return rows.map((row) => JSON.stringify(columns.map((column) => row[column]))).toSorted();
}
