// The paths of the original system, with its parameters, for the clients that know them.

import { Type, type TSchema } from "typebox";
import type { Answer } from "../../lakehouse/engine.ts";
import { SENSOR_TYPES } from "../../reading/terms.ts";
import { endOfDay, startOfDay } from "../instants.ts";
import { rowsOf } from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { readingsQuery, valuesQuery, type TableQuery } from "../queries.ts";
import { sealRoute, type Api, type Call, type Content, type Result } from "../route.ts";
import { columnNames, oneOfTexts, rowSchema } from "../row-schemas.ts";
import { answerTagged, TAG_HEADERS } from "../tagged-answer.ts";

const COLUMNS = columnNames("silver/readings");
const ROOMS_MAX = 100_000;

/** Schema of a whole row of silver. */
export const silverRowSchema = rowSchema("SilverRow", { table: "silver/readings", columns: COLUMNS });

/** GET /health. */
export const healthRoute = (_api: Api) =>
  sealRoute({
    url: "/health",
    operationId: "health",
    tag: "original",
    summary: "The process answers.",
    parameters: {},
    isOpen: true,
    content: {
      "application/json": { schema: Type.Object({ status: Type.String() }), example: { status: "ok" } },
    },
    problems: [],
    handle: async () => ({ status: 200, headers: { "cache-control": "no-store" }, body: { status: "ok" } }),
  });

/** GET /silver/rooms. */
export const silverRoomsRoute = (api: Api) =>
  sealRoute({
    url: "/silver/rooms",
    operationId: "silverRooms",
    tag: "original",
    summary: "Rooms with readings on a day, or at all.",
    parameters: { date: parameters.date },
    content: listed("rooms", Type.String(), "413"),
    headers: TAG_HEADERS,
    problems: [503],
    handle: async (call, { date }) => {
      return answer(api, call, {
        query: valuesQuery("room", { date, oneOf: {} }, ROOMS_MAX),
        shape: ({ rows }) => ({ date: date ?? null, count: rows.length, rooms: rows.map(([room]) => room) }),
      });
    },
  });

/** GET /silver/sensor-types. */
export const silverSensorTypesRoute = (api: Api) =>
  sealRoute({
    url: "/silver/sensor-types",
    operationId: "silverSensorTypes",
    tag: "original",
    summary: "Sensor types with readings on a day, in a room, or at all.",
    parameters: { date: parameters.date, room: parameters.room },
    content: listed("sensor_types", oneOfTexts(SENSOR_TYPES), "co2"),
    headers: TAG_HEADERS,
    problems: [503],
    handle: async (call, { date, room }) => {
      const oneOf = { room: room === undefined ? [] : [room] };
      return answer(api, call, {
        query: valuesQuery("sensor_type", { date, oneOf }, SENSOR_TYPES.length),
        shape: ({ rows }) => ({
          date: date ?? null,
          count: rows.length,
          sensor_types: rows.map(([type]) => type),
        }),
      });
    },
  });

/** GET /silver/readings. */
export const silverReadingsRoute = (api: Api) =>
  sealRoute({
    url: "/silver/readings",
    operationId: "silverReadings",
    tag: "original",
    summary: "Readings of a day: the first of them in the order of time, sensor type and room.",
    description: "Whole rows of silver/readings. For time ranges, several rooms and paging: /v1/readings.",
    parameters: {
      date: parameters.requiredDate,
      room: parameters.room,
      sensor_type: parameters.sensorType,
      limit: parameters.originalLimit,
    },
    content: {
      "application/json": {
        schema: Type.Object({
          date: Type.String({ format: "date" }),
          count: Type.Integer(),
          rows: Type.Array(Type.Ref("SilverRow#")),
        }),
      },
    },
    headers: TAG_HEADERS,
    problems: [503],
    handle: async (call, { date, room, sensor_type, limit }) => {
      const range = { from: startOfDay(date), before: endOfDay(date) };
      const oneOf = {
        room: room === undefined ? [] : [room],
        sensor_type: sensor_type === undefined ? [] : [sensor_type],
      };
      const query = readingsQuery(COLUMNS, { range, oneOf }, { after: undefined, limit });
      return answer(api, call, {
        query,
        shape: (found) => ({ date, count: found.rows.length, rows: rowsOf(found) }),
      });
    },
  });

interface Asked {
  readonly query: TableQuery;
  readonly shape: (found: Answer) => unknown;
}

async function answer(api: Api, call: Call, { query, shape }: Asked): Promise<Result> {
  const view = await api.tables.open("silver/readings");
  const bounds = { timeoutMs: api.queryTimeoutMs, signal: call.signal };
  return answerTagged(api, call, {
    tags: [view.tag],
    view,
    body: async () => shape(await view.query(query, bounds)),
  });
}

function listed(name: string, item: TSchema, example: string): Readonly<Record<string, Content>> {
  const date = Type.Unsafe({
    type: ["string", "null"],
    format: "date",
    description: "The day that was asked for.",
  });
  const schema = Type.Object({ date, count: Type.Integer(), [name]: Type.Array(item) });
  return { "application/json": { schema, example: { date: null, count: 1, [name]: [example] } } };
}
