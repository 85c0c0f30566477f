-- Sales of the last months before the newest sale of the county, with the parcel as the newest roll has it
-- as: view
-- needs: parcels(co_no, parcel_id, asmnt_yr, phy_addr1, phy_city, phy_zipcd, use_label, jv, tot_lvg_area)
-- uses: all_sales, latest_parcels
-- param months: 6
-- column months_ago: Whole months before the newest sale of the county; 0: the same month
-- column price_to_value: Price as a share of just value, for market prices
-- column price_per_sqft: Price by square foot of living area, for market prices
WITH dated AS (
  SELECT s.*, CAST(extract(year FROM sale_date) * 12 + extract(month FROM sale_date) AS BIGINT) AS month_no
  FROM {gold.all_sales} AS s WHERE sale_date IS NOT NULL
), newest AS (
  SELECT d.*, max(month_no) OVER (PARTITION BY co_no) - month_no AS months_ago FROM dated AS d
)
SELECT s.co_no, s.parcel_id, s.sale_date, s.months_ago, s.price, s.qual_cd, s.qualified, s.multi_parcel,
  s.is_market, s.document, s.source, p.phy_addr1, p.phy_city, p.phy_zipcd, p.use_label, p.jv,
  CASE WHEN s.is_market AND p.jv > 0 THEN CAST(s.price AS DOUBLE PRECISION) / p.jv END AS price_to_value,
  CASE WHEN s.is_market AND p.tot_lvg_area > 0
    THEN CAST(s.price AS DOUBLE PRECISION) / p.tot_lvg_area END AS price_per_sqft
FROM newest AS s
LEFT JOIN {gold.latest_parcels} AS p ON p.co_no = s.co_no AND p.parcel_id = s.parcel_id
WHERE s.months_ago < $months
