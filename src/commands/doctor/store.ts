// What `atrium doctor` finds of a store on S3: whether it keeps the promises that commits rest on.

import type { Assembly } from "../../assemble.ts";
import { probeStore } from "../../lakehouse/store-probe.ts";
import { uniqueId } from "../../support/chance.ts";
import { messageOf } from "../../support/errors.ts";
import { isS3Url } from "../../support/s3-url.ts";
import type { CommandContext } from "../command.ts";
import type { Finding } from "./finding.ts";

/** Stores that were tried and lose commits. */
const KNOWN_TO_FAIL = "Known to fail: Garage, s3rver, s3proxy, Adobe S3Mock, versitygw before 1.8";

/** Tries the store of a lake on S3, and writes and removes a few objects for it; nothing for a folder. */
export async function examineStore(
  { config }: CommandContext,
  assembly: Assembly,
): Promise<readonly Finding[]> {
  if (!isS3Url(config.lake.url)) return [];
  try {
    const probed = await probeStore(await assembly.store(), uniqueId());
    return probed.map(({ what, fault, found }) => ({
      state: fault === undefined ? "ok" : "fail",
      what: `store, ${what}`,
      found: fault === undefined ? found : `${fault}. ${KNOWN_TO_FAIL}.`,
    }));
  } catch (error) {
    return [{ state: "fail", what: "store", found: messageOf(error) }];
  }
}
