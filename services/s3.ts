// S3 for tests: versitygw over a folder, on 127.0.0.1; checks signatures, and put-if-absent has one winner.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { folderOf, type Package } from "./install.ts";
import { mustRun, type Program } from "./program.ts";
import { type Running, startService, type StartOptions } from "./running.ts";
import { addressOf, type Place, type Service } from "./service.ts";
import { placeOf, readState } from "./state.ts";

/** How to start a gateway for a test. */
export interface S3Options extends Omit<StartOptions, "ports"> {
  /** Default: a free one. */
  readonly port?: number;
  /** Buckets to make; default `lake` and `raw`. */
  readonly buckets?: readonly string[];
}

/** How a gateway is reached. */
export interface S3Access {
  /** `http://127.0.0.1:PORT`; buckets are in the path. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** A gateway of a test. */
export interface S3 extends Running, S3Access {}

const VERSION = "1.8.0";
const REGION = "us-east-1";
const ACCESS_KEY = "atrium";
const BUCKETS = ["lake", "raw"];
const BUILD_SECONDS_MAX = 900;
const PROBE_MS_MAX = 5000;

const GO: Program = {
  title: "Go",
  command: "go",
  versionArgs: ["version"],
  versionMin: [1, 25],
  advice: "Install it (from https://go.dev/dl; macOS: brew install go).",
};

const PACKAGE: Package = {
  name: `versitygw-${VERSION}`,
  needs: [GO],
  fill: async (folder) => {
    const args = ["install", `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`];
    await mustRun("go", args, { secondsMax: BUILD_SECONDS_MAX, cwd: folder, env: { GOBIN: folder } });
    if (!existsSync(join(folder, "versitygw"))) throw new Error(`go install left no versitygw in ${folder}`);
  },
};

/** The gateway with the buckets `lake` and `raw`. */
export const s3: Service = s3Service(BUCKETS);

/** Starts a gateway of the caller's own, or finds the one that runs in the folder. */
export async function startS3({ port, buckets = BUCKETS, ...options }: S3Options): Promise<S3> {
  const running = await startService(s3Service(buckets), {
    ...options,
    ...(port === undefined ? {} : { ports: { http: port } }),
  });
  return Object.assign(running, accessOf(running.place));
}

/** How the gateway of a folder is reached, whether it runs now or not; undefined if none was ever started there. */
export function s3AccessIn(folder: string): S3Access | undefined {
  const state = readState(folder);
  return state?.ports["http"] === undefined ? undefined : accessOf(placeOf(folder, state));
}

function accessOf(place: Place): S3Access {
  return { endpoint: endpointOf(place), region: REGION, credentials: credentialsOf(place) };
}

/** Adds a user who may do everything, and returns its keys. The gateway must run. */
export async function addUser({ place, endpoint, region }: S3, name: string): Promise<S3["credentials"]> {
  const { accessKeyId, secretAccessKey } = credentialsOf(place);
  const admin = ["--endpoint-url", endpoint, "--region", region];
  const user = ["create-user", "--access", name, "--secret", secretAccessKey, "--role", "admin"];
  await mustRun(programOf(), ["admin", ...admin, ...user], {
    secondsMax: 60,
    env: { ADMIN_ACCESS_KEY_ID: accessKeyId, ADMIN_SECRET_ACCESS_KEY: secretAccessKey },
  });
  return { accessKeyId: name, secretAccessKey };
}

function s3Service(buckets: readonly string[]): Service {
  return {
    name: "s3",
    title: `versitygw ${VERSION} (S3)`,
    packages: [PACKAGE],
    needs: [],
    portNames: ["http"],
    prepare: async (place) => {
      const [data, iam] = [join(place.folder, "data"), join(place.folder, "iam")];
      for (const folder of [data, iam]) mkdirSync(folder, { recursive: true, mode: 0o700 });
      const { accessKeyId, secretAccessKey } = credentialsOf(place);
      const listen = ["--port", addressOf(place, "http"), "--region", REGION, "--health", "/healthz"];
      return {
        program: programOf(),
        args: [...listen, "--quiet", "--keep-alive", "--iam-dir", iam, "posix", data],
        env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
      };
    },
    probe,
    furnish: async (place) => makeBuckets(place, buckets),
    settings,
  };
}

async function probe(place: Place): Promise<void> {
  const response = await fetch(`${endpointOf(place)}/healthz`, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${endpointOf(place)}/healthz answers ${response.status}`);
}

async function makeBuckets(place: Place, buckets: readonly string[]): Promise<void> {
  const client = new S3Client({
    endpoint: endpointOf(place),
    region: REGION,
    credentials: credentialsOf(place),
    forcePathStyle: true,
  });
  try {
    for (const Bucket of buckets) {
      await client.send(new CreateBucketCommand({ Bucket })).catch((error: unknown) => {
        if (error instanceof Error && /^BucketAlready(OwnedByYou|Exists)$/.test(error.name)) return;
        throw error;
      });
    }
  } finally {
    client.destroy();
  }
}

function settings(place: Place): Readonly<Record<string, string>> {
  const { accessKeyId, secretAccessKey } = credentialsOf(place);
  return {
    S3_ENDPOINT: endpointOf(place),
    AWS_ENDPOINT_URL_S3: endpointOf(place),
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
  };
}

function programOf(): string {
  return join(folderOf(PACKAGE), "versitygw");
}

function endpointOf(place: Place): string {
  return `http://${addressOf(place, "http")}`;
}

function credentialsOf({ secret }: Place): S3Access["credentials"] {
  return { accessKeyId: ACCESS_KEY, secretAccessKey: secret };
}
