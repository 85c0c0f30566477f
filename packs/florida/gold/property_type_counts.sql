-- Parcels of the newest rolls by county and use; the use ALL is the whole county
-- as: table
-- needs: parcels(co_no, parcel_id, asmnt_yr, use_kind, jv, sale_yr1, act_yr_blt)
-- uses: latest_parcels
-- param new_from: 2021
-- param old_before: 1980
-- column use_kind: Kind of use, or ALL
-- column parcels: How many
-- column total_value: Sum of just values
-- column mean_value: Mean
-- column lowest_value: Lowest
-- column highest_value: Highest
-- column with_sales: Parcels with a sale in the roll
-- column new_buildings: Built in 2021 or later, unless told otherwise
-- column old_buildings: Built before 1980, unless told otherwise
WITH counted AS (
  SELECT co_no, coalesce(use_kind, '(unknown)') AS use_kind, jv, sale_yr1, act_yr_blt
  FROM {gold.latest_parcels} AS p WHERE in_newest_roll
  UNION ALL
  SELECT co_no, 'ALL', jv, sale_yr1, act_yr_blt FROM {gold.latest_parcels} AS p WHERE in_newest_roll
)
SELECT co_no, use_kind, count(*) AS parcels, CAST(sum(jv) AS BIGINT) AS total_value,
  CAST(sum(jv) AS DOUBLE PRECISION) / nullif(count(jv), 0) AS mean_value, min(jv) AS lowest_value,
  max(jv) AS highest_value, count(sale_yr1) AS with_sales,
  sum(CASE WHEN act_yr_blt >= $new_from THEN 1 ELSE 0 END) AS new_buildings,
  sum(CASE WHEN act_yr_blt < $old_before THEN 1 ELSE 0 END) AS old_buildings
FROM counted GROUP BY co_no, use_kind
