// The API over a lake in a temporary folder, and over tables that a test makes up.

import assert from "node:assert/strict";
import type { FastifyInstance } from "fastify";
import { createServer, type ServerOptions } from "../../src/api/server.ts";
import { tableReader, type TableReader, type TableView } from "../../src/api/table-reader.ts";
import { makeGold } from "../../src/lakehouse/gold/gold.ts";
import type { KeyedValue } from "../../src/log/records.ts";
import { TABLE_NAMES } from "../../src/reading/tables.ts";
import { SENSOR_TYPES, type SensorType } from "../../src/reading/terms.ts";
import type { LogFields, Logger } from "../../src/support/logger.ts";
import { makeTestLake, message, testClock, type TestLake } from "./lake.ts";

/** 2013-08-23T00:00:00Z, s. */
export const FIRST_DAY = 1_377_216_000;
/** A day, s. */
export const DAY = 86_400;

/** An answer, its JSON read. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The JSON body; an empty object for other bodies. */
  readonly body: JsonObject;
}

/** A row of an answer. */
export type JsonRow = Readonly<Record<string, unknown>>;

/** The members of answers that tests look at. */
export interface JsonObject extends JsonRow {
  readonly data: readonly JsonRow[];
  readonly next_cursor: string | null;
  readonly rows: readonly JsonRow[];
  readonly errors: readonly { readonly parameter: string; readonly message: string }[];
  readonly detail: string;
}

/** A line of the log. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: LogFields;
}

/** What a request may have beside its method and address. */
export interface Extras {
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: string;
}

/** The API without a port. */
export interface TestApi extends AsyncDisposable {
  readonly server: FastifyInstance;
  readonly logLines: readonly LogLine[];
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** The body of a 200 answer. */
  body(url: string): Promise<JsonObject>;
  send(method: string, url: string, extras?: Extras): Promise<Reply>;
}

/** Makes the API over some tables. */
export async function makeApi(tables: TableReader, options: Partial<ServerOptions> = {}): Promise<TestApi> {
  const { logger, logLines } = keepingLogger();
  const server = await createServer({
    tables,
    clock: testClock(),
    logger,
    version: "1.2.3",
    queryTimeoutMs: 60_000,
    apiKeys: [],
    ...options,
  });
  const send: TestApi["send"] = async (method, url, { headers = {}, payload } = {}) => {
    // The type of inject knows the common methods only.
    const answer = await server.inject({
      method: method as "GET",
      url,
      headers: { ...headers },
      ...(payload !== undefined && { payload }),
    });
    const isJson = String(answer.headers["content-type"]).includes("json");
    const texts = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
    const body = (isJson && answer.body !== "" ? JSON.parse(answer.body) : {}) as JsonObject;
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(texts) as Record<string, string>,
      text: answer.body,
      body,
    };
  };
  const get: TestApi["get"] = async (url, headers) => send("GET", url, headers && { headers });
  return {
    server,
    logLines,
    send,
    get,
    body: async (url) => {
      const reply = await get(url);
      assert.equal(reply.status, 200, reply.text);
      return reply.body;
    },
    [Symbol.asyncDispose]: async () => server.close(),
  };
}

/** The API over a lake of its own. */
export interface LakeApi extends TestApi {
  readonly testLake: TestLake;
  /** Takes messages to silver. */
  add(messages: readonly KeyedValue[]): Promise<void>;
  gold(days?: readonly string[]): Promise<void>;
}

/** Makes the API over an empty lake. */
export async function makeLakeApi(options: Partial<ServerOptions> = {}): Promise<LakeApi> {
  const testLake = await makeTestLake();
  const api = await makeApi(tableReader(testLake.lake), options);
  return {
    ...api,
    testLake,
    add: async (messages) => {
      await testLake.send(messages);
      await testLake.ingest();
      await testLake.refine();
    },
    gold: async (days) => {
      await makeGold({ lake: testLake.lake, queryTimeoutMs: 60_000, ...(days && { days }) });
    },
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await testLake[Symbol.asyncDispose]();
    },
  };
}

/** Three days of two rooms: 413 has all sensor types, 415 no pir; a reading an hour each, one of them out of range. */
export function buildingMessages(): readonly KeyedValue[] {
  const rooms: readonly (readonly [string, readonly SensorType[]])[] = [
    ["413", SENSOR_TYPES],
    ["415", SENSOR_TYPES.filter((type) => type !== "pir")],
  ];
  const messages = rooms.flatMap(([room, types]) =>
    types.flatMap((type) =>
      Array.from({ length: 3 * 24 }, (_, hour) =>
        message(room, type, FIRST_DAY + hour * 3600, plausible(type, hour)),
      ),
    ),
  );
  return [...messages, message("413", "co2", FIRST_DAY + 8 * 3600 + 5, 0)];
}

/** Makes the API over the building of `buildingMessages`, with gold. */
export async function makeBuildingApi(options: Partial<ServerOptions> = {}): Promise<LakeApi> {
  const api = await makeLakeApi(options);
  await api.add(buildingMessages());
  await api.gold();
  return api;
}

/** Tables that are all empty, with some parts replaced. */
export function fakeTables(parts: Partial<TableReader> = {}, view: Partial<TableView> = {}): TableReader {
  return {
    open: async (table) => ({
      table,
      version: 1,
      tag: `${table}@fake.1`,
      txns: new Map(),
      newest: () => undefined,
      query: async () => ({ columns: [], rows: [], truncated: false }),
      ...view,
    }),
    facts: async () =>
      TABLE_NAMES.map((table) => ({
        table,
        version: undefined,
        tag: `${table}@none`,
        rows: 0,
        files: 0,
        bytes: 0,
        partitionColumns: [],
        committedMs: undefined,
      })),
    check: async () => undefined,
    ...parts,
  };
}

function plausible(type: SensorType, hour: number): number {
  const values = {
    co2: 450 + hour,
    humidity: 45,
    luminosity: 100,
    pir: hour % 2 === 0 ? 30 : 0,
    temperature: 22,
  };
  return values[type];
}

function keepingLogger(): { readonly logger: Logger; readonly logLines: readonly LogLine[] } {
  const logLines: LogLine[] = [];
  const keep =
    (level: keyof Logger) =>
    (text: string, fields: LogFields = {}): void => {
      logLines.push({ level, message: text, fields });
    };
  return {
    logger: { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") },
    logLines,
  };
}
