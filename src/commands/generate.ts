// `atrium generate`: writes raw files of a made-up building.

import { day, folder, integer } from "../config/kinds.ts";
import { generate, type GenerateProgress, type GenerateSummary, START_DATE } from "../generator/generate.ts";
import { defineCommand, flag, switchFlag } from "./command.ts";

/** Writes KETI-shaped raw files, `<room>/<type>.csv`: the same bytes for the same flags. */
export const generateCommand = defineCommand({
  about: [
    "Writes raw files of a made-up building, <room>/<type>.csv, shaped like the KETI set:",
    "about 77,700 rows (1.5 MB) for each room and day; the same bytes for the same flags.",
    "--faults adds duplicates, late, malformed, stuck, spiking, offset and dead readings, and faults.csv with the truth.",
  ].join("\n"),
  flags: {
    rooms: flag(integer(1, 1_000), "8", "Number of rooms."),
    days: flag(integer(1, 400), "3", "Number of UTC days."),
    seed: flag(integer(0, Number.MAX_SAFE_INTEGER), "1", "Another seed gives another building."),
    out: flag(folder, "./raw", "Folder to write to; it is made when it is missing."),
    start: flag(day, START_DATE, "First UTC day, 2000 to 2098."),
    faults: switchFlag("Adds faults, and the truth about them as faults.csv."),
    force: switchFlag("Writes into a folder that holds files, and replaces those of the same name."),
    json: switchFlag("Prints the summary as JSON."),
  },
  settings: ["PROGRESS_EVERY"],
  examples: [
    "generate --rooms 8 --days 3 --seed 1 --out ./raw",
    "generate --rooms 2 --days 1 --out ./bad --faults",
  ],
  run: async ({ flags, progress, signal, stdout }) => {
    const { rooms, days, seed, faults, force } = flags;
    const report = (done: GenerateProgress): void => {
      signal.throwIfAborted();
      progress.update(() => describe(done));
    };
    const options = { rooms, days, seed, faults, force, outDir: flags.out, startDate: flags.start };
    const summary = await generate(options, report);
    progress.end();
    stdout(flags.json ? `${JSON.stringify({ ...summary, out: flags.out })}\n` : sentence(summary, flags.out));
    return 0;
  },
});

function describe({ rowsDone, roomsDone, rooms }: GenerateProgress) {
  const text = `generate: room ${Math.min(roomsDone + 1, rooms)} of ${rooms}, ${rowsDone.toLocaleString("en")} rows`;
  return { message: "generate", text, fields: { rowsDone, roomsDone, rooms } };
}

function sentence(summary: GenerateSummary, out: string): string {
  const { rooms, files, rows, bytes } = summary;
  const faults = Object.entries(summary.faults).filter(([, count]) => count > 0);
  const megabytes = (bytes / 1e6).toFixed(1);
  const lines = [
    `${rows.toLocaleString("en")} rows (${megabytes} MB) of ${rooms} rooms in ${files} files, in ${out}`,
    ...(faults.length === 0
      ? []
      : [`faults: ${faults.map(([kind, count]) => `${kind} ${count}`).join(", ")}`]),
  ];
  return `${lines.join("\n")}\n`;
}
