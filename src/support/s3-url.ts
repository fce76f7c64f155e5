// Addresses on S3, as users write them: s3://bucket/prefix.

/** A place in a bucket. */
export interface S3Place {
  readonly bucket: string;
  /** What the keys of everything there begin with: "" or text that ends in a slash. */
  readonly prefix: string;
}

/** True for what is meant to be on S3, right or wrong. */
export function isS3Url(text: string): boolean {
  return /^s3:\/\//i.test(text);
}

/** The place that an address means; undefined if its bucket or its prefix cannot be. */
export function parseS3Url(text: string): S3Place | undefined {
  const [, bucket, rest = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/i.exec(text) ?? [];
  if (bucket === undefined || bucket.includes("..")) return undefined;
  const parts = rest.replace(/\/$/, "").split("/");
  if (rest === "" || rest === "/") return { bucket, prefix: "" };
  const isPlain = parts.every((part) => part !== "" && part !== "." && part !== "..");
  return isPlain ? { bucket, prefix: `${parts.join("/")}/` } : undefined;
}

/** The address of a place, without a slash at its end. */
export function s3UrlOf({ bucket, prefix }: S3Place): string {
  return `s3://${bucket}/${prefix}`.replace(/\/$/, "");
}
