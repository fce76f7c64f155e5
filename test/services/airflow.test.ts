// The DAG with the real Airflow: it is read without an error, tested in one process, and run by the scheduler over nine past
// days of real readings: one has none, and at another the worker is killed while gold runs.

import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { type Airflow, airflowEnv, airflowPython, startAirflow } from "../../services/airflow.ts";
import { type Ended, runProgram } from "../../services/program.ts";
import { KETI_DIR, WITHOUT_KETI } from "../support/keti.ts";
import { askOne, QUIET, versionsOf } from "../support/lake-folder.ts";
import { ATRIUM, atrium, done, temporaryFolder } from "../support/program.ts";
import { withoutServices } from "../support/services.ts";

const skip = WITHOUT_KETI || (await withoutServices("airflow"));
const SUPPORT = resolve(import.meta.dirname, "../support");
const DAG = resolve(import.meta.dirname, "../../airflow/dags/atrium_daily.py");
const ROOM = "413";
const DAYS = ["23", "24", "25", "26", "27", "28", "29", "30", "31"].map((day) => `2013-08-${day}`);
const [EMPTY, KILLED] = ["2013-08-28", "2013-08-26"];
const GOLD = ["gold/sensor_hourly", "gold/sensor_daily", "gold/room_daily", "gold/restatements"] as const;
/** A program of Airflow takes seconds to begin, on a busy machine many. */
const SECONDS_MAX = 180;
const BACKFILL_MS_MAX = 900_000;
const LOOK_AGAIN_MS = 200;

describe("the DAG in Apache Airflow", { skip }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let lake = "";
  let airflow: Airflow;
  let env: Readonly<Record<string, string>> = {};

  before(async () => {
    folder = await temporaryFolder();
    lake = join(folder.path, "lake");
    await fillLake(join(folder.path, "raw"), lake);
    for (const copy of ["tested", "by-hand"]) cpSync(lake, join(folder.path, copy), { recursive: true });
    env = {
      ...QUIET,
      LAKE_URL: lake,
      ATRIUM_COMMAND: stoppingCommand(folder.path),
      AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY: "2",
    };
    airflow = await startAirflow({ folder: join(folder.path, "airflow"), env });
  });
  after(async () => {
    await airflow[Symbol.asyncDispose]();
    assert.deepEqual(processesOf(airflow), []);
    await folder[Symbol.asyncDispose]();
  });

  /** Runs a program of Airflow's Python beside the service, on its database. */
  async function python(
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Ended> {
    const all = { ...airflowEnv(airflow.place), ...env, ...more };
    return runProgram(airflowPython(), args, { secondsMax: SECONDS_MAX, env: all });
  }

  test("has no import error, neither as processes nor as pods; a missing or wrong variable is one that says what to do", async () => {
    const list = ["-m", "airflow", "dags", "list-import-errors", "-l", "-o", "json"];
    for (const [more, expected] of [
      [{}, /^\[\]$/m],
      [{ ATRIUM_OPERATOR: "kubernetes", ATRIUM_IMAGE: "atrium:test" }, /^\[\]$/m],
      [{ ATRIUM_OPERATOR: "kubernetes" }, /ATRIUM_IMAGE is not set: set it in the environment of Airflow/],
      [{ LAKE_URL: "" }, /LAKE_URL is not set/],
      [
        { ATRIUM_OPERATOR: "docker" },
        /ATRIUM_OPERATOR=docker is not allowed: allowed is one of bash, kubernetes/,
      ],
    ] as const) {
      const { stdout } = await python(list, more);
      assert.match(stdout, expected, JSON.stringify(more));
    }
  });

  test("makes the day before its date in one process", async () => {
    const tested = join(folder.path, "tested");
    const { stdout, stderr } = await python([join(SUPPORT, "dag-test.py"), DAG, "2013-09-01"], {
      LAKE_URL: tested,
    });
    const results = stdout.split("\n").filter((line) => line.startsWith("RESULT"));
    assert.deepEqual(results.slice(0, 1), ["RESULT gold success"], `${stdout}${stderr}`);
    assert.ok(results.includes("RESULT verify success"), stdout);
    const made = await askOne(tested, "select min(event_date) as first, count(*) as n from gold_room_daily");
    assert.deepEqual([String(made["first"]).slice(0, 10), made["n"]], ["2013-08-31", 1]);
  });

  test("a backfill makes each day once, skips the one without readings, and tries the killed one again", async () => {
    await airflow.call("PATCH", "/dags/atrium_daily", { is_paused: false });
    const backfill = await beginBackfill(airflow, "none");
    await killWorker(folder.path);
    await backfillEnds(airflow, backfill);

    const tasks = await tasksOf(airflow);
    const gold = DAYS.map((day) => tasks.get(`${day} gold`));
    const expected = DAYS.map((day) =>
      day === EMPTY ? "skipped 1" : day === KILLED ? "success 2" : "success 1",
    );
    assert.deepEqual(gold, expected);
    for (const day of DAYS) {
      assert.match(tasks.get(`${day} verify`) ?? "", day === EMPTY ? /^skipped/ : /^success/, day);
      assert.match(tasks.get(`${day} upkeep`) ?? "", day === EMPTY ? /^skipped/ : /^(success|skipped)/, day);
    }

    const byHand = join(folder.path, "by-hand");
    await done(["gold", "--lake", byHand, "--from", DAYS[0]!, "--to", DAYS.at(-1)!], { env: QUIET });
    for (const table of GOLD) {
      const ended = await atrium(["table", "diff", table, "--lake", lake, "--with", byHand]);
      assert.equal(ended.code, 0, `${table}: ${ended.stdout}${ended.stderr}`);
      assert.deepEqual(twiceReplaced(lake, table), [], table);
    }
    const days = await askOne(lake, "select count(distinct event_date) as n from gold_room_daily");
    assert.deepEqual(days, { n: DAYS.length - 1 });
  });

  test("the same backfill once more changes nothing", async () => {
    const before = await versionsOf(lake);
    await backfillEnds(airflow, await beginBackfill(airflow, "completed"));
    const tasks = await tasksOf(airflow);
    for (const day of DAYS) assert.match(tasks.get(`${day} gold`) ?? "", /^skipped/, day);
    const versions = await versionsOf(lake);
    for (const table of GOLD) assert.equal(versions[table], before[table], table);
  });
});

/** Silver of one real room, without the readings of one day; no gold. */
async function fillLake(raw: string, lake: string): Promise<void> {
  mkdirSync(join(raw, ROOM), { recursive: true });
  const dayOf = (line: string): string =>
    new Date(Number(line.split(",")[0]) * 1000).toISOString().slice(0, 10);
  for (const file of readdirSync(join(KETI_DIR!, ROOM))) {
    const lines = gunzipSync(readFileSync(join(KETI_DIR!, ROOM, file)))
      .toString("utf8")
      .trim()
      .split("\n");
    const kept = lines.filter((line) => dayOf(line) !== EMPTY && dayOf(line) <= DAYS.at(-1)!);
    writeFileSync(join(raw, ROOM, file.replace(/\.gz$/, "")), `${kept.join("\n")}\n`);
  }
  const steps = [
    ["replay", "--raw", raw, "--replay-mode", "max"],
    ["ingest", "--once"],
    ["refine", "--once"],
  ];
  for (const step of steps) await done([...step, "--lake", lake], { env: QUIET });
}

/** `atrium`, but the first gold of one day stops when it has made one table and written the next. */
function stoppingCommand(folder: string): string {
  const path = join(folder, "atrium-stopping");
  const script = `#!/bin/sh
if [ "$1" = gold ] && [ "$GOLD_DATE" = ${KILLED} ] && mkdir "${folder}/first-try" 2>/dev/null; then
  echo $$ > "${folder}/first-try/pid"
  export NODE_OPTIONS="--import=${SUPPORT}/kill-at.ts" KILL_AT="gold/written#2" KILL_SIGNAL=SIGSTOP
fi
exec "${ATRIUM}" "$@"
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return path;
}

/** Kills Airflow's process of the task whose gold has stopped, and that gold, as a power cut would. */
async function killWorker(folder: string): Promise<void> {
  const file = join(folder, "first-try/pid");
  await until(
    "gold stops",
    async () => existsSync(file) && statOf(Number(readFileSync(file, "utf8")))[0] === "T",
  );
  const pid = Number(readFileSync(file, "utf8"));
  const worker = Number(statOf(pid)[1]);
  assert.ok(worker > 1);
  process.kill(worker, "SIGKILL");
  process.kill(pid, "SIGKILL");
}

/** State and parent of a process; empty if there is none. */
function statOf(pid: number): readonly string[] {
  const file = `/proc/${pid}/stat`;
  if (pid === 0 || !existsSync(file)) return [];
  const stat = readFileSync(file, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Command lines of what still runs of a service: its own process, and Airflow's below it. */
function processesOf({ place }: Airflow): readonly string[] {
  const marks = [`airflow-processes.ts\0${airflowPython()}\0${place.ports["api"]}`, place.folder];
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const home = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`AIRFLOW_HOME=${place.folder}\0`);
      return home || line.includes(marks[0]!) ? [`${pid} ${line.replaceAll("\0", " ")}`] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

async function beginBackfill(airflow: Airflow, reprocess: "none" | "completed"): Promise<number> {
  const answer = await airflow.call("POST", "/backfills", {
    dag_id: "atrium_daily",
    from_date: `${DAYS[0]}T00:00:00Z`,
    to_date: `${DAYS.at(-1)}T00:00:00Z`,
    reprocess_behavior: reprocess,
    max_active_runs: 4,
  });
  return (answer as { readonly id: number }).id;
}

async function backfillEnds(airflow: Airflow, id: number): Promise<void> {
  await until("the backfill ends", async () => {
    const backfill = await airflow.call("GET", `/backfills/${id}`);
    const { dag_runs: runs } = (await airflow.call("GET", "/dags/atrium_daily/dagRuns?limit=100")) as Runs;
    const states = runs.filter((run) => run.dag_run_id.startsWith("backfill")).map(({ state }) => state);
    const isOver =
      states.length === DAYS.length && states.every((state) => state === "success" || state === "failed");
    return isOver && (backfill as { readonly completed_at: string | null }).completed_at !== null;
  });
}

/** `2013-08-24 gold` -> `success 1`: the state and the number of the last try, of the backfill's runs. */
async function tasksOf(airflow: Airflow): Promise<ReadonlyMap<string, string>> {
  const answer = await airflow.call("GET", "/dags/atrium_daily/dagRuns/~/taskInstances?limit=100");
  const { task_instances: tasks } = answer as Tasks;
  return new Map(
    tasks.flatMap(({ dag_run_id: run, logical_date: date, task_id: task, state, try_number: tries }) =>
      // A run is named for its end; its logical date is the beginning of its day.
      run.startsWith("backfill") ? [[`${date.slice(0, 10)} ${task}`, `${state} ${tries}`] as const] : [],
    ),
  );
}

interface Runs {
  readonly dag_runs: readonly { readonly dag_run_id: string; readonly state: string }[];
}

interface Tasks {
  readonly task_instances: readonly {
    readonly dag_run_id: string;
    readonly logical_date: string;
    readonly task_id: string;
    readonly state: string;
    readonly try_number: number;
  }[];
}

/** Days that more than one commit of a table replaced. */
function twiceReplaced(lake: string, table: string): readonly string[] {
  const log = join(lake, table, "_delta_log");
  const days = readdirSync(log)
    .filter((file) => /^\d{20}\.json$/.test(file))
    .map((file) => readFileSync(join(log, file), "utf8"))
    .filter((text) => text.includes('"REPLACE DAYS"'))
    .flatMap((text) => (/"days":"([^"]*)"/.exec(text)?.[1] ?? "").split(","))
    .filter((day) => day !== "");
  return days.filter((day, index) => days.indexOf(day) !== index);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + BACKFILL_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > giveUpMs) assert.fail(`it never came: ${what}`);
    await pause(LOOK_AGAIN_MS);
  }
}
