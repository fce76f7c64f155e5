// What went wrong: whether the connection broke or Spark refused, and Spark's own class, SQLSTATE and message.

import { Code, ConnectError } from "@connectrpc/connect";
import { AtriumError, type ErrorCode } from "../../../support/errors.ts";
import type { Link } from "./link.ts";
import { type ErrorInfo, ErrorInfoSchema } from "./proto/google/rpc/error_details_pb.ts";

/** What Spark says of an error; `details` of the AtriumError. */
export interface SparkFailure {
  /** `DIVIDE_BY_ZERO`, `INVALID_HANDLE.OPERATION_NOT_FOUND`; undefined for errors that Spark has no class for. */
  readonly errorClass: string | undefined;
  readonly sqlState: string | undefined;
  /** The names in the message and what they stand for. */
  readonly messageParameters: Readonly<Record<string, string>>;
  /** Java's class of the error and of what caused it. */
  readonly javaClass: string | undefined;
  readonly rootCause: string | undefined;
}

const MESSAGE_CHARS_MAX = 2000;
/** Code of what a broken or refused connection ends with; Spark's own errors carry an ErrorInfo beside it. */
const BROKEN: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  Code.Unknown,
  Code.DeadlineExceeded,
]);

/** True if the connection failed and not the statement: the same call may be made again. */
export function isBroken(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    BROKEN.has(error.code) &&
    infoOf(error) === undefined &&
    classIn(error) === undefined
  );
}

/** True if the server does not know the operation, or the session that it would be in. */
export function isUnknownOperation(error: unknown): boolean {
  return (
    error instanceof ConnectError &&
    /^INVALID_HANDLE\.(OPERATION|SESSION)_NOT_FOUND$/.test(classIn(error) ?? "")
  );
}

/**
 * Turns what a call threw into an error of the catalogue: QUERY_INVALID where the text or its data are at fault (SQLSTATE
 * 0A, 21, 22 and 42), COMMIT_CONFLICT for Delta's, ENGINE_UNREACHABLE, ENGINE_DENIED, else ENGINE_FAILED.
 */
export async function failureOf(error: unknown, link: Link): Promise<unknown> {
  if (!(error instanceof ConnectError)) return error;
  if (error.code === Code.Unauthenticated || error.code === Code.PermissionDenied) {
    const message = `Spark at ${link.remote} refuses access: ${error.rawMessage}. Check the token.`;
    return new AtriumError("ENGINE_DENIED", message, { cause: error });
  }
  if (isBroken(error)) return unreachable(link, error);
  const { message, ...failure } = await describe(error, link);
  return new AtriumError(codeOf(failure), messageText(message), { cause: error, details: { ...failure } });
}

/** The error of a connection that could not be had within the time. */
export function unreachable({ remote }: Link, cause: unknown): AtriumError {
  const why = cause instanceof ConnectError ? cause.rawMessage : String(cause);
  const message = `Spark at ${remote} cannot be reached: ${why}. See that the server runs and that SPARK_REMOTE names it.`;
  return new AtriumError("ENGINE_UNREACHABLE", message, { cause });
}

async function describe(
  error: ConnectError,
  link: Link,
): Promise<SparkFailure & { readonly message: string }> {
  const info = infoOf(error);
  const short: SparkFailure & { readonly message: string } = {
    errorClass: info?.metadata["errorClass"] ?? classIn(error),
    sqlState: info?.metadata["sqlState"],
    messageParameters: {},
    javaClass: info?.reason,
    rootCause: undefined,
    message: error.rawMessage,
  };
  const errorId = info?.metadata["errorId"];
  if (errorId === undefined) return short;
  try {
    // The status of a call has room for 2 KB only.
    const { errors, rootErrorIdx } = await link.client.fetchErrorDetails({ ...link.fields(), errorId });
    const root = errors[rootErrorIdx ?? 0];
    if (root === undefined) return short;
    // The outermost error may be a mere "job aborted": what has a class says more.
    const classed = errors.find(({ sparkThrowable }) => sparkThrowable?.errorClass !== undefined) ?? root;
    const innermost = errors.at(-1);
    return {
      errorClass: classed.sparkThrowable?.errorClass ?? short.errorClass,
      sqlState: classed.sparkThrowable?.sqlState ?? short.sqlState,
      messageParameters: classed.sparkThrowable?.messageParameters ?? {},
      javaClass: root.errorTypeHierarchy[0] ?? short.javaClass,
      rootCause: innermost === root ? undefined : innermost?.message,
      message: classed.message,
    };
  } catch {
    return short;
  }
}

function codeOf({ errorClass, sqlState }: SparkFailure): ErrorCode {
  if (errorClass?.startsWith("DELTA_CONCURRENT") === true || sqlState === "2D521") return "COMMIT_CONFLICT";
  return /^(0A|21|22|42)/.test(sqlState ?? "") ? "QUERY_INVALID" : "ENGINE_FAILED";
}

function infoOf(error: ConnectError): ErrorInfo | undefined {
  return error.findDetails(ErrorInfoSchema)[0];
}

/** Some of the server's errors carry their class in the message only: `[CLASS.SUBCLASS] …`. */
function classIn({ rawMessage }: ConnectError): string | undefined {
  return /^(?:[\w.]+: )?\[([A-Z][\w.]*)\]/.exec(rawMessage)?.[1];
}

function messageText(message: string): string {
  const text = message
    // The text of the statement, the plan and Java's stack say nothing that the rest does not.
    .replace(
      /\n+(== SQL|JVM stacktrace)[^]*|\s*=== Streaming Query ===[^]*|(?<= line \d+ pos \d+);\n[^]*/,
      "",
    )
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();
  return `Spark: ${text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX)}…` : text}`;
}
