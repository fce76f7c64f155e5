// The cache, the lock and the state of services: whole or not at all, one at a time, and no foreign process is ended.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cacheFolder, folderOf, install, isInstalled, type Package } from "../../services/install.ts";
import { freePorts } from "../../services/ports.ts";
import { isAlive, kill, launch, signal, startOf } from "../../services/process.ts";
import { missingOf } from "../../services/program.ts";
import { stopIn } from "../../services/running.ts";
import { newState, readState, writeState } from "../../services/state.ts";
import { temporaryFolder } from "../support/program.ts";

const NODE = { title: "Node", command: process.execPath, versionArgs: ["--version"], advice: "Install it." };
const say = (): void => undefined;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const formerCache = process.env["ATRIUM_CACHE"];

before(async () => {
  folder = await temporaryFolder();
  process.env["ATRIUM_CACHE"] = join(folder.path, "cache");
});
after(async () => {
  if (formerCache === undefined) delete process.env["ATRIUM_CACHE"];
  else process.env["ATRIUM_CACHE"] = formerCache;
  await folder[Symbol.asyncDispose]();
});

/** A package of one file; counts how often it is made. */
function counted(name: string, fault?: Error): { readonly package: Package; readonly fills: () => number } {
  let fills = 0;
  const fill = async (part: string): Promise<void> => {
    fills += 1;
    writeFileSync(join(part, "first"), "1");
    await new Promise((done) => setImmediate(done));
    if (fault !== undefined) throw fault;
    writeFileSync(join(part, "second"), "2");
  };
  return { package: { name, needs: [], fill }, fills: () => fills };
}

describe("installing", () => {
  test("two at once make it once, and both find it whole", async () => {
    const { package: wanted, fills } = counted("twice-1");
    await Promise.all([install(wanted, say), install(wanted, say)]);
    assert.equal(fills(), 1);
    assert.deepEqual(readdirSync(folderOf(wanted)), ["first", "second"]);
  });

  test("a failed one leaves nothing, and the next one makes it", async () => {
    await assert.rejects(install(counted("broken-1", new Error("no network")).package, say), /no network/);
    assert.deepEqual(
      readdirSync(cacheFolder()).filter((name) => name.startsWith("broken-1") && !name.includes(".lock")),
      [],
    );
    const { package: wanted, fills } = counted("broken-1");
    await install(wanted, say);
    assert.equal(fills(), 1);
  });

  test("what an interrupted one left is not taken for whole, and is removed", async () => {
    const { package: wanted, fills } = counted("interrupted-1");
    const part = `${folderOf(wanted)}.part-abc`;
    mkdirSync(part, { recursive: true });
    assert.equal(isInstalled(wanted), false);
    await install(wanted, say);
    assert.equal(fills(), 1);
    assert.equal(existsSync(part), false);
  });

  test("a missing or too old program is named with what to do", async () => {
    const absent = { ...NODE, title: "Java", command: "no-such-program", versionMin: [17, 0] } as const;
    const old = { ...NODE, versionMin: [99, 1] } as const;
    assert.match(
      (await missingOf([absent, { ...NODE, versionMin: [20, 0] }, old])) ?? "",
      /^Java 17\.0 or newer is needed, and `no-such-program` is not there or does not run\. Install it\.\nNode 99\.1 or newer is needed, and `.*` is \d+\.\d+\. Install it\.$/,
    );
  });
});

describe("processes", () => {
  test("a process that has the id of a former service is not ended", async () => {
    const foreign = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    await once(foreign, "spawn");
    const service = join(folder.path, "stale");
    const stale = { pid: foreign.pid!, started: "another time" };
    writeState(service, { ...newState(), process: stale });
    assert.equal(await stopIn(service), false);
    assert.equal(signal(stale, "SIGKILL"), false);
    const id = { pid: foreign.pid!, started: startOf(foreign.pid!)! };
    assert.equal(isAlive(id), true);
    writeState(service, { ...newState(), process: id });
    assert.equal(await stopIn(service), true);
    assert.equal(isAlive(id), false);
  });

  test("one that does not outlive its starter ends with it, even by kill -9", async () => {
    const log = join(folder.path, "tied.log");
    const [node, module] = [process.execPath, join(import.meta.dirname, "../../services/process.ts")];
    const script = `
      const { launch } = await import(${JSON.stringify(module)});
      const sleeper = { program: process.execPath, args: ["-e", "setInterval(() => {}, 1000)"] };
      console.log(JSON.stringify(await launch(sleeper, { log: ${JSON.stringify(log)}, outlives: false })));
      setInterval(() => {}, 1000);`;
    const starter = spawn(node, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(starter.stdout.setEncoding("utf8"), "data")) as [string];
    const id = JSON.parse(line) as { pid: number; started: string };
    assert.equal(isAlive(id), true);
    starter.kill("SIGKILL");
    // Without setpriv (other than Linux) only a proper exit takes it along.
    if (!existsSync("/usr/bin/setpriv")) await kill(id);
    while (isAlive(id)) await new Promise((done) => setImmediate(done));
  });

  test("a program that is not there is an error", async () => {
    const options = { log: join(folder.path, "none.log"), outlives: true };
    await assert.rejects(launch({ program: join(folder.path, "none"), args: [] }, options), {
      code: "ENOENT",
    });
  });
});

test("ports differ, are kept where they are free, and replaced where they are taken", async () => {
  const first = await freePorts(["a", "b", "c"]);
  assert.equal(new Set(Object.values(first)).size, 3);
  assert.deepEqual(await freePorts(["a", "b", "c"], first), first);
  await using server = createServer();
  server.listen(first["b"], "127.0.0.1");
  await once(server, "listening");
  const second = await freePorts(["a", "b", "c"], first);
  assert.equal(second["a"], first["a"]);
  assert.notEqual(second["b"], first["b"]);
});

test("a state of another version is refused, not guessed at", () => {
  const service = join(folder.path, "odd");
  mkdirSync(service, { recursive: true });
  writeFileSync(join(service, "service.json"), '{"ports":{"client":"1"}}');
  assert.throws(() => readState(service), /not of this version/);
});
