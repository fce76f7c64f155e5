// How Spark's Kafka source reaches the cluster that our own client reaches.

import { readFileSync } from "node:fs";
import { AtriumError, messageOf } from "../../support/errors.ts";
import type { Secret } from "../../support/secret.ts";

/** How a cluster is reached: see the settings KAFKA_…. */
export interface KafkaAccess {
  readonly bootstrap: readonly string[];
  readonly security: "plaintext" | "ssl" | "sasl_plaintext" | "sasl_ssl";
  readonly saslMechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  /** PEM files on this machine: their content goes to Spark. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** Options of the source. @throws CONFIG_INVALID for a file that cannot be read */
export function kafkaOptions(access: KafkaAccess): Readonly<Record<string, string>> {
  const { bootstrap, security } = access;
  return {
    "kafka.bootstrap.servers": bootstrap.join(","),
    "kafka.security.protocol": security.toUpperCase(),
    ...(security.endsWith("ssl") ? tlsOptions(access) : {}),
    ...(security.startsWith("sasl") ? loginOptions(access) : {}),
  };
}

function tlsOptions({ caFile, certFile, keyFile }: KafkaAccess): Readonly<Record<string, string>> {
  const options: Record<string, string> = {};
  if (caFile !== undefined) {
    options["kafka.ssl.truststore.type"] = "PEM";
    options["kafka.ssl.truststore.certificates"] = contentOf("KAFKA_CA_FILE", caFile);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    options["kafka.ssl.keystore.type"] = "PEM";
    options["kafka.ssl.keystore.certificate.chain"] = contentOf("KAFKA_CERT_FILE", certFile);
    options["kafka.ssl.keystore.key"] = contentOf("KAFKA_KEY_FILE", keyFile);
  }
  return options;
}

function loginOptions({
  saslMechanism,
  username = "",
  password,
}: KafkaAccess): Readonly<Record<string, string>> {
  const isPlain = saslMechanism === "plain";
  const login = isPlain ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
  const secret = password?.reveal() ?? "";
  return {
    "kafka.sasl.mechanism": saslMechanism.toUpperCase(),
    "kafka.sasl.jaas.config": `org.apache.kafka.common.security.${login} required username=${quoted(username)} password=${quoted(secret)};`,
  };
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function contentOf(setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new AtriumError("CONFIG_INVALID", `${setting}: ${file} cannot be read: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
