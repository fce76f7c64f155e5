// What Kafka's client reports, as errors of the catalogue, and which of it passes.

import { GenericError } from "@platformatic/kafka";
import { AtriumError, isAtriumError, messageOf, type ErrorCode } from "../../support/errors.ts";

/** Answers of a broker that another try will not change, and what they mean. */
const LASTING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  TOPIC_AUTHORIZATION_FAILED: ["STORE_DENIED", "Let this user read, write and describe the topic"],
  CLUSTER_AUTHORIZATION_FAILED: ["STORE_DENIED", "Let this user write idempotently and create topics"],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ["STORE_DENIED", "Let this user use the transactional id atrium-*"],
  GROUP_AUTHORIZATION_FAILED: ["STORE_DENIED", "Let this user use the group of KAFKA_GROUP"],
  SASL_AUTHENTICATION_FAILED: ["STORE_DENIED", "Check KAFKA_USERNAME and KAFKA_PASSWORD"],
  UNSUPPORTED_SASL_MECHANISM: ["STORE_DENIED", "Set KAFKA_SASL_MECHANISM to one that the brokers have"],
  MESSAGE_TOO_LARGE: ["LOG_REFUSED", "Raise max.message.bytes of the topic"],
  RECORD_LIST_TOO_LARGE: ["LOG_REFUSED", "Raise segment.bytes of the topic"],
  INVALID_REPLICATION_FACTOR: ["CONFIG_INVALID", "Set KAFKA_REPLICATION to at most the number of brokers"],
  POLICY_VIOLATION: ["STORE_DENIED", "The cluster's policy forbids such a topic: make it by hand"],
  CORRUPT_MESSAGE: ["LOG_CORRUPT", "Ask who keeps the cluster: a batch fails its checksum"],
  UNSUPPORTED_VERSION: ["LOG_REFUSED", "Use brokers of Kafka 2.8 or later"],
};
const FENCED = ["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED"];
const LASTING_CODES = [
  "PLT_KFK_AUTHENTICATION",
  "PLT_KFK_UNSUPPORTED",
  "PLT_KFK_UNSUPPORTED_API",
  "PLT_KFK_UNSUPPORTED_COMPRESSION",
];

/** What Node says of a certificate that it does not trust. */
const UNTRUSTED = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_HAS_EXPIRED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
];
/** The client wraps errors in errors; no chain is longer. */
const DEPTH_MAX = 8;

/** An error and those that it wraps. */
function* allIn(error: unknown, depth = 0): Generator<Error> {
  if (!(error instanceof Error) || depth > DEPTH_MAX) return;
  yield error;
  const wrapped: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  for (const inner of [...wrapped, error.cause]) yield* allIn(inner, depth + 1);
}

/** True if this error, or one that it wraps, has a property with this value. */
function holds(error: unknown, property: "apiId" | "code", value: string): boolean {
  for (const one of allIn(error)) {
    if (property in one && Reflect.get(one, property) === value) return true;
  }
  return false;
}

/** True for what another try may mend: outages, elections, time-outs. */
export function isPassing(error: unknown): boolean {
  if (isAtriumError(error)) return error.retryable;
  if (!(error instanceof Error) || !GenericError.isGenericError(error)) return false;
  if (isFenced(error) || lastingOf(error) !== undefined || answers(error, "OFFSET_OUT_OF_RANGE")) {
    return false;
  }
  return ![...LASTING_CODES, ...UNTRUSTED].some((code) => holds(error, "code", code));
}

/** True if another producer of the same name has taken over. */
export function isFenced(error: unknown): boolean {
  return FENCED.some((id) => answers(error, id));
}

/** True for what a broker itself answered, or for what was found before anything was sent: it can be reached. */
export function isAnswer(error: unknown): boolean {
  return isAtriumError(error) || holds(error, "code", "PLT_KFK_RESPONSE");
}

/** True if a broker answered so. */
export function answers(error: unknown, apiId: string): boolean {
  return holds(error, "apiId", apiId);
}

/** The catalogue's error for anything that the client throws; `what` was attempted. */
export function failureOf(error: unknown, what: string): unknown {
  if (isAtriumError(error) || !(error instanceof Error) || !GenericError.isGenericError(error)) return error;
  const [code, advice] = lastingOf(error) ?? codeOf(error);
  const message = `Kafka: ${what} failed: ${reasonOf(error)}. ${advice}.`;
  return new AtriumError(code, message, { cause: error });
}

function lastingOf(error: Error): readonly [ErrorCode, string] | undefined {
  const id = Object.keys(LASTING).find((known) => answers(error, known));
  return id === undefined ? undefined : LASTING[id];
}

function codeOf(error: Error): readonly [ErrorCode, string] {
  if (UNTRUSTED.some((code) => holds(error, "code", code))) {
    return ["STORE_DENIED", "Give the certificate to trust as KAFKA_CA_FILE"];
  }
  if (holds(error, "code", "PLT_KFK_AUTHENTICATION")) {
    return ["STORE_DENIED", "Check KAFKA_SECURITY, KAFKA_USERNAME and KAFKA_PASSWORD"];
  }
  return ["STORE_FAILED", "Check the brokers of KAFKA_BOOTSTRAP and try again"];
}

/** The innermost reason: the client wraps what a broker said in what it tried. */
function reasonOf(error: Error): string {
  let inner: Error = error;
  for (let depth = 0; depth < 5; depth += 1) {
    const next: unknown = inner instanceof AggregateError ? inner.errors.at(-1) : inner.cause;
    if (!(next instanceof Error)) break;
    inner = next;
  }
  return messageOf(inner).replaceAll(/\s+/g, " ").replace(/\.$/, "");
}
