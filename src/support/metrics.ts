// PORT: what Atrium counts about itself. Every metric is a row of the table; docs/operate/metrics.md explains each.
//
// Labels have few values: topics, partitions, tables, stages, reasons, codes. Rooms and sensors never are labels.

/** A metric: its kind, the names of its labels, what it says. */
export interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly unit: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** All metrics by name. Names and labels are kept from version to version. */
export const METRICS = {
  atrium_build_info: gauge("none", ["version"], "Always 1; the label is the version of the program."),
  atrium_log_messages_appended_total: counter("messages", ["topic"], "Messages appended to the log."),
  atrium_log_bytes_appended_total: counter("bytes", ["topic"], "Bytes of the messages appended to the log."),
  atrium_log_messages_read_total: counter(
    "messages",
    ["topic"],
    "Messages read from the log, those read again included.",
  ),
  atrium_log_bytes_read_total: counter("bytes", ["topic"], "Bytes of the messages read from the log."),
  atrium_lag_messages: gauge(
    "messages",
    ["topic", "partition"],
    "Messages of a partition that bronze has not committed: end of the log less the committed position.",
  ),
  atrium_freshness_seconds: gauge(
    "seconds",
    [],
    "Time since the newest message that bronze has committed entered the log.",
  ),
  atrium_readings_ingested_total: counter("readings", [], "Readings committed to bronze/readings."),
  atrium_messages_rejected_total: counter(
    "messages",
    ["reason"],
    "Messages that are no readings, committed to bronze/rejected, by reason.",
  ),
  atrium_rows_refined_total: counter(
    "rows",
    ["outcome"],
    "Bronze rows taken to silver: added, or left out because silver has the reading already.",
  ),
  atrium_batch_duration_seconds: histogram(
    "seconds",
    ["stage"],
    "Time to write and commit one batch: ingest, refine, or one making of gold.",
  ),
  atrium_commits_total: counter("commits", ["table"], "Versions committed by this process."),
  atrium_commit_conflicts_total: counter(
    "commits",
    ["table", "code"],
    "Commits refused because another writer was faster: COMMIT_CONFLICT or COMMIT_OVERTAKEN.",
  ),
  atrium_committed_bytes_total: counter("bytes", ["table"], "Bytes of the data files that commits added."),
  atrium_table_version: gauge("none", ["table"], "Newest committed version of a table."),
  atrium_table_files: gauge("files", ["table"], "Live data files of a table."),
  atrium_table_bytes: gauge("bytes", ["table"], "Bytes of the live data files of a table."),
  atrium_query_duration_seconds: histogram(
    "seconds",
    ["table"],
    "Time of a query of the API, waiting in line included.",
  ),
  atrium_query_failures_total: counter(
    "queries",
    ["table", "code"],
    "Queries of the API that failed, by error code.",
  ),
  atrium_http_requests_total: counter(
    "requests",
    ["route", "status"],
    "Requests answered, by the pattern of their path (none for paths that do not exist) and status.",
  ),
  atrium_retries_total: counter(
    "requests",
    ["system"],
    "Requests to S3 or Kafka that failed and were sent again.",
  ),
  atrium_disk_free_bytes: gauge(
    "bytes",
    [],
    "Free disk where the lake is, or the copies of its files if it is on S3.",
  ),
  atrium_disk_size_bytes: gauge("bytes", [], "Size of that disk."),
  atrium_look_failures_total: counter(
    "looks",
    ["part"],
    "Scrapes that could not look at a part (log, lake, disk); its gauges are left out then.",
  ),
  process_resident_memory_bytes: gauge("bytes", [], "Memory that the process holds (resident set)."),
  process_cpu_seconds_total: counter("seconds", [], "Processor time of the process, user and system."),
  process_start_time_seconds: gauge("seconds", [], "When the process started, s since 1970."),
} as const satisfies Readonly<Record<string, Metric>>;

type Table = typeof METRICS;
type NamesOf<Kind extends Metric["kind"]> = {
  [Name in keyof Table]: Table[Name]["kind"] extends Kind ? Name : never;
}[keyof Table];

/** Name of a metric. */
export type MetricName = keyof Table;

/** Values of all labels of a metric. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<Table[Name]["labels"][number], string>>;

/** What is looked at when metrics are read: a part by name, the gauges that it sets, and how. */
export interface Look {
  /** For the count of failures. */
  readonly part: string;
  /** Removed before each look: what cannot be looked at has no value, not an old one. */
  readonly gauges: readonly NamesOf<"gauge">[];
  look(): Promise<void>;
}

/** Where the parts of a process count. Nothing here throws or waits but `text`. */
export interface Metrics {
  /** Adds to a counter; `count` is 0 or more. */
  add<Name extends NamesOf<"counter">>(name: Name, count: number, labels: LabelsOf<Name>): void;
  /** Notes one duration, s. */
  observe<Name extends NamesOf<"histogram">>(name: Name, seconds: number, labels: LabelsOf<Name>): void;
  /** Sets a gauge. */
  set<Name extends NamesOf<"gauge">>(name: Name, value: number, labels: LabelsOf<Name>): void;
  /** Looks at a part whenever the metrics are read. */
  onRead(look: Look): void;
  /** All metrics in Prometheus's text format 0.0.4, after a look at each part of a few seconds at most. */
  text(): Promise<string>;
}

function counter<const Labels extends readonly string[]>(unit: string, labels: Labels, help: string) {
  return { kind: "counter", unit, labels, help } as const;
}

function gauge<const Labels extends readonly string[]>(unit: string, labels: Labels, help: string) {
  return { kind: "gauge", unit, labels, help } as const;
}

function histogram<const Labels extends readonly string[]>(unit: string, labels: Labels, help: string) {
  return { kind: "histogram", unit, labels, help } as const;
}
