// The published package: packed, installed from its tarball into an empty folder, run with Node 24 and Node 26, compiled against.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { type Ended, ROOT } from "../support/command-line.ts";
import { temporaryFolder } from "../support/program.ts";

/** Installing fetches the packages that Atrium depends on. */
const STEP_MS_MAX = 300_000;
/** Measured with `npm pack --dry-run`: 0.6 MB packed, 2.1 MB unpacked, dependencies not counted. */
const PACKED_BYTES_MAX = 900_000;
const UNPACKED_BYTES_MAX = 3_000_000;
const NODE_24 = "24.9.0";

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let packed: Packed;

before(async () => {
  folder = await temporaryFolder();
  const { stdout } = await mustRun("npm", ["pack", "--json", "--pack-destination", folder.path], ROOT);
  // What the build says comes before the JSON; npm 11 gives a list, later ones an object by name.
  const report = JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as Packed[] | Record<string, Packed>;
  packed = Object.values(report)[0]!;
  await writeFile(
    join(folder.path, "package.json"),
    '{ "private": true, "type": "module", "allowScripts": { "node": true } }\n',
  );
  const wanted = [join(folder.path, packed.filename), `node@${NODE_24}`];
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  await mustRun("npm", ["install", "--save-exact", ...quiet, ...wanted], folder.path);
});
after(async () => folder[Symbol.asyncDispose]());

/** With this folder of programs first, and nothing of this machine's settings. */
async function run(program: string, args: readonly string[], cwd: string, first = ""): Promise<Ended> {
  const { PATH = "", HOME = "" } = process.env;
  const env = { ...registryOf(process.env), HOME, PATH: first === "" ? PATH : `${first}${delimiter}${PATH}` };
  return new Promise((resolve) => {
    execFile(program, args, { cwd, env, timeout: STEP_MS_MAX }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === "number" ? code : -1, stdout, stderr });
    });
  });
}

/** How npm reaches its registry on this machine. */
function registryOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isWanted = (name: string): boolean =>
    /^(npm_config_|https?_proxy$|no_proxy$|NODE_EXTRA_CA)/i.test(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => isWanted(name)));
}

async function mustRun(program: string, args: readonly string[], cwd: string, first = ""): Promise<Ended> {
  const ended = await run(program, args, cwd, first);
  assert.equal(ended.code, 0, `${program} ${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
  return ended;
}

test("holds what is needed and nothing else, and is small", () => {
  const paths = packed.files.map(({ path }) => path);
  const expected =
    /^(dist\/package\.json|dist\/src\/.+\.(js|d\.ts)|docs\/operate\/[a-z0-9-]+\.(md|yml)|bin\/atrium|\.env\.example|package\.json|LICENSE|(README|CHANGELOG|SPEC|UPGRADING)\.md)$/;
  assert.deepEqual(
    paths.filter((path) => !expected.test(path)),
    [],
  );
  assert.ok(paths.includes("dist/src/main.js") && paths.includes("bin/atrium"), paths.join());
  assert.ok(packed.size < PACKED_BYTES_MAX, `${packed.size} bytes packed`);
  assert.ok(packed.unpackedSize < UNPACKED_BYTES_MAX, `${packed.unpackedSize} bytes unpacked`);
});

test("brings the packages it runs on, and no tool of its makers", () => {
  const there = (name: string): boolean => existsSync(join(folder.path, "node_modules", name));
  assert.ok(there("fastify") && there("@duckdb/node-api"));
  for (const tool of ["typescript", "oxlint", "fast-check", "@bufbuild/buf"]) assert.ok(!there(tool), tool);
});

const NODES: readonly (readonly [string, () => string])[] = [
  ["24", () => join(folder.path, "node_modules/.bin")],
  ["26", () => dirname(process.execPath)],
];
for (const [major, binOf] of NODES) {
  test(`npx atrium generates, runs and answers with Node ${major}`, { skip: wrongNode(major) }, async () => {
    const home = join(folder.path, `home-${major}`);
    await mkdir(home);
    const atrium = async (...args: string[]): Promise<Ended> =>
      mustRun("npx", ["--no-install", "--prefix", folder.path, "atrium", ...args], home, binOf());
    const { stdout: version } = await mustRun("node", ["--version"], home, binOf());
    assert.match(version, new RegExp(`^v${major}\\.`));
    // npx puts its own folder first, and in it is Node 24: for another Node that one must not be there.
    if (major !== "24") await rm(join(folder.path, "node_modules/.bin/node"));
    await atrium("generate", "--rooms", "2", "--days", "1", "--seed", "7", "--out", "raw");
    const { stdout: summary } = await atrium("run", "--raw", "raw", "--lake", "lake", "--json");
    const report = JSON.parse(summary) as { bronze: number; silver: number };
    assert.ok(report.silver > 10_000, summary);
    const count = "select count(*)::int as n, count(distinct room)::int as rooms from silver_readings";
    const { stdout: rows, stderr } = await atrium("sql", "--lake", "lake", "--json", count);
    assert.deepEqual(JSON.parse(rows), [{ n: report.silver, rooms: 2 }]);
    assert.equal(stderr, "");
    const { stdout: doctor } = await atrium("doctor", "--lake", "lake");
    assert.match(
      doctor,
      new RegExp(`: +atrium .+, lake format 1, Delta reader 1 and writer 2, Node ${major}\\.`),
    );
  });
}

/** The Node that runs the tests stands for its own version. */
function wrongNode(major: string): string | false {
  const own = process.versions.node;
  return major === "24" || own.startsWith(`${major}.`) ? false : `the tests run with Node ${own}`;
}

test("says so where the machine's Node is too old", async () => {
  const old = join(folder.path, "old");
  await mkdir(old);
  await writeFile(join(old, "node"), "#!/bin/sh\necho v20.20.2\n", { mode: 0o755 });
  const bin = join(folder.path, "node_modules/atrium-lakehouse/bin/atrium");
  const { code, stderr } = await run(bin, ["--version"], folder.path, old);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^error USAGE_INVALID: Atrium needs Node 24 or newer, and `node --version` says v20: .+\n$/,
  );
});

const CONSUMER = `
import { assemble } from "atrium-lakehouse/assemble";
import { systemClock } from "atrium-lakehouse/clock";
import { type Config, loadConfig } from "atrium-lakehouse/config";
import { isAtriumError } from "atrium-lakehouse/errors";
import { type Lake, tableInput } from "atrium-lakehouse/lake";
import { silentLogger } from "atrium-lakehouse/logger";

const config: Config = loadConfig({ cwd: process.cwd(), env: { LAKE_URL: process.argv[2] } });
await using assembly = assemble(config, { clock: systemClock, logger: silentLogger });
try {
  const lake: Lake = await assembly.lake({ create: false });
  const inputs = [await tableInput(lake, "silver/readings", { snapshot: await lake.table("silver/readings").snapshot() })];
  const query = { sql: "select count(distinct room)::int as n from silver_readings", inputs, rowsMax: 1, timeoutMs: 60_000 };
  const { rows } = await lake.engine.query(query);
  console.log(JSON.stringify(rows));
} catch (error) {
  if (isAtriumError(error)) console.log(error.code);
  else throw error;
}
`;

test("its declarations serve a TypeScript program, and refuse what is wrong", async () => {
  const consumer = join(folder.path, "consumer");
  await mkdir(consumer);
  const compilerOptions = {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    rootDir: ".",
    outDir: "out",
  };
  await writeFile(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts"] }));
  await writeFile(join(consumer, "main.ts"), CONSUMER);
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  await mustRun(tsc, ["-p", consumer], folder.path);
  const args = ["--disable-warning=ExperimentalWarning", join(consumer, "out/main.js")];
  const { stdout } = await mustRun(
    process.execPath,
    [...args, join(folder.path, "home-24/lake")],
    folder.path,
  );
  assert.deepEqual(JSON.parse(stdout), [[2]]);

  await writeFile(join(consumer, "main.ts"), CONSUMER.replaceAll('"silver/readings"', '"silver/writings"'));
  const wrong = await run(tsc, ["-p", consumer], folder.path);
  assert.match(wrong.stdout, /error TS2345: .*"silver\/writings"/);
});

test("the notes for upgrading name this version's stored formats", () => {
  const notes = readFileSync(join(folder.path, "node_modules/atrium-lakehouse/UPGRADING.md"), "utf8");
  assert.match(notes, /\| 0\.1 +\| 1 +\| 1 +\|/);
});
