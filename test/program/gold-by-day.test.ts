// `up` for three days of real readings, killed twice on the way: the gold of each day is made once.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { KETI_DIR, WITHOUT_KETI } from "../support/keti.ts";
import { ask, assertSameRows, commitsOf, QUIET, runAll } from "../support/lake-folder.ts";
import { endAt } from "../support/moments.ts";
import { atrium, type Running, start, temporaryFolder } from "../support/program.ts";

const KILL_AT = resolve(import.meta.dirname, "../support/kill-at.ts");
const ROOM = "413";
const [FROM, TO] = [Date.parse("2013-08-24") / 1000, Date.parse("2013-08-27T06:00:00Z") / 1000];
const DAYS = ["2013-08-24", "2013-08-25", "2013-08-26"];
const TABLES = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily"] as const;

/** A day in 6 s, looked at each second; the night after it says that it is over. */
const PACE = ["--replay-mode", "timewarp", "--timewarp-factor", "14400", "--batch-seconds", "0.3"];
const RHYTHM = ["--gold-schedule", "* * * * * *", "--gold-delay-seconds", "10800"];

test(
  "up makes the gold of each day once, over a kill inside of gold and one outside",
  { skip: WITHOUT_KETI },
  async () => {
    await using folder = await temporaryFolder();
    const [raw, lake, reference] = ["raw", "lake", "reference"].map((name) => join(folder.path, name));
    cutRaw(raw!);
    const up = (env: Record<string, string> = {}): Running =>
      start(["up", "--raw", raw!, "--lake", lake!, "--api-port", "0", ...PACE, ...RHYTHM], {
        env: { ...QUIET, ...env },
      });

    // Dies when the first table has its first day, and the second is written: with the lease in its hands.
    const first = up({ NODE_OPTIONS: `--import=${KILL_AT}`, KILL_AT: "gold/written#2" });
    const died = await first.ended;
    assert.equal(died.signal, "SIGKILL", first.output());
    assert.deepEqual(
      TABLES.map((table) => replacedDays(lake!, table).length),
      [1, 0, 0],
    );

    const second = up();
    const before = commitsOf(lake!, "silver/readings");
    const killed = await endAt(second, "SIGKILL", () => commitsOf(lake!, "silver/readings") >= before + 8);
    assert.equal(killed?.signal, "SIGKILL", second.output());

    const third = up();
    const isMade = (): boolean => TABLES.every((table) => replacedDays(lake!, table).includes(DAYS.at(-1)!));
    const stopped = await endAt(third, "SIGTERM", isMade);
    assert.deepEqual([stopped?.code, stopped?.stderr], [0, ""], third.output());

    const restated = (await ask(lake!, "select distinct event_date from gold_restatements")).map((row) =>
      String(row["event_date"]).slice(0, 10),
    );
    for (const table of TABLES) {
      // A reading that came after its day was made restates it, and nothing else makes a day twice.
      const replaced = replacedDays(lake!, table).filter(
        (day, index, all) => all.indexOf(day) === index || !restated.includes(day),
      );
      assert.deepEqual(replaced, DAYS, table);
    }
    await runAll(raw!, lake!);
    await runAll(raw!, reference!);
    await assertSameRows(lake!, reference!, ["silver/readings", "gold/sensor_hourly", "gold/sensor_daily"]);
  },
);

test("two up on one lake make each day once", { skip: WITHOUT_KETI }, async () => {
  await using folder = await temporaryFolder();
  const [raw, lake] = [join(folder.path, "raw"), join(folder.path, "lake")];
  cutRaw(raw);
  // All of silver is there, and no gold: both find three days that were missed.
  for (const args of [
    ["replay", "--raw", raw, "--replay-mode", "max"],
    ["ingest", "--once"],
    ["refine", "--once"],
  ]) {
    const ended = await atrium([...args, "--lake", lake], { env: QUIET });
    assert.equal(ended.code, 0, ended.stderr);
  }
  const both = ["0/2", "1/2"].map((shard) =>
    start(["up", "--lake", lake, "--api-port", "0", "--ingest-shard", shard, ...RHYTHM], { env: QUIET }),
  );
  const isMade = (): boolean => TABLES.every((table) => replacedDays(lake, table).includes(DAYS.at(-1)!));
  const ended = await Promise.all(both.map(async (running) => endAt(running, "SIGTERM", isMade)));
  for (const [index, end] of ended.entries()) assert.equal(end?.code, 0, both[index]!.output());
  for (const table of TABLES) assert.deepEqual(replacedDays(lake, table), DAYS, table);
});

/** Three days of a real room, and six hours more. */
function cutRaw(raw: string): void {
  mkdirSync(join(raw, ROOM), { recursive: true });
  for (const file of readdirSync(join(KETI_DIR!, ROOM))) {
    const lines = gunzipSync(readFileSync(join(KETI_DIR!, ROOM, file)))
      .toString("utf8")
      .split("\n");
    const kept = lines.filter((line) => {
      const seconds = Number(line.split(",")[0]);
      return seconds >= FROM && seconds < TO;
    });
    writeFileSync(join(raw, ROOM, file.replace(/\.gz$/, "")), `${kept.join("\n")}\n`);
  }
}

/** The days of all commits that replaced some, in order. */
function replacedDays(lake: string, table: (typeof TABLES)[number]): readonly string[] {
  if (commitsOf(lake, table) === 0) return [];
  const log = join(lake, table, "_delta_log");
  const commits = readdirSync(log).filter((file) => /^\d{20}\.json$/.test(file));
  return commits.toSorted().flatMap((file) => {
    const actions = readFileSync(join(log, file), "utf8").trim().split("\n");
    const infos = actions.map((line) => JSON.parse(line) as { commitInfo?: CommitInfo });
    const { operation, operationParameters } = infos.find((action) => action.commitInfo)?.commitInfo ?? {};
    const days = operation === "REPLACE DAYS" ? (operationParameters?.days ?? "") : "";
    return days === "" ? [] : days.split(",");
  });
}

interface CommitInfo {
  readonly operation?: string;
  readonly operationParameters?: { readonly days?: string };
}
