// Pure: figures from services as tables, and the promises they stand for.

import type { Goal } from "./goals.ts";
import type { Throughput } from "./kafka.ts";
import type { ServiceFigures } from "./services.ts";
import { type Cell, number, tableText } from "./table.ts";

const PER_SECOND_MIN: Readonly<Record<string, number>> = {
  "replay to Kafka": 150_000,
  "Kafka to bronze": 160_000,
};
const MEMORY_MB_MAX: Readonly<Record<string, number>> = { "Kafka to bronze": 600, "1.2 kB to bronze": 600 };
const P50_MS_MAX: Readonly<Record<string, number>> = {
  "on S3, not in the cache": 150,
  "on S3, in the cache": 30,
};

/** The tables; those without rows are left out. */
export function serviceTables({
  throughput,
  freshness,
  queries,
  leftOut,
}: ServiceFigures): readonly string[] {
  const ages = freshness.map(({ profile, messages, commits, ageMs, lag }) => [
    profile,
    ...[messages, commits, ageMs.p50, ageMs.p99, lag.p50, lag.p99].map((value) => number(value)),
  ]);
  const times = queries.map((kind) => [
    kind.what,
    number(kind.queries),
    number(kind.p50Ms, 1),
    number(kind.p99Ms, 1),
  ]);
  return [
    table(["Kafka", "messages", "messages/s", "MB/s", "wall s", "CPU s", "peak MB"], throughput.map(flowRow)),
    table(["at 5,000/s", "messages", "commits", "p50 ms old", "p99 ms old", "p50 lag", "p99 lag"], ages),
    table(["one room, one day", "queries", "p50 ms", "p99 ms"], times),
    leftOut.map((reason) => `left out: ${reason}\n`).join(""),
  ].filter((text) => text !== "");
}

function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return rows.length === 0 ? "" : tableText(header, rows);
}

/** The promises on services that these figures can say something of. */
export function serviceGoals({ throughput, queries }: ServiceFigures): readonly Goal[] {
  return [
    ...throughput.flatMap((flow) => [
      ...limit(`${flow.what}, messages/s`, perSecond(flow), { atLeast: PER_SECOND_MIN[flow.what] }),
      ...limit(`${flow.what}, peak MB`, flow.usage.peakMemoryMb, { atMost: MEMORY_MB_MAX[flow.what] }),
    ]),
    ...queries.flatMap(({ what, p50Ms }) =>
      limit(`one room, one day ${what}, p50 ms`, p50Ms, { atMost: P50_MS_MAX[what] }),
    ),
  ];
}

function perSecond({ messages, usage }: Throughput): number {
  return messages / usage.wallSeconds;
}

function flowRow(flow: Throughput): readonly Cell[] {
  const { what, messages, bytes, usage } = flow;
  const { wallSeconds, cpuSeconds, peakMemoryMb } = usage;
  const rates = [number(perSecond(flow)), number(bytes / wallSeconds / 1e6, 1)];
  const rest = [cpuSeconds, peakMemoryMb].map((value) => (value === undefined ? "" : number(value)));
  return [what, number(messages), ...rates, number(wallSeconds, 1), ...rest];
}

function limit(
  what: string,
  value: number | undefined,
  { atLeast, atMost }: { readonly atLeast?: number | undefined; readonly atMost?: number | undefined },
): readonly Goal[] {
  const bound = atLeast ?? atMost;
  if (value === undefined || bound === undefined) return [];
  const text = (n: number): string => Math.round(n).toLocaleString("en");
  const isHeld = atLeast === undefined ? value <= bound : value >= bound;
  const measured = `${text(value)} (at ${atLeast === undefined ? "most" : "least"} ${text(bound)})`;
  return [{ what, measured, isHeld }];
}
