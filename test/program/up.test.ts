// `up`: everything in one process, from raw files to answers over HTTP, until it is stopped.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertSameRows, generateRaw, QUIET, runAll } from "../support/lake-folder.ts";
import { mustReach } from "../support/moments.ts";
import { type Running, start, temporaryFolder } from "../support/program.ts";

/** About a minute of looking, 50 ms apart. */
const LOOKS_MAX = 1200;

test("up replays, ingests, refines, makes gold and answers, until SIGTERM ends it with 0", async () => {
  await using folder = await temporaryFolder();
  const [raw, lake, reference] = ["raw", "lake", "reference"].map((name) => join(folder.path, name));
  await generateRaw(raw!, ["--rooms", "1", "--days", "1", "--seed", "12"]);
  const messages = (await runAll(raw!, reference!)).messages;
  // The day takes 2 s of replay; small batches and frequent gold show each stage at work.
  const pace = ["--replay-mode", "timewarp", "--timewarp-factor", "43200"];
  const rhythm = ["--batch-seconds", "0.3", "--gold-every-seconds", "1"];
  const up = start(["up", "--raw", raw!, "--lake", lake!, "--api-port", "0", ...pace, ...rhythm], {
    env: QUIET,
  });
  try {
    await mustReach(up, () => /Listening on \S+/.test(up.output()));
    const address = /Listening on (\S+)/.exec(up.output())?.[1] ?? "";
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);

    const live = await fetch(`${address}/health/live`);
    assert.equal(live.status, 200);
    await live.body?.cancel();

    const isWhole = (rows: readonly DailyRow[]): boolean => (rows[0]?.coverage ?? 0) > 0.9;
    const rows = await rowsWhen(up, `${address}/v1/kpis/daily`, isWhole);
    assert.deepEqual([rows.length, rows[0]?.event_date], [1, "2013-08-26"]);

    const hourly = await rowsOf(`${address}/v1/kpis/hourly?from=2013-08-26&to=2013-08-26&sensor_type=co2`);
    assert.ok(hourly.length >= 20);
    const openapi = await fetch(`${address}/openapi.json`);
    assert.equal(((await openapi.json()) as { openapi: string }).openapi.slice(0, 3), "3.1");
  } catch (error) {
    throw new Error(`up said: ${up.output()}`, { cause: error });
  } finally {
    up.child.kill("SIGTERM");
  }
  const ended = await up.ended;
  assert.deepEqual([ended.code, ended.signal, ended.stderr], [0, null, ""]);
  // What is still on its way is taken in by the next run; nothing is sent twice.
  const rest = await runAll(raw!, lake!);
  assert.equal(rest.tables["bronze/readings"], messages);
  await assertSameRows(lake!, reference!, ["bronze/readings", "silver/readings", "gold/sensor_hourly"]);
});

interface DailyRow {
  readonly event_date?: string;
  readonly coverage?: number;
}

/** Asks until the rows are as wanted. */
async function rowsWhen(
  up: Running,
  url: string,
  isWanted: (rows: readonly DailyRow[]) => boolean,
): Promise<readonly DailyRow[]> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const rows = await rowsOf(url);
    if (isWanted(rows)) return rows;
    await pause(50);
  }
  return assert.fail(`never as wanted: ${url}\n${up.output()}`);
}

/** The rows of a list; none while the table is not there yet. */
async function rowsOf(url: string): Promise<readonly DailyRow[]> {
  const answer = await fetch(url);
  const body = (await answer.json()) as Readonly<Record<string, unknown>>;
  if (!answer.ok) return assert.fail(`${answer.status}: ${JSON.stringify(body)}`);
  const rows = Object.values(body).find((value) => Array.isArray(value));
  return (rows ?? []) as readonly DailyRow[];
}
