// Problem documents: every failure as application/problem+json with a code, and nothing of the inside. Source: RFC 9457.

import { Type, type Static } from "typebox";
import { ERROR_CATALOGUE, isAtriumError, type AtriumError, type ErrorCode } from "../support/errors.ts";
import type { ParameterProblem } from "./query-string.ts";

/** Media type of a problem document. */
export const PROBLEM_TYPE = "application/problem+json";

/** Seconds after which a client may try again when the server was busy. */
const RETRY_AFTER_SECONDS = 5;

/** Failures of the protocol itself, beside those of the catalogue: status and meaning. */
export const PROTOCOL_PROBLEMS = {
  REQUEST_INVALID: { status: 400, title: "The request is no valid HTTP." },
  UNAUTHORIZED: { status: 401, title: "An API key is needed, or the one given is not known." },
  PATH_UNKNOWN: { status: 404, title: "There is no such path." },
  METHOD_NOT_ALLOWED: { status: 405, title: "The path does not take this method." },
  NOT_ACCEPTABLE: { status: 406, title: "The answer cannot take a form that the client accepts." },
  REQUEST_TIMEOUT: { status: 408, title: "The request did not arrive in time." },
  HEADERS_TOO_LARGE: { status: 431, title: "The request line and headers are too long." },
  NOT_READY: { status: 503, title: "The server cannot answer from its lake yet." },
} as const;

/** A code of the list. */
export type ProtocolCode = keyof typeof PROTOCOL_PROBLEMS;

/** Schema of a problem document. */
export const problemSchema = Type.Object(
  {
    type: Type.String({ format: "uri", description: "urn:atrium:error:CODE." }),
    title: Type.String({ description: "What the code means." }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: "What is wrong with this request, and what to do." }),
    code: Type.String({ examples: ["PARAMETER_INVALID"] }),
    instance: Type.String({ description: "Path of the request." }),
    request_id: Type.String({ description: "Also in the X-Request-Id header and in the server's log." }),
    errors: Type.Optional(
      Type.Array(Type.Object({ parameter: Type.String(), message: Type.String() }), {
        description: "What is wrong, one by one.",
      }),
    ),
  },
  { $id: "Problem", title: "Problem", description: "RFC 9457 problem document." },
);

/** A problem document. */
export type Problem = Static<typeof problemSchema>;

/** A failure of the protocol, with headers that belong to its answer. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly ParameterProblem[];

  constructor(
    code: ProtocolCode,
    message: string,
    extras: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly errors?: readonly ParameterProblem[];
    } = {},
  ) {
    super(message);
    this.code = code;
    this.headers = extras.headers ?? {};
    this.errors = extras.errors ?? [];
  }
}

/** Which request failed. */
export interface RequestFacts {
  /** Path and query. */
  readonly url: string;
  readonly requestId: string;
}

/** A problem document and the headers that go with it. */
export interface ProblemAnswer {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

/** The answer to a request that failed so. Faults of the server show their code only: the log has the rest. */
export function problemOf(error: unknown, request: RequestFacts): ProblemAnswer {
  if (error instanceof ProtocolError) return protocolProblem(error, request);
  if (isAtriumError(error)) return catalogueProblem(error, request);
  if (isRequestFault(error)) {
    const fault = new ProtocolError("REQUEST_INVALID", `The request cannot be read: ${error.message}.`);
    return protocolProblem(fault, request);
  }
  return catalogueAnswer("INTERNAL", hiddenDetail(request), request);
}

function protocolProblem(error: ProtocolError, request: RequestFacts): ProblemAnswer {
  const { status, title } = PROTOCOL_PROBLEMS[error.code];
  const errors = error.errors.length === 0 ? {} : { errors: [...error.errors] };
  const problem = {
    ...head(error.code, status, title),
    detail: error.message,
    ...tail(error.code, request),
    ...errors,
  };
  return { problem, headers: { ...error.headers, ...retryHeaders(status) } };
}

function catalogueProblem(error: AtriumError, request: RequestFacts): ProblemAnswer {
  const isShown = ERROR_CATALOGUE[error.code].httpStatus < 500 || error.code === "QUERY_TIMEOUT";
  const answer = catalogueAnswer(error.code, isShown ? error.message : hiddenDetail(request), request);
  const errors = problemsIn(error);
  return errors.length === 0 ? answer : { ...answer, problem: { ...answer.problem, errors } };
}

function catalogueAnswer(code: ErrorCode, detail: string, request: RequestFacts): ProblemAnswer {
  const { httpStatus, meaning } = ERROR_CATALOGUE[code];
  return {
    problem: { ...head(code, httpStatus, meaning), detail, ...tail(code, request) },
    headers: retryHeaders(httpStatus),
  };
}

function head(code: string, status: number, title: string): Pick<Problem, "type" | "title" | "status"> {
  return { type: `urn:atrium:error:${code}`, title, status };
}

function tail(
  code: string,
  { url, requestId }: RequestFacts,
): Pick<Problem, "code" | "instance" | "request_id"> {
  return { code, instance: url.split("?", 1)[0] ?? "/", request_id: requestId };
}

function retryHeaders(status: number): Readonly<Record<string, string>> {
  return status === 503 ? { "retry-after": String(RETRY_AFTER_SECONDS) } : {};
}

function hiddenDetail({ requestId }: RequestFacts): string {
  return `The server's log has the cause under the request id ${requestId}.`;
}

function problemsIn(error: AtriumError): ParameterProblem[] {
  const problems: unknown = error.details["problems"];
  return Array.isArray(problems) ? problems.filter(isParameterProblem) : [];
}

function isParameterProblem(value: unknown): value is ParameterProblem {
  return typeof value === "object" && value !== null && "parameter" in value && "message" in value;
}

/** Fastify's own errors about a request carry a status below 500. */
function isRequestFault(error: unknown): error is Error {
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
}
