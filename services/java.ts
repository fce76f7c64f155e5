// What services written in Java share: the programs, jars from Maven Central, certificates by keytool.

import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Package } from "./install.ts";
import { mustRun, type Program } from "./program.ts";

/** A library on Maven Central. */
export interface Artifact {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  /** Groups to leave out of what it depends on; `*`: all of them. */
  readonly without?: readonly string[];
}

/** A key and its certificate, which is its own authority. */
export interface Certificate {
  /** PKCS12. */
  readonly keyStoreFile: string;
  /** PEM. */
  readonly certificateFile: string;
  readonly password: string;
}

const MAVEN_SECONDS_MAX = 600;
/** The plugin's version is named too, so that a run does not depend on the version of Maven. */
const COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** Java itself: of JAVA_HOME, or else of the PATH. */
export const JAVA: Program = {
  title: "Java",
  command: javaOf("java"),
  versionArgs: ["-version"],
  versionMin: [17, 0],
  advice: "Install it (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk).",
};

/** Maven, only to install. */
export const MAVEN: Program = {
  title: "Maven",
  command: "mvn",
  versionArgs: ["--version"],
  versionMin: [3, 6],
  advice: "Install it (Debian: apt-get install maven; macOS: brew install maven).",
};

/** The compiler, only to install. */
export const JAVAC: Program = {
  title: "Java's compiler",
  command: javaOf("javac"),
  versionArgs: ["-version"],
  versionMin: [17, 0],
  advice: "Install it (Debian: apt-get install openjdk-17-jdk-headless; macOS: brew install openjdk).",
};

/** A program of the Java installation. */
export function javaOf(program: string): string {
  const home = process.env["JAVA_HOME"];
  return home === undefined || home === "" ? program : join(home, "bin", program);
}

/** A package of jars: the artifacts and all that they depend on. */
export function jarsOf(name: string, artifacts: readonly Artifact[]): Package {
  return {
    name,
    needs: [MAVEN],
    fill: async (folder) => {
      const pom = join(folder, "pom.xml");
      writeFileSync(pom, pomOf(name, artifacts));
      // -C: a download whose checksum is wrong is an error.
      const args = [
        "-q",
        "-B",
        "-C",
        "-f",
        pom,
        COPY_JARS,
        `-DoutputDirectory=${folder}`,
        "-DincludeScope=runtime",
      ];
      await mustRun("mvn", args, { secondsMax: MAVEN_SECONDS_MAX, cwd: folder });
      const jars = readdirSync(folder).filter((file) => file.endsWith(".jar"));
      if (jars.length < artifacts.length) throw new Error(`Maven left ${jars.length} jars in ${folder}`);
    },
  };
}

/** Makes a key for 127.0.0.1 and localhost, if it is not there: valid for ten years. */
export async function makeCertificate({
  keyStoreFile,
  certificateFile,
  password,
}: Certificate): Promise<void> {
  if (existsSync(certificateFile)) return;
  rmSync(keyStoreFile, { force: true });
  const store = [
    "-alias",
    "broker",
    "-keystore",
    keyStoreFile,
    "-storetype",
    "PKCS12",
    "-storepass:env",
    "STOREPASS",
  ];
  const key = ["-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=localhost", "-validity", "3650"];
  const extensions = ["-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc:c=ca:true"];
  const options = { secondsMax: 60, env: { STOREPASS: password } };
  await mustRun(javaOf("keytool"), ["-genkeypair", ...store, ...key, ...extensions], options);
  const part = `${certificateFile}.part`;
  await mustRun(javaOf("keytool"), ["-exportcert", "-rfc", "-file", part, ...store], options);
  renameSync(part, certificateFile);
}

function pomOf(name: string, artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    ({ group, artifact, version, without = [] }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
      `<exclusions>${without.map(exclusionOf).join("")}</exclusions></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>services</groupId><artifactId>${name}</artifactId><version>1</version>
  <dependencies>
    ${dependencies.join("\n    ")}
  </dependencies>
</project>
`;
}

function exclusionOf(group: string): string {
  return `<exclusion><groupId>${group}</groupId><artifactId>*</artifactId></exclusion>`;
}
