// /v1/tables and the health of the server.

import { Type } from "typebox";
import { TABLE_NAMES } from "../../reading/tables.ts";
import { ERROR_CATALOGUE, isAtriumError } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { ProtocolError } from "../problem.ts";
import { sealRoute, type Api } from "../route.ts";
import { oneOfTexts } from "../row-schemas.ts";
import type { TableFacts } from "../table-reader.ts";
import { answerTagged, TAG_HEADERS } from "../tagged-answer.ts";

/** Schema of a table. */
export const tableSchema = Type.Object(
  {
    table: oneOfTexts(TABLE_NAMES, { description: "Its path below the lake." }),
    version: Type.Unsafe({
      type: ["integer", "null"],
      description: "Newest committed version; null if the table does not exist yet.",
    }),
    rows: Type.Integer({ minimum: 0 }),
    files: Type.Integer({ minimum: 0, description: "Live data files." }),
    bytes: Type.Integer({ minimum: 0, description: "Bytes of the live data files." }),
    partition_columns: Type.Array(Type.String()),
    committed_at: Type.Unsafe({
      type: ["string", "null"],
      format: "date-time",
      description: "Time of the newest commit.",
    }),
  },
  { $id: "Table", title: "Table" },
);

const EXAMPLE = {
  table: "silver/readings",
  version: 12,
  rows: 7_865_063,
  files: 9,
  bytes: 41_230_112,
  partition_columns: ["event_date"],
  committed_at: "2026-01-01T00:00:00Z",
};

/** GET /v1/tables. */
export const tablesRoute = (api: Api) =>
  sealRoute({
    url: "/v1/tables",
    operationId: "listTables",
    tag: "operation",
    summary: "The tables of the lake, with version and size.",
    parameters: {},
    content: {
      "application/json": {
        schema: Type.Object({ data: Type.Array(Type.Ref("Table#")) }),
        example: { data: [EXAMPLE] },
      },
    },
    headers: { etag: TAG_HEADERS.etag },
    problems: [503],
    handle: async (call) => {
      const facts = await api.tables.facts();
      const tags = facts.map(({ tag }) => tag);
      return answerTagged(api, call, { tags, body: async () => ({ data: facts.map(tableOf) }) });
    },
  });

/** GET /health/live. */
export const liveRoute = (_api: Api) =>
  sealRoute({
    url: "/health/live",
    operationId: "live",
    tag: "operation",
    summary: "The process answers.",
    parameters: {},
    isOpen: true,
    content: statusContent("live"),
    problems: [],
    handle: async () => ({ status: 200, headers: NOT_STORED, body: { status: "live" } }),
  });

/** GET /health/ready. */
export const readyRoute = (api: Api, logger: Logger) =>
  sealRoute({
    url: "/health/ready",
    operationId: "ready",
    tag: "operation",
    summary: "The lake is there and its tables can be read.",
    description: "503 with the reasons otherwise. A lake without tables is ready: its lists are empty.",
    parameters: {},
    isOpen: true,
    content: statusContent("ready"),
    problems: [503],
    handle: async () => {
      try {
        await api.tables.check();
        return { status: 200, headers: NOT_STORED, body: { status: "ready" } };
      } catch (error) {
        logger.warn("not ready", { error });
        throw notReady(error);
      }
    },
  });

const NOT_STORED = { "cache-control": "no-store" };

function statusContent(status: string): Parameters<typeof sealRoute>[0]["content"] {
  return {
    "application/json": {
      schema: Type.Object({ status: Type.String({ examples: [status] }) }),
      example: { status },
    },
  };
}

function tableOf(facts: TableFacts): Readonly<Record<string, unknown>> {
  return {
    table: facts.table,
    version: facts.version ?? null,
    rows: facts.rows,
    files: facts.files,
    bytes: facts.bytes,
    partition_columns: facts.partitionColumns,
    committed_at: facts.committedMs === undefined ? null : new Date(facts.committedMs).toISOString(),
  };
}

function notReady(error: unknown): ProtocolError {
  const code = isAtriumError(error) ? error.code : "INTERNAL";
  const message = code === "NOT_FOUND" ? "There is no lake." : ERROR_CATALOGUE[code].meaning;
  return new ProtocolError(
    "NOT_READY",
    `The lake cannot be read (${code}): ${message} The server's log has the cause.`,
    {
      errors: [{ parameter: "lake", message: `${code}: ${message}` }],
    },
  );
}
