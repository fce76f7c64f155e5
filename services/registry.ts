// The services by name: a new one is one file and one line here.

import { airflow } from "./airflow.ts";
import { kafka } from "./kafka.ts";
import { prometheus } from "./prometheus.ts";
import { s3 } from "./s3.ts";
import type { Service } from "./service.ts";
import { spark } from "./spark.ts";

/** All services, in the order in which they are listed. */
export const SERVICES: readonly Service[] = [kafka, s3, spark, prometheus, airflow];

/** The services of these names, each once. @throws Error for a name that there is not. */
export function servicesNamed(names: readonly string[]): readonly Service[] {
  const known = SERVICES.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`no service named ${unknown.join(", ")}; there are: ${known.join(", ")}`);
  }
  return SERVICES.filter(({ name }) => names.includes(name));
}
