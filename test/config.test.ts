// Settings: sources and their order, problems, secrets, and the table against .env.example.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { type Config, describeConfig, loadConfig } from "../src/config.ts";
import { versionOrTime } from "../src/config/kinds.ts";
import { flagOf, SETTING_NAMES, settingNamed } from "../src/config/settings.ts";
import type { Sources } from "../src/config/values.ts";
import { AtriumError } from "../src/support/errors.ts";
import { envExample } from "./support/env-example.ts";

const cwd = "/somewhere";
const load = (sources: Partial<Sources> = {}): Config => loadConfig({ cwd, ...sources });

/** The error that loading must end with. */
function failure(sources: Partial<Sources>): AtriumError {
  try {
    load(sources);
  } catch (error) {
    assert.ok(error instanceof AtriumError);
    return error;
  }
  assert.fail("the configuration was accepted");
}

describe("sources", () => {
  test("a flag wins over the environment, the environment over .env, .env over the default", () => {
    const envFileText = "BATCH_ROWS=3\n";
    assert.equal(load().lake.batchRowsMax, 1_000_000);
    assert.equal(load({ envFileText }).lake.batchRowsMax, 3);
    assert.equal(load({ envFileText, env: { BATCH_ROWS: "2" } }).lake.batchRowsMax, 2);
    const all = { envFileText, env: { BATCH_ROWS: "2" }, flags: { BATCH_ROWS: "1" } };
    assert.equal(load(all).lake.batchRowsMax, 1);
  });

  test("a command's own default holds only where nobody says otherwise", () => {
    const defaults = { REPLAY_MODE: "max" };
    assert.equal(load({ defaults }).replay.mode, "max");
    assert.equal(load({ defaults, env: { REPLAY_MODE: "rate" } }).replay.mode, "rate");
  });

  test("an empty value counts as not set", () => {
    const config = load({ env: { BATCH_ROWS: "", LAKE_URL: "  " }, envFileText: "BATCH_ROWS=7\nROOMS=\n" });
    assert.equal(config.lake.batchRowsMax, 7);
    assert.equal(config.lake.url, "/somewhere/lake");
    assert.deepEqual(config.source.rooms, []);
  });

  test("every default of the table is allowed by its own row", () => {
    for (const name of SETTING_NAMES) {
      const { kind, default: text } = settingNamed(name);
      if (text !== undefined) assert.ok("value" in kind.parse(text, { cwd }), `${name}=${text}`);
    }
  });

  test("flags are named after their variables, but for --lake and --raw, and no two are the same", () => {
    assert.equal(flagOf("LAKE_URL"), "lake");
    assert.equal(flagOf("SOURCE_URL"), "raw");
    assert.equal(flagOf("RATE_MSG_PER_SEC"), "rate-msg-per-sec");
    const flags = SETTING_NAMES.map(flagOf).filter((flag) => flag !== undefined);
    assert.equal(new Set(flags).size, flags.length);
  });
});

describe("values", () => {
  test("sensor types are taken by name, alias and prefix, without repetitions, in their own order", () => {
    const { sensorTypes } = load({ env: { SENSORS: "temp, motion,light,rh,hum" } }).source;
    assert.deepEqual(sensorTypes, ["humidity", "luminosity", "pir", "temperature"]);
  });

  test("folders are made absolute, and the log lies in the lake unless it is named", () => {
    const { source, lake, log } = load({ flags: { LAKE_URL: "a/../b", SOURCE_URL: "/raw" } });
    assert.deepEqual([source.url, lake.url, log.path], ["/raw", "/somewhere/b", "/somewhere/b/_log/log.db"]);
    assert.equal(load({ env: { LOG_PATH: "x.db" } }).log.path, "/somewhere/x.db");
    assert.equal(load({ env: { LAKE_URL: "file:///data/lake" } }).lake.url, "/data/lake");
  });

  test("a lake on S3 stays as it is named, and has no log of its own", () => {
    const { lake, log, source } = load({ env: { LAKE_URL: "s3://lake/a/", SOURCE_URL: "s3://raw/KETI/" } });
    assert.deepEqual([lake.url, log.path, source.url], ["s3://lake/a", undefined, "s3://raw/KETI"]);
    assert.equal(load({ env: { LAKE_URL: "s3://lake", LOG_PATH: "/log.db" } }).log.path, "/log.db");
    for (const url of ["s3://b/p", "s3://", "s3:///x", "s3://lake//x", "s3://lake/../x", "s3://la ke/x"]) {
      assert.match(failure({ env: { LAKE_URL: url } }).message, /is no place on S3/, url);
    }
    assert.match(failure({ env: { LAKE_URL: "s3a://lake/a" } }).message, /write s3:\/\//);
  });

  test("the addresses and the region of S3 have the names that AWS gives them, too", () => {
    const env = { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9", AWS_REGION: "eu-west-1" };
    const { endpoint, region, pathStyle } = load({ env }).s3;
    assert.deepEqual([endpoint, region, pathStyle], ["http://127.0.0.1:9", "eu-west-1", true]);
    assert.equal(load({}).s3.pathStyle, false);
    assert.equal(load({ env: { ...env, S3_PATH_STYLE: "off" } }).s3.pathStyle, false);
  });

  test("copies of S3's files are kept in the user's cache folder unless another is named", () => {
    const env = { XDG_CACHE_HOME: "/cache" };
    assert.deepEqual(load({ env }).cache, { folder: "/cache/atrium", mbMax: 10240 });
    assert.equal(load({ env: { ...env, CACHE_DIR: "c" } }).cache.folder, "/somewhere/c");
  });

  test("TOPIC_LIGHT is another name of TOPIC_LUMINOSITY, which wins", () => {
    assert.equal(load({ env: { TOPIC_LIGHT: "a" } }).log.topics.luminosity, "a");
    assert.equal(load({ env: { TOPIC_LIGHT: "a", TOPIC_LUMINOSITY: "b" } }).log.topics.luminosity, "b");
  });

  test("bronze is partitioned by event_date and what follows it in the given order only", () => {
    for (const text of [
      "event_date",
      "event_date,room",
      "event_date,sensor_type",
      "event_date,room,sensor_type",
    ]) {
      assert.equal(load({ env: { BRONZE_PARTITION_BY: text } }).lake.bronzePartitionBy.join(), text);
    }
    for (const text of [
      "room",
      "room,event_date",
      "event_date,sensor_type,room",
      "event_date,event_date",
      "event_date,hour",
    ]) {
      assert.match(failure({ env: { BRONZE_PARTITION_BY: text } }).message, /BRONZE_PARTITION_BY=/);
    }
  });

  test("a time zone is an IANA name and not an offset", () => {
    assert.equal(
      load({ env: { BUILDING_TIMEZONE: "america/los_angeles" } }).building.timeZone,
      "America/Los_Angeles",
    );
    assert.match(failure({ env: { BUILDING_TIMEZONE: "Mars/Olympus" } }).message, /is no time zone/);
    assert.match(failure({ env: { BUILDING_TIMEZONE: "+02:00" } }).message, /is an offset/);
  });

  test("any whole number within the bounds is taken as it is, any other text is refused", () => {
    fc.assert(
      fc.property(fc.integer(), (port) => {
        const sources = { env: { API_PORT: String(port) } };
        if (port >= 0 && port <= 65_535) assert.equal(load(sources).api.port, port);
        else assert.match(failure(sources).message, new RegExp(`^API_PORT=${port} `));
      }),
    );
    for (const text of ["8e3", "0x10", "80.5", "1_000", "NaN", "Infinity", "٣"]) {
      assert.equal(failure({ env: { API_PORT: text } }).code, "CONFIG_INVALID", text);
    }
  });

  test("the configuration is frozen to its depth", () => {
    const config = load({ env: { API_KEYS: "longenough" } });
    const parts = [
      config,
      config.lake,
      config.log.topics,
      config.source.sensorTypes,
      config.api.keys,
      config.api.keys[0],
    ];
    for (const part of parts) assert.ok(Object.isFrozen(part));
  });
});

describe("problems", () => {
  test("all are told at once, each with the name, the value, its origin and what is allowed", () => {
    const error = failure({
      flags: { RATE_MSG_PER_SEC: "fast" },
      env: { ENGINE_THREADS: "-1" },
      envFileText: "# mine\n\nexport LOG_LEVEL = loud\n",
    });
    assert.equal(error.code, "CONFIG_INVALID");
    assert.deepEqual(error.message.split("\n"), [
      "--rate-msg-per-sec fast is not a number: allowed is a number from 0.01 to 1000000.",
      "ENGINE_THREADS=-1 (environment) is too small: allowed is a whole number from 0 to 1024.",
      "LOG_LEVEL=loud (.env line 3) is not allowed: allowed is one of debug, info, warn, error, silent.",
    ]);
    assert.deepEqual(error.details["problems"], error.message.split("\n"));
  });

  test("wrong flags alone are wrong use", () => {
    assert.equal(failure({ flags: { API_PORT: "x" } }).code, "USAGE_INVALID");
  });

  test("an unknown name in .env is refused, with the name that was meant", () => {
    const { message } = failure({ envFileText: "LAKE_ULR=x\nQQQQQQQ=1\n" });
    assert.deepEqual(message.split("\n"), [
      "LAKE_ULR (.env line 1) is no setting. Did you mean LAKE_URL?",
      "QQQQQQQ (.env line 2) is no setting.",
    ]);
  });

  test("an unknown name in the environment is refused only if it has Atrium's prefix", () => {
    load({ env: { LAKE_ULR: "x", ATRIUM_CACHE: "x", ATRIUM_REQUIRE_KETI: "1" } });
    assert.match(
      failure({ env: { ATRIUM_LAKE_UR: "x" } }).message,
      /^ATRIUM_LAKE_UR .* Did you mean LAKE_URL\?$/,
    );
  });

  test("the engine on Spark needs its server", () => {
    assert.match(failure({ env: { ENGINE: "spark" } }).message, /^ENGINE=spark needs SPARK_REMOTE/);
    load({ env: { ENGINE: "spark", SPARK_REMOTE: "sc://spark:15002" } });
  });

  test("a log on Kafka needs brokers with ports, all acknowledgements, and a whole login or certificate", () => {
    const wrong = (env: Record<string, string>): string => failure({ env: { LOG: "kafka", ...env } }).message;
    const brokers = { KAFKA_BOOTSTRAP: "one:9092,two:9092" };
    assert.match(wrong({}), /LOG=kafka needs KAFKA_BOOTSTRAP/);
    assert.match(wrong({ KAFKA_BOOTSTRAP: "one:9092,two" }), /two has no port/);
    assert.match(wrong({ ...brokers, ACKS: "1" }), /ACKS=1 would lose messages/);
    assert.match(wrong({ ...brokers, KAFKA_SECURITY: "sasl_ssl", KAFKA_USERNAME: "u" }), /needs a login/);
    assert.match(wrong({ ...brokers, KAFKA_CERT_FILE: "cert.pem" }), /belong together/);
    const config = load({ env: { LOG: "kafka", ...brokers, ACKS: "-1" } });
    assert.deepEqual([config.log.kind, config.kafka.bootstrap], ["kafka", ["one:9092", "two:9092"]]);
  });

  test("a share of the partitions is i/n with i below n", () => {
    assert.deepEqual(load({ env: { INGEST_SHARD: "1/2" } }).ingestShard, { index: 1, count: 2 });
    for (const INGEST_SHARD of ["2/2", "1", "a/b", "0/0", "-1/2"]) {
      assert.match(failure({ env: { INGEST_SHARD } }).message, /^INGEST_SHARD=/);
    }
  });

  test("a setting that a command needs is asked for by flag and variable", () => {
    assert.match(failure({ needs: ["SOURCE_URL"] }).message, /^SOURCE_URL is not set: give --raw DIR/);
    load({ needs: ["SOURCE_URL"], env: { SOURCE_URL: "raw" } });
  });

  test("a raw folder that is the lake, and a topic of two types, are refused", () => {
    assert.match(failure({ env: { SOURCE_URL: "x", LAKE_URL: "./x" } }).message, /folder of its own/);
    assert.match(failure({ env: { AWS_ACCESS_KEY_ID: "x" } }).message, /give both or neither/);
    assert.match(failure({ env: { S3_SSE_KMS_KEY_ID: "x" } }).message, /set it to aws:kms/);
    assert.match(failure({ env: { TOPIC_CO2: "t", TOPIC_PIR: "t" } }).message, /topic t/);
  });

  test("a line break in a value does not break the line of its problem", () => {
    assert.equal(failure({ env: { LOG_LEVEL: "a\nb" } }).message.split("\n").length, 1);
  });
});

describe("secrets", () => {
  const env = {
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "very-secret",
    API_KEYS: "key-one-1,key-two-2",
  };

  test("a secret is given by reveal only, and shown as *** everywhere else", () => {
    const config = load({ env });
    assert.equal(config.s3.secretAccessKey?.reveal(), "very-secret");
    assert.deepEqual(
      config.api.keys.map((key) => key.reveal()),
      ["key-one-1", "key-two-2"],
    );
    const shown = [
      inspect(config, { depth: 9, showHidden: true }),
      JSON.stringify(config),
      String(config.s3.secretAccessKey),
    ];
    shown.push(JSON.stringify(describeConfig(config)));
    for (const text of shown) {
      assert.doesNotMatch(text, /very-secret|key-one|key-two/);
      assert.match(text, /\*\*\*/);
    }
  });

  test("a wrong secret is not shown either, and a secret is never a flag", () => {
    const error = failure({ env: { API_KEYS: "short,key-two-2" } });
    assert.match(error.message, /^API_KEYS=\*\*\* \(environment\) is not allowed/);
    assert.doesNotMatch(inspect(error), /short,|key-two/);
    assert.equal(flagOf("API_KEYS"), undefined);
    assert.equal(flagOf("AWS_SECRET_ACCESS_KEY"), undefined);
  });
});

test("describeConfig has a line for every field", () => {
  const lines = new Map(describeConfig(load()).map(({ name, value }) => [name, value]));
  assert.equal(lines.get("lake.url"), "/somewhere/lake");
  assert.equal(lines.get("source.url"), "(not set)");
  assert.equal(lines.get("log.topics")?.includes("iot.co2"), true);
});

test(".env.example is what the table of settings says (UPDATE_ENV_EXAMPLE=1 writes it anew)", () => {
  const file = join(import.meta.dirname, "../.env.example");
  if (process.env["UPDATE_ENV_EXAMPLE"] === "1") writeFileSync(file, envExample());
  const text = readFileSync(file, "utf8");
  assert.equal(text, envExample());
  for (const name of SETTING_NAMES) assert.ok(text.includes(`\n#${name}=`), name);
  // Copied as it is, or with every line switched on, it is a valid file.
  load({ envFileText: text });
  load({ envFileText: text.replaceAll(/^#([A-Z0-9_]+=)/gm, "$1") });
});

test("a version or a time: numbers are versions, days begin at midnight, times are UTC unless they say otherwise", () => {
  const read = (text: string): unknown => versionOrTime.parse(text, { cwd: "." });
  const noon = Date.UTC(2026, 10, 24, 12);
  assert.deepEqual(read("12"), { value: { version: 12 } });
  assert.deepEqual(read("2026-11-24"), { value: { timeMs: Date.UTC(2026, 10, 24) } });
  for (const text of [
    "2026-11-24T12:00",
    "2026-11-24 12:00:00",
    "2026-11-24T12:00:00.000z",
    "2026-11-24T14:00+02:00",
  ]) {
    assert.deepEqual(read(text), { value: { timeMs: noon } }, text);
  }
  for (const text of [
    "",
    "-1",
    "1.5",
    "2026-02-30",
    "2026-11-24T25:00",
    "24.11.2026",
    "now",
    "2026-11-24T12",
  ]) {
    assert.ok("problem" in versionOrTime.parse(text, { cwd: "." }), text);
  }
});
