// Putting the batches of several partitions back into the order in which they were appended.

/** Something that knows its place in the order of appending. */
export interface Sequenced {
  /** Rises with every batch of the log. */
  readonly seq: number;
}

/** Merges sources, each in rising order of `seq`, into one; takes from a source only what is asked for. */
export function* inOrder<T extends Sequenced>(sources: readonly Iterator<T>[]): Generator<T> {
  const heads = sources.map((source) => ({ source, next: source.next() }));
  for (;;) {
    let first: { readonly source: Iterator<T>; next: IteratorResult<T> } | undefined;
    let lowest: T | undefined;
    for (const head of heads) {
      if (head.next.done === true || (lowest !== undefined && head.next.value.seq > lowest.seq)) continue;
      first = head;
      lowest = head.next.value;
    }
    if (first === undefined || lowest === undefined) return;
    yield lowest;
    first.next = first.source.next();
  }
}
