// Makes the code of Spark Connect's messages anew, offline, from the definitions inside the server's own jar.
//
//   node services/spark-protos.ts [FOLDER]    default: src/adapters/spark/connect/proto
//
// Needs what `npm run services -- install spark` leaves, and unzip. Run it when the version of Spark in spark.ts changes.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { mustRun } from "./program.ts";
import { connectJar } from "./spark-packages.ts";

const ROOT = join(import.meta.dirname, "..");
const BIN = join(ROOT, "node_modules/.bin");
const SECONDS_MAX = 120;
/** What the client speaks; the rest of the jar's definitions (Google's services, examples of plug-ins) is not needed. */
const WANTED = [
  "spark/connect/*.proto",
  "google/protobuf/*.proto",
  "google/rpc/status.proto",
  "google/rpc/error_details.proto",
];
const TEMPLATE = JSON.stringify({
  version: "v2",
  plugins: [
    {
      local: join(BIN, "protoc-gen-es"),
      out: "made",
      opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
    },
  ],
});

const target = resolve(process.argv[2] ?? join(ROOT, "src/adapters/spark/connect/proto"));
const folder = mkdtempSync(join(tmpdir(), "spark-protos-"));
try {
  const options = { secondsMax: SECONDS_MAX, cwd: folder };
  await mustRun("unzip", ["-q", "-o", connectJar(), ...WANTED, "-d", join(folder, "definitions")], options);
  for (const name of ["google/protobuf/java_features.proto", "spark/connect/example_plugins.proto"]) {
    rmSync(join(folder, "definitions", name), { force: true });
  }
  writeFileSync(join(folder, "buf.gen.yaml"), TEMPLATE);
  await mustRun(join(BIN, "buf"), ["generate", "definitions"], options);
  rmSync(target, { recursive: true, force: true });
  // Those of google/protobuf come with @bufbuild/protobuf.
  for (const name of ["spark", "google/rpc"]) {
    cpSync(join(folder, "made", name), join(target, name), { recursive: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
