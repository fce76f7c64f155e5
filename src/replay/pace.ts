// When each message is due. Always reckoned from the start, so that no error adds up.

/** How fast messages go out: as fast as possible, so many a second, or event time sped up by a factor. */
export type Pace =
  | { readonly mode: "max" }
  | { readonly mode: "rate"; readonly messagesPerSecond: number }
  | { readonly mode: "timewarp"; readonly factor: number };

/** When messages are due; asked for one message after the other. */
export interface Timetable {
  /**
   * When the next message is due, monotonic ms; never before the one before it, so a late row is due at once.
   * `eventSeconds` is its place on the event-time clock, -Infinity where that is not known yet.
   */
  nextDueMs(eventSeconds: number): number;
  /** Says that the next message has gone out. */
  advance(eventSeconds: number): void;
}

/** Makes the timetable of a run that starts at `startMs` (monotonic); undefined for the pace `max`. */
export function newTimetable(pace: Pace, startMs: number): Timetable | undefined {
  switch (pace.mode) {
    case "max":
      return undefined;
    case "rate":
      return evenTimetable(startMs, pace.messagesPerSecond);
    case "timewarp":
      return eventTimetable(startMs, pace.factor);
  }
}

function evenTimetable(startMs: number, messagesPerSecond: number): Timetable {
  let sent = 0;
  return {
    nextDueMs: () => startMs + (sent * 1000) / messagesPerSecond,
    advance: () => {
      sent += 1;
    },
  };
}

function eventTimetable(startMs: number, factor: number): Timetable {
  let firstSeconds: number | undefined;
  let lastDueMs = startMs;
  const nextDueMs = (eventSeconds: number): number => {
    if (firstSeconds === undefined || eventSeconds === -Infinity) return lastDueMs;
    return Math.max(lastDueMs, startMs + ((eventSeconds - firstSeconds) * 1000) / factor);
  };
  const advance = (eventSeconds: number): void => {
    if (firstSeconds === undefined && eventSeconds !== -Infinity) firstSeconds = eventSeconds;
    lastDueMs = nextDueMs(eventSeconds);
  };
  return { nextDueMs, advance };
}
