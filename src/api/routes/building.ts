// /v1/rooms, /v1/sensors and /v1/sensor-types: what there is in the building.

import { Type } from "typebox";
import { GOLD_APP_ID } from "../../lakehouse/gold/gold.ts";
import { SENSOR_TRAITS, SENSOR_TYPES, type SensorType } from "../../reading/terms.ts";
import { AtriumError } from "../../support/errors.ts";
import {
  answerList,
  cursorOf,
  LIST_HEADERS,
  LIST_PROBLEMS,
  listContent,
  rowsOf,
  type Row,
} from "../list-answer.ts";
import * as parameters from "../parameters.ts";
import { KEYS, roomsQuery, sensorsQuery, type SensorSource } from "../queries.ts";
import { shown } from "../query-string.ts";
import { sealRoute, type Api } from "../route.ts";
import type { TableView } from "../table-reader.ts";
import { answerTagged, TAG_HEADERS } from "../tagged-answer.ts";

const ROOM_EXAMPLE: Row = {
  room: "413",
  first_date: "2013-08-23",
  last_date: "2013-08-31",
  sensor_types: ["co2", "humidity", "luminosity", "pir", "temperature"],
  nb_readings: 561_204,
};
const SENSOR_EXAMPLE: Row = { sensor_id: "413-co2", room: "413", sensor_type: "co2", unit: "ppm" };

const SOURCE_TEXT =
  "Always up to date: from gold/sensor_daily, which is cheap, if it reflects the newest version of silver/readings, else from silver/readings itself.";

/** GET /v1/rooms. */
export const roomsRoute = (api: Api) =>
  sealRoute({
    url: "/v1/rooms",
    operationId: "listRooms",
    tag: "building",
    summary: "Rooms that have readings.",
    description: `Rooms in the order of their names. ${SOURCE_TEXT}`,
    parameters: { limit: parameters.limit, cursor: parameters.cursor },
    content: listContent(Type.Ref("Room#"), ROOM_EXAMPLE, false),
    headers: LIST_HEADERS,
    problems: LIST_PROBLEMS,
    handle: async (call, values) => {
      const { hash, cursor } = cursorOf(call, values, { keys: KEYS.rooms, filters: {} });
      const { view, tags, source } = await sensorSource(api);
      const query = roomsQuery(source, {}, { after: cursor?.key, limit: values.limit });
      return answerList(api, call, {
        view,
        tags,
        keys: KEYS.rooms,
        hash,
        limit: values.limit,
        query,
        shape: roomOf,
      });
    },
  });

/** GET /v1/rooms/{room}. */
export const roomRoute = (api: Api) =>
  sealRoute({
    url: "/v1/rooms/:room",
    operationId: "getRoom",
    tag: "building",
    summary: "One room.",
    description: SOURCE_TEXT,
    parameters: {},
    pathParameters: { room: Type.String({ minLength: 1, description: "Room.", examples: ["413"] }) },
    content: { "application/json": { schema: Type.Ref("Room#"), example: ROOM_EXAMPLE } },
    headers: TAG_HEADERS,
    problems: [404, 503],
    handle: async (call) => {
      const { view, tags, source } = await sensorSource(api);
      const wanted = call.path["room"] ?? "";
      const query = roomsQuery(source, { room: [wanted] }, { after: undefined, limit: 1 });
      const bounds = { timeoutMs: api.queryTimeoutMs, signal: call.signal };
      const body = async (): Promise<Row> => {
        const [room] = rowsOf(await view.query(query, bounds), roomOf);
        if (room === undefined) throw unknownRoom(wanted);
        return room;
      };
      return answerTagged(api, call, { tags, view, body });
    },
  });

/** GET /v1/sensors. */
export const sensorsRoute = (api: Api) =>
  sealRoute({
    url: "/v1/sensors",
    operationId: "listSensors",
    tag: "building",
    summary: "Sensors that have readings.",
    description: `Sensors in the order of room and sensor type. ${SOURCE_TEXT}`,
    parameters: {
      room: parameters.rooms,
      sensor_type: parameters.sensorTypes,
      limit: parameters.limit,
      cursor: parameters.cursor,
    },
    content: listContent(Type.Ref("Sensor#"), SENSOR_EXAMPLE, false),
    headers: LIST_HEADERS,
    problems: LIST_PROBLEMS,
    handle: async (call, values) => {
      const oneOf = { room: values.room, sensor_type: values.sensor_type };
      const { hash, cursor } = cursorOf(call, values, { keys: KEYS.sensors, filters: oneOf });
      const { view, tags, source } = await sensorSource(api);
      const query = sensorsQuery(source, oneOf, { after: cursor?.key, limit: values.limit });
      return answerList(api, call, {
        view,
        tags,
        keys: KEYS.sensors,
        hash,
        limit: values.limit,
        query,
        shape: withUnit,
      });
    },
  });

/** GET /v1/sensor-types. */
export const sensorTypesRoute = (api: Api) =>
  sealRoute({
    url: "/v1/sensor-types",
    operationId: "listSensorTypes",
    tag: "building",
    summary: "Sensor types, their units and plausible ranges.",
    parameters: {},
    content: {
      "application/json": {
        schema: Type.Object({ data: Type.Array(Type.Ref("SensorType#")) }),
        example: { data: [sensorTypeOf("co2")] },
      },
    },
    headers: { etag: TAG_HEADERS.etag },
    problems: [],
    handle: async (call) =>
      answerTagged(api, call, { tags: [], body: async () => ({ data: SENSOR_TYPES.map(sensorTypeOf) }) }),
  });

interface ChosenSource {
  readonly view: TableView;
  readonly source: SensorSource;
  readonly tags: readonly string[];
}

/** Gold if it is made from the newest silver: it has a row a sensor and day where silver has thousands. */
async function sensorSource(api: Api): Promise<ChosenSource> {
  const gold = await api.tables.open("gold/sensor_daily");
  const silver = await api.tables.open("silver/readings");
  const isCurrent = silver.version !== undefined && gold.txns.get(GOLD_APP_ID) === BigInt(silver.version);
  const tags = [gold.tag, silver.tag];
  return isCurrent
    ? { view: gold, source: "gold/sensor_daily", tags }
    : { view: silver, source: "silver/readings", tags };
}

function unknownRoom(room: string): AtriumError {
  const message = `There is no room ${shown(room)} with readings: /v1/rooms lists those there are.`;
  return new AtriumError("NOT_FOUND", message);
}

function roomOf(row: Row): Row {
  const { room = null, first_date = null, last_date = null, nb_readings = null } = row;
  const sensor_types = SENSOR_TYPES.filter((type) => row[type] !== 0);
  return { room, first_date, last_date, sensor_types, nb_readings };
}

function withUnit(row: Row): Row {
  const type = SENSOR_TYPES.find((known) => known === row["sensor_type"]);
  return { ...row, unit: type === undefined ? null : SENSOR_TRAITS[type].unit };
}

function sensorTypeOf(type: SensorType): Row {
  const { unit, fileName, aliases, min, max, minIsPlausible, integer, samplePeriodSeconds } =
    SENSOR_TRAITS[type];
  const others = [...new Set([fileName, ...aliases])].filter((name) => name !== type);
  return {
    sensor_type: type,
    aliases: others,
    unit,
    min,
    min_is_plausible: minIsPlausible,
    max,
    integer,
    sample_period_seconds: samplePeriodSeconds,
  };
}
