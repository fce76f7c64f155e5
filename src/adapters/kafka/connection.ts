// How Atrium reaches a Kafka cluster: one set of options for all of its clients, and what a client is asked again.

import type { BaseOptions } from "@platformatic/kafka";
import { type KafkaAccess, pemOf } from "../../log/kafka-access.ts";
import type { Clock } from "../../support/clock.ts";
import { AtriumError, messageOf } from "../../support/errors.ts";
import type { Logger } from "../../support/logger.ts";
import { failureOf, isPassing } from "./failures.ts";

/** How our own client reaches a cluster. */
export interface KafkaConnection extends KafkaAccess {
  /** A broker that says nothing for this long is taken for gone, ms; default 30,000. */
  readonly requestTimeoutMs?: number;
}

/** Tries of one call inside the client; what fails after that passes `patiently`. */
const CLIENT_RETRIES = 2;
const CLIENT_RETRY_DELAY_MS = 200;
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** The options that all clients share. @throws CONFIG_INVALID for a file that cannot be read */
export function clientOptions(connection: KafkaConnection, clientId: string): BaseOptions {
  const { bootstrap, security, requestTimeoutMs = REQUEST_TIMEOUT_MS } = connection;
  return {
    clientId,
    bootstrapBrokers: [...bootstrap],
    retries: CLIENT_RETRIES,
    retryDelay: CLIENT_RETRY_DELAY_MS,
    requestTimeout: requestTimeoutMs,
    connectTimeout: CONNECT_TIMEOUT_MS,
    timeout: requestTimeoutMs,
    autocreateTopics: false,
    ...(security.endsWith("ssl") ? { tls: tlsOptions(connection) } : {}),
    ...(security.startsWith("sasl") ? { sasl: saslOptions(connection) } : {}),
  };
}

/** What waits out an outage. */
export interface Patience {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal?: AbortSignal | undefined;
  /** Called before each attempt but the first. */
  readonly onRetry?: (() => void) | undefined;
  /** What is waited for, for the log: `reading from Kafka`. */
  readonly what: string;
}

const WAIT_FIRST_MS = 100;
const WAIT_MS_MAX = 2_000;
const WARN_EVERY_MS = 30_000;

/**
 * Does something again until the cluster answers: an outage of any length is waited out, and said in the log now and
 * then. Undefined if the signal aborts. @throws what does not pass, as a fault of the catalogue
 */
export async function patiently<T>(patience: Patience, attempt: () => Promise<T>): Promise<T | undefined> {
  const { clock, logger, signal, what, onRetry } = patience;
  const startMs = clock.monotonicMs();
  let warnAtMs = startMs;
  for (let waitMs = WAIT_FIRST_MS; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    try {
      const result = await attempt();
      if (warnAtMs > startMs) logger.info(`Kafka answers again: ${what} goes on.`);
      return result;
    } catch (error) {
      if (!isPassing(error)) throw failureOf(error, what);
      if (isOver(signal)) return undefined;
      if (clock.monotonicMs() >= warnAtMs) {
        const seconds = Math.round((clock.monotonicMs() - startMs) / 1000);
        logger.warn(`Kafka does not answer: ${what} waits for it.`, { seconds, detail: messageOf(error) });
        warnAtMs = clock.monotonicMs() + WARN_EVERY_MS;
      }
      await clock.sleep(waitMs, signal);
      if (isOver(signal)) return undefined;
      onRetry?.();
    }
  }
}

const isOver = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

function tlsOptions({ caFile, certFile, keyFile }: KafkaConnection): NonNullable<BaseOptions["tls"]> {
  return {
    ...(caFile === undefined ? {} : { ca: pemOf("KAFKA_CA_FILE", caFile) }),
    ...(certFile === undefined ? {} : { cert: pemOf("KAFKA_CERT_FILE", certFile) }),
    ...(keyFile === undefined ? {} : { key: pemOf("KAFKA_KEY_FILE", keyFile) }),
  };
}

function saslOptions({
  saslMechanism,
  username,
  password,
}: KafkaConnection): NonNullable<BaseOptions["sasl"]> {
  if (username === undefined || password === undefined) {
    throw new AtriumError(
      "CONFIG_INVALID",
      "KAFKA_SECURITY asks for a login: set KAFKA_USERNAME and KAFKA_PASSWORD.",
    );
  }
  const mechanisms = {
    plain: "PLAIN",
    "scram-sha-256": "SCRAM-SHA-256",
    "scram-sha-512": "SCRAM-SHA-512",
  } as const;
  return { mechanism: mechanisms[saslMechanism], username, password: password.reveal() };
}
