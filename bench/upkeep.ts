// `node bench/upkeep.ts`: what compaction of a whole lake costs, and what a checkpoint saves on a table of 10,000 commits.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { openDataset, sourceArguments } from "./dataset.ts";
import { numbersIn } from "./figures.ts";
import { probeLake } from "./lake-probe.ts";
import { measureLongLog } from "./long-log.ts";
import { ATRIUM, measure, type Measured, ROOT, temporaryFolder, type MeasureOptions } from "./measure.ts";
import { number, tableText } from "./table.ts";

const { values } = parseArgs({
  options: {
    rooms: { type: "string", default: "" },
    commits: { type: "string", default: "10000" },
  },
});
/** Columns whose sums the scan makes. */
const SCANNED = { "bronze/readings": "value", "silver/readings": "value_clean" } as const;
type Scanned = keyof typeof SCANNED;
/** As small as the batches of a building that runs day and night, so that there is something to merge. */
const BATCH_ROWS = "200000";

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
const say = (what: string): void => void process.stderr.write(`bench: ${what}\n`);
await using folder = await temporaryFolder();
const options: MeasureOptions = { cwd: folder.path, signal: stopping.signal };
await benchCompaction();
await benchLongLog();

async function benchCompaction(): Promise<void> {
  const dataset = await openDataset(
    values.rooms.split(",").filter((room) => room !== ""),
    options,
  );
  const lake = join(folder.path, "lake");
  say(`run on ${dataset.name}`);
  const batches = ["--batch-rows", BATCH_ROWS];
  await measure(ATRIUM, ["run", ...sourceArguments(dataset), "--lake", lake, ...batches], options);
  const rows = [];
  for (const table of ["bronze/readings", "silver/readings"] as const) {
    say(`${table}: scan, compact`);
    const filesBefore = await filesOf(lake, table);
    const scan = await scanOf(lake, table);
    const compact = await measure(ATRIUM, ["table", "compact", table, "--lake", lake], options);
    rows.push([
      table,
      number(numbersIn(scan.stdout, ["rows"]).rows),
      number(filesBefore),
      number(await filesOf(lake, table)),
      number(scan.wallSeconds, 2),
      number(compact.wallSeconds, 2),
      number(compact.cpuSeconds, 2),
      number(compact.peakMemoryMb),
      number(compact.wallSeconds / scan.wallSeconds, 2),
      number(compact.cpuSeconds / scan.cpuSeconds, 2),
    ]);
  }
  process.stdout.write(`Compaction of ${dataset.name}, beside one read of the same files (scan)\n\n`);
  const header = ["table", "rows", "files", "after", "scan s", "wall s", "CPU s", "peak MB"];
  process.stdout.write(`${tableText([...header, "wall/scan", "CPU/scan"], rows)}\n`);
}

async function filesOf(lake: string, table: Scanned): Promise<number> {
  await using probe = await probeLake(lake, join(folder.path, "scratch"));
  return (await probe.look()).tables[table].files;
}

async function scanOf(lake: string, table: Scanned): Promise<Measured> {
  const script = join(ROOT, "bench/scan.ts");
  const args = ["--disable-warning=ExperimentalWarning", script, join(lake, table), SCANNED[table]];
  return measure(process.execPath, args, options);
}

async function benchLongLog(): Promise<void> {
  const commits = Number(values.commits);
  say(`opening a table of ${commits} commits`);
  const found = await measureLongLog(join(folder.path, "long-log"), commits);
  process.stdout.write(`Opening a table of ${commits.toLocaleString("en")} commits, median of 5\n\n`);
  const rows = [
    ["every commit", number(found.withoutMs, 1), number(1, 2)],
    ["its checkpoint", number(found.withMs, 1), number(found.withMs / found.withoutMs, 2)],
    [
      "its checkpoint, older commits cleaned up",
      number(found.cleanedMs, 1),
      number(found.cleanedMs / found.withoutMs, 2),
    ],
    [
      "(writing the checkpoint, once)",
      number(found.writingMs, 1),
      number(found.writingMs / found.withoutMs, 2),
    ],
  ];
  process.stdout.write(tableText(["reading", "ms", "ratio"], rows));
}
