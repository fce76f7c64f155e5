// Finds the name that somebody meant when they mistyped one.

/** A third of a word may be wrong, and no more than this many letters. */
const EDITS_MAX = 3;

/** The name closest to `wanted` by edit distance, if it is close enough to be a slip; letter case does not count. */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const word = wanted.toLowerCase();
  const limit = Math.min(EDITS_MAX, Math.max(1, Math.floor(word.length / 3)));
  let best: string | undefined;
  let bestEdits = limit + 1;
  for (const name of names) {
    const edits = editDistance(word, name.toLowerCase());
    if (edits < bestEdits) [best, bestEdits] = [name, edits];
  }
  return best;
}

/** A hint for an error message: ` Did you mean X?`, or nothing. */
export function didYouMean(wanted: string, names: readonly string[]): string {
  const nearest = nearestName(wanted, names);
  return nearest === undefined ? "" : ` Did you mean ${nearest}?`;
}

/** Letters to insert, drop, replace or swap with their neighbour to get from `a` to `b` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let edits = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      }
      next.push(edits);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
