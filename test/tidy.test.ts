// Architecture and style as a test: each rule names every offence in the repository with file and line.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ERROR_CATALOGUE } from "../src/support/errors.ts";
import { sourceFile, type SourceFile } from "./support/source-text.ts";
import {
  exportsAreExplained,
  filesSayTheirCharge,
  importsGoForward,
  namesAreKebab,
  nothingIsDead,
  onePlaceEach,
  packagesStayHome,
  type Rule,
  sizesAreSmall,
  typesAreKept,
} from "./support/tidy-rules.ts";

const ROOT = join(import.meta.dirname, "..");

/** What is committed or would be: without what .gitignore leaves out. Outside of a Git checkout there is nothing to list. */
const paths = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(ROOT, path)))
  .toSorted();
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const files: readonly SourceFile[] = paths
  .filter((path) => /^(src|test|bench|services)\/.*\.ts$/.test(path) && !isMade(path))
  .map((path) => sourceFile(path, read(path)));

/** Golden files, and the code of Spark Connect's messages, which services/spark-protos.ts makes. */
function isMade(path: string): boolean {
  return path.startsWith("test/golden/") || path.startsWith("src/adapters/spark/connect/proto/");
}

function none(offences: readonly string[]): void {
  assert.equal(offences.length, 0, `\n${offences.join("\n")}\n`);
}

describe("the source", () => {
  const rules: Readonly<Record<string, Rule>> = {
    "imports go forward only, and adapters stay behind assemble.ts": importsGoForward,
    "heavy packages are used in their home only": packagesStayHome,
    "environment, time and chance are each known to one file": onePlaceEach,
    "types are not silenced": typesAreKept,
    "files, functions and parameter lists are small": sizesAreSmall,
    "every file says its charge in its first line": filesSayTheirCharge,
    "every export has a docstring, and nothing is passed on": exportsAreExplained,
    "no file is dead": nothingIsDead,
    "file names are in kebab case": namesAreKebab,
  };
  for (const [name, rule] of Object.entries(rules)) test(name, () => none(rule(files)));

  test("there is source to look at", () => assert.ok(files.some(({ path }) => path === "src/main.ts")));
});

describe("the repository", () => {
  test("no file names a path of somebody's machine", () => {
    // In pieces, so that this file does not name one itself.
    const folders = ["home/[a-z]", "Users/[A-Za-z]", "root/", "work/", "tmp/[a-z]"].join("|");
    const pattern = new RegExp(`(?<![\\w.$})/*-])/(${folders})`);
    const offences = paths
      .filter((path) => path !== "package-lock.json")
      .flatMap((path) =>
        read(path)
          .split("\n")
          .flatMap((line, index) =>
            pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [],
          ),
      );
    none(offences);
  });

  test("packages have exact versions and come from the public registry", () => {
    const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
      string,
      Record<string, string>
    >;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    none(loose.map(([name, version]) => `package.json:1: ${name} ${version}`));
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, { resolved?: string }>;
    };
    const elsewhere = Object.entries(packages).filter(
      ([, { resolved }]) => resolved !== undefined && !resolved.startsWith("https://registry.npmjs.org/"),
    );
    none(elsewhere.map(([name, { resolved }]) => `package-lock.json:1: ${name} from ${resolved}`));
  });

  test("docs/operate/errors.md lists the codes of the catalogue, with their facts", () => {
    const rows = read("docs/operate/errors.md")
      .split("\n")
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .filter((cells) => /^[A-Z_]+$/.test(cells[1] ?? ""))
      .map((cells) => cells.slice(1, 7));
    for (const row of rows) assert.notEqual(row[5], "");
    const documented = rows.map((cells) => cells.slice(0, 5).join(" | "));
    const expected = Object.entries(ERROR_CATALOGUE).map(([code, entry]) =>
      [code, entry.exitCode, entry.httpStatus, entry.retryable ? "yes" : "no", entry.meaning].join(" | "),
    );
    assert.deepEqual(documented.toSorted(), expected.toSorted());
  });
});

describe("each rule finds its offences", () => {
  const seeded: readonly (readonly [string, Rule, Readonly<Record<string, string>>, readonly string[]])[] = [
    [
      "imports",
      importsGoForward,
      {
        "src/log/a.ts": 'import { b } from "../replay/b.ts";\nimport type { C } from "../reading/c.ts";\n',
        "src/api/d.ts":
          'const e = await import("../adapters/duckdb/e.ts");\nimport { f } from "../config.ts";\n',
        "src/adapters/s3/g.ts": 'import {\n  h,\n} from "../local/h.ts";\nimport { i } from "./i.ts";\n',
        "src/assemble.ts": 'import { e } from "./adapters/duckdb/e.ts";\n',
        "src/odd.ts": 'import { b } from "./replay/b.ts";\n',
      },
      ["src/log/a.ts:1", "src/api/d.ts:1", "src/api/d.ts:2", "src/adapters/s3/g.ts:3", "src/odd.ts:1"],
    ],
    [
      "packages",
      packagesStayHome,
      {
        "src/lakehouse/a.ts": 'import { DuckDBInstance } from "@duckdb/node-api";\n',
        "src/api/b.ts": 'import fastify from "fastify";\n',
        "src/log/c.ts": 'import { Admin } from "@platformatic/kafka";\n',
        "src/adapters/kafka/d.ts": 'import { S3Client } from "@aws-sdk/client-s3";\n',
        "services/e.ts": 'import { S3Client } from "@aws-sdk/client-s3";\n',
      },
      ["src/lakehouse/a.ts:1", "src/log/c.ts:1", "src/adapters/kafka/d.ts:1"],
    ],
    [
      "places",
      onePlaceEach,
      {
        "src/a.ts":
          'const a = process.env["X"];\nconst b = Date.now();\nconst c = new Date();\nsetTimeout(b);\nMath.random();\n',
        "src/b.ts":
          '// Date.now()\nconst a = "Date.now()";\nconst b = `${new Date(1).toISOString()} setTimeout`;\n',
        "src/c.ts": "const a = `x ${`y ${Date.now()}`} z`;\n",
        "src/support/clock.ts": "Date.now();\n",
      },
      ["src/a.ts:1", "src/a.ts:2", "src/a.ts:3", "src/a.ts:4", "src/a.ts:5", "src/c.ts:1"],
    ],
    [
      "types",
      typesAreKept,
      {
        "src/a.ts":
          "const a: any = 1;\nconst b = a as any;\nconst c = a!.d;\nconst e = f[0]!;\n/* @ts-" +
          "ignore */\nlet g: Map<string, any>;\n",
        "src/b.ts": "const many = a !== b && !c;\nif (a) d(many, !e);\nawait Promise.any([]); // any: any\n",
        "test/a.ts": "a!.b;\n",
      },
      ["src/a.ts:1", "src/a.ts:2", "src/a.ts:6", "src/a.ts:3", "src/a.ts:4", "src/a.ts:5"],
    ],
    [
      "sizes",
      sizesAreSmall,
      {
        "src/a.ts": `// a\nfunction a(b: number): { c: string } {\n${"b;\n".repeat(68)}}\n`,
        "src/b.ts": `// b\nconst b = async (c: Map<string, number>): Promise<void> => {\n${"c;\n".repeat(69)}};\n`,
        "src/c.ts": "const a = (b: Map<x, y>, { c, d }: E, f = [1, 2], g?: () => void) => b;\n",
        "src/d.ts":
          "class A {\n  #b(a: 1, b: 2, c: 3, d: 4): void {\n    e(a, b, c, d);\n  }\n}\nif (a) {\n}\n",
        "src/e.ts": "x\n".repeat(401),
      },
      ["src/b.ts:2", "src/c.ts:1", "src/d.ts:2", "src/e.ts:1"],
    ],
    [
      "charges",
      filesSayTheirCharge,
      {
        "src/a.ts": "\n// late\n",
        "src/b.ts": "// In charge.\n",
        "src/c.ts": "#!/usr/bin/env node\n// In charge.\n",
      },
      ["src/a.ts:1"],
    ],
    [
      "docstrings",
      exportsAreExplained,
      {
        "src/a.ts":
          '// a\n\nexport const b = 1;\n/** It is c. */\nexport const c = 2;\nexport { d } from "./d.ts";\nexport * from "./e.ts";\n',
        "src/b.ts": "/** It does f. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;\n",
        "services/c.ts": "// c\nexport const c = 1;\n",
      },
      ["src/a.ts:3", "src/a.ts:6", "src/a.ts:7", "services/c.ts:2"],
    ],
    [
      "dead files",
      nothingIsDead,
      {
        "src/main.ts": 'await import("./commands/run.ts");\n',
        "src/commands/run.ts": "// used\n",
        "src/log/dead.ts": "// only a test imports it\n",
        "test/a.test.ts": 'import "../src/log/dead.ts";\nspawn("test/support/child.ts");\n',
        "test/support/child.ts": "// started by its path\n",
        "test/support/left.ts": "// left over\n",
      },
      ["src/log/dead.ts:1", "test/support/left.ts:1"],
    ],
    [
      "names",
      namesAreKebab,
      { "src/aB.ts": "", "src/a_b.ts": "", "test/a-b.property.test.ts": "" },
      ["src/aB.ts:1", "src/a_b.ts:1"],
    ],
  ];
  for (const [name, rule, texts, expected] of seeded) {
    test(name, () => {
      const offences = rule(Object.entries(texts).map(([path, text]) => sourceFile(path, text)));
      assert.deepEqual(
        offences.map((offence) => offence.split(": ")[0]),
        expected,
      );
    });
  }
});
