// What is measured on real services: a broker and an S3 gateway that this starts and stops; what cannot run here is said.

import { join } from "node:path";
import { startKafka } from "../services/kafka.ts";
import { servicesNamed } from "../services/registry.ts";
import { missingFor } from "../services/running.ts";
import { startS3 } from "../services/s3.ts";
import { type Freshness, measureFreshness } from "./freshness.ts";
import { measureKafka, type Throughput } from "./kafka.ts";
import type { MeasureOptions, Say } from "./measure.ts";
import { measureS3, type QueryTimes } from "./s3.ts";

/** Figures from services; of what was not asked for or cannot run here there are none. */
export interface ServiceFigures {
  readonly throughput: readonly Throughput[];
  readonly freshness: readonly Freshness[];
  readonly queries: readonly QueryTimes[];
  /** Why a service could not be measured. */
  readonly leftOut: readonly string[];
}

/** No figures. */
export const NO_SERVICE_FIGURES: ServiceFigures = { throughput: [], freshness: [], queries: [], leftOut: [] };

/** Measures the parts of `kafka`, `freshness` and `s3` that are asked for. */
export async function measureServices(
  parts: readonly string[],
  options: MeasureOptions & { readonly say: Say },
): Promise<ServiceFigures> {
  const leftOut: string[] = [];
  const canRun = async (name: string): Promise<boolean> => {
    const missing = await Promise.all(servicesNamed([name]).map(missingFor));
    const reasons = missing.flatMap((reason) => reason?.replaceAll("\n", " ") ?? []);
    leftOut.push(...reasons);
    return reasons.length === 0;
  };
  const found = { ...NO_SERVICE_FIGURES, leftOut };
  const ofBroker = parts.includes("kafka") || parts.includes("freshness");
  if (ofBroker && (await canRun("kafka"))) Object.assign(found, await onBroker(parts, options));
  if (parts.includes("s3") && (await canRun("s3"))) Object.assign(found, await onGateway(options));
  return found;
}

async function onBroker(
  parts: readonly string[],
  options: MeasureOptions & { readonly say: Say },
): Promise<Partial<ServiceFigures>> {
  await using broker = await startKafka({ folder: join(options.cwd, "broker") });
  const shared = { ...options, broker };
  return {
    throughput: parts.includes("kafka") ? await measureKafka(shared) : [],
    freshness: parts.includes("freshness") ? await measureFreshness(shared) : [],
  };
}

async function onGateway(options: MeasureOptions & { readonly say: Say }): Promise<Partial<ServiceFigures>> {
  const gateway = await startS3({ folder: join(options.cwd, "gateway") });
  try {
    return { queries: await measureS3({ ...options, gateway }) };
  } finally {
    await gateway.stop();
  }
}
