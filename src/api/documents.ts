// The API's description (OpenAPI 3.1) and the page that shows it.

import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { invariant } from "../support/assert.ts";
import { problemSchema } from "./problem.ts";
import { TAGS } from "./route.ts";
import { roomSchema, sensorSchema, sensorTypeSchema } from "./routes/building-schemas.ts";
import { dailySchema, hourlySchema } from "./routes/kpis.ts";
import { tableSchema } from "./routes/operation.ts";
import { silverRowSchema } from "./routes/original.ts";
import { readingSchema } from "./routes/readings.ts";
import { reasonSchema, rejectedSchema } from "./routes/rejected.ts";
import { restatementSchema } from "./routes/restatements.ts";

const DESCRIPTION = `Readings of a building and the figures made from them, always from the newest committed version of the tables.

Lists come in pages: \`next_cursor\` is the \`cursor\` of the next one. Parameters that take several values can be repeated or
hold commas. Unknown parameters are refused. Times and days are UTC. Failures are problem documents (RFC 9457) with a \`code\`.`;

/** The page's scripts and styles come from this server; upgrade-insecure-requests would break it on plain HTTP. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Documents all routes that are added after this; adds /openapi.json, /docs and a way to it from /. */
export async function addDocuments(
  server: FastifyInstance,
  { version, hasKeys }: { readonly version: string; readonly hasKeys: boolean },
): Promise<void> {
  for (const schema of SCHEMAS) server.addSchema(schema);
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Atrium",
        version,
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      ...(hasKeys ? { components: { securitySchemes: SECURITY_SCHEMES } } : {}),
    },
    refResolver: { buildLocalReference: nameOf },
    convertConstToEnum: false,
  });
  await server.register(swaggerUi, { routePrefix: "/docs", staticCSP: PAGE_POLICY });
  server.get("/", { schema: { hide: true } }, async (_request, reply) => reply.redirect("/docs/"));
  server.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) => {
    return reply
      .header("cache-control", "no-cache")
      .type("application/json; charset=utf-8")
      .send(JSON.stringify(server.swagger()));
  });
}

function nameOf(schema: Readonly<Record<string, unknown>>): string {
  const { $id: name } = schema;
  invariant(typeof name === "string", "every schema that is referred to has a name");
  return name;
}

/** Schemas that the documents name, so that clients made from them have a type of each. */
const SCHEMAS = [
  problemSchema,
  readingSchema,
  hourlySchema,
  restatementSchema,
  dailySchema,
  roomSchema,
  sensorSchema,
  sensorTypeSchema,
  rejectedSchema,
  reasonSchema,
  tableSchema,
  silverRowSchema,
];

const SECURITY_SCHEMES = {
  bearer: { type: "http", scheme: "bearer" },
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
} as const;
