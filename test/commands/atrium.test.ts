// bin/atrium in a child process: finding its checkout and its Node, exit codes, streams and signals.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { COMMANDS } from "../../src/commands/registry.ts";
import { VERSION } from "../../src/support/version.ts";
import { atrium, ROOT } from "../support/command-line.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "atrium-cli-"));
});
after(async () => rm(folder, { recursive: true, force: true }));

describe("bin/atrium", { concurrency: 2 }, () => {
  test("lists all commands, quickly enough to be asked for help", async () => {
    const { code, stdout, stderr } = await atrium(["--help"]);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const name of Object.keys(COMMANDS)) assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  });

  test("tells its version", async () => {
    assert.deepEqual(await atrium(["--version"]), { code: 0, stdout: `atrium ${VERSION}\n`, stderr: "" });
  });

  test("finds its checkout through links, from any folder", async () => {
    const first = join(folder, "first");
    const second = join(folder, "second");
    await symlink(join(ROOT, "bin/atrium"), first);
    await symlink("first", second);
    assert.equal((await atrium(["--version"], { cwd: folder, bin: second })).stdout, `atrium ${VERSION}\n`);
  });

  test("takes the pinned Node where the machine's is too old or missing", async () => {
    const old = await mkdtemp(join(folder, "old-"));
    await writeFile(join(old, "node"), '#!/bin/sh\n[ "$1" = --version ] && echo v18.0.0 && exit\nexit 9\n');
    await chmod(join(old, "node"), 0o755);
    for (const path of [`${old}:/usr/bin:/bin`, "/usr/bin:/bin"]) {
      assert.equal((await atrium(["--version"], { env: { PATH: path } })).code, 0);
    }
  });

  test("refuses wrong use and wrong settings with 2, and nothing on standard output", async () => {
    const wrong: readonly [readonly string[], Record<string, string>, RegExp][] = [
      [["nope"], {}, /^error USAGE_INVALID: There is no command nope\./],
      [
        ["generate", "--romms", "1"],
        {},
        /^error USAGE_INVALID: --romms is no flag .* Did you mean --rooms\?\n$/,
      ],
      [["generate", "--rooms", "0"], {}, /^error USAGE_INVALID: --rooms 0 is too small/],
      [
        ["generate", "--out", join(folder, "x")],
        { API_PORT: "many" },
        /^error CONFIG_INVALID: API_PORT=many \(environment\)/,
      ],
    ];
    for (const [args, env, line] of wrong) {
      const { code, stdout, stderr } = await atrium(args, { cwd: folder, env });
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, line);
    }
  });

  test("reads .env of the folder it is called in", async () => {
    const cwd = await mkdtemp(join(folder, "env-"));
    await writeFile(join(cwd, ".env"), "# mine\nLOG_LEVLE=debug\n");
    const { code, stderr } = await atrium(["generate"], { cwd });
    assert.equal(code, 2);
    assert.equal(
      stderr,
      "error CONFIG_INVALID: LOG_LEVLE (.env line 2) is no setting. Did you mean LOG_LEVEL?\n",
    );
  });

  test("ends quietly when the reader of its output goes away", async () => {
    const child = spawn(join(ROOT, "bin/atrium"), ["--help"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.deepEqual([code, stderr], [0, ""]);
  });
});

describe("atrium generate", () => {
  test("writes the files and says so, as JSON if asked", async () => {
    const out = join(folder, "raw");
    const args = ["generate", "--rooms", "1", "--days", "1", "--seed", "7", "--out", out, "--json"];
    const { code, stdout, stderr } = await atrium(args, { cwd: folder });
    assert.deepEqual([code, stderr], [0, ""]);
    const summary = JSON.parse(stdout) as { rooms: number; files: number; rows: number; out: string };
    assert.deepEqual([summary.rooms, summary.files, summary.out], [1, 5, out]);
    const files = (await readdir(out, { recursive: true })).filter((name) => name.endsWith(".csv"));
    const texts = await Promise.all(files.map((name) => readFile(join(out, name), "utf8")));
    const lines = texts.reduce((sum, text) => sum + text.split("\n").length - 1, 0);
    assert.equal(lines, summary.rows);
    const again = await atrium(args, { cwd: folder });
    assert.equal(again.code, 2);
    assert.match(again.stderr, /^error USAGE_INVALID: .*--force/);
  });

  test("is ended by SIGTERM with exit code 1", async () => {
    const args = ["generate", "--rooms", "1000", "--days", "1", "--out", join(folder, "many")];
    const child = spawn(join(ROOT, "bin/atrium"), args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
    await firstRoom(join(folder, "many"));
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [1, null]);
    assert.equal(stderr, "stopped before the end.\n");
  });
});

test("a second signal ends a command at once that does not listen to the first", async () => {
  const preload = pathToFileURL(join(ROOT, "test/support/deaf-command.ts")).href;
  const child = spawn(join(ROOT, "bin/atrium"), ["deaf"], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: `--import=${preload}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve([code, signal])));
  // It says "ready", and "stopping" when the first signal has arrived.
  for await (const chunk of child.stdout) {
    assert.match(String(chunk), /ready|stopping/);
    child.kill("SIGINT");
  }
  assert.deepEqual(await ended, [1, null]);
  // Nothing of the time limit, which would have ended it too.
  assert.equal(stderr, "");
});

/** Resolves once the child has begun to write; bounded by the number of looks. */
async function firstRoom(out: string): Promise<void> {
  for (let look = 0; look < 100_000; look += 1) {
    const names = await readdir(out).catch(() => []);
    if (names.length > 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail("nothing was written");
}
