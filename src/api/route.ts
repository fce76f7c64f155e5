// What a path is: its parameters, documents and answer, without the server around it.

import { Type, type TSchema } from "typebox";
import { PROBLEM_TYPE } from "./problem.ts";
import { readParameters, schemaOf, type ParameterSpec, type ValuesOf } from "./query-string.ts";
import type { TableReader } from "./table-reader.ts";

/** What the paths work with. */
export interface Api {
  readonly tables: TableReader;
  /** Time of one query, ms. */
  readonly queryTimeoutMs: number;
  readonly version: string;
}

/** A request, as far as a path needs to know it. */
export interface Call {
  /** Path and query as they were sent. */
  readonly url: string;
  readonly query: Readonly<Record<string, unknown>>;
  /** Parts of the path by name. */
  readonly path: Readonly<Record<string, string>>;
  readonly accept: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** An answer. */
export interface Result {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Media type of a text body. */
  readonly contentType?: string;
  /** A text as it is, or a value that becomes JSON; left out for none. */
  readonly body?: unknown;
}

/** A form of the 200 answer. */
export interface Content {
  readonly schema: TSchema;
  readonly example?: unknown;
}

/** A path of the API, which takes GET (and so HEAD). */
export interface Route<Spec extends ParameterSpec> {
  /** As the router wants it: `/v1/rooms/:room`. */
  readonly url: string;
  readonly operationId: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: Spec;
  /** Parts of the path. */
  readonly pathParameters?: Readonly<Record<string, TSchema>>;
  /** The 200 answer by media type. */
  readonly content: Readonly<Record<string, Content>>;
  /** Headers of the 200 answer, with what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses of problems beside 401, 405 and 500, which every path may answer. */
  readonly problems: readonly number[];
  /** True if no API key is asked for. */
  readonly isOpen?: boolean;
  handle(call: Call, values: ValuesOf<Spec>): Promise<Result>;
}

/** Groups of paths in the documents. */
export const TAGS = {
  building: "Rooms, sensors and sensor types.",
  readings: "Readings, one by one.",
  kpis: "Key figures by hour and by day, and what late readings changed in them.",
  operation: "Tables and health.",
  original: "Paths of the original system, for its clients.",
} as const;

/** A group of paths. */
export type Tag = keyof typeof TAGS;

/** A route with its parameters sealed in. */
export interface SealedRoute {
  readonly url: string;
  readonly isOpen: boolean;
  /** Schema for the documents. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** Reads the parameters and answers. @throws PARAMETER_INVALID and what the path's handler throws */
  respond(call: Call): Promise<Result>;
}

/** Makes a route ready for the server; `hasKeys` says whether API keys are in use. */
export function sealRoute<Spec extends ParameterSpec>(route: Route<Spec>): (hasKeys: boolean) => SealedRoute {
  return (hasKeys) => ({
    url: route.url,
    isOpen: route.isOpen === true,
    schema: documentOf(route, hasKeys),
    respond: async (call) => route.handle(call, readParameters(route.parameters, call.query)),
  });
}

const PROBLEM_DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: "A parameter is unknown or wrong.",
  401: "An API key is needed, or the one given is not known.",
  404: "There is no such thing.",
  405: "The path does not take this method.",
  406: "The answer cannot take a form that the client accepts.",
  500: "A fault of the server.",
  503: "The server is busy or not ready: try again later.",
};

function documentOf<Spec extends ParameterSpec>(
  route: Route<Spec>,
  hasKeys: boolean,
): Readonly<Record<string, unknown>> {
  const needsKey = hasKeys && route.isOpen !== true;
  const statuses = [...new Set([...route.problems, 400, 405, 500, ...(needsKey ? [401] : [])])].toSorted(
    (a, b) => a - b,
  );
  const { headers } = route;
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    ...(Object.keys(route.parameters).length === 0 ? {} : { querystring: schemaOf(route.parameters) }),
    ...(route.pathParameters === undefined ? {} : { params: Type.Object(route.pathParameters) }),
    security: needsKey ? [{ bearer: [] }, { apiKey: [] }] : [],
    response: {
      200: {
        description: "The answer.",
        content: contentOf(route.content),
        ...(headers === undefined ? {} : { headers: headersOf(headers) }),
      },
      ...(headers !== undefined && "etag" in headers
        ? { 304: { description: "What the client has is still the answer.", type: "null" } }
        : {}),
      ...Object.fromEntries(statuses.map((status) => [status, problemResponse(status)])),
    },
  };
}

function contentOf(content: Readonly<Record<string, Content>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => [
      type,
      { schema, ...(example === undefined ? {} : { example }) },
    ]),
  );
}

function headersOf(headers: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, Type.String({ description })]),
  );
}

function problemResponse(status: number): Readonly<Record<string, unknown>> {
  return {
    description: PROBLEM_DESCRIPTIONS[status] ?? "The request failed.",
    content: { [PROBLEM_TYPE]: { schema: Type.Ref("Problem#") } },
  };
}
