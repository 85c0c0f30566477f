-- Pairs of market sales of the same parcel, one after the other: change of price, yearly growth, flips
-- as: table
-- uses: all_sales
-- param flip_months: 24
-- param flip_percent: 30
-- column previous_date: Month of the earlier sale
-- column previous_price: Its price
-- column sale_date: Month of the later sale
-- column price: Its price
-- column months: Months between
-- column change: Price less previous price, as a share of the previous one
-- column yearly_growth: The same as growth by year; empty for sales within the same month
-- column is_flip: Sold again soon at a much higher price (24 months, 30 percent unless told otherwise)
-- column sale_number: Which market sale of the parcel the later one is, from 2
-- column market_sales: How many market sales of the parcel are known
WITH market AS (
  SELECT co_no, parcel_id, sale_date, price, document,
    CAST(extract(year FROM sale_date) * 12 + extract(month FROM sale_date) AS BIGINT) AS month_no
  FROM {gold.all_sales} AS s WHERE is_market AND sale_date IS NOT NULL
), paired AS (
  SELECT co_no, parcel_id, sale_date, price, month_no,
    lag(sale_date) OVER o AS previous_date, lag(price) OVER o AS previous_price,
    lag(month_no) OVER o AS previous_month, row_number() OVER o AS sale_number,
    count(*) OVER (PARTITION BY co_no, parcel_id) AS market_sales
  FROM market WINDOW o AS (PARTITION BY co_no, parcel_id ORDER BY month_no, price, document COLLATE "C")
)
SELECT co_no, parcel_id, previous_date, previous_price, sale_date, price,
  month_no - previous_month AS months,
  CAST(price - previous_price AS DOUBLE PRECISION) / previous_price AS change,
  CASE WHEN month_no > previous_month THEN
    power(CAST(price AS DOUBLE PRECISION) / previous_price,
      CAST(12 AS DOUBLE PRECISION) / (month_no - previous_month)) - 1 END AS yearly_growth,
  month_no - previous_month <= $flip_months
    AND (price - previous_price) * 100 > previous_price * $flip_percent AS is_flip,
  sale_number, market_sales
FROM paired WHERE previous_price IS NOT NULL
