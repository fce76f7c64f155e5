// Raw files on S3: listed two levels down, read by ranges, packed or not.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { s3RawSource, type S3RawSource } from "../../src/adapters/s3/raw-source.ts";
import { openRawReader } from "../../src/replay/raw-reader.ts";
import { isAtriumError } from "../../src/support/errors.ts";
import { codeOf } from "../support/delta.ts";
import { type S3Proxy, s3Proxy } from "../support/s3-proxy.ts";
import { accessOptions, type S3Fixture, s3Fixture, testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
const LINES = Array.from({ length: 60_000 }, (_, index) => `${1_377_299_108 + index}, ${index}.00\n`).join(
  "",
);
const QUICK = { attemptsMax: 3, pauseMsFirst: 1, pauseMsMax: 1, totalMsMax: 60_000 };

describe("raw files on S3", { skip }, () => {
  let fixture: S3Fixture;
  let proxy: S3Proxy;
  let source: S3RawSource;

  before(async () => {
    fixture = await s3Fixture();
    proxy = await s3Proxy(fixture.gateway.endpoint);
    const raw = testStore(fixture, "s3://raw/KETI");
    const put = async (path: string, bytes: string | Uint8Array): Promise<void> =>
      raw.put(path, Buffer.from(bytes));
    await put("413/co2.csv", LINES);
    await put("413/pir.csv.gz", gzipSync(LINES));
    await put("415/co2.csv", "");
    for (const path of ["readme.txt", "413/old/co2.csv", ".hidden/co2.csv", "413/.co2.csv"]) {
      await put(path, "x");
    }
    await testStore(fixture, "s3://raw/KETI-2").put("999/co2.csv", Buffer.from("x"));
  });
  beforeEach(() => {
    proxy.rule(() => "pass");
    proxy.seen.length = 0;
    source = sourceAt("s3://raw/KETI");
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
  });

  const sourceAt = (url: string): S3RawSource =>
    s3RawSource(
      accessOptions(fixture, url, { settings: { endpoint: proxy.endpoint }, limits: { retry: QUICK } }),
    );
  const bytesFrom = async (path: string, fromBytes: number, chunkBytes = 1000): Promise<string> => {
    let text = "";
    for await (const chunk of source.open(path, { fromBytes, chunkBytes })) {
      assert.ok(chunk.length <= chunkBytes && chunk.length > 0);
      text += Buffer.from(chunk).toString("latin1");
    }
    return text;
  };

  test("are those two levels down, with their sizes", async () => {
    const entries = (await source.list()).toSorted((a, b) => (a.path < b.path ? -1 : 1));
    assert.deepEqual(
      entries.map(({ path }) => path),
      ["413/co2.csv", "413/pir.csv.gz", "415/co2.csv"],
    );
    assert.equal(entries[0]?.sizeBytes, LINES.length);
    assert.equal(source.name, "s3://raw/KETI/");
  });

  test("are read from any byte on, whole, through failures", async () => {
    proxy.rule(({ method }) => (method === "GET" && proxy.seen.length % 3 === 1 ? "cut" : "pass"));
    assert.equal(await bytesFrom("413/co2.csv", 0), LINES);
    assert.equal(await bytesFrom("413/co2.csv", 300_001, 65_536), LINES.slice(300_001));
    assert.equal(await bytesFrom("413/co2.csv", LINES.length), "");
    assert.equal(await bytesFrom("415/co2.csv", 0), "");
  });

  test("are inflated on their way", async () => {
    const file = { ...(await source.list()).find(({ path }) => path.endsWith(".gz"))! };
    const raw = { ...file, compressed: true, room: "413", sensorType: "pir" as const };
    await using reader = openRawReader(source, raw, { fromBytes: 100_000, chunkBytes: 20_000 });
    let text = "";
    for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read()) {
      text += Buffer.from(chunk).toString("latin1");
    }
    assert.equal(text, LINES.slice(100_000));
  });

  test("are not mixed with what replaces them while they are read", async () => {
    const raw = testStore(fixture, "s3://raw/KETI");
    await raw.put("417/co2.csv", Buffer.from(LINES));
    const chunks = source.open("417/co2.csv", { fromBytes: 0, chunkBytes: 262_144 })[Symbol.asyncIterator]();
    await chunks.next();
    await raw.put("417/co2.csv", Buffer.from(LINES.replaceAll(".00", ".99")));
    await assert.rejects(
      async () => {
        for (;;) if ((await chunks.next()).done === true) return;
      },
      (error) => isAtriumError(error, "SOURCE_UNREADABLE") && error.message.includes("was replaced"),
    );
    await raw.delete(["417/co2.csv"]);
  });

  test("that are not there are named", async () => {
    assert.equal(await codeOf(sourceAt("s3://raw/nothing").list()), "SOURCE_MISSING");
    assert.equal(await codeOf(sourceAt("s3://nowhere/KETI").list()), "SOURCE_MISSING");
    assert.equal(await codeOf(bytesFrom("413/none.csv", 0)), "SOURCE_UNREADABLE");
  });
});
