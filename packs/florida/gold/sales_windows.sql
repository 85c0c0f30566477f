-- Market sales in windows, by months and by number of sales, tumbling and sliding
-- as: table
-- uses: all_sales
-- param months: 12
-- param sales: 100
-- column kind: tumbling months: calendar windows beside each other; sliding months: up to each month; tumbling sales: that many sales each; sliding sales: up to each sale
-- column window_no: Number of the window in the county, from 1
-- column first_month: Month of the first sale that falls into it
-- column last_month: Month of the last
-- column sales: How many
-- column is_whole: The window is as wide as asked for: nothing before or behind it is missing
-- column volume: Sum of prices in dollars
-- column mean_price: Mean price
-- column lowest_price: Lowest
-- column highest_price: Highest
WITH market AS (
  SELECT co_no, parcel_id, sale_date, price, document,
    CAST(extract(year FROM sale_date) * 12 + extract(month FROM sale_date) AS BIGINT) - 1 AS month_no
  FROM {gold.all_sales} AS s WHERE is_market AND sale_date IS NOT NULL
), ordered AS (
  SELECT co_no, sale_date, price, month_no,
    row_number() OVER (PARTITION BY co_no ORDER BY month_no, parcel_id COLLATE "C", document COLLATE "C", price) AS place,
    min(month_no) OVER (PARTITION BY co_no) AS first_no, max(month_no) OVER (PARTITION BY co_no) AS last_no,
    count(*) OVER (PARTITION BY co_no) AS n
  FROM market
), monthly AS (
  SELECT co_no, month_no, first_no, last_no, min(sale_date) AS sale_date, count(*) AS n, sum(price) AS volume,
    min(price) AS lowest, max(price) AS highest
  FROM ordered GROUP BY co_no, month_no, first_no, last_no
), tumbling_months AS (
  SELECT co_no, (month_no - mod(month_no, $months)) AS start_no, min(sale_date) AS first_month,
    max(sale_date) AS last_month, sum(n) AS n, sum(volume) AS volume, min(lowest) AS lowest,
    max(highest) AS highest, min(first_no) AS first_no, max(last_no) AS last_no
  FROM monthly GROUP BY co_no, month_no - mod(month_no, $months)
), sliding_months AS (
  SELECT co_no, month_no, first_no, min(sale_date) OVER w AS first_month, sale_date AS last_month, sum(n) OVER w AS n,
    sum(volume) OVER w AS volume, min(lowest) OVER w AS lowest, max(highest) OVER w AS highest
  FROM monthly
  WINDOW w AS (PARTITION BY co_no ORDER BY month_no RANGE BETWEEN ($months - 1) PRECEDING AND CURRENT ROW)
), tumbling_sales AS (
  SELECT co_no, place - 1 - mod(place - 1, $sales) AS start_no, min(sale_date) AS first_month,
    max(sale_date) AS last_month, count(*) AS n, sum(price) AS volume, min(price) AS lowest,
    max(price) AS highest
  FROM ordered GROUP BY co_no, place - 1 - mod(place - 1, $sales)
), sliding_sales AS (
  SELECT co_no, place, min(sale_date) OVER w AS first_month, sale_date AS last_month, count(*) OVER w AS n,
    sum(price) OVER w AS volume, min(price) OVER w AS lowest, max(price) OVER w AS highest
  FROM ordered
  WINDOW w AS (PARTITION BY co_no ORDER BY place ROWS BETWEEN ($sales - 1) PRECEDING AND CURRENT ROW)
), windows AS (
  SELECT co_no, 'tumbling months' AS kind, row_number() OVER (PARTITION BY co_no ORDER BY start_no) AS window_no,
    first_month, last_month, n, start_no >= first_no AND start_no + $months - 1 <= last_no AS is_whole,
    volume, lowest, highest
  FROM tumbling_months
  UNION ALL
  SELECT co_no, 'sliding months', row_number() OVER (PARTITION BY co_no ORDER BY month_no), first_month,
    last_month, n, month_no - $months + 1 >= first_no, volume, lowest, highest FROM sliding_months
  UNION ALL
  SELECT co_no, 'tumbling sales', row_number() OVER (PARTITION BY co_no ORDER BY start_no), first_month,
    last_month, n, n = $sales, volume, lowest, highest FROM tumbling_sales
  UNION ALL
  SELECT co_no, 'sliding sales', place, first_month, last_month, n, n = $sales, volume, lowest, highest
  FROM sliding_sales
)
SELECT co_no, kind, CAST(window_no AS BIGINT) AS window_no, first_month, last_month,
  CAST(n AS BIGINT) AS sales, is_whole, CAST(volume AS BIGINT) AS volume,
  CAST(volume AS DOUBLE PRECISION) / n AS mean_price, lowest AS lowest_price, highest AS highest_price
FROM windows
