// FAULT: a request breaks off or its answer is lost: what was done is found, and a commit is in the table once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { append, codeOf, fileOf, READINGS, tableIn } from "../support/delta.ts";
import { bytesOf, faultyStore, first, isPut } from "../support/s3-faulty.ts";
import { testStore } from "../support/s3.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");

describe("a store whose answers are lost", { skip }, () => {
  const faulty = faultyStore();

  test("a conditional put whose answer was lost has won, once it finds its own bytes", async () => {
    const { proxy, store, fatesOf } = faulty();
    proxy.rule(first(isPut, "lose answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    assert.deepEqual(fatesOf(isPut), ["lose answer", "pass"]);
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), false);
  });

  test("a conditional put whose request was lost loses to the other that came between", async () => {
    const { fixture, proxy, store } = faulty();
    const other = testStore(fixture, store.url);
    await other.putIfAbsent("t/0.json", bytesOf("theirs"));
    proxy.rule(first(isPut, "break"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), false);
    assert.equal(new TextDecoder().decode(await store.get("t/0.json")), "theirs");
  });

  test("a conditional put whose answers are all lost is settled by what is there", async () => {
    const { proxy, store } = faulty();
    proxy.rule(first(isPut, "lose answer", "lose answer", "lose answer", "lose answer"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("mine")), true);
    proxy.rule(first(isPut, "break", "break", "break", "break"));
    assert.equal(await store.putIfAbsent("t/0.json", bytesOf("late")), false);
    assert.equal(await codeOf(store.putIfAbsent("t/1.json", bytesOf("new"))), undefined);
    proxy.rule(first(isPut, "break", "break", "break", "break"));
    assert.equal(await codeOf(store.putIfAbsent("t/2.json", bytesOf("new"))), "STORE_FAILED");
  });

  test("a commit whose answer was lost is in the table once", async () => {
    const { proxy, store } = faulty();
    const table = tableIn(store);
    const base = await table.create(READINGS);
    proxy.rule(first(isPut, "lose answer"));
    const snapshot = await table.commit(append(base, [fileOf("413", "a")], { app: 1n }));
    assert.equal(snapshot.version, 1);
    const seen = await tableIn(store).snapshot();
    assert.deepEqual([seen?.version, [...(seen?.files.keys() ?? [])]], [1, ["room=413/a.parquet"]]);
  });
});
