// The services by name: a new one is one file and one line here.

import { airflow } from "./airflow.ts";
import { kafka } from "./kafka.ts";
import { prometheus } from "./prometheus.ts";
import { s3 } from "./s3.ts";
import type { Service } from "./service.ts";
import { SPARK_CLUSTER } from "./spark-cluster.ts";
import { spark } from "./spark.ts";

/** All services, in the order in which they are listed. */
export const SERVICES: readonly Service[] = [kafka, s3, spark, ...SPARK_CLUSTER, prometheus, airflow];

/** Names that stand for several services. */
const GROUPS: ReadonlyMap<string, readonly Service[]> = new Map([["spark-cluster", SPARK_CLUSTER]]);

/** What can be asked for by name. */
export const SERVICE_NAMES: readonly string[] = [
  ...SERVICES.filter((service) => !SPARK_CLUSTER.includes(service)).map(({ name }) => name),
  ...GROUPS.keys(),
];

/** The services of these names, each once. @throws Error for a name that there is not. */
export function servicesNamed(names: readonly string[]): readonly Service[] {
  const wanted = new Set<Service>();
  for (const name of names) {
    const found = GROUPS.get(name) ?? SERVICES.filter((service) => service.name === name);
    if (found.length === 0) {
      throw new Error(`no service named ${name}; there are: ${SERVICE_NAMES.join(", ")}`);
    }
    for (const service of found) wanted.add(service);
  }
  return SERVICES.filter((service) => wanted.has(service));
}
