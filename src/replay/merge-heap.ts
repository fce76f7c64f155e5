// A binary heap of streams by event time: arrays of numbers, nothing is allocated while it works.

/** Streams in heap order: the smallest key at 0, equal keys by the smaller stream number. */
export interface MergeHeap {
  readonly keys: Float64Array;
  readonly streams: Int32Array;
  size: number;
}

/** An empty heap for at most `capacity` streams. */
export function newMergeHeap(capacity: number): MergeHeap {
  return { keys: new Float64Array(capacity), streams: new Int32Array(capacity), size: 0 };
}

/** Adds a stream; there must be capacity for it. */
export function pushStream(heap: MergeHeap, key: number, stream: number): void {
  const { keys, streams } = heap;
  let at = heap.size;
  heap.size += 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const parentKey = keys[parent] ?? 0;
    const parentStream = streams[parent] ?? 0;
    if (parentKey < key || (parentKey === key && parentStream < stream)) break;
    keys[at] = parentKey;
    streams[at] = parentStream;
    at = parent;
  }
  keys[at] = key;
  streams[at] = stream;
}

/** Gives the first stream its next key and puts it where it belongs. */
export function replaceFirst(heap: MergeHeap, key: number): void {
  siftDown(heap, key, heap.streams[0] ?? 0);
}

/** Takes the first stream out. */
export function removeFirst(heap: MergeHeap): void {
  heap.size -= 1;
  const { size } = heap;
  if (size > 0) siftDown(heap, heap.keys[size] ?? 0, heap.streams[size] ?? 0);
}

function siftDown(heap: MergeHeap, key: number, stream: number): void {
  const { keys, streams, size } = heap;
  let at = 0;
  for (let child = 1; child < size; child = 2 * at + 1) {
    let childKey = keys[child] ?? 0;
    const right = child + 1;
    if (right < size) {
      const rightKey = keys[right] ?? 0;
      if (rightKey < childKey || (rightKey === childKey && (streams[right] ?? 0) < (streams[child] ?? 0))) {
        child = right;
        childKey = rightKey;
      }
    }
    const childStream = streams[child] ?? 0;
    if (key < childKey || (key === childKey && stream < childStream)) break;
    keys[at] = childKey;
    streams[at] = childStream;
    at = child;
  }
  keys[at] = key;
  streams[at] = stream;
}
