-- One row for each parcel of the newest rolls with what the other gold tables know of it
-- as: view
-- needs: parcels(co_no, parcel_id, asmnt_yr, own_name, own_addr1, own_zipcd)
-- uses: latest_parcels, last_sales, property_valuations, owner_portfolios
-- column owner_parcels: Parcels of the owner
-- column owner_total_value: Sum of their just values
-- column co_no: County number; the columns of the parcel and of its valuation follow
SELECT p.*, s.last_sale_date, s.last_sale_price, s.last_market_date, s.last_market_price,
  coalesce(s.sales, 0) AS known_sales, o.parcels AS owner_parcels, o.total_value AS owner_total_value,
  v.city_median, v.city_z, v.city_percentile, v.neighbourhood_median, v.neighbourhood_z,
  v.neighbourhood_percentile, v.use_median, v.use_z, v.use_percentile, v.sqft_neighbourhood_median,
  v.sqft_neighbourhood_z
FROM {gold.latest_parcels} AS p
LEFT JOIN {gold.last_sales} AS s ON s.co_no = p.co_no AND s.parcel_id = p.parcel_id
LEFT JOIN {gold.property_valuations} AS v
  ON v.co_no = p.co_no AND v.parcel_id = p.parcel_id AND v.asmnt_yr = p.asmnt_yr
LEFT JOIN {gold.owner_portfolios} AS o ON o.owner = upper(trim(p.own_name))
  AND o.mailing_address = coalesce(upper(trim(p.own_addr1)), '')
  AND o.mailing_zip = coalesce(substr(p.own_zipcd, 1, 5), '')
WHERE p.in_newest_roll
