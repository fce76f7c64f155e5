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

/** Least important lines that are written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Form of the lines: auto is text on a terminal and JSON elsewhere. */
export type LogFormat = "auto" | "text" | "json";

/** How a logger is made. */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** True if the lines are read by a person: text in place of JSON where the format is auto, and colours. */
  readonly isTerminal: boolean;
  /** Takes whole lines, each with its LF. */
  write(line: string): void;
}

/** Says nothing: for tests and for parts that are asked to be quiet. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Makes the process's log: a JSON object a line (time, level, msg, fields), or text. pino is loaded only here. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { level, isTerminal } = options;
  if (level === "silent") return silentLogger;
  const isText = options.format === "text" || (options.format === "auto" && isTerminal);
  const write = isText ? await textWriter(options) : (line: string) => options.write(line);
  const { default: pino } = await import("pino");
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    debug: (message, fields) => log.debug(readable(fields), message),
    info: (message, fields) => log.info(readable(fields), message),
    warn: (message, fields) => log.warn(readable(fields), message),
    error: (message, fields) => log.error(readable(fields), message),
  };
}

async function textWriter(options: LoggerOptions): Promise<(line: string) => void> {
  const { default: pretty } = await import("pino-pretty");
  const format = pretty.prettyFactory({
    colorize: options.isTerminal,
    singleLine: true,
    translateTime: "UTC:yyyy-mm-dd HH:MM:ss.l",
  });
  return (line) => options.write(format(line));
}

/** JSON has no bigint and shows nothing of an error: both become text. */
function readable(fields: LogFields = {}): LogFields {
  const values = Object.entries(fields).map(([name, value]) => {
    if (typeof value === "bigint") return [name, value.toString()];
    return [name, value instanceof Error ? value.message : value];
  });
  return Object.fromEntries(values) as LogFields;
}
