// PORT: where raw files come from. Two levels: `<room>/<type>.csv` or `<room>/<type>.csv.gz`; the same for a folder and for S3.

/** A stored file, whatever it is. */
export interface RawEntry {
  /** `<room>/<name>`, relative to the source, with `/`. */
  readonly path: string;
  /** Size as stored, bytes. */
  readonly sizeBytes: number;
}

/** How to read a file. */
export interface RawOpening {
  /** Where to begin, bytes as stored; at or beyond the end there is nothing to read. */
  readonly fromBytes: number;
  /** Size of a chunk, bytes; the last ones may be smaller, none is larger. */
  readonly chunkBytes: number;
}

/**
 * Raw files to replay. Order: chunks come in the order of the file. Errors: SOURCE_MISSING from `list` where there is no such
 * source, SOURCE_UNREADABLE, naming the file, where something cannot be read. Limits: at most 512 files are held open.
 */
export interface RawSource {
  /** The folder or URL, for messages. */
  readonly name: string;

  /** Every file exactly two levels down, in any order; other files and hidden folders are left out. */
  list(): Promise<readonly RawEntry[]>;

  /** The bytes of a file as they are stored (not inflated). A chunk belongs to the caller; leaving the loop closes the file. */
  open(path: string, opening: RawOpening): AsyncIterable<Uint8Array>;
}
