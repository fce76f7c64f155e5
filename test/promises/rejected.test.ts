// Promise 3: a rejected message is listed whole, and once it is corrected it goes in, once, up to gold.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  ask,
  askOne,
  assertEachMessageOnce,
  generateRaw,
  runAll,
  type RunReport,
} from "../support/lake-folder.ts";
import { atrium, done, temporaryFolder } from "../support/program.ts";
import { lakeIn } from "../support/world.ts";

interface Listed {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly reason: string;
  readonly value: string | { readonly base64: string };
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let lake = "";
let fixed = "";
let report: RunReport;
/** The first messages that are no JSON. */
let some: readonly Listed[] = [];
const FIXED = 5;
/** A second of the generated day at which no sensor has a reading: the day after it. */
const TS = Date.parse("2013-08-27T06:00:00Z") / 1000;

before(async () => {
  folder = await temporaryFolder();
  lake = lakeIn(folder.path, "lake");
  fixed = join(folder.path, "fixed.jsonl");
  const raw = join(folder.path, "raw");
  await generateRaw(raw, ["--rooms", "1", "--days", "1", "--seed", "5", "--faults"]);
  report = await runAll(raw, lake);
});
after(async () => folder[Symbol.asyncDispose]());

const list = async (more: readonly string[] = []): Promise<readonly Listed[]> => {
  const text = await done(["rejected", "list", "--lake", lake, "--json", ...more]);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Listed);
};

// Each test goes on from the lake of the one before.
describe("of a run with faults", { concurrency: false }, () => {
  test("every rejected message is listed, and the counts agree with the table", async () => {
    const all = await list(["--limit", "10000"]);
    assert.equal(all.length, report.rejected);
    const held = await ask(
      lake,
      "select reason, count(*) as n from bronze_rejected group by reason order by n desc, reason",
    );
    const table = await done(["rejected", "list", "--lake", lake, "--limit", "1"]);
    const counts = [...table.matchAll(/^(\w+) +(\d+)$/gm)].map(([, reason, n]) => ({ reason, n: Number(n) }));
    assert.deepEqual(counts, held);
    some = (await list(["--reason", "not_json"])).slice(0, FIXED);
    assert.equal(some.length, FIXED);
  });

  test("one of them is shown whole", async () => {
    const [first] = some;
    const shown = await done([
      "rejected",
      "show",
      `${first?.topic}/${first?.partition}/${first?.offset}`,
      "--lake",
      lake,
    ]);
    assert.ok(shown.includes(JSON.stringify(first?.value).slice(1, -1)) && shown.includes("not_json"), shown);
  });

  test("judged anew as they are, all stay", async () => {
    const ended = await atrium(["rejected", "redrive", "--all", "--lake", lake, "--json"]);
    const summary = JSON.parse(ended.stdout) as Readonly<Record<string, number>>;
    assert.deepEqual([ended.code, summary["moved"], summary["stillRejected"]], [99, 0, report.rejected]);
  });

  test("a line that is wrong is named, and nothing is done", async () => {
    await writeFile(fixed, `${JSON.stringify(some[0])}\n{"topic":"iot.co2"}\n`);
    const ended = await atrium(["rejected", "redrive", "--file", fixed, "--lake", lake]);
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /fixed\.jsonl, line 2: partition/);
    assert.equal((await list(["--limit", "10000"])).length, report.rejected);
  });

  test("corrected, they move once, and gold follows", async () => {
    const lines = some.map((message, index) => {
      const [room, sensor] = message.key.split(":");
      return JSON.stringify({ ...message, value: { room, sensor, ts: TS + index, value: 21 } });
    });
    await writeFile(fixed, `${lines.join("\n")}\n`);
    const redrive = ["rejected", "redrive", "--file", fixed, "--lake", lake, "--json"];
    const first = JSON.parse(await done(redrive)) as Readonly<Record<string, number>>;
    assert.deepEqual([first["moved"], first["stillRejected"], first["missing"]], [FIXED, 0, 0]);
    const again = await atrium(redrive);
    const second = JSON.parse(again.stdout) as Readonly<Record<string, number>>;
    assert.deepEqual([again.code, second["moved"], second["missing"]], [99, 0, FIXED]);

    await assertEachMessageOnce(lake, report.messages);
    assert.equal((await list(["--limit", "10000"])).length, report.rejected - FIXED);
    await done(["refine", "--once", "--lake", lake]);
    const gold = JSON.parse(await done(["gold", "--lake", lake, "--json"])) as RunReport;
    assert.deepEqual(gold.daysReplaced, ["2013-08-27"]);
    const day = await askOne(
      lake,
      "select sum(nb_readings) as n from gold_sensor_daily where event_date = '2013-08-27'",
    );
    assert.equal(Number(day["n"]), FIXED);
  });

  test("what they were is in the attributes of the readings", async () => {
    const rows = await ask(
      lake,
      `select attributes from bronze_readings where attributes is not null order by topic, "partition", "offset"`,
    );
    const originals = rows.map((row) => {
      const { "atrium.redriven": was } = JSON.parse(String(row["attributes"])) as Record<
        string,
        { original: unknown }
      >;
      return was?.original;
    });
    assert.deepEqual(
      originals.map(String).toSorted(),
      some.map(({ value }) => (typeof value === "string" ? value : value.base64)).toSorted(),
    );
    assert.match(await readFile(fixed, "utf8"), /"value":\{"room"/);
  });
});
