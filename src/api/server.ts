// The HTTP server: the paths, the rules that hold for all of them, and its opening and closing.
//
//   request -> id, key, path and method (conduct.ts) -> parameters (query-string.ts) -> path (routes/)
//           -> query in line (query-gate.ts) -> newest table version (table-reader.ts) -> page, tag (list-answer.ts) -> answer

import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock } from "../support/clock.ts";
import { AtriumError, messageOf, systemCode } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import type { Metrics } from "../support/metrics.ts";
import { addConduct, answerUnreadable, rawAnswer, requestIds } from "./conduct.ts";
import { addDocuments } from "./documents.ts";
import { meteredTables } from "./metered-tables.ts";
import { queryGate, type QueryGate } from "./query-gate.ts";
import type { Api, Call, SealedRoute } from "./route.ts";
import { roomRoute, roomsRoute, sensorsRoute, sensorTypesRoute } from "./routes/building.ts";
import { dailyRoute, hourlyRoute } from "./routes/kpis.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { liveRoute, readyRoute, tablesRoute } from "./routes/operation.ts";
import {
  healthRoute,
  silverReadingsRoute,
  silverRoomsRoute,
  silverSensorTypesRoute,
} from "./routes/original.ts";
import { readingsRoute } from "./routes/readings.ts";
import { reasonsRoute, rejectedRoute } from "./routes/rejected.ts";
import { restatementsRoute } from "./routes/restatements.ts";
import type { TableReader } from "./table-reader.ts";

/** What the server needs. */
export interface ServerOptions {
  readonly tables: TableReader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the program, for the documents. */
  readonly version: string;
  /** Time of one query, waiting included, ms. */
  readonly queryTimeoutMs: number;
  /** Keys of which every request needs one, but those for health and documents; none means that all may ask. */
  readonly apiKeys: readonly string[];
  /** Counts requests and queries, and is answered at /metrics. Default: neither. */
  readonly metrics?: Metrics;
}

/** What a server for metrics alone needs. */
export type MetricsServerOptions = Pick<ServerOptions, "clock" | "logger" | "apiKeys"> & {
  readonly metrics: Metrics;
};

/** Queries that run at once, and that wait for it. */
const QUERIES_AT_ONCE_MAX = 8;
const QUERIES_WAITING_MAX = 256;
/** Requests under way have so long to end when the server closes, ms. */
const CLOSE_MS = 5000;
/** A request must have arrived whole after this, ms. */
const REQUEST_ARRIVAL_MS = 10_000;
const CONNECTIONS_MAX = 1024;
const HEADER_BYTES_MAX = 16_384;
/** No path takes a body. */
const BODY_BYTES_MAX = 1024;

/** Makes the server, without opening a port; `close` lets requests under way end within 5 s. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  return openServer(options, async (server) => addPaths(server, options));
}

/** Makes a server whose one path is /metrics, for a process without an API. */
export async function createMetricsServer(options: MetricsServerOptions): Promise<FastifyInstance> {
  return openServer(options, async (server) => {
    addConduct(server, { ...options, isOpenPath: () => false });
    addRoute(server, metricsRoute(options.metrics)(options.apiKeys.length > 0));
  });
}

async function openServer(
  { clock }: Pick<ServerOptions, "clock">,
  addTo: (server: FastifyInstance) => Promise<void>,
): Promise<FastifyInstance> {
  const newId = requestIds();
  const server = fastify({
    logger: false,
    genReqId: newId,
    requestIdHeader: false,
    return503OnClosing: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_ARRIVAL_MS,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_ARRIVAL_MS },
    routerOptions: { maxParamLength: HEADER_BYTES_MAX },
    frameworkErrors: (error, request, reply) => answerUnreadable(error, request, reply),
    clientErrorHandler: (error, socket) => {
      const canAnswer = socket.writable && error.code !== "ECONNRESET";
      if (canAnswer) socket.end(rawAnswer(error, newId({ headers: {} })));
      else socket.destroy();
    },
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  // Paths parse their own parameters, and their answers are JSON as they are: the schemas are for the documents.
  server.setValidatorCompiler(() => () => true);
  server.setSerializerCompiler(() => (value) => JSON.stringify(value));
  await addTo(server);
  refuseTunnels(server, newId);
  endWithin(server, clock);
  await server.ready();
  return server;
}

/**
 * Opens the server's port, which `setting` names; returns its address as `http://127.0.0.1:8000`. Port 0 is any free one.
 * @throws PORT_IN_USE, CONFIG_INVALID
 */
export async function listen(
  server: FastifyInstance,
  {
    host,
    port,
    setting = "API_PORT",
  }: { readonly host: string; readonly port: number; readonly setting?: string },
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    throw listenError(error, `${host}:${port}`, setting);
  }
}

async function addPaths(server: FastifyInstance, options: ServerOptions): Promise<void> {
  const { tables, clock, logger, version, queryTimeoutMs, apiKeys, metrics } = options;
  const hasKeys = apiKeys.length > 0;
  const gate = queryGate({
    atOnceMax: QUERIES_AT_ONCE_MAX,
    waitingMax: QUERIES_WAITING_MAX,
    timeoutMs: queryTimeoutMs,
    clock,
  });
  const inLine = gated(tables, gate);
  const timed = metrics === undefined ? inLine : meteredTables(inLine, { metrics, clock });
  const seals = [
    ...routesOf({ tables: timed, queryTimeoutMs, version }, logger),
    ...(metrics === undefined ? [] : [metricsRoute(metrics)]),
  ];
  const routes = seals.map((seal) => seal(hasKeys));
  const openPaths = new Set(routes.filter((route) => route.isOpen).map((route) => route.url));
  const isOpenPath = (url: string): boolean =>
    openPaths.has(url) || url === "/" || url === "/openapi.json" || /^\/docs(\/|$)/.test(url);
  addConduct(server, { logger, clock, apiKeys, isOpenPath, ...(metrics && { metrics }) });
  await addDocuments(server, { version, hasKeys });
  for (const route of routes) addRoute(server, route);
}

function routesOf(api: Api, logger: Logger): readonly ((hasKeys: boolean) => SealedRoute)[] {
  return [
    roomsRoute(api),
    roomRoute(api),
    sensorsRoute(api),
    sensorTypesRoute(api),
    readingsRoute(api),
    hourlyRoute(api),
    dailyRoute(api),
    restatementsRoute(api),
    rejectedRoute(api),
    reasonsRoute(api),
    tablesRoute(api),
    liveRoute(api),
    readyRoute(api, logger),
    healthRoute(api),
    silverRoomsRoute(api),
    silverSensorTypesRoute(api),
    silverReadingsRoute(api),
  ];
}

function addRoute(server: FastifyInstance, route: SealedRoute): void {
  server.get(route.url, { schema: { ...route.schema } }, async (request, reply) => {
    const { status, headers = {}, contentType, body } = await route.respond(callOf(request, reply));
    void reply.code(status).headers(headers);
    if (contentType !== undefined) void reply.type(contentType);
    return reply.send(body);
  });
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return {
    url: request.url,
    query: recordOf(request.query),
    path: Object.fromEntries(
      Object.entries(recordOf(request.params)).map(([name, value]) => [name, String(value)]),
    ),
    accept: request.headers.accept,
    ifNoneMatch: request.headers["if-none-match"],
    signal: gone.signal,
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** The same tables, whose queries wait in line. */
function gated(tables: TableReader, gate: QueryGate): TableReader {
  return {
    ...tables,
    open: async (table) => {
      const view = await tables.open(table);
      return {
        ...view,
        query: async (query, { signal }) =>
          gate(async (timeoutMs) => view.query(query, { timeoutMs, ...(signal && { signal }) }), signal),
      };
    },
  };
}

/** CONNECT asks for a tunnel, which Node hands to nobody else. */
function refuseTunnels(server: FastifyInstance, newId: ReturnType<typeof requestIds>): void {
  server.server.on("connect", (request, socket) => {
    socket.end(rawAnswer({ code: "HPE_INVALID_METHOD" }, newId(request)));
  });
}

/** Closes a connection with the answer that was under way, and cuts those that are still busy after some time. */
function endWithin(server: FastifyInstance, clock: Clock): void {
  const closed = new AbortController();
  let isClosing = false;
  server.addHook("onSend", async (_request, reply) => {
    if (isClosing) void reply.header("connection", "close");
  });
  server.addHook("preClose", async () => {
    isClosing = true;
    void clock.sleep(CLOSE_MS, closed.signal).then(() => {
      if (!closed.signal.aborted) server.server.closeAllConnections();
    });
  });
  server.addHook("onClose", async () => closed.abort());
}

function listenError(error: unknown, address: string, setting: string): AtriumError {
  const code = systemCode(error);
  if (code === "EADDRINUSE") {
    return new AtriumError(
      "PORT_IN_USE",
      `${address} is taken by another process: set ${setting} to another port (0 for any free one), or stop that process.`,
      { cause: error },
    );
  }
  if (code === "EACCES") {
    return new AtriumError(
      "PORT_IN_USE",
      `${address} may not be opened by this user: set ${setting} to a port from 1024 on.`,
      { cause: error },
    );
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new AtriumError(
      "CONFIG_INVALID",
      `${address} is no address of this machine: set API_HOST to one, such as 127.0.0.1.`,
      { cause: error },
    );
  }
  return new AtriumError("INTERNAL", `${address} cannot be opened: ${messageOf(error)}`, { cause: error });
}
