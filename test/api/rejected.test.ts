// GET /v1/rejected over a real lake: filters, pages, bytes, counts by reason.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { makeLakeApi, type JsonRow, type LakeApi } from "../support/api.ts";

const ODD = [
  { key: "413:co2", value: Buffer.from("1377299108, nan") },
  { key: "413:co2", value: Buffer.from([0xff, 0x00]) },
  { key: "413:pir", value: Buffer.from("{}") },
  { key: "415:pir", value: Buffer.from("[1]") },
];

describe("/v1/rejected", () => {
  let api: LakeApi;
  before(async () => {
    api = await makeLakeApi();
    await api.add(ODD);
  });
  after(async () => api[Symbol.asyncDispose]());

  const rowsOf = async (query: string): Promise<readonly JsonRow[]> =>
    (await api.body(`/v1/rejected?${query}`)).data;

  test("gives a message whole: as text, or as base64 where it is none", async () => {
    const [text, bytes] = await rowsOf("topic=iot.co2");
    const log = String(text?.["log_ts"]);
    assert.deepEqual(text, {
      topic: "iot.co2",
      partition: 0,
      offset: 0,
      log_ts: log,
      // A commit is later than the one before it, whatever the clock says.
      ingest_ts: "2026-01-01T00:00:00.001Z",
      key: "413:co2",
      value: "1377299108, nan",
      reason: "not_json",
      detail: "no JSON: 1377299108, nan",
    });
    assert.deepEqual([bytes?.["reason"], bytes?.["value"]], ["not_utf8", { base64: "/wA=" }]);
  });

  test("filters by reason, topic and ingest time", async () => {
    assert.equal((await rowsOf("reason=not_json,not_utf8")).length, 2);
    assert.equal((await rowsOf("topic=iot.pir&reason=not_an_object")).length, 1);
    assert.equal((await rowsOf("from=2026-01-01&to=2026-01-01")).length, 4);
    assert.equal((await rowsOf("from=2026-01-02")).length, 0);
    assert.equal((await rowsOf("to=2026-01-01T00:00:00Z")).length, 0);
    assert.equal((await api.get("/v1/rejected?reason=odd")).status, 400);
  });

  test("its pages hold each message once", async () => {
    const all = await rowsOf("");
    const paged: JsonRow[] = [];
    for (let cursor = ""; paged.length <= all.length;) {
      const page = await api.body(`/v1/rejected?limit=1${cursor}`);
      paged.push(...page.data);
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    assert.deepEqual(paged, all);
    assert.equal(all.length, 4);
  });

  test("counts by reason, with the same filters", async () => {
    const counts = async (query: string) =>
      (await api.body(`/v1/rejected/reasons?${query}`)).data.map((row) => [
        row["reason"],
        row["nb_messages"],
      ]);
    assert.deepEqual(await counts(""), [
      ["not_an_object", 1],
      ["not_json", 1],
      ["not_utf8", 1],
      ["room_missing", 1],
    ]);
    assert.deepEqual(await counts("topic=iot.co2&reason=not_json"), [["not_json", 1]]);
    assert.deepEqual(await counts("from=2030-01-01"), []);
  });
});
