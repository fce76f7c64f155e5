// What holds for every request: its id, who may ask, which paths and methods there are, headers, problems and the log.

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { uniqueId } from "../support/chance.ts";
import type { Clock } from "../support/clock.ts";
import type { Logger } from "../support/logger.ts";
import type { Metrics } from "../support/metrics.ts";
import { keyCheck } from "./api-keys.ts";
import { PROBLEM_TYPE, problemOf, ProtocolError, type Problem } from "./problem.ts";

/** What the rules need. */
export interface ConductOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly apiKeys: readonly string[];
  /** Paths, as the router has them, that ask for no key. */
  readonly isOpenPath: (url: string) => boolean;
  /** Counts the answers. */
  readonly metrics?: Metrics;
}

const SANE_ID = /^[A-Za-z0-9._:-]{1,64}$/;
const ID_LENGTH = 8;

/** Makes the ids of requests: the client's own if it is short and plain, else one that counts up. */
export function requestIds(): (request: {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}) => string {
  const prefix = uniqueId().slice(0, ID_LENGTH);
  let count = 0;
  return ({ headers }) => {
    const given = headers["x-request-id"];
    if (typeof given === "string" && SANE_ID.test(given)) return given;
    count += 1;
    return `${prefix}-${count}`;
  };
}

/** Makes the rules hold. Call it before any route is added: it takes note of them. */
export function addConduct(server: FastifyInstance, options: ConductOptions): void {
  const { clock, logger } = options;
  const paths = knownPaths(server);
  const checkKey = keyCheck(options.apiKeys);
  const startedMs = new WeakMap<FastifyRequest, number>();
  server.addHook("onRequest", async (request, reply) => {
    startedMs.set(request, clock.monotonicMs());
    setCommonHeaders(request, reply);
    const pattern = request.routeOptions.url;
    if (pattern === undefined || !options.isOpenPath(pattern)) checkKey(request.headers);
    if (request.is404) throw unknownPath(request, paths);
  });
  server.setErrorHandler(async (error, request, reply) => answerProblem(error, { request, reply, logger }));
  server.setNotFoundHandler(async (request, reply) =>
    answerProblem(unknownPath(request, paths), { request, reply, logger }),
  );
  server.addHook("onResponse", async (request, reply) => {
    const { id, method, url } = request;
    const ms = Math.round(clock.monotonicMs() - (startedMs.get(request) ?? clock.monotonicMs()));
    const route = request.routeOptions.url ?? "none";
    options.metrics?.add("atrium_http_requests_total", 1, { route, status: String(reply.statusCode) });
    logger.debug("request", { requestId: id, method, url, status: reply.statusCode, ms });
  });
}

/** Answers a request that Fastify's router could not read (an address that is no valid percent-encoding). */
export function answerUnreadable(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  setCommonHeaders(request, reply);
  const { problem, headers } = problemOf(error, { url: request.url, requestId: request.id });
  sendProblem(reply, problem, headers);
}

/** The bytes of an answer to what is no HTTP request, or none that is taken. */
export function rawAnswer(error: { readonly code?: string | undefined }, requestId: string): string {
  const { problem, headers } = problemOf(protocolErrorFor(error.code), { url: "/", requestId });
  const body = JSON.stringify(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${problem.code}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    `x-request-id: ${requestId}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

const METHODS_TAKEN = "GET, HEAD";

function protocolErrorFor(code: string | undefined): ProtocolError {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return new ProtocolError(
        "HEADERS_TOO_LARGE",
        "The request line and headers are longer than 16 kB: name fewer values.",
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new ProtocolError("REQUEST_TIMEOUT", "The request was not complete in time: send it again.");
    case "HPE_INVALID_METHOD":
      return methodNotAllowed("The method is not known");
    default:
      return new ProtocolError("REQUEST_INVALID", "The bytes sent are no valid HTTP/1.1 request.");
  }
}

interface Failed {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly logger: Logger;
}

function answerProblem(error: unknown, { request, reply, logger }: Failed): FastifyReply {
  const { id: requestId, method, url } = request;
  const { problem, headers } = problemOf(error, { url, requestId });
  const { status, code } = problem;
  if (status >= 500 && !request.raw.socket.destroyed) {
    logger.error("request failed", { requestId, method, url, status, code, error: readable(error) });
  }
  return sendProblem(reply, problem, headers);
}

function sendProblem(
  reply: FastifyReply,
  problem: Problem,
  headers: Readonly<Record<string, string>>,
): FastifyReply {
  return reply
    .code(problem.status)
    .headers({ "cache-control": "no-store", ...headers })
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problem));
}

/** The failure and what was behind it, for the log. */
function readable(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.name === "AtriumError" || error.stack === undefined ? error.message : error.stack;
  return error.cause === undefined ? text : `${text} Cause: ${readable(error.cause)}`;
}

function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers({
    "x-request-id": request.id,
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  });
}

/** Takes note of the path of every route that is added. */
function knownPaths(server: FastifyInstance): readonly RegExp[] {
  const paths: RegExp[] = [];
  server.addHook("onRoute", ({ url }) => {
    paths.push(patternOf(url));
  });
  return paths;
}

function patternOf(url: string): RegExp {
  const parts = url.split("/").map((part) => {
    if (part.startsWith(":")) return "[^/]+";
    return part === "*" ? ".*" : part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join("/")}$`);
}

/** All paths take the same methods: what asks for a known one by another is told which. */
function unknownPath(request: FastifyRequest, paths: readonly RegExp[]): ProtocolError {
  const path = request.url.split("?", 1)[0] ?? "/";
  if (!paths.some((pattern) => pattern.test(path))) {
    return new ProtocolError("PATH_UNKNOWN", "There is no such path: /docs shows all.");
  }
  return methodNotAllowed(`This path does not take ${request.method}`);
}

function methodNotAllowed(what: string): ProtocolError {
  return new ProtocolError("METHOD_NOT_ALLOWED", `${what}: use ${METHODS_TAKEN}.`, {
    headers: { allow: METHODS_TAKEN },
  });
}
