// The moments at which a crash is worth a test: named here, passed in the code, and heard of by tests alone.
//
// `faultPoint(name)` does nothing until a test has set a hook; test/support/kill-at.ts sets one that kills the process.

/** Every fault point, with what has been done when it is passed and what has not. The order is that of the flow. */
export const FAULT_POINTS = {
  "replay/sending": "A batch set is full; nothing of it is in the log.",
  "log/append/inside": "The messages are in the transaction; their progress notes and the commit are not.",
  "log/append/done": "The append is committed; the producer does not know it yet.",
  "replay/sent": "The producer knows that the append is done; it has counted nothing.",
  "store/file/synced": "A data file is synced in scratch space; it is not in the table's folder.",
  "store/file/moved":
    "A data file is in the table's folder; the folder is not synced and no commit names the file.",
  "ingest/written":
    "The readings of a batch are written; neither rejected messages nor readings are committed.",
  "store/absent/written": "A commit's bytes are in a temporary file; the commit is not there.",
  "store/absent/linked": "The commit is there; its temporary file is too, and the folder is not synced.",
  "ingest/rejected": "The rejected messages of a batch are committed; its readings are not.",
  "ingest/committed": "A batch is committed; the log does not know that it may forget it.",
  "log/release/inside": "The positions are released in the transaction; it is not committed.",
  "log/release/done": "The log knows what it may forget; ingest does not know that yet.",
  "refine/written": "Silver's files of a batch are written; they are not committed.",
  "refine/committed": "A batch of silver is committed.",
  "checkpoint/encoded": "A checkpoint is due and in memory; its commit stands, it is not written.",
  "checkpoint/written": "A checkpoint is written; the hint names the one before, or none.",
  "store/deleted": "One of several objects is deleted; those behind it are not.",
  "store/put/written": "The new bytes of an object are in a temporary file; the object has the old ones.",
  "store/put/renamed": "The object has its new bytes; the folder is not synced.",
  "gold/written": "A gold table's days are written; they are not committed.",
  "gold/committed": "A gold table is committed; the next one is not.",
  "compact/written": "The merged files of a table are in its folder; no commit names them.",
  "compact/committed": "Merged files are committed; the files that they replace are still there.",
} as const;

/** The name of a fault point. */
export type FaultPoint = keyof typeof FAULT_POINTS;

/** All names, in the order of the table. */
export const FAULT_POINT_NAMES: readonly FaultPoint[] = Object.keys(FAULT_POINTS).filter(isFaultPoint);

let hook: (point: FaultPoint) => void = () => undefined;

/** Says that the program has come to a fault point. */
export function faultPoint(point: FaultPoint): void {
  hook(point);
}

/** Calls `heard` at every fault point from now on. For tests. */
export function onFaultPoint(heard: (point: FaultPoint) => void): void {
  hook = heard;
}

/** True for the name of a fault point. */
export function isFaultPoint(name: string): name is FaultPoint {
  return Object.hasOwn(FAULT_POINTS, name);
}
