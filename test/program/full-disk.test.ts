// A full disk: the run says so and stops, and with space again the next one completes the lake.

import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  assertEachMessageOnce,
  assertSameRows,
  QUIET,
  runAll,
  makeReference,
  type Reference,
} from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { atrium } from "../support/program.ts";

/** Many small batches, so that the disk is full after a different step each time. */
const BATCHES = ["--batch-rows", "5000"];

let folder: Reference["folder"];
let raw = "";
let reference = "";
let messages = 0;

before(async () => {
  ({ folder, raw, reference, messages } = await makeReference(
    ["--rooms", "1", "--days", "1", "--seed", "2", "--faults"],
    BATCHES,
  ));
});
after(async () => folder[Symbol.asyncDispose]());

describe("a disk that fills up", { skip: withoutMounts() }, () => {
  // The log or the lake or both are on the small disk; each size fills it at another step.
  const cases: readonly { size: string; lakeOn: "disk" | "outside"; logOn: "disk" | "outside" }[] = [
    { size: "100k", lakeOn: "outside", logOn: "disk" },
    { size: "500k", lakeOn: "disk", logOn: "outside" },
    { size: "800k", lakeOn: "disk", logOn: "disk" },
  ];
  for (const { size, lakeOn, logOn } of cases) {
    const what = `of ${size}, the lake on ${lakeOn === "disk" ? "it" : "another"}, the log on ${logOn === "disk" ? "it" : "another"}`;
    test(`${what}: the run ends with STORE_FULL, and with room the next run loses nothing`, async () => {
      const name = `${size}-${lakeOn}-${logOn}`;
      const disk = join(folder.path, `disk-${name}`);
      await mkdir(disk);
      mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk);
      try {
        const outside = join(folder.path, `outside-${name}`);
        const lake = join(lakeOn === "disk" ? disk : outside, "lake");
        const log = ["--log-path", join(logOn === "disk" ? disk : outside, "log.db")];
        const run = ["run", "--raw", raw, "--lake", lake, ...log, ...BATCHES];
        assertOneError(await atrium(run, { env: QUIET }), "STORE_FULL", /full|space/);
        mount("-o", "remount,size=64m", disk);
        await runAll(raw, lake, [...log, ...BATCHES]);
        await assertEachMessageOnce(lake, messages);
        await assertSameRows(lake, reference);
      } finally {
        execFileSync("umount", [disk]);
      }
    });
  }

  test("lets a lake be read that it has no room to add to", async () => {
    const disk = join(folder.path, "disk-read");
    await mkdir(disk);
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", disk);
    try {
      const lake = join(disk, "lake");
      await runAll(raw, lake, BATCHES);
      execFileSync("sh", [
        "-c",
        'dd if=/dev/zero of="$1" bs=64k 2>/dev/null || true',
        "sh",
        join(disk, "ballast"),
      ]);
      await assertSameRows(lake, reference);
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

function mount(...args: readonly string[]): void {
  execFileSync("mount", args, { stdio: "pipe" });
}

/** A small disk can be had only where this user may mount one. */
function withoutMounts(): false | string {
  try {
    execFileSync("unshare", ["--mount", "true"], { stdio: "pipe" });
    return process.getuid?.() === 0 ? false : "only root can mount the small disk that this needs";
  } catch {
    return "this user cannot mount the small disk that this needs";
  }
}
