// The heap under the merge: it must give what sorting gives.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newMergeHeap, pushStream, removeFirst, replaceFirst } from "../../src/replay/merge-heap.ts";

test("merging sorted streams gives the sorted whole, equal keys by stream", () => {
  const key = fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: 5 }), fc.double({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(fc.array(key, { maxLength: 8 }), { maxLength: 20 }), (lists) => {
      const streams = lists.map((list) =>
        list.map((k) => k + 0).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
      );
      const heap = newMergeHeap(streams.length);
      for (const [place, [first]] of streams.entries()) {
        if (first !== undefined) pushStream(heap, first, place);
      }
      const places = streams.map(() => 0);
      const merged: [number, number][] = [];
      while (heap.size > 0) {
        const stream = heap.streams[0]!;
        merged.push([heap.keys[0]!, stream]);
        places[stream]! += 1;
        const next = streams[stream]![places[stream]!];
        if (next === undefined) removeFirst(heap);
        else replaceFirst(heap, next);
      }
      const all = streams.flatMap((list, stream) => list.map((k): [number, number] => [k, stream]));
      const sorted = all.toSorted(([k, s], [l, t]) => (k < l ? -1 : k > l ? 1 : s - t));
      assert.deepEqual(merged, sorted);
    }),
  );
});
