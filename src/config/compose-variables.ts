// The variables of .env that are for compose.yaml alone: Atrium knows them, so that both may read one file.

/** What each is for, with its default; those without one are credentials, which `make up` makes. */
export const COMPOSE_VARIABLES: Readonly<
  Record<string, { readonly doc: string; readonly default?: string }>
> = {
  COMPOSE_PROFILES: {
    doc: "The containers to start: default, kafka or full (make up PROFILE=…).",
    default: "default",
  },
  RAW_FOLDER: { doc: "Folder of raw files that Atrium's container replays, in place of SOURCE_URL." },
  BIND_ADDRESS: {
    doc: "Address of this machine that the containers' ports are opened on; API_PORT is that of the API.",
    default: "127.0.0.1",
  },
  KAFKA_PORT: { doc: "Port of Kafka.", default: "9092" },
  KAFKA_UI_PORT: { doc: "Port of the page that shows what is in Kafka.", default: "8080" },
  S3_PORT: { doc: "Port of the S3 server.", default: "7070" },
  SPARK_PORT: { doc: "Port of the Spark Connect server.", default: "15002" },
  AIRFLOW_PORT: { doc: "Port of Airflow's page; the user is admin.", default: "8081" },
  S3_SERVER_ACCESS_KEY: { doc: "Access key of the S3 server." },
  S3_SERVER_SECRET_KEY: { doc: "Secret key of the S3 server." },
  AIRFLOW_PASSWORD: { doc: "Password of Airflow's user admin: letters, digits, dashes and dots." },
  AIRFLOW_JWT_SECRET: { doc: "Secret that signs the tokens of Airflow's parts." },
};
