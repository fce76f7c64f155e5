// FAULT: the store takes the credentials no more, in the middle of the work: with new ones from the chain of the AWS tools the
// program goes on, without them it ends with a clear word, and the next start goes on.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { addUser, type S3 } from "../../services/s3.ts";
import type { Reference } from "../support/lake-folder.ts";
import { assertOneError } from "../support/one-error.ts";
import { faultyStore } from "../support/s3-faulty.ts";
import { assertAsReference, makeSmallReference, runOnS3 } from "../support/s3-lake.ts";
import type { Fate, Seen } from "../support/s3-proxy.ts";
import { withoutServices } from "../support/services.ts";

const skip = await withoutServices("s3");
/** So many objects are written with the first keys before they expire. */
const PUTS_BEFORE = 20;
type Keys = S3["credentials"];
const EXPIRED: Fate = { status: 400, code: "ExpiredToken" };

describe("credentials that expire", { skip }, () => {
  const faulty = faultyStore();
  let reference: Reference;

  before(async () => {
    reference = await makeSmallReference();
  });
  after(async () => reference.folder[Symbol.asyncDispose]());

  const isOf =
    ({ accessKeyId }: Keys) =>
    ({ headers }: Seen): boolean =>
      headers.authorization?.includes(`Credential=${accessKeyId}/`) === true;

  /** The keys are good for some writes; from then on they are refused. */
  function expiring(keys: Keys, onExpiry: () => void): (seen: Seen) => Fate {
    let puts = 0;
    return (seen) => {
      if (!isOf(keys)(seen)) return "pass";
      if (seen.method === "PUT" && ++puts === PUTS_BEFORE) onExpiry();
      return puts >= PUTS_BEFORE ? EXPIRED : "pass";
    };
  }

  test("are replaced by those that the chain has by then, without a restart", async () => {
    const { fixture, proxy, fatesOf } = faulty();
    const one = fixture.gateway.credentials;
    const two = await addUser(fixture.gateway, "two");
    const [file, profile] = [join(fixture.folder, "credentials.json"), join(fixture.folder, "aws-config")];
    // Good for an hour by their own account: only the store knows better.
    const issue = ({ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey }: Keys): void => {
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      writeFileSync(file, JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey, Expiration }));
    };
    issue(one);
    writeFileSync(profile, `[default]\ncredential_process = cat ${file}\n`);
    proxy.rule(expiring(one, () => issue(two)));
    const onS3 = { fixture, reference, lake: "s3://lake/renewed" };
    const ended = await runOnS3(onS3, {
      S3_ENDPOINT: proxy.endpoint,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_CONFIG_FILE: profile,
      AWS_EC2_METADATA_DISABLED: "true",
    });
    assert.deepEqual([ended.code, ended.stderr], [0, ""]);
    assert.ok(fatesOf(isOf(one)).includes(EXPIRED));
    assert.ok(fatesOf(isOf(two)).length > 0);
    await assertAsReference(onS3);
  });

  test("end the program with a clear word where there are no others, and a start with new ones goes on", async () => {
    const { fixture, proxy } = faulty();
    const one = fixture.gateway.credentials;
    const two = await addUser(fixture.gateway, "three");
    proxy.rule(expiring(one, () => undefined));
    const onS3 = { fixture, reference, lake: "s3://lake/restarted" };
    const through = { S3_ENDPOINT: proxy.endpoint, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const ended = await runOnS3(onS3, through);
    assertOneError(ended, "STORE_DENIED", /credentials have expired: get new ones \(AWS_SESSION_TOKEN\)/);
    const again = await runOnS3(onS3, {
      ...through,
      AWS_ACCESS_KEY_ID: two.accessKeyId,
      AWS_SECRET_ACCESS_KEY: two.secretAccessKey,
    });
    assert.deepEqual([again.code, again.stderr], [0, ""]);
    await assertAsReference(onS3);
  });
});
