// How a Kafka cluster is reached, for every client of it: our own and Spark's.

import { readFileSync } from "node:fs";
import { AtriumError, messageOf } from "../support/errors.ts";
import type { Secret } from "../support/secret.ts";

/** How a cluster is reached: see the settings KAFKA_…. */
export interface KafkaAccess {
  /** Brokers to ask first, `host:port`. */
  readonly bootstrap: readonly string[];
  readonly security: "plaintext" | "ssl" | "sasl_plaintext" | "sasl_ssl";
  readonly saslMechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  /** PEM files of this machine, absolute; without a CA those of the system hold. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** The text of a PEM file that a setting names. @throws CONFIG_INVALID if it cannot be read */
export function pemOf(setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new AtriumError("CONFIG_INVALID", `${setting}: ${file} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
