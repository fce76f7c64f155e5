// One structured log, on standard error, so that standard output stays for results.

/** Facts of a log line: names and values, never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The log as the stages see it: a message and its facts. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Says nothing: for tests and for parts that are asked to be quiet. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
