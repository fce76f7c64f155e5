// One text for both engines: where DuckDB and Spark are known to differ, and that no text that Spark runs goes there.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Engine, Input } from "../../src/lakehouse/engine.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import { type Lake, openLake } from "../../src/lakehouse/lake.ts";
import { refineBatch } from "../../src/lakehouse/silver/refine.ts";
import { silverSql } from "../../src/lakehouse/silver/transform.ts";
import { compactTable } from "../../src/lakehouse/upkeep/compact.ts";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { SENSOR_TYPES } from "../../src/reading/terms.ts";
import { makeTestLake, message, testClock } from "../support/lake.ts";

interface Difference {
  readonly what: string;
  /** Finds it in a text whose strings are blanked out. */
  readonly sign: RegExp;
  /** A text that has it, and what to write. */
  readonly example: string;
  readonly instead: string;
}

const DIFFERENCES: readonly Difference[] = [
  { what: "whole division", sign: /\/\//, example: "a // b", instead: "floor(a / b)" },
  {
    what: "epoch functions",
    sign: /\bepoch(_\w+)?\s*\(/i,
    example: "epoch_us(t)",
    instead: "a column of whole numbers",
  },
  { what: "QUALIFY", sign: /\bqualify\b/i, example: "select a from t qualify x = 1", instead: "a subquery" },
  {
    what: "columns left out of *",
    sign: /\b(exclude|replace)\s*\(/i,
    example: "select * exclude (a)",
    instead: "the columns",
  },
  { what: "union by name", sign: /\bby name\b/i, example: "union all by name", instead: "columns in order" },
  {
    what: "ordered or unnested lists",
    sign: /\b(array_agg|list|unnest|generate_series|range)\s*\(/i,
    example: "unnest(l)",
    instead: "joins",
  },
  {
    what: "dates as text and their distance",
    sign: /\b(strftime|strptime|date_diff|datediff|date_part)\s*\(/i,
    example: "date_diff('day', a, b)",
    instead: "casts and differences",
  },
  { what: "JSON", sign: /->|\bjson_\w+\s*\(/i, example: "a -> 'b'", instead: "columns" },
  {
    what: "isnan of null",
    sign: /\bisnan\s*\(/i,
    example: "isnan(v)",
    instead: "v <= max, false for NaN in both",
  },
  { what: "round on doubles", sign: /\bround\s*\(/i, example: "round(v, 2)", instead: "floor, or a decimal" },
  {
    what: "means and deviations of doubles, whose last bits depend on the order",
    sign: /\b(avg|mean|std\w*|var\w*|corr|median|quantile\w*)\s*\(/i,
    example: "avg(v)",
    instead: "sums of decimals",
  },
  {
    what: "sums of doubles, whose last bits depend on the order",
    sign: /\bsum\s*\((?!\s*(cast\(|nb_))/i,
    example: "sum(v)",
    instead: "sum(cast(v as decimal(18, 6)))",
  },
  {
    what: "doubles as decimals by their bits",
    sign: /\bcast\(\s*(?!cast\()[^()]*[*/][^()]* as decimal/i,
    example: "cast(a * b as decimal(28, 9))",
    instead: "cast(cast(a * b as string) as decimal(28, 9))",
  },
  { what: "division by zero", sign: /\/\s*0(\.0*)?\b/, example: "a / 0.0", instead: "nullif" },
  {
    what: "patterns",
    sign: /\b(regexp_\w+|similar to)\b/i,
    example: "regexp_replace(a, 'b', 'c')",
    instead: "nothing yet",
  },
  { what: "short casts", sign: /::/, example: "a::int", instead: "cast(a as int)" },
  {
    what: "names of types that only one has",
    sign: /\bas (varchar|timestamptz|blob|hugeint)\b/i,
    example: "cast(a as varchar)",
    instead: "string, timestamp, binary",
  },
];

describe("the texts of transforms", () => {
  for (const { what, sign, example } of DIFFERENCES) {
    test(`a text with ${what} would be found`, () => assert.match(unquoted(example), sign));
  }

  test("that Spark runs avoid all that the dialects do differently", async () => {
    const texts = await textsOfBulk();
    for (const withinBatch of [false, true]) {
      for (const withSilver of [false, true]) texts.add(silverSql({ withinBatch, withSilver }));
    }
    assert.ok(texts.size >= 12, `only ${texts.size} texts were seen`);
    const found = [...texts].flatMap((text) =>
      DIFFERENCES.filter(({ sign }) => sign.test(unquoted(text))).map(
        ({ what, instead }) => `${what} (write ${instead}) in: ${text.trim().slice(0, 200)}`,
      ),
    );
    assert.deepEqual(found, []);
  });
});

/** What stands in strings is no SQL. */
function unquoted(text: string): string {
  return text.replaceAll(/'[^']*'/g, "''");
}

/** The texts that go to the engine for bulk in a lake's life: late readings, duplicates, compaction. */
async function textsOfBulk(): Promise<Set<string>> {
  const clock = testClock(Date.UTC(2013, 7, 30));
  await using world = await makeTestLake({ clock });
  const texts = new Set<string>();
  const lake = await openLake({ ...world.lake, engine: heard(world.lake.engine, texts) }, { create: false });
  const day = Date.UTC(2013, 7, 23) / 1000;
  for (const late of [0, 3]) {
    const sent = Array.from({ length: 60 }, (_, index) =>
      message(
        index % 2 === 0 ? "413" : "415",
        SENSOR_TYPES[index % 5] ?? "co2",
        day + late + (index % 50) * 600,
        index,
      ),
    );
    await world.send([...sent, { key: "x:co2", value: '{"room":"415"}' }]);
    await world.ingest(1_000_000, lake);
    await stages(lake);
    clock.set(clock.nowMs() + 3_600_000);
  }
  for (const name of TABLE_NAMES) await compactTable({ lake, targetBytes: 1_000_000 }, name);
  return texts;
}

async function stages(lake: Lake): Promise<void> {
  while ((await refineBatch({ lake, batchRowsMax: 1_000_000, queryTimeoutMs: 60_000 })) !== undefined);
  await makeGold({ lake, queryTimeoutMs: 60_000 });
}

function heard(engine: Engine, texts: Set<string>): Engine {
  const isBulk = (inputs: readonly Input[]): boolean => inputs.some(({ kind }) => kind === "files");
  return {
    write: async (transform, signal) => {
      if (isBulk(transform.inputs)) texts.add(transform.sql);
      return engine.write(transform, signal);
    },
    query: async (query, signal) => {
      if (query.isBulk === true) texts.add(query.sql);
      return engine.query(query, signal);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
