// What a golden lake holds, as text that a person can compare; run with a lake's folder, it prints that.

import { TABLE_NAMES, tableNamed, type TableName } from "../../src/reading/tables.ts";
import { present } from "../../src/support/assert.ts";
import { ask, type Row } from "./lake-folder.ts";
import { done } from "./program.ts";

/** Version and contents of every table of a lake. */
export interface LakeContents {
  readonly versions: Readonly<Record<TableName, number>>;
  readonly contents: Readonly<Record<string, readonly Row[]>>;
}

/** Whole rows where there are few, sums of them where there are many; exact, for all that was stored is in one of them. */
const QUERIES: Readonly<Record<string, string>> = {
  bronze: `select room, sensor_type, event_date, topic, "partition", count(*) as n, sum(ts_unix) as seconds, sum("offset") as offsets,
    sum(cast(value as decimal(18, 6))) as values, sum(epoch_us(event_ts)) as event_us, count(log_ts) as logged,
    count(ingest_ts) as ingested, max(attributes) as attributes from bronze_readings group by all order by all`,
  rejected: `select topic, "partition", "offset", key, value, reason, detail from bronze_rejected order by all`,
  silver: `select sensor_id, event_date, unit, quality_flag, count(*) as n, sum(epoch_us(ts_utc)) as event_us, sum("offset") as offsets,
    sum(cast(value_raw as decimal(18, 6))) as raw, sum(cast(value_clean as decimal(18, 6))) as clean, count_if(is_valid) as valid
    from silver_readings group by all order by all`,
  hourly:
    "select * exclude (created_at) from gold_sensor_hourly order by room, sensor_type, event_date, hour_utc limit 50",
  hours: "select count(*) as n, sum(nb_readings) as readings from gold_sensor_hourly",
  daily: "select * exclude (created_at) from gold_sensor_daily order by room, sensor_type, event_date",
  rooms: "select * exclude (created_at) from gold_room_daily order by room, event_date",
  restatements: "select * exclude (restated_at) from gold_restatements order by all",
};

/** Describes the newest versions of a lake by the real program. */
export async function describeLake(lake: string): Promise<LakeContents> {
  const tables = JSON.parse(await done(["table", "list", "--lake", lake, "--json"])) as Row[];
  const versions = new Map(
    tables.map((row) => [present(tableNamed(String(row["table"])), "table"), row["version"]]),
  );
  const contents: Record<string, readonly Row[]> = {};
  for (const [name, sql] of Object.entries(QUERIES)) contents[name] = await ask(lake, sql);
  return {
    versions: Object.fromEntries(
      TABLE_NAMES.map((name) => [name, versions.get(name)]),
    ) as LakeContents["versions"],
    contents,
  };
}

if (import.meta.main) {
  const described = await describeLake(present(process.argv[2], "the folder of a lake"));
  process.stdout.write(`${JSON.stringify(described, null, 1)}\n`);
}
