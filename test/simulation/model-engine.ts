// An engine for the simulation: our own transforms over JSON files on the simulated disk, told by their SQL text.

import type { FileSystem } from "../../src/adapters/local/file-system.ts";
import type { Engine, Input, Transform, WrittenFile } from "../../src/lakehouse/engine.ts";
import type { Chance } from "../../src/support/chance.ts";
import { AtriumError, messageOf } from "../../src/support/errors.ts";
import { byPartition, fileOfRows, type Row, rowsOfFile, rowsOfInput, statisticsOf } from "./model-rows.ts";
import { answerOf, modelOf, type Tables } from "./model-transforms.ts";

/** What the engine of a process works with. */
export interface ModelEngineOptions {
  readonly files: FileSystem;
  /** A folder of its own that is there. */
  readonly scratchFolder: string;
  /** Decides into how many files a partition goes. */
  readonly chance: Chance;
}

/** Makes the engine. Its files are not synced, as the port says. */
export function modelEngine({ files, scratchFolder, chance }: ModelEngineOptions): Engine {
  let written = 0;
  const load = async (inputs: readonly Input[]): Promise<Tables> => {
    const tables: Record<string, readonly Row[]> = {};
    for (const input of inputs) tables[input.name] = await rowsOf(files, input);
    return tables;
  };
  const writeOne = async (
    transform: Transform,
    values: WrittenFile["partitionValues"],
    rows: readonly Row[],
  ) => {
    written += 1;
    const path = `${scratchFolder}/${written}.json`;
    const bytes = fileOfRows(rows, transform.partitionColumns);
    await using file = await files.open(path, "wx");
    await file.writeFile(bytes);
    const columns = statisticsOf(rows, transform);
    return { path, partitionValues: values, rowCount: rows.length, sizeBytes: bytes.length, columns };
  };
  return {
    write: async (transform) =>
      explained(async () => {
        const rows = modelOf(transform.sql)(await load(transform.inputs));
        const made: WrittenFile[] = [];
        for (const { values, rows: part } of byPartition(rows, transform.partitionColumns)) {
          const mayCut = part.length > 1 && transform.partitionColumns.length > 0;
          const cut = mayCut && chance.below(4) === 0 ? 1 + chance.below(part.length - 1) : 0;
          for (const some of [part.slice(0, cut), part.slice(cut)]) {
            if (some.length > 0) made.push(await writeOne(transform, values, some));
          }
        }
        return { files: made, [Symbol.asyncDispose]: async () => undefined };
      }),
    query: async ({ sql, inputs, rowsMax }) =>
      explained(async () => {
        const rows = answerOf(sql, await load(inputs));
        return { columns: [], rows: rows.slice(0, rowsMax), truncated: rows.length > rowsMax };
      }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function rowsOf(files: FileSystem, input: Input): Promise<readonly Row[]> {
  if (input.kind === "rows") return rowsOfInput(input);
  const rows: Row[] = [];
  for (const { path, partitionValues } of input.files) {
    rows.push(...rowsOfFile(await files.readFile(path), partitionValues));
  }
  return rows;
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new AtriumError("ENGINE_FAILED", messageOf(cause), { cause });
  }
}
