-- Sales by county and month: how many, and the prices of those at market
-- as: table
-- uses: all_sales
-- column month: First day of the month
-- column sales: All sales of the month
-- column market_sales: Sales at a market price of one parcel; the prices are theirs
-- column mean_price: Mean
-- column median_price: Median
-- column lowest_price: Lowest
-- column highest_price: Highest
-- column volume: Sum of prices in dollars
WITH market AS (
  SELECT co_no, sale_date, price,
    row_number() OVER (PARTITION BY co_no, sale_date ORDER BY price) AS place,
    count(*) OVER (PARTITION BY co_no, sale_date) AS n
  FROM {gold.all_sales} AS s WHERE is_market AND sale_date IS NOT NULL
), priced AS (
  SELECT co_no, sale_date, n, CAST(sum(price) AS BIGINT) AS volume, min(price) AS lowest, max(price) AS highest,
    CAST(sum(CASE WHEN 2 * place IN (n, n + 1, n + 2) THEN price END) AS DOUBLE PRECISION)
      / sum(CASE WHEN 2 * place IN (n, n + 1, n + 2) THEN 1 END) AS median
  FROM market GROUP BY co_no, sale_date, n
), counted AS (
  SELECT co_no, sale_date, count(*) AS sales FROM {gold.all_sales} AS s
  WHERE sale_date IS NOT NULL GROUP BY co_no, sale_date
)
SELECT c.co_no, c.sale_date AS month, c.sales, coalesce(p.n, 0) AS market_sales,
  CAST(p.volume AS DOUBLE PRECISION) / p.n AS mean_price, p.median AS median_price,
  p.lowest AS lowest_price, p.highest AS highest_price, p.volume
FROM counted AS c LEFT JOIN priced AS p ON p.co_no = c.co_no AND p.sale_date = c.sale_date
