-- A small shop's database. On it, plans made without statistics are disastrous: see story_queries.sql.
-- Runs as it is at full size (about 3.3 million rows); sandbox/postgres/story.py sets other sizes beforehand.
SELECT set_config(name, coalesce(nullif(current_setting(name, true), ''), full_size), false)
FROM (VALUES ('story.customers', '200000'), ('story.orders', '3000000'),
             ('story.payments', '100000'), ('story.refunds', '3000')) AS sizes(name, full_size);

CREATE TABLE customers (
    id int PRIMARY KEY, name text, region text, plan text, active bool, created_at timestamptz
);
INSERT INTO customers
SELECT g, 'c' || g, (ARRAY['eu', 'us', 'ap'])[1 + g % 3], CASE WHEN g % 100 = 0 THEN 'pro' ELSE 'free' END, true,
       '2020-01-01'::timestamptz + g * interval '1 min'
FROM generate_series(1, current_setting('story.customers')::int) AS g;

-- However many orders there are, they spread over the same 694 days.
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, channel text NOT NULL,
    country text NOT NULL, created_at timestamptz NOT NULL, total numeric(10, 2)
);
INSERT INTO orders
SELECT g, 1 + g % current_setting('story.customers')::int, CASE WHEN g % 1000 = 0 THEN 'pending' ELSE 'done' END,
       'web', 'PT', '2021-01-01'::timestamptz + g * interval '20 s' * (3000000.0 / current_setting('story.orders')::int),
       (g % 10000) / 100.0
FROM generate_series(1, current_setting('story.orders')::int) AS g;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_created ON orders (created_at);

CREATE TABLE payments (
    id bigint PRIMARY KEY, ref text NOT NULL, state text NOT NULL, provider text NOT NULL, currency text NOT NULL,
    amount numeric(10, 2), order_id bigint NOT NULL
);
INSERT INTO payments
SELECT g, 'p' || g, 'settled', 'card', 'EUR', 1,
       g * (current_setting('story.orders')::int / current_setting('story.payments')::int)
FROM generate_series(1, current_setting('story.payments')::int) AS g;

CREATE TABLE refunds (
    id bigint PRIMARY KEY, ref text NOT NULL, state text NOT NULL, provider text NOT NULL, currency text NOT NULL,
    amount numeric(10, 2)
);
INSERT INTO refunds
SELECT g, 'p' || g * 15, 'settled', 'card', 'EUR', 1
FROM generate_series(1, current_setting('story.refunds')::int) AS g;

ANALYZE;
