// What `doctor` says of a cluster: its brokers and topics, and which of their settings may lose messages.

import { ConfigResourceTypes, describeQuorumV1 } from "@platformatic/kafka";
import type { LogDescription } from "../../log/described-log.ts";
import type { Clock } from "../../support/clock.ts";
import type { Cluster, TopicFacts } from "./cluster.ts";
import { answers } from "./failures.ts";

/** A clock that is farther away makes log times, and so freshness and what counts as the future, wrong. */
const SKEW_MS_MAX = 5_000;
/** What a broker answers who may not be asked, or knows no quorum. */
const UNASKABLE = ["CLUSTER_AUTHORIZATION_FAILED", "UNSUPPORTED_VERSION", "INVALID_REQUEST"];

/** Looks at the cluster and at those of the topics that it has. @throws what the client throws */
export async function describeCluster(
  cluster: Cluster,
  wanted: readonly string[],
  clock: Clock,
): Promise<LogDescription> {
  const { brokers } = await cluster.admin.metadata({ topics: [], forceUpdate: true });
  const there = new Set(await cluster.topicNames());
  const topics = [...(await cluster.topics(wanted.filter((topic) => there.has(topic)))).values()];
  const partitions = topics.reduce((sum, { leaders }) => sum + leaders.length, 0);
  const id = await cluster.id();
  const text = `Kafka cluster ${id}, ${count(brokers.size, "broker")}, ${count(topics.length, "topic")} with ${count(partitions, "partition")}`;
  const skewed = await clockWarnings(cluster, clock);
  if (topics.length === 0) return { text, warnings: skewed };
  return {
    text,
    warnings: [
      ...skewed,
      ...withoutLeader(topics),
      ...(await openTransactions(cluster, topics)),
      ...(await shortLived(cluster, topics)),
    ],
  };
}

/**
 * The leader of the quorum says when it has last caught up with itself: that is its clock. No other request that changes
 * nothing tells a broker's time. Source: KIP-836.
 */
async function clockWarnings(cluster: Cluster, clock: Clock): Promise<readonly string[]> {
  const beforeMs = clock.nowMs();
  let leaderMs: bigint | undefined;
  try {
    const { topics } = await describeQuorumV1.api.async(await cluster.anyConnection("reading"), [
      { topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] },
    ]);
    const [quorum] = topics[0]?.partitions ?? [];
    leaderMs = quorum?.currentVoters.find(
      ({ replicaId }) => replicaId === quorum.leaderId,
    )?.lastCaughtUpTimestamp;
  } catch (error) {
    if (!UNASKABLE.some((id) => answers(error, id))) throw error;
  }
  if (leaderMs === undefined || leaderMs <= 0n) return [];
  const afterMs = clock.nowMs();
  const leader = Number(leaderMs);
  const skewMs = leader < beforeMs ? leader - beforeMs : Math.max(0, leader - afterMs);
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return [];
  const seconds = Math.round(Math.abs(skewMs) / 1000).toLocaleString("en");
  const which = skewMs < 0 ? "behind" : "ahead of";
  return [
    `The clock of the cluster's controller is ${seconds} s ${which} that of this machine: log times and freshness are wrong by as much. Set both by NTP.`,
  ];
}

function withoutLeader(topics: readonly TopicFacts[]): readonly string[] {
  return topics
    .filter(({ leaders }) => leaders.some((leader) => leader < 0))
    .map(({ name }) => `${name} has partitions without a leader: look at the brokers.`);
}

/** Nothing behind the start of an open transaction can be read. */
async function openTransactions(cluster: Cluster, topics: readonly TopicFacts[]): Promise<readonly string[]> {
  const stable = await cluster.ranges(topics, "stable");
  const all = await cluster.ranges(topics, "all");
  return stable.flatMap(({ topic, partition, end }, index) => {
    const hidden = (all[index]?.end ?? end) - end;
    if (hidden <= 0n) return [];
    return `${topic}/${partition}: ${hidden} messages wait for the end of a transaction; if they go on waiting, look for it with kafka-transactions.sh.`;
  });
}

async function shortLived(cluster: Cluster, topics: readonly TopicFacts[]): Promise<readonly string[]> {
  const described = await cluster.admin.describeConfigs({
    resources: topics.map(({ name }) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: name })),
  });
  return described.flatMap(({ resourceName, configs }) => {
    const valueOf = (name: string): string => configs.find((config) => config.name === name)?.value ?? "";
    const warnings: string[] = [];
    for (const setting of ["retention.ms", "retention.bytes"]) {
      const value = valueOf(setting);
      if (value !== "-1" && value !== "") {
        warnings.push(
          `${resourceName} has ${setting}=${value}: messages that bronze has not taken by then are lost; -1 keeps them.`,
        );
      }
    }
    if (valueOf("cleanup.policy").includes("compact")) {
      warnings.push(
        `${resourceName} is compacted: it keeps the last reading of each sensor alone; set cleanup.policy=delete.`,
      );
    }
    return warnings;
  });
}

function count(number: number, what: string): string {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
