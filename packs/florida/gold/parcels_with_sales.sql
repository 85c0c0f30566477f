-- Parcels of the newest rolls with their last sale, and their last sale at a market price
-- as: view
-- needs: parcels(co_no, parcel_id, asmnt_yr, own_name, phy_addr1, phy_city, phy_zipcd, use_label, jv, tot_lvg_area)
-- uses: latest_parcels, last_sales
-- column last_sale_date: Month of the last sale of any kind
-- column last_sale_price: Its price
-- column last_market_date: Month of the last sale at a market price
-- column last_market_price: Its price
-- column known_sales: How many sales are known
-- column years_since_last_sale: From the year of the last sale to the roll year
SELECT p.co_no, p.parcel_id, p.asmnt_yr, p.own_name, p.phy_addr1, p.phy_city, p.phy_zipcd, p.use_label, p.jv,
  p.tot_lvg_area, s.last_sale_date, s.last_sale_price, s.last_market_date, s.last_market_price,
  coalesce(s.sales, 0) AS known_sales, p.asmnt_yr - s.last_sale_year AS years_since_last_sale
FROM {gold.latest_parcels} AS p
LEFT JOIN {gold.last_sales} AS s ON s.co_no = p.co_no AND s.parcel_id = p.parcel_id
WHERE p.in_newest_roll
