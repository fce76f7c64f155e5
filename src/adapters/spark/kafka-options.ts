// How Spark's Kafka source reaches the cluster that our own client reaches.

import { type KafkaAccess, pemOf } from "../../log/kafka-access.ts";

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
    options["kafka.ssl.truststore.certificates"] = pemOf("KAFKA_CA_FILE", caFile);
  }
  if (certFile !== undefined && keyFile !== undefined) {
    options["kafka.ssl.keystore.type"] = "PEM";
    options["kafka.ssl.keystore.certificate.chain"] = pemOf("KAFKA_CERT_FILE", certFile);
    options["kafka.ssl.keystore.key"] = pemOf("KAFKA_KEY_FILE", keyFile);
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
