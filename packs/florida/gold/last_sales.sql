-- The last sale of each parcel, and the last one at a market price
-- as: table
-- uses: all_sales
-- column last_sale_year: Year of the last sale of any kind
-- column last_sale_date: Its month, where that is known
-- column last_sale_price: Its price
-- column last_market_date: Month of the last sale at a market price
-- column last_market_price: Its price
-- column sales: How many sales are known
WITH ranked AS (
  SELECT co_no, parcel_id, sale_yr, sale_date, price, is_market,
    row_number() OVER (PARTITION BY co_no, parcel_id
      ORDER BY sale_yr DESC, sale_date DESC NULLS LAST, price DESC, document COLLATE "C") AS place,
    row_number() OVER (PARTITION BY co_no, parcel_id, is_market
      ORDER BY sale_yr DESC, sale_date DESC NULLS LAST, price DESC, document COLLATE "C") AS market_place
  FROM {gold.all_sales} AS s
)
SELECT co_no, parcel_id,
  max(CASE WHEN place = 1 THEN sale_yr END) AS last_sale_year,
  max(CASE WHEN place = 1 THEN sale_date END) AS last_sale_date,
  max(CASE WHEN place = 1 THEN price END) AS last_sale_price,
  max(CASE WHEN is_market AND market_place = 1 THEN sale_date END) AS last_market_date,
  max(CASE WHEN is_market AND market_place = 1 THEN price END) AS last_market_price,
  count(*) AS sales
FROM ranked GROUP BY co_no, parcel_id
