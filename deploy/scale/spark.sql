-- What failed, where, and since when: queries for Spark over the rows of `handshark read … --parquet rows/`.
--
--     spark-sql -f deploy/scale/spark.sql        in the directory that holds rows/
--
-- date, site and sensor are folders: a condition on them leaves files unread. Rows that came twice are counted once.
SET TIME ZONE 'UTC';

CREATE OR REPLACE TEMPORARY VIEW handshake_rows USING parquet OPTIONS (path 'rows/handshakes');
CREATE OR REPLACE TEMPORARY VIEW incident_rows USING parquet OPTIONS (path 'rows/incidents');

CREATE OR REPLACE TEMPORARY VIEW handshakes AS
SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY site, sensor, handshake.id ORDER BY handshake.provisional) AS copy FROM handshake_rows)
WHERE copy = 1;

CREATE OR REPLACE TEMPORARY VIEW incidents AS
SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY site, id ORDER BY last_seen DESC, failed DESC) AS copy FROM incident_rows)
WHERE copy = 1;

-- Incidents, the gravest first.
SELECT site, cause, server_name, servers, failed, attempts, clients_total, first_seen, last_seen
FROM incidents ORDER BY failed DESC, first_seen LIMIT 20;

-- Failures by day, site, cause and server.
SELECT date, site, diagnosis.cause AS cause, server.ip AS server_ip, server.port AS port, count(*) AS failed, count(DISTINCT client.ip) AS clients,
       min(handshake.start) AS first_seen, max(handshake.start) AS last_seen
FROM handshakes WHERE handshake.class = 'failed' GROUP BY ALL ORDER BY failed DESC, first_seen LIMIT 20;

-- The share of failures, by hour and site. Probes and what the capture leaves open count on neither side.
SELECT date_trunc('HOUR', handshake.start) AS hour, site, count_if(handshake.class = 'failed') AS failed, count(*) AS attempts,
       round(100 * count_if(handshake.class = 'failed') / count(*), 2) AS percent
FROM handshakes WHERE handshake.class NOT IN ('probe', 'undecided') GROUP BY ALL ORDER BY hour, site;

-- Servers by the time that handshakes take, in microseconds.
SELECT server.ip AS server_ip, server.port AS port, count(*) AS handshakes, median(handshake.timing.total_us) AS median_us,
       percentile(handshake.timing.total_us, 0.95) AS p95_us
FROM handshakes WHERE handshake.timing.total_us IS NOT NULL GROUP BY ALL ORDER BY p95_us DESC LIMIT 20;

-- Certificates that end within thirty days of when they were served last.
SELECT tls.server.x509.subject.distinguished_name AS subject, tls.server.x509.not_after AS not_after, count(*) AS served, collect_set(site) AS sites
FROM handshakes WHERE tls.server.x509.not_after < handshake.start + INTERVAL 30 DAYS GROUP BY ALL ORDER BY not_after;
