// /v1/readings: readings of a time range, page by page in the order of time.

import { Type } from "typebox";
import { instantOfMs, type Instant } from "../instants.ts";
import { answerList, cursorOf, LIST_HEADERS, LIST_PROBLEMS, listContent, type Row } from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { KEYS, readingsQuery } from "../queries.ts";
import { sealRoute, type Api } from "../route.ts";
import { columnNames, rowSchema } from "../row-schemas.ts";
import type { TableView } from "../table-reader.ts";

const DAY_MS = 24 * 3600 * 1000;

/** Where a reading came from is of no use to most: it is in the table. */
const LEFT_OUT = ["ts_unix", "event_date", "topic", "partition", "offset", "ingest_ts", "created_at"];
const COLUMNS = columnNames("silver/readings", LEFT_OUT);

/** Schema of a reading. */
export const readingSchema = rowSchema("Reading", { table: "silver/readings", columns: COLUMNS });

const EXAMPLE: Row = {
  room: "413",
  sensor_type: "co2",
  sensor_id: "413-co2",
  ts_utc: "2013-08-23T23:05:08Z",
  value_raw: 495,
  value_clean: 495,
  unit: "ppm",
  is_valid: true,
  quality_flag: "OK",
};

/** GET /v1/readings. */
export const readingsRoute = (api: Api) =>
  sealRoute({
    url: "/v1/readings",
    operationId: "listReadings",
    tag: "readings",
    summary: "Readings of a time range.",
    description:
      "Readings in the order of time, sensor type and room, from the newest committed version of silver/readings. A day given as " +
      "`from` begins with it, a day given as `to` ends with it; a moment given as `to` is itself left out. Without `from` and " +
      "`to`: the 24 hours up to the newest reading. To page, repeat the request with `cursor` set to `next_cursor`: each reading " +
      "that was there at the start comes exactly once, whatever is added meanwhile.",
    parameters: {
      from: parameters.from,
      to: parameters.to,
      room: parameters.rooms,
      sensor_type: parameters.sensorTypes,
      quality: parameters.quality,
      limit: parameters.limit,
      cursor: parameters.cursor,
      format: parameters.format,
    },
    content: listContent(Type.Ref("Reading#"), EXAMPLE, true),
    headers: LIST_HEADERS,
    problems: [...LIST_PROBLEMS, 406],
    handle: async (call, values) => {
      const given = parameters.instantRange(values);
      const oneOf = { room: values.room, sensor_type: values.sensor_type, quality_flag: values.quality };
      const { hash, cursor } = cursorOf(call, values, {
        keys: KEYS.readings,
        filters: { ...given, ...oneOf },
      });
      const view = await api.tables.open("silver/readings");
      const isOpen = given.from === undefined && given.before === undefined;
      const pinnedFrom = isOpen ? (cursor?.pinnedFrom ?? lastDayOf(view)) : undefined;
      const range = { from: pinnedFrom ?? given.from, before: given.before };
      return answerList(api, call, {
        view,
        keys: KEYS.readings,
        hash,
        limit: values.limit,
        ...(pinnedFrom === undefined ? {} : { pinnedFrom }),
        query: readingsQuery(COLUMNS, { range, oneOf }, { after: cursor?.key, limit: values.limit }),
        csvColumns: COLUMNS,
        format: values.format,
      });
    },
  });

function lastDayOf(view: TableView): Instant | undefined {
  const newest = view.newest("ts_utc");
  return newest === undefined ? undefined : instantOfMs(Date.parse(newest) - DAY_MS);
}
