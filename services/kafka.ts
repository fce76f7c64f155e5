// Apache Kafka for tests: one broker (KRaft) on 127.0.0.1, on request with a second listener for TLS and passwords.

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Admin, type BaseOptions } from "@platformatic/kafka";
import { SENSOR_TRAITS, SENSOR_TYPES } from "../src/reading/terms.ts";
import { folderOf } from "./install.ts";
import { javaOf, jarsOf, makeCertificate, JAVA } from "./java.ts";
import { brokerProperties, type SecureOptions, secureUser } from "./kafka-properties.ts";
import { type Ended, mustRun, runProgram } from "./program.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { addressOf, type Command, type Place, portOf, type Service } from "./service.ts";

/** How to start a broker for a test. */
export interface KafkaOptions extends Omit<StartOptions, "ports">, SecureOptions {
  /** Of the plain listener; default a free one. */
  readonly port?: number;
  /** Topics to make, with 3 partitions each and without an end of retention; default those of the sensor types. */
  readonly topics?: readonly string[];
}

/** A broker of a test. */
export interface Kafka extends Running {
  /** `127.0.0.1:PORT` of the plain listener. */
  readonly bootstrap: string;
  /** How a client reaches the second listener, as options of @platformatic/kafka; undefined without sasl and tls. */
  readonly secure: SecureAccess | undefined;
}

/** What a client needs for the second listener. */
export interface SecureAccess {
  readonly bootstrap: string;
  readonly username: string;
  readonly password: string;
  /** The file of the certificate to trust (PEM); undefined without tls. */
  readonly caFile: string | undefined;
}

const VERSION = "4.4.0";
const PARTITIONS = 3;
const TOPICS = SENSOR_TYPES.map((type) => SENSOR_TRAITS[type].topic);
const PACKAGE = jarsOf(`kafka-${VERSION}`, [
  { group: "org.apache.kafka", artifact: "kafka_2.13", version: VERSION },
  // The console tools; all they need comes with the broker, the rest (Connect, a web server) is not wanted.
  { group: "org.apache.kafka", artifact: "kafka-tools", version: VERSION, without: ["*"] },
  { group: "org.slf4j", artifact: "slf4j-simple", version: "1.7.36" },
]);

/** The broker with the topics of the sensor types. */
export const kafka: Service = kafkaService({});

/** Starts a broker of the caller's own, or finds the one that runs in the folder. */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const { port } = options;
  const running = await startService(kafkaService(options), {
    ...options,
    ...(port === undefined ? {} : { ports: { client: port } }),
  });
  const { place } = running;
  return Object.assign(running, { bootstrap: addressOf(place, "client"), secure: secureAccess(place) });
}

/**
 * Runs a class of the broker's own jars, such as org.apache.kafka.tools.ConsoleProducer, to its end (180 s at most).
 * The broker must have been installed. @throws Error if it takes longer.
 */
export async function kafkaTool(
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<Ended> {
  return runProgram(javaOf("java"), toolArgs(args), { ...options, secondsMax: 180 });
}

function kafkaService({ topics = TOPICS, ...secure }: SecureOptions & Pick<KafkaOptions, "topics">): Service {
  const isSecure = secure.sasl === true || secure.tls === true;
  return {
    name: "kafka",
    title: `Apache Kafka ${VERSION}`,
    packages: [PACKAGE],
    needs: [JAVA],
    portNames: isSecure ? ["client", "controller", "secure"] : ["client", "controller"],
    prepare: async (place) => prepare(place, secure),
    probe: async (place) => withAdmin(place, everyTopicHasLeader),
    furnish: async (place) => withAdmin(place, async (admin) => makeTopics(admin, topics)),
    settings: (place) => ({ KAFKA_BOOTSTRAP: addressOf(place, "client") }),
  };
}

async function prepare(place: Place, secure: SecureOptions): Promise<Command> {
  if (secure.tls === true) await makeCertificate(certificateOf(place));
  const properties = brokerProperties(place, {
    ...secure,
    keyStoreFile: certificateOf(place).keyStoreFile,
    dataFolder: dataOf(place),
  });
  writeFileSync(propertiesOf(place), properties, { mode: 0o600 });
  await format(place);
  return {
    program: javaOf("java"),
    args: javaArgs(["-Xmx512m", "-XX:+UseSerialGC"], "kafka.Kafka", [propertiesOf(place)]),
  };
}

/** Makes an empty store, whole or not at all: an interrupted one is made again. */
async function format(place: Place): Promise<void> {
  const marker = join(place.folder, "formatted");
  if (existsSync(marker)) return;
  rmSync(dataOf(place), { recursive: true, force: true });
  const { name, password } = secureUser(place);
  // 16 bytes in base64url; a leading dash would look like a flag.
  const clusterId = Buffer.from(place.secret, "hex").subarray(0, 16).toString("base64url").replace(/^-/, "A");
  const scram = ["--add-scram", `SCRAM-SHA-512=[name=${name},password=${password}]`];
  const args = ["format", "--cluster-id", clusterId, "--config", propertiesOf(place), ...scram];
  await mustRun(javaOf("java"), toolArgs(["kafka.tools.StorageTool", ...args]), { secondsMax: 120 });
  writeFileSync(marker, "");
}

async function withAdmin<T>(place: Place, act: (admin: Admin) => Promise<T>): Promise<T> {
  const options: BaseOptions = {
    clientId: "atrium-services",
    bootstrapBrokers: [{ host: "127.0.0.1", port: portOf(place, "client") }],
    retries: 0,
    connectTimeout: 2000,
    requestTimeout: 10_000,
    timeout: 10_000,
  };
  const admin = new Admin(options);
  try {
    return await act(admin);
  } finally {
    await admin.close();
  }
}

/** A broker answers before it leads its partitions again; only then do its topics take and give messages. */
async function everyTopicHasLeader(admin: Admin): Promise<void> {
  await admin.listApis();
  const names = await admin.listTopics();
  const { brokers, topics } = await admin.metadata({ topics: names, forceUpdate: true });
  if (brokers.size === 0) throw new Error("the broker has not registered yet");
  for (const [name, { partitions }] of topics) {
    if (partitions.some(({ leader }) => leader < 0)) throw new Error(`${name} has no leader yet`);
  }
}

async function makeTopics(admin: Admin, wanted: readonly string[]): Promise<void> {
  const known = new Set(await admin.listTopics());
  const topics = wanted.filter((topic) => !known.has(topic));
  if (topics.length === 0) return;
  // Readings of years ago would be removed at once by a retention of days.
  const configs = [{ name: "retention.ms", value: "-1" }];
  await admin.createTopics({ topics, partitions: PARTITIONS, replicas: 1, configs });
}

function secureAccess(place: Place): SecureAccess | undefined {
  if (place.ports["secure"] === undefined) return undefined;
  const { name, password } = secureUser(place);
  const { certificateFile } = certificateOf(place);
  return {
    bootstrap: addressOf(place, "secure"),
    username: name,
    password,
    caFile: existsSync(certificateFile) ? certificateFile : undefined,
  };
}

function certificateOf({ folder, secret }: Place): Parameters<typeof makeCertificate>[0] {
  return {
    keyStoreFile: join(folder, "broker.p12"),
    certificateFile: join(folder, "ca.pem"),
    password: secret,
  };
}

function propertiesOf({ folder }: Place): string {
  return join(folder, "server.properties");
}

function dataOf({ folder }: Place): string {
  return join(folder, "data");
}

function toolArgs([name = "", ...args]: readonly string[]): readonly string[] {
  return javaArgs(["-Xmx256m"], name, args);
}

function javaArgs(options: readonly string[], name: string, args: readonly string[]): readonly string[] {
  const logLevel = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
  return [...options, logLevel, "-cp", join(folderOf(PACKAGE), "*"), name, ...args];
}
