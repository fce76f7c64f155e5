// generate: its promises about bytes, folders and options.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { generate, type GenerateOptions, type GenerateProgress } from "../../src/generator/generate.ts";
import { roomName } from "../../src/generator/room-traits.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import {
  rawFilesOf,
  readRaw,
  readReadings,
  withGenerated,
  withTempFolder,
} from "../support/generated-folder.ts";

const FIRST_SECOND = 1_377_475_200; // 2013-08-26T00:00:00Z
const DAY = 86_400;

async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of await rawFilesOf(folder)) hash.update(file).update(await readFile(join(folder, file)));
  return hash.digest("hex");
}

test("the same options give the same bytes, and another seed gives others", async () => {
  const hashWith = (options: Partial<GenerateOptions>): Promise<string> =>
    withGenerated(options, ({ folder }) => hashOf(folder));
  for (const faults of [false, true]) {
    const first = await hashWith({ faults });
    assert.equal(await hashWith({ faults }), first);
    assert.notEqual(await hashWith({ faults, seed: 2 }), first);
    assert.notEqual(await hashWith({ faults, seed: 1 + 2 ** 32 }), first);
  }
});

test("the bytes of seed 1 are those of every machine", async () => {
  // A change to the generator may change this hash: then put the new one here and say so in the changelog.
  await withGenerated({ faults: true }, async ({ folder }) => {
    assert.equal(await hashOf(folder), "eae604cf816e4bbf86e9517f257d1e68cd5a7928d2c07dc880b19cb0efcfc608");
  });
});

test("a room is the same whatever the number of rooms", async () => {
  await withGenerated({ rooms: 1, faults: true }, async (one) => {
    await withGenerated({ rooms: 2, faults: true }, async (two) => {
      for (const file of await rawFilesOf(one.folder)) {
        assert.deepEqual(
          await readFile(join(one.folder, file)),
          await readFile(join(two.folder, file)),
          file,
        );
      }
    });
  });
});

test("two rooms of one building differ in every sensor", async () => {
  await withGenerated({ rooms: 2 }, async ({ folder }) => {
    const hashes = await Promise.all(
      (await rawFilesOf(folder)).map(async (file) =>
        createHash("sha256")
          .update(await readFile(join(folder, file)))
          .digest("hex"),
      ),
    );
    assert.equal(new Set(hashes).size, 10);
  });
});

test("without faults the first days are the same whatever the number of days", async () => {
  await withGenerated({ days: 1 }, async (short) => {
    await withGenerated({ days: 2 }, async (long) => {
      for (const file of await rawFilesOf(short.folder)) {
        const first = await readFile(join(short.folder, file));
        const both = await readFile(join(long.folder, file));
        assert.ok(both.subarray(0, first.length).equals(first), file);
        assert.ok(both.length > first.length, file);
      }
    });
  });
});

test("the summary and the progress say what is in the folder", async () => {
  await withTempFolder(async (folder) => {
    const progress: GenerateProgress[] = [];
    const options = { rooms: 2, days: 1, seed: 3, outDir: join(folder, "new", "raw"), faults: true };
    const summary = await generate(options, (step) => progress.push(step));
    const files = await rawFilesOf(options.outDir);
    const lines = await Promise.all(files.map(async (file) => (await readRaw(options.outDir, file)).length));
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(options.outDir, file))).size));
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
    assert.deepEqual(
      {
        rooms: summary.rooms,
        sensors: summary.sensors,
        files: summary.files,
        rows: summary.rows,
        bytes: summary.bytes,
      },
      { rooms: 2, sensors: 10, files: files.length, rows: sum(lines), bytes: sum(sizes) },
    );
    assert.deepEqual(progress.at(-1), { rowsDone: summary.rows, roomsDone: 2, rooms: 2 });
    assert.deepEqual(
      progress.map(({ roomsDone }) => roomsDone),
      [0, 0, 0, 0, 1, 1, 1, 1, 1, 2],
    );
  });
});

test("files are named by room and KETI's types, and nothing else is written without faults", async () => {
  await withGenerated({ rooms: 2 }, async ({ folder }) => {
    assert.deepEqual(await readdir(folder), ["411", "413"]);
    assert.deepEqual(await readdir(join(folder, "411")), [
      "co2.csv",
      "humidity.csv",
      "light.csv",
      "pir.csv",
      "temperature.csv",
    ]);
  });
});

test("a thousand rooms have a thousand names on floors 4 to 7", () => {
  const names = Array.from({ length: 1000 }, (_, index) => roomName(index));
  assert.equal(new Set(names).size, 1000);
  for (const name of names) assert.match(name, /^[4-7][1-5]?\d[13579]$/);
  assert.deepEqual([names[0], names[45], names[180]], ["411", "511", "4111"]);
});

test("the first day is the one asked for", async () => {
  for (const [startDate, first] of [
    ["2000-02-29", 951_782_400],
    ["2001-03-01", 983_404_800],
    ["2098-12-31", 4_070_822_400],
  ] as const) {
    await withGenerated({ startDate }, async ({ folder }) => {
      const readings = await readReadings(folder, "411/co2.csv");
      assert.equal(Math.floor(readings[0]!.ts / DAY) * DAY, first);
      assert.equal(Math.floor(readings.at(-1)!.ts / DAY) * DAY, first);
    });
  }
});

test("options out of their range are refused by name before anything is written", async () => {
  await withTempFolder(async (folder) => {
    const outDir = join(folder, "raw");
    const good = { rooms: 1, days: 1, seed: 1, outDir, faults: false };
    const wrong: [keyof GenerateOptions, number | string][] = [
      ["rooms", 0],
      ["rooms", 1001],
      ["rooms", 1.5],
      ["days", 0],
      ["days", 401],
      ["seed", 0.5],
      ["seed", Number.NaN],
      ["startDate", "2013-02-29"],
      ["startDate", "2013-13-01"],
      ["startDate", "1999-12-31"],
      ["startDate", "26.08.2013"],
    ];
    for (const [name, value] of wrong) {
      await assert.rejects(
        generate({ ...good, [name]: value }),
        (error) =>
          isAtriumError(error, "USAGE_INVALID") &&
          error.message.includes(name) &&
          error.message.includes(String(value)),
      );
    }
    assert.deepEqual(await readdir(folder), []);
  });
});

test("a folder that holds files is refused unless forced, and then a stale truth goes", async () => {
  await withTempFolder(async (folder) => {
    const options = { rooms: 1, days: 1, seed: 1, outDir: folder, faults: false };
    await writeFile(join(folder, "faults.csv"), "old");
    await writeFile(join(folder, "notes.txt"), "mine");
    await assert.rejects(
      generate(options),
      (error) =>
        isAtriumError(error, "USAGE_INVALID") &&
        error.message.includes(folder) &&
        error.message.includes("--force"),
    );
    assert.deepEqual(await readdir(folder), ["faults.csv", "notes.txt"]);
    await generate({ ...options, force: true });
    assert.deepEqual(await readdir(folder), ["411", "notes.txt"]);
  });
});

test("a file in the place of the folder is refused", async () => {
  await withTempFolder(async (folder) => {
    const outDir = join(folder, "raw");
    await writeFile(outDir, "");
    await assert.rejects(generate({ rooms: 1, days: 1, seed: 1, outDir, faults: false }), (error) =>
      isAtriumError(error, "USAGE_INVALID"),
    );
  });
});

test("a full disk is STORE_FULL and names the file", async (context) => {
  const full = "/dev/full";
  const exists = await access(full).then(
    () => true,
    () => false,
  );
  if (!exists) {
    context.skip("this system has no /dev/full");
    return;
  }
  await withTempFolder(async (folder) => {
    await mkdir(join(folder, "411"));
    await symlink(full, join(folder, "411", "humidity.csv"));
    await assert.rejects(
      generate({ rooms: 1, days: 1, seed: 1, outDir: folder, faults: false, force: true }),
      (error) => isAtriumError(error, "STORE_FULL") && error.message.includes(join("411", "humidity.csv")),
    );
  });
});

test("whatever the options, clean files are in strict order within their days, and faults only add and move lines", async () => {
  const options = fc.record({
    rooms: fc.integer({ min: 1, max: 2 }),
    days: fc.integer({ min: 1, max: 2 }),
    seed: fc.maxSafeInteger(),
  });
  await fc.assert(
    fc.asyncProperty(options, async (drawn) => {
      await withGenerated(drawn, async ({ folder, summary }) => {
        assert.equal(
          Object.values(summary.faults).reduce((sum, count) => sum + count, 0),
          0,
        );
        for (const file of await rawFilesOf(folder)) {
          let last = FIRST_SECOND - 1;
          for (const { ts } of await readReadings(folder, file)) {
            assert.ok(ts > last, `${file}: ${ts} after ${last}`);
            last = ts;
          }
          assert.ok(
            last < FIRST_SECOND + drawn.days * DAY && last > FIRST_SECOND + drawn.days * DAY - 60,
            file,
          );
        }
        await withGenerated({ ...drawn, faults: true }, async (faulty) => {
          const { duplicate, malformed } = faulty.summary.faults;
          const missing = (await readFile(join(faulty.folder, "faults.csv"), "utf8"))
            .split("\n")
            .filter((row) => row.includes(",rows-missing,"))
            .reduce((sum, row) => sum + Number(row.split(",").at(-1)), 0);
          assert.equal(faulty.summary.rows - duplicate - malformed, summary.rows - missing);
        });
      });
    }),
    { numRuns: 6 },
  );
});
