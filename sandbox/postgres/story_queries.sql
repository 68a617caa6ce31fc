-- The shop's probe queries, each under its name.

-- name: latest_orders
-- The newest orders of one customer: an index scan, if the planner knows how few they are.
SELECT * FROM orders WHERE customer_id = 4242 ORDER BY id DESC LIMIT 20;

-- name: pending_orders
-- Money still pending payout to the shops of each region, for orders that are done.
SELECT c.region, count(*), sum(o.total)
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'done' AND o.channel = 'web' AND o.country = 'PT'
GROUP BY c.region;

-- name: reconciliation
-- Joined by a text key without an index: a hash join with statistics, a nested loop over everything without.
SELECT count(*), sum(p.amount)
FROM payments p JOIN refunds r ON r.ref = p.ref
WHERE p.state = 'settled' AND p.provider = 'card' AND p.currency = 'EUR'
  AND r.state = 'settled' AND r.provider = 'card' AND r.currency = 'EUR';

-- name: date_window
-- Pending orders of a period that have a payment.
SELECT count(*)
FROM orders o JOIN payments p ON p.order_id = o.id
WHERE o.created_at >= '2021-06-01' AND o.status = 'pending';
