// faults.csv is the whole truth: what it lists is in the files, and what is in the files it lists.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { calendarFrom } from "../../src/generator/calendar.ts";
import { openCsv, writerBuffer } from "../../src/generator/csv-writer.ts";
import { FAULT_COLUMNS, INTERVAL_FAULTS, openFaultTruth } from "../../src/generator/fault-truth.ts";
import { DAMAGES, malformedLine } from "../../src/generator/malformed-lines.ts";
import { roomTraits } from "../../src/generator/room-traits.ts";
import { rowFaultsOf } from "../../src/generator/row-faults.ts";
import { emptyDay, pushRow } from "../../src/generator/series.ts";
import { SENSOR_TRAITS, sensorTypeNamed } from "../../src/reading/terms.ts";
import { seededChance } from "../../src/support/chance.ts";
import {
  type Generated,
  type RawLine,
  rawFilesOf,
  readRaw,
  readReadings,
  withGenerated,
  withTempFolder,
} from "../support/generated-folder.ts";

type TruthRow = Readonly<Record<(typeof FAULT_COLUMNS)[number], string>>;

async function truthOf({ folder }: Pick<Generated, "folder">): Promise<TruthRow[]> {
  const [header, ...rows] = (await readFile(join(folder, "faults.csv"), "utf8")).trimEnd().split("\n");
  assert.equal(header, "file,line,room,sensor_type,kind,ts,value,detail,from_ts,to_ts,rows");
  return rows.map((row) => {
    const fields = row.split(",");
    assert.equal(fields.length, FAULT_COLUMNS.length, row);
    return Object.fromEntries(FAULT_COLUMNS.map((column, index) => [column, fields[index]])) as TruthRow;
  });
}

/** What a reader finds in a file by itself: line numbers by kind. */
function findFaults(lines: readonly RawLine[]): Record<"duplicate" | "late" | "malformed", number[]> {
  const found = { duplicate: [] as number[], late: [] as number[], malformed: [] as number[] };
  const seen = new Map<number, string>();
  let latest = 0;
  for (const { line, text, reading } of lines) {
    if (reading === undefined) {
      found.malformed.push(line);
    } else if (seen.has(reading.ts)) {
      assert.equal(text, seen.get(reading.ts), `line ${line} is an exact copy`);
      found.duplicate.push(line);
    } else {
      if (reading.ts < latest) found.late.push(line);
      seen.set(reading.ts, text);
      latest = Math.max(latest, reading.ts);
    }
  }
  return found;
}

test("every malformed, duplicate and late line is listed with its file and line, and no other", async () => {
  await withGenerated({ rooms: 3, days: 2, faults: true }, async (generated) => {
    const truth = await truthOf(generated);
    for (const file of await rawFilesOf(generated.folder)) {
      const found = findFaults(await readRaw(generated.folder, file));
      for (const kind of ["duplicate", "late", "malformed"] as const) {
        const listed = truth
          .filter((row) => row.file === file && row.kind === kind)
          .map((row) => Number(row.line));
        assert.ok(listed.length > 0, `${file} has a ${kind} line`);
        assert.deepEqual(
          listed.toSorted((a, b) => a - b),
          found[kind],
          `${file} ${kind}`,
        );
      }
    }
  });
});

test("a listed line holds what its row says", async () => {
  await withGenerated({ rooms: 1, days: 2, faults: true }, async (generated) => {
    const truth = await truthOf(generated);
    for (const file of await rawFilesOf(generated.folder)) {
      const lines = await readRaw(generated.folder, file);
      for (const row of truth.filter((fault) => fault.file === file && fault.from_ts === "")) {
        const text = lines[Number(row.line) - 1]!.text;
        assert.deepEqual(
          [row.room, SENSOR_TRAITS[sensorTypeNamed(row.sensor_type)!].fileName, row.rows],
          [...file.slice(0, -4).split("/"), "1"],
        );
        if (row.kind === "malformed") assert.ok(DAMAGES.includes(row.detail as never), row.detail);
        else assert.equal(text, `${row.ts}, ${row.value}`);
        if (row.kind === "duplicate") {
          assert.equal(lines[Number(row.detail.replace("copy-of-line=", "")) - 1]!.text, text);
        }
        if (row.kind === "late") {
          const before = lines.slice(
            Number(row.line) - 1 - Number(row.detail.replace("lines-late=", "")),
            Number(row.line) - 1,
          );
          assert.ok(
            before.some(({ reading }) => reading !== undefined && reading.ts > Number(row.ts)),
            row.line,
          );
        }
      }
    }
  });
});

test("the summary counts the rows of faults.csv, and a run of one room and day has every damage", async () => {
  await withGenerated({ rooms: 1, days: 1, faults: true }, async (generated) => {
    const truth = await truthOf(generated);
    for (const [kind, count] of Object.entries(generated.summary.faults)) {
      assert.equal(truth.filter((row) => row.kind === kind).length, count, kind);
    }
    const damages = truth.filter((row) => row.kind === "malformed").map((row) => row.detail);
    assert.deepEqual([...new Set(damages)].toSorted(), [...DAMAGES].toSorted());
  });
});

test("four rooms show all interval faults, and each is in its file as its row says", async () => {
  await withGenerated({ rooms: 4, days: 2, faults: true, seed: 4 }, async (generated) => {
    await withGenerated({ rooms: 4, days: 2, seed: 4 }, async (clean) => {
      const intervals = (await truthOf(generated)).filter((row) => row.from_ts !== "");
      assert.deepEqual(intervals.map((row) => row.kind).toSorted(), [...INTERVAL_FAULTS].toSorted());
      for (const row of intervals) await checkInterval(row, generated.folder, clean.folder);
    });
  });
});

test("outside its faults a file holds the clean rows", async () => {
  await withGenerated({ rooms: 4, days: 2, faults: true, seed: 9 }, async (generated) => {
    await withGenerated({ rooms: 4, days: 2, seed: 9 }, async (clean) => {
      const intervals = (await truthOf(generated)).filter((row) => row.from_ts !== "");
      for (const file of await rawFilesOf(clean.folder)) {
        const isOutside = ({ ts }: { ts: number }): boolean =>
          !intervals.some((row) => row.file === file && ts >= Number(row.from_ts) && ts < Number(row.to_ts));
        const faulty = (await readRaw(generated.folder, file))
          .flatMap(({ reading }) => reading ?? [])
          .filter(isOutside);
        const distinct = new Map(faulty.map(({ ts, value }) => [ts, value]));
        const expected = (await readReadings(clean.folder, file)).filter(isOutside);
        assert.deepEqual(
          [...distinct].toSorted(([a], [b]) => a - b),
          expected.map(({ ts, value }) => [ts, value]),
          file,
        );
      }
    });
  });
});

test("a row that is held back to the end of its file is late only if another was written before it", async () => {
  await withTempFolder(async (folder) => {
    const first = 1_377_475_200;
    const rows = emptyDay();
    await using truth = await openFaultTruth(join(folder, "faults.csv"));
    await using writer = await openCsv(join(folder, "all.csv"), writerBuffer());
    const source = { file: "all.csv", room: "411", sensorType: "co2" } as const;
    // Many short files after one another in one, so that the last rows of some are held back.
    for (let seed = 0; seed < 4000; seed += 1) {
      const context = {
        seed,
        roomIndex: 0,
        traits: roomTraits(seed, 0),
        occupancy: { visits: [], sessions: [] },
        calendar: calendarFrom("2013-08-26"),
      };
      rows.count = 0;
      for (let i = 0; i < 6; i += 1) pushRow(rows, first + seed * 30 + i * 5, 40_000);
      const faults = rowFaultsOf({ context, type: "co2", source, intervals: [], truth, writer });
      faults.write(rows);
      faults.finish();
    }
    await writer.flush();
    await truth.finish();
    const found = findFaults(await readRaw(folder, "all.csv"));
    const listed = (await truthOf({ folder }))
      .filter((row) => row.kind === "late")
      .map((row) => Number(row.line));
    assert.deepEqual(listed, found.late);
    assert.ok(found.late.length > 0);
  });
});

test("no malformed line is empty, a reading, or holds the end of a line", () => {
  const chance = seededChance(1);
  for (const damage of DAMAGES) {
    for (let round = 0; round < 200; round += 1) {
      const bytes = Buffer.from(malformedLine(damage, 1_377_475_200 + round, chance));
      assert.ok(bytes.length > 0 && bytes.length < 64, damage);
      assert.ok(!bytes.includes(10) && !bytes.includes(13), damage);
      assert.doesNotMatch(bytes.toString("latin1"), /^\d{1,10}, ?-?\d+(\.\d+)?$/, damage);
    }
  }
});

async function checkInterval(row: TruthRow, folder: string, cleanFolder: string): Promise<void> {
  const isInside = ({ ts }: { ts: number }): boolean => ts >= Number(row.from_ts) && ts < Number(row.to_ts);
  const inside = (await readRaw(folder, row.file)).filter(
    ({ reading }) => reading !== undefined && isInside(reading),
  );
  const values = inside.map(({ reading }) => reading!.value);
  const before = (await readReadings(cleanFolder, row.file)).filter(isInside);
  assert.equal(row.ts, String(before[0]!.ts));
  if (row.detail === "rows-missing") {
    assert.deepEqual([inside.length, row.line, row.value], [0, "", ""]);
    assert.equal(before.length, Number(row.rows));
    return;
  }
  assert.equal(inside[0]!.line, Number(row.line));
  assert.deepEqual(
    inside.map(({ reading }) => reading!.ts),
    before.map(({ ts }) => ts),
  );
  const value = Number(row.value);
  const bearing = {
    stuck: values.filter((found) => found === value),
    dead: values.filter((found) => found === 0),
    spiking: values.filter((found) => found === value),
    offset: values.filter((found, index) => Math.abs(found - before[index]!.value - value) < 0.001),
  }[row.kind as "stuck"];
  assert.equal(bearing.length, Number(row.rows), row.kind);
  if (row.kind === "spiking") assertSpikes(row, values, before);
  else assert.equal(bearing.length, values.length, row.kind);
}

function assertSpikes(row: TruthRow, values: readonly number[], before: readonly { value: number }[]): void {
  const { min, max } = SENSOR_TRAITS[sensorTypeNamed(row.sensor_type)!];
  assert.ok(Number(row.value) < min || Number(row.value) > max, "spikes are implausible");
  assert.ok(Number(row.rows) >= 1 && Number(row.rows) < values.length / 10);
  const others = values.filter(
    (found, index) => found !== Number(row.value) && found !== before[index]!.value,
  );
  assert.deepEqual(others, []);
}
