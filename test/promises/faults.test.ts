// Promise 3, and 2 for duplicates: what `generate --faults` broke is found again, whole and counted, behind a real run.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { REJECTION_REASONS } from "../../src/reading/parse-message.ts";
import { ask, askOne, generateRaw, type Row, runAll, type RunReport } from "../support/lake-folder.ts";
import { temporaryFolder } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

/** A row of faults.csv. */
interface Fault {
  readonly file: string;
  readonly line: number;
  readonly room: string;
  readonly sensorType: string;
  readonly kind: string;
  readonly ts: number;
  readonly value: number;
  readonly detail: string;
  readonly fromTs: number;
  readonly toTs: number;
  readonly rows: number;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let raw = "";
let lake = "";
let report: RunReport;
let faults: readonly Fault[] = [];
let rejected: readonly Row[] = [];
const linesOf = new Map<string, readonly Buffer[]>();

before(async () => {
  folder = await temporaryFolder();
  raw = join(folder.path, "raw");
  lake = lakeIn(folder.path, "lake");
  // Four rooms show all four faults that last, two days all kinds of broken lines.
  await generateRaw(raw, ["--rooms", "4", "--days", "2", "--seed", "5", "--faults"]);
  faults = await readFaults();
  for (const file of new Set(faults.map((fault) => fault.file))) {
    linesOf.set(file, splitLines(await readFile(join(raw, file))));
  }
  report = await runAll(raw, lake);
  rejected = await ask(lake, "select * from bronze_rejected");
});
after(async () => folder[Symbol.asyncDispose]());

describe("of files with faults", () => {
  test("every line is counted once, as a reading, a duplicate or rejected", () => {
    const rows = [...linesOf.values()].reduce((sum, lines) => sum + lines.length, 0);
    const [malformed, duplicates] = [ofKind("malformed").length, ofKind("duplicate").length];
    assert.ok(malformed > 50 && duplicates > 50);
    const { messages, bronze, silver } = report;
    assert.deepEqual(
      { messages, bronze, rejected: report.rejected, silver, duplicates: report.duplicates },
      {
        messages: rows,
        bronze: rows - malformed,
        rejected: malformed,
        silver: rows - malformed - duplicates,
        duplicates,
      },
    );
    assert.equal(report.tables["bronze/readings"], bronze);
    assert.equal(report.tables["bronze/rejected"], malformed);
    assert.equal(report.tables["silver/readings"], silver);
  });

  test("every malformed line is rejected whole, byte for byte, with a reason, its detail and a position of its own", () => {
    const found = rejected.map((row) => `${String(row["key"])} ${String(row["value"])}`).toSorted();
    const expected = ofKind("malformed").map((fault) => {
      return `${fault.room}:${fault.sensorType} ${messageOf(fault).toString("base64")}`;
    });
    assert.deepEqual(found, expected.toSorted());
    for (const row of rejected) {
      assert.ok(Object.hasOwn(REJECTION_REASONS, String(row["reason"])), JSON.stringify(row));
      assert.ok(String(row["detail"]).length > 0, JSON.stringify(row));
    }
    const positions = new Set(
      rejected.map(({ topic, partition, offset }) => JSON.stringify([topic, partition, offset])),
    );
    assert.equal(positions.size, rejected.length);
  });

  test("the reason tells a wrong time and wrong bytes from text that is no reading", () => {
    const reasons = new Map(rejected.map((row) => [String(row["value"]), String(row["reason"])]));
    const told = {
      "before-1970": "timestamp_before_1970",
      "far-future": "timestamp_in_future",
      "invalid-utf8": "not_utf8",
    };
    for (const [damage, reason] of Object.entries(told)) {
      const some = ofKind("malformed").filter((fault) => fault.detail === damage);
      assert.ok(some.length > 0, damage);
      for (const fault of some) assert.equal(reasons.get(messageOf(fault).toString("base64")), reason);
    }
  });

  test("every duplicate is two bronze rows and one silver row, and nothing else is doubled", async () => {
    const repeated = await ask(
      lake,
      "select room, sensor_type, ts_unix as ts, value, count(*) as n from bronze_readings group by all having count(*) > 1",
    );
    assert.deepEqual(rowKeys(repeated), faultKeys(ofKind("duplicate")));
    assert.ok(repeated.every((row) => row["n"] === 2));
    const silver = await askOne(
      lake,
      "select count(*) as n, count(distinct (room, sensor_type, ts_unix)) as k from silver_readings",
    );
    assert.deepEqual(silver, { n: report.silver, k: report.silver });
    const held = await silverRowsOf(ofKind("duplicate"));
    assert.deepEqual(held, faultKeys(ofKind("duplicate")));
  });

  test("every late reading is in silver, with its value", async () => {
    const late = ofKind("late");
    assert.ok(late.length > 50);
    assert.deepEqual(await silverRowsOf(late), faultKeys(late));
  });

  test("the spikes of a sensor are flagged OUT_OF_RANGE, and kept out of its clean values", async () => {
    const spiking = ofKind("spiking");
    assert.ok(spiking.length > 0);
    for (const { room, sensorType, fromTs, toTs, value, rows } of spiking) {
      const found = await askOne(
        lake,
        `select count_if(value_raw = ${value}) as spikes, count_if(quality_flag = 'OUT_OF_RANGE') as flagged,
           count_if(value_raw = ${value} and (is_valid or value_clean is not null)) as believed
         from silver_readings where room = '${room}' and sensor_type = '${sensorType}'
           and ts_unix >= ${fromTs} and ts_unix < ${toTs}`,
      );
      assert.ok(rows > 0);
      assert.equal(found["spikes"], rows);
      assert.ok(Number(found["flagged"]) >= rows, `${String(found["flagged"])} of ${rows} flagged`);
      assert.equal(found["believed"], 0);
    }
  });

  test("a dead sensor's missing readings lower the coverage of its room, never the judgement of others", async () => {
    const dead = ofKind("dead").filter((fault) => fault.detail === "rows-missing");
    for (const { room, sensorType } of dead) {
      const rows = await ask(
        lake,
        `select room = '${room}' and sensor_type = '${sensorType}' as is_dead, min(coverage) as c from gold_sensor_daily group by 1`,
      );
      const [broken, others] = [rows.find((row) => row["is_dead"]), rows.find((row) => !row["is_dead"])];
      assert.ok(Number(broken?.["c"]) < Number(others?.["c"]));
    }
  });
});

function ofKind(kind: string): readonly Fault[] {
  return faults.filter((fault) => fault.kind === kind);
}

/**
 * The message that a malformed line becomes: the line itself. Only its time tells a line from 1969 or 5138 from a
 * reading, so these two are written as the message of a reading, and rejected as such.
 */
function messageOf(fault: Fault): Buffer {
  const line = linesOf.get(fault.file)![fault.line - 1]!;
  if (fault.detail !== "before-1970" && fault.detail !== "far-future") return line;
  const [ts, value] = line.toString().split(", ").map(Number);
  return Buffer.from(JSON.stringify({ room: fault.room, sensor: fault.sensorType, ts, value }));
}

/** What tells one reading from another. */
function keyOf(room: unknown, sensorType: unknown, [ts, value]: readonly [unknown, unknown]): string {
  return JSON.stringify([room, sensorType, ts, value]);
}

function faultKeys(some: readonly Fault[]): readonly string[] {
  return some.map(({ room, sensorType, ts, value }) => keyOf(room, sensorType, [ts, value])).toSorted();
}

function rowKeys(rows: readonly Row[]): readonly string[] {
  return rows.map((row) => keyOf(row["room"], row["sensor_type"], [row["ts"], row["value"]])).toSorted();
}

/** The silver rows at the sensors and times of some faults, as keys. */
async function silverRowsOf(some: readonly Fault[]): Promise<readonly string[]> {
  const wanted = some.map(({ room, sensorType, ts }) => `('${room}', '${sensorType}', ${ts})`).join(", ");
  const rows = await ask(
    lake,
    `select room, sensor_type, ts_unix as ts, value_raw as value from silver_readings
     where (room, sensor_type, ts_unix) in (values ${wanted})`,
  );
  return rowKeys(rows);
}

async function readFaults(): Promise<readonly Fault[]> {
  const [, ...lines] = (await readFile(join(raw, "faults.csv"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const [file = "", number, room = "", sensorType = "", kind = "", ts, value, detail = "", from, to, rows] =
      line.split(",");
    return {
      file,
      line: Number(number),
      room,
      sensorType,
      kind,
      ts: Number(ts),
      value: Number(value),
      detail,
      fromTs: Number(from),
      toTs: Number(to),
      rows: Number(rows),
    };
  });
}

function splitLines(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(10, start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
