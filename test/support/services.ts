// Which services for tests can run here: a test that needs one is left out with a plain reason, or required.

import { isInstalled } from "../../services/install.ts";
import { servicesNamed } from "../../services/registry.ts";
import { missingFor } from "../../services/running.ts";

/**
 * Option of a test that needs these services: false, or why it is left out. What is not in the cache yet is not fetched by
 * a mere test run. With ATRIUM_REQUIRE_SERVICES=1 nothing is left out: what is missing is installed or fails the test.
 */
export async function withoutServices(...names: readonly string[]): Promise<false | string> {
  // Spark takes minutes and a gigabyte: it is tested when that is asked for, as .ci/run does.
  const isSparkTested = process.env["ATRIUM_TEST_SPARK"] === "1";
  if (names.some((name) => name.startsWith("spark")) && !isSparkTested) return "ATRIUM_TEST_SPARK is not 1";
  if (process.env["ATRIUM_REQUIRE_SERVICES"] === "1") return false;
  for (const service of servicesNamed(names)) {
    const missing = await missingFor(service);
    if (missing !== undefined) return missing.replaceAll("\n", " ");
    if (!service.packages.every(isInstalled)) {
      return `${service.title} is not installed: npm run services -- install ${service.name}`;
    }
  }
  return false;
}
