// The description of the API: complete, valid, and true of the answers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Value } from "typebox/value";
import { fakeTables, makeApi, makeBuildingApi, type LakeApi } from "../support/api.ts";

interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}
type Schema = Readonly<Record<string, unknown>>;
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, Media>> }>
  >;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes?: unknown;
  };
}

describe("the description", () => {
  let api: LakeApi;
  let document: Document;
  let operations: readonly (readonly [string, Operation])[];
  before(async () => {
    api = await makeBuildingApi();
    document = (await api.body("/openapi.json")) as unknown as Document;
    operations = Object.entries(document.paths).map(([path, item]) => [path, item["get"]!] as const);
  });
  after(async () => api[Symbol.asyncDispose]());

  /** Fails unless the value fits the schema, with the document's own definitions. */
  function assertFits(schema: Schema, value: unknown, context: string): void {
    const [first] = Value.Errors({ ...inlined(schema) } as never, value);
    assert.equal(first, undefined, `${context}: ${JSON.stringify(first)}`);
  }

  /** The schema with every reference replaced; nothing refers to itself. Objects may hold nothing else. */
  function inlined(schema: Schema): Schema {
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      return inlined(document.components.schemas[reference.replace("#/components/schemas/", "")]!);
    }
    const parts = Object.entries(schema).map(([name, value]): readonly [string, unknown] => [
      name,
      typeof value === "object" && value !== null && !Array.isArray(value) ? inlined(value as Schema) : value,
    ]);
    const closed = schema["type"] === "object" ? [["additionalProperties", false] as const] : [];
    return Object.fromEntries<unknown>([...parts, ...closed]);
  }

  test("is OpenAPI 3.1, and names every path that the server has, and no other", async () => {
    assert.equal(document.openapi, "3.1.0");
    const hidden = /^\/(docs.*|openapi\.json)?$/;
    const served = pathsIn(api.server.printRoutes({ commonPrefix: false }))
      .map((path) => path.replaceAll(/:(\w+)/g, "{$1}"))
      .filter((path) => !hidden.test(path));
    assert.ok(served.length > 10);
    assert.deepEqual(served.toSorted(), Object.keys(document.paths).toSorted());
    for (const item of Object.values(document.paths)) assert.deepEqual(Object.keys(item), ["get"]);
  });

  test("explains every operation and parameter, and gives each operation a name of its own", () => {
    const names = operations.map(([, { operationId }]) => operationId);
    assert.equal(new Set(names).size, names.length);
    for (const [path, operation] of operations) {
      assert.ok(operation.summary.length > 5 && operation.tags.length === 1, path);
      for (const { name, description = "" } of operation.parameters ?? []) {
        assert.ok(description.length > 4, `${path} ${name}`);
      }
      for (const status of ["200", "400", "405", "500"]) {
        assert.ok(status in operation.responses, `${path} ${status}`);
      }
    }
  });

  test("has examples that work: each alone, and the answer fits its schema", async () => {
    let tried = 0;
    for (const [path, operation] of operations) {
      for (const url of exampleUrls(path, operation)) {
        const reply = await api.get(url);
        assert.equal(reply.status, 200, `${url}: ${reply.text}`);
        const type = reply.headers["content-type"]!.split(";")[0]!;
        const media = operation.responses["200"]!.content![type];
        assert.ok(media, `${url} answers with ${type}`);
        assertFits(media.schema!, type === "application/json" ? reply.body : reply.text, url);
        tried += 1;
      }
    }
    assert.ok(tried > 40, String(tried));
  });

  test("shows answers that fit their own schemas", () => {
    for (const [path, operation] of operations) {
      for (const [type, { schema, example }] of Object.entries(operation.responses["200"]!.content!)) {
        if (example !== undefined) assertFits(schema!, example, `${path} ${type}`);
      }
    }
  });

  test("describes problems as they are", async () => {
    const schema = document.components.schemas["Problem"]!;
    for (const url of ["/v1/rooms?x=1", "/v1/rooms/x", "/v1/readings?limit=0&from=1"]) {
      const reply = await api.get(url);
      assertFits(schema, reply.body, url);
      const operation = document.paths[url.includes("/x") ? "/v1/rooms/{room}" : url.split("?")[0]!]!["get"]!;
      assert.ok(String(reply.status) in operation.responses);
    }
  });

  function exampleUrls(path: string, operation: Operation): readonly string[] {
    const parameters = operation.parameters ?? [];
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    const base = inPath.reduce(
      (url, parameter) => url.replace(`{${parameter.name}}`, textOf(valuesOf(parameter)[0])),
      path,
    );
    const required = parameters.filter((parameter) => parameter.required && parameter.in === "query");
    const fixed = required.map((parameter) => `${parameter.name}=${textOf(valuesOf(parameter)[0])}`);
    const single = parameters
      .filter((parameter) => parameter.in === "query")
      .flatMap((parameter) =>
        valuesOf(parameter).map((value) => [
          `${parameter.name}=${textOf(value)}`,
          ...fixed.filter((text) => !text.startsWith(`${parameter.name}=`)),
        ]),
      );
    return [fixed, ...single].map((texts) => (texts.length === 0 ? base : `${base}?${texts.join("&")}`));
  }
});

function valuesOf({ example, examples }: Parameter): readonly unknown[] {
  if (examples !== undefined) return Object.values(examples).map(({ value }) => value);
  return example === undefined ? [] : [example];
}

/** The paths in the router's drawing of its tree: a line's path is that of the line above it to the left, and its own. */
function pathsIn(tree: string): readonly string[] {
  const above: string[] = [];
  return tree.split("\n").flatMap((line) => {
    const [, indent = "", part = ""] = /^(.*?[└├]── )(\S+) \(/.exec(line) ?? [];
    if (part === "") return [];
    const depth = indent.length / 4;
    const path = `${above[depth - 1] ?? ""}${part}`;
    above[depth] = path === "/" ? "" : path;
    return [path.replace(/^(?!\/)/, "/")];
  });
}

function textOf(value: unknown): string {
  return encodeURIComponent(String(value));
}

test("keys are described where they are in use", async () => {
  await using open = await makeApi(fakeTables());
  await using keyed = await makeApi(fakeTables(), { apiKeys: ["k"] });
  const [without, within] = [
    await open.body("/openapi.json"),
    await keyed.body("/openapi.json"),
  ] as unknown as [Document, Document];
  assert.equal(without.components.securitySchemes, undefined);
  assert.ok(within.components.securitySchemes);
  const rooms = (document: Document): Operation => document.paths["/v1/rooms"]!["get"]!;
  assert.deepEqual([rooms(without).security, "401" in rooms(without).responses], [[], false]);
  assert.deepEqual([rooms(within).security.length, "401" in rooms(within).responses], [2, true]);
  assert.deepEqual(within.paths["/health/live"]!["get"]!.security, []);
});

test("the page shows the description, with files of this server only", async () => {
  await using api = await makeApi(fakeTables());
  const page = await api.get("/docs/");
  const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file!);
  assert.ok(files.length >= 4);
  for (const file of files) {
    assert.match(file, /^\.\/static\//);
    assert.equal((await api.get(new URL(file, "http://h/docs/").pathname)).status, 200, file);
  }
  assert.doesNotMatch(
    page.text,
    /<script>(?!\s*<\/script>)/,
    "the policy allows no script in the page itself",
  );
  assert.doesNotMatch(page.headers["content-security-policy"]!, /upgrade-insecure-requests/);
  assert.equal((await api.get("/docs/json")).body["openapi"], "3.1.0");
});
