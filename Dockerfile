# Atrium's images. `atrium` is the program; `airflow` is Airflow that can start it; `spark` is a Spark Connect server that reads its lakes.
# Build: make build [PROFILE=full], or docker build --target atrium .

FROM node:26.10.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# Compiled, as in the published package: half the time to start of the TypeScript itself.
RUN npm run --silent build && npm prune --omit=dev --no-audit --no-fund --loglevel=error
COPY bin/atrium bin/

# Apache Airflow with the command `atrium`, for the DAGs of airflow/dags.
FROM apache/airflow:3.3.2 AS airflow
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app/package.json /opt/atrium/
COPY --from=build /app/bin /opt/atrium/bin
COPY --from=build /app/node_modules /opt/atrium/node_modules
COPY --from=build /app/dist /opt/atrium/dist
USER 0
# The program's own place, and one that the DAGs' database and logs may be written to.
RUN ln -s /opt/atrium/bin/atrium /usr/local/bin/atrium && mkdir -p /opt/airflow/state && chown 50000:0 /opt/airflow/state
USER 50000

# Apache Spark with Delta, Kafka and S3, for ENGINE=spark and for queries by Spark's own tools.
FROM apache/spark:4.0.1 AS spark
USER 0
ADD --chmod=644 https://repo1.maven.org/maven2/org/apache/spark/spark-sql-kafka-0-10_2.13/4.0.1/spark-sql-kafka-0-10_2.13-4.0.1.jar \
  https://repo1.maven.org/maven2/org/apache/spark/spark-token-provider-kafka-0-10_2.13/4.0.0/spark-token-provider-kafka-0-10_2.13-4.0.0.jar \
  https://repo1.maven.org/maven2/org/apache/kafka/kafka-clients/3.9.0/kafka-clients-3.9.0.jar \
  https://repo1.maven.org/maven2/org/apache/commons/commons-pool2/2.12.0/commons-pool2-2.12.0.jar \
  https://repo1.maven.org/maven2/io/delta/delta-spark_4.0_2.13/4.4.0/delta-spark_4.0_2.13-4.4.0.jar \
  https://repo1.maven.org/maven2/io/delta/delta-storage/4.4.0/delta-storage-4.4.0.jar \
  https://repo1.maven.org/maven2/org/apache/hadoop/hadoop-aws/3.4.1/hadoop-aws-3.4.1.jar \
  https://repo1.maven.org/maven2/software/amazon/awssdk/bundle/2.24.6/bundle-2.24.6.jar \
  /opt/spark/jars/
USER 185

FROM node:26.10.0-bookworm-slim AS atrium
LABEL org.opencontainers.image.title="Atrium" \
  org.opencontainers.image.description="A building's sensor readings, replayed into a lakehouse that answers questions." \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app/package.json /app/
COPY --from=build /app/bin /app/bin
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
# A new volume takes the owner from here.
RUN mkdir /data && chown 10001:10001 /data
ENV NODE_ENV=production LAKE_URL=/data/lake CACHE_DIR=/data/cache API_HOST=0.0.0.0 API_PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.API_PORT}/health/ready`, { signal: AbortSignal.timeout(5000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/app/dist/src/main.js"]
CMD ["up"]
