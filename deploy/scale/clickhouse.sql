-- What failed, where, and since when: queries for ClickHouse over the rows of `handshark read … --parquet rows/`.
--
--     clickhouse local --multiquery < deploy/scale/clickhouse.sql        in the directory that holds rows/
--
-- In a store: s3('https://STORE/BUCKET/rows/handshakes/date=*/site=*/sensor=*/*.parquet', …) in place of file(…). date, site and sensor are folders: a
-- condition on them leaves files unread. Rows that came twice are counted once.
CREATE VIEW handshakes AS
SELECT * FROM file('rows/handshakes/date=*/site=*/sensor=*/*.parquet', Parquet)
ORDER BY handshake.provisional LIMIT 1 BY site, sensor, handshake.id
SETTINGS use_hive_partitioning = 1;

CREATE VIEW incidents AS
SELECT * FROM file('rows/incidents/date=*/site=*/*.parquet', Parquet)
ORDER BY last_seen DESC, failed DESC LIMIT 1 BY site, id
SETTINGS use_hive_partitioning = 1;

-- Incidents, the gravest first.
SELECT site, cause, server_name, servers, failed, attempts, clients_total, first_seen, last_seen
FROM incidents ORDER BY failed DESC, first_seen LIMIT 20;

-- Failures by day, site, cause and server.
SELECT date, site, diagnosis.cause AS cause, server.ip AS server_ip, server.port AS port, count() AS failed, uniqExact(client.ip) AS clients,
       min(handshake.start) AS first_seen, max(handshake.start) AS last_seen
FROM handshakes WHERE handshake.class = 'failed' GROUP BY ALL ORDER BY failed DESC, first_seen LIMIT 20;

-- The share of failures, by hour and site. Probes and what the capture leaves open count on neither side.
SELECT toStartOfHour(handshake.start) AS hour, site, countIf(handshake.class = 'failed') AS failed, count() AS attempts, round(100 * failed / attempts, 2) AS percent
FROM handshakes WHERE handshake.class NOT IN ('probe', 'undecided') GROUP BY ALL ORDER BY hour, site;

-- Servers by the time that handshakes take, in microseconds.
SELECT server.ip AS server_ip, server.port AS port, count() AS handshakes, median(handshake.timing.total_us) AS median_us,
       quantile(0.95)(handshake.timing.total_us) AS p95_us
FROM handshakes WHERE handshake.timing.total_us IS NOT NULL GROUP BY ALL ORDER BY p95_us DESC LIMIT 20;

-- Certificates that end within thirty days of when they were served last.
SELECT tls.server.x509.subject.distinguished_name AS subject, tls.server.x509.not_after AS not_after, count() AS served, groupUniqArray(site) AS sites
FROM handshakes WHERE tls.server.x509.not_after < handshake.start + INTERVAL 30 DAY GROUP BY ALL ORDER BY not_after;
