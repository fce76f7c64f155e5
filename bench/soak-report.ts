// Pure: what samples of a soak say: a row a minute, and whether memory and files stay bounded.

import { number, tableText, type Cell } from "./table.ts";

/** One look at a system that has run for `seconds`. */
export interface Sample {
  readonly seconds: number;
  readonly memoryMb: number;
  /** Messages in the log since its beginning. */
  readonly messages: number;
  /** Messages that bronze does not have yet. */
  readonly lag: number;
  readonly filesOnDisk: number;
  /** By table: live files, and partitions that hold one. */
  readonly tables: Readonly<Record<string, { readonly files: number; readonly partitions: number }>>;
}

/** Memory of the last quarter may be this much above that of the second. */
const MEMORY_RATIO_MAX = 1.2;
/** Live files for each partition may be this much more at most in the last quarter than in the second. */
const FILES_RATIO_MAX = 1.2;

/** What a soak shows. */
export interface SoakVerdict {
  /** Mean memory of the last quarter by that of the second. */
  readonly memoryRatio: number;
  /** By table: the most live files, the most for each partition, and how that grew from the second quarter to the last. */
  readonly tables: readonly {
    readonly name: string;
    readonly filesMax: number;
    readonly perPartitionMax: number;
    readonly ratio: number;
  }[];
  readonly isBounded: boolean;
}

/** Judges samples, which are in order of time. */
export function verdictOf(samples: readonly Sample[]): SoakVerdict {
  const second = quarter(samples, 1);
  const last = quarter(samples, 3);
  const memoryRatio = mean(last.map(memoryOf)) / mean(second.map(memoryOf));
  const tables = Object.keys(samples.at(-1)?.tables ?? {}).map((name) => {
    const per = (some: readonly Sample[]): number => most(some.map((sample) => perPartition(sample, name)));
    return {
      name,
      filesMax: most(samples.map((sample) => sample.tables[name]?.files ?? 0)),
      perPartitionMax: per(samples),
      ratio: per(second) === 0 ? 1 : per(last) / per(second),
    };
  });
  const isBounded = memoryRatio <= MEMORY_RATIO_MAX && tables.every(({ ratio }) => ratio <= FILES_RATIO_MAX);
  return { memoryRatio, tables, isBounded };
}

/** A header and a row for every minute: the last sample in it, and the most memory. */
export function minutesText(samples: readonly Sample[]): string {
  const names = Object.keys(samples.at(-1)?.tables ?? {});
  const minutes = Map.groupBy(samples, ({ seconds }) => Math.floor(seconds / 60));
  let before = 0;
  const rows = [...minutes.values()].flatMap((some): readonly (readonly Cell[])[] => {
    const last = some.at(-1);
    if (last === undefined) return [];
    const sent = last.messages - before;
    before = last.messages;
    return [
      [
        number(last.seconds / 60, 1),
        number(sent),
        number(last.lag),
        number(most(some.map(memoryOf))),
        number(last.filesOnDisk),
        ...names.map((name) => number(last.tables[name]?.files ?? 0)),
      ],
    ];
  });
  return tableText(["minute", "messages", "lag", "peak MB", "on disk", ...names], rows);
}

/** The verdict for a person. */
export function verdictText({ memoryRatio, tables, isBounded }: SoakVerdict): string {
  const rows = tables.map(({ name, filesMax, perPartitionMax, ratio }) => [
    name,
    number(filesMax),
    number(perPartitionMax, 1),
    number(ratio, 2),
  ]);
  return [
    tableText(["table", "most live files", "for a partition", "last quarter/second"], rows),
    `memory, last quarter/second: ${memoryRatio.toFixed(2)}\n`,
    isBounded
      ? "bounded: neither memory nor live files for a partition grew by more than 20 % from the second quarter to the last\n"
      : "NOT BOUNDED: memory or live files for a partition grew by more than 20 % from the second quarter to the last\n",
  ].join("\n");
}

const memoryOf = ({ memoryMb }: Sample): number => memoryMb;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const most = (values: readonly number[]): number => Math.max(0, ...values);

function perPartition({ tables }: Sample, name: string): number {
  const { files = 0, partitions = 0 } = tables[name] ?? {};
  return partitions === 0 ? 0 : files / partitions;
}

/** A quarter of the time, from 0 to 3. */
function quarter(samples: readonly Sample[], index: number): readonly Sample[] {
  const end = samples.at(-1)?.seconds ?? 0;
  const [from, to] = [(end * index) / 4, (end * (index + 1)) / 4];
  return samples.filter(({ seconds }) => seconds >= from && seconds <= to);
}
