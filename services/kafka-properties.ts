// The settings file of the broker: one node, everything on 127.0.0.1, sized for tests.

import { addressOf, type Place } from "./service.ts";

/** What the second listener asks of a client; without either there is none. */
export interface SecureOptions {
  /** A user name and a password, by SCRAM-SHA-512 or PLAIN. */
  readonly sasl?: boolean;
  /** TLS, with a certificate of the broker's own making. */
  readonly tls?: boolean;
}

/** Where the broker keeps its things. */
export interface BrokerFiles extends SecureOptions {
  readonly dataFolder: string;
  readonly keyStoreFile: string;
}

/** The one user of the second listener. */
export function secureUser({ secret }: Place): { readonly name: string; readonly password: string } {
  return { name: "atrium", password: secret };
}

/** The text of the settings file. */
export function brokerProperties(place: Place, files: BrokerFiles): string {
  const isSecure = files.sasl === true || files.tls === true;
  const plain = `PLAIN://${addressOf(place, "client")}`;
  const secure = isSecure ? [`SECURE://${addressOf(place, "secure")}`] : [];
  const controller = addressOf(place, "controller");
  const properties: Readonly<Record<string, string | number | boolean>> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${controller}`,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    listeners: [plain, ...secure, `CONTROLLER://${controller}`].join(","),
    "advertised.listeners": [plain, ...secure].join(","),
    "listener.security.protocol.map": [
      "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT",
      ...(isSecure ? [`SECURE:${protocolOf(files)}`] : []),
    ].join(","),
    "log.dirs": files.dataFolder,
    "auto.create.topics.enable": false,
    ...ONE_NODE,
    ...(files.sasl === true ? saslProperties(place) : {}),
    ...(files.tls === true ? tlsProperties(place, files) : {}),
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** Defaults that expect several nodes, long-lived groups or gigabytes. */
const ONE_NODE = {
  "num.partitions": 3,
  "offsets.topic.num.partitions": 3,
  "offsets.topic.replication.factor": 1,
  "transaction.state.log.num.partitions": 3,
  "transaction.state.log.replication.factor": 1,
  "transaction.state.log.min.isr": 1,
  "share.coordinator.state.topic.num.partitions": 3,
  "share.coordinator.state.topic.replication.factor": 1,
  "share.coordinator.state.topic.min.isr": 1,
  "group.initial.rebalance.delay.ms": 0,
  // After kill -9 the broker is not let in again before its former session has ended: 9 s by default.
  "broker.session.timeout.ms": 3000,
  "broker.heartbeat.interval.ms": 500,
  "log.cleaner.dedupe.buffer.size": 4_194_304,
} as const;

function protocolOf({ sasl, tls }: SecureOptions): string {
  return [...(sasl === true ? ["SASL"] : []), tls === true ? "SSL" : "PLAINTEXT"].join("_");
}

function saslProperties(place: Place): Readonly<Record<string, string>> {
  const { name, password } = secureUser(place);
  const modules = "org.apache.kafka.common.security";
  return {
    "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
    "listener.name.secure.scram-sha-512.sasl.jaas.config": `${modules}.scram.ScramLoginModule required;`,
    "listener.name.secure.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required user_${name}="${password}";`,
  };
}

function tlsProperties({ secret }: Place, { keyStoreFile }: BrokerFiles): Readonly<Record<string, string>> {
  return {
    "listener.name.secure.ssl.keystore.type": "PKCS12",
    "listener.name.secure.ssl.keystore.location": keyStoreFile,
    "listener.name.secure.ssl.keystore.password": secret,
    "listener.name.secure.ssl.key.password": secret,
  };
}
