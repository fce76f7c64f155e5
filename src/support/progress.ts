// Progress of long work: one rewritten line on a terminal, a log line now and then elsewhere.

import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

/** The error stream of the process, with a line at the bottom that can be rewritten. */
export interface StatusLine {
  /** Writes text above the status line. */
  write(text: string): void;
  /** Shows a status in place of the last one; an empty text takes it away. */
  show(status: string): void;
}

/** How far the work is. */
export interface ProgressState {
  /** Without a number in it, so that log lines can be found by it: `replay`. */
  readonly message: string;
  /** What a person wants to see, on one line. */
  readonly text: string;
  /** The same for machines. */
  readonly fields: LogFields;
}

/** Takes word of progress as often as the work likes to give it. */
export interface ProgressReporter {
  /** Shows the state if it is time to; `describe` is called only then. */
  update(describe: () => ProgressState): void;
  /** Takes the status line away: call it when the work is done or has failed. */
  end(): void;
}

/** What a reporter needs. */
export interface ProgressOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Left out where there is no terminal. */
  readonly statusLine?: StatusLine;
  /** Time between two log lines where there is no terminal, ms. */
  readonly everyMs: number;
}

/** A person sees no more than ten changes a second. */
const REDRAW_MS = 100;
const ERASE_LINE = "\r\u001b[2K";

/** Says nothing. */
export const silentProgress: ProgressReporter = { update: () => undefined, end: () => undefined };

/** Makes a reporter; the first log line comes after `everyMs`, so that short work logs none. */
export function progressReporter(options: ProgressOptions): ProgressReporter {
  const { clock, logger, statusLine, everyMs } = options;
  const pauseMs = statusLine === undefined ? everyMs : REDRAW_MS;
  let shownMs = statusLine === undefined ? clock.monotonicMs() : -Infinity;
  return {
    update: (describe) => {
      const nowMs = clock.monotonicMs();
      if (nowMs - shownMs < pauseMs) return;
      shownMs = nowMs;
      const state = describe();
      if (statusLine === undefined) logger.info(state.message, state.fields);
      else statusLine.show(state.text);
    },
    end: () => statusLine?.show(""),
  };
}

/** Makes the status line of a terminal; `columns` asks for its width, in characters. */
export function statusLineOf(write: (text: string) => void, columns: () => number): StatusLine {
  let status = "";
  return {
    write: (text) => write(status === "" ? text : `${ERASE_LINE}${text}${status}`),
    show: (next) => {
      // A line as wide as the terminal would wrap, and only its last part could be erased.
      const fitting = next.slice(0, Math.max(0, columns() - 1));
      if (fitting === "" && status === "") return;
      status = fitting;
      write(`${ERASE_LINE}${status}`);
    },
  };
}
