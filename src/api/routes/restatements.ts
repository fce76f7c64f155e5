// /v1/kpis/restatements: what late readings changed in the KPIs of days that were over, page by page.

import { Type } from "typebox";
import { answerList, cursorOf, LIST_HEADERS, LIST_PROBLEMS, listContent, type Row } from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { KEYS, kpiQuery } from "../queries.ts";
import { sealRoute, type Api } from "../route.ts";
import { columnNames, rowSchema } from "../row-schemas.ts";

const TABLE = "gold/restatements";
const LIST = {
  relation: "gold_restatements",
  columns: columnNames(TABLE),
  keys: KEYS.restatements,
};

/** Schema of a restated value. */
export const restatementSchema = rowSchema("Restatement", { table: TABLE, columns: LIST.columns });

const EXAMPLE: Row = {
  room: "413",
  event_date: "2013-08-24",
  column_name: "co2_max",
  value_before: 702,
  value_after: 815,
  late_readings: 24,
  revision: 2,
  restated_at: "2026-01-01T00:00:00Z",
};

/** GET /v1/kpis/restatements. */
export const restatementsRoute = (api: Api) =>
  sealRoute({
    url: "/v1/kpis/restatements",
    operationId: "listRestatements",
    tag: "kpis",
    summary: "What late readings changed in the daily figures.",
    description:
      "Rows of gold/restatements in the order of day, room, revision and column: each value of /v1/kpis/daily that was " +
      "replaced after its day was over, before and after. `from` and `to` are the days that were restated; without them: " +
      "all days. Days are UTC. To page, repeat the request with `cursor` set to `next_cursor`.",
    parameters: {
      from: parameters.fromDate,
      to: parameters.toDate,
      room: parameters.rooms,
      limit: parameters.limit,
      cursor: parameters.cursor,
      format: parameters.format,
    },
    content: listContent(Type.Ref("Restatement#"), EXAMPLE, true),
    headers: LIST_HEADERS,
    problems: [...LIST_PROBLEMS, 406],
    handle: async (call, values) => {
      const range = parameters.dateRange(values);
      const oneOf = { room: values.room };
      const { keys, columns: csvColumns } = LIST;
      const { hash, cursor } = cursorOf(call, values, { keys, filters: { ...range, ...oneOf } });
      const view = await api.tables.open(TABLE);
      const { limit, format } = values;
      const query = kpiQuery(LIST, { range, oneOf }, { after: cursor?.key, limit });
      return answerList(api, call, { view, keys, hash, limit, query, csvColumns, format });
    },
  });
