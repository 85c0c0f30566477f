-- Each parcel of each roll against its peers: median, z-score and percentile by city, neighbourhood and use code
-- as: table
-- needs: parcels(co_no, parcel_id, asmnt_yr, phy_city, nbrhd_cd, dor_uc, jv, tot_lvg_area)
-- uses: value_statistics
-- column jv: Just value
-- column value_per_sqft: Just value by square foot of living area
-- column city_median: Median just value of the city in this roll
-- column city_z: How many standard deviations the just value stands above the mean of the city
-- column city_percentile: Share of the other parcels of the city with a lower just value, 0 to 1
-- column neighbourhood_median: The same for the neighbourhood
-- column neighbourhood_z: The same for the neighbourhood
-- column neighbourhood_percentile: The same for the neighbourhood
-- column use_median: The same for parcels of the use code
-- column use_z: The same for parcels of the use code
-- column use_percentile: The same for parcels of the use code
-- column sqft_neighbourhood_median: Median just value per square foot of the neighbourhood
-- column sqft_neighbourhood_z: Standard deviations of the value per square foot above the mean of the neighbourhood
-- column sqft_use_median: Median just value per square foot of the use code
-- column sqft_use_z: Standard deviations of the value per square foot above the mean of the use code
WITH valued AS (
  SELECT co_no, parcel_id, asmnt_yr, upper(trim(phy_city)) AS city, nbrhd_cd, dor_uc, jv,
    CASE WHEN tot_lvg_area > 0
      THEN floor(CAST(jv AS DOUBLE PRECISION) / tot_lvg_area * 100 + 0.5) / 100 END AS value_per_sqft
  FROM {parcels} AS p WHERE jv > 0
), placed AS (
  SELECT v.*,
    percent_rank() OVER (PARTITION BY co_no, asmnt_yr, city ORDER BY jv) AS city_place,
    percent_rank() OVER (PARTITION BY co_no, asmnt_yr, nbrhd_cd ORDER BY jv) AS neighbourhood_place,
    percent_rank() OVER (PARTITION BY co_no, asmnt_yr, dor_uc ORDER BY jv) AS use_place
  FROM valued AS v
)
SELECT v.co_no, v.parcel_id, v.asmnt_yr, v.jv, v.value_per_sqft,
  c.median AS city_median, (v.jv - c.mean) / nullif(c.stddev, 0) AS city_z,
  CASE WHEN v.city IS NOT NULL THEN v.city_place END AS city_percentile,
  n.median AS neighbourhood_median, (v.jv - n.mean) / nullif(n.stddev, 0) AS neighbourhood_z,
  CASE WHEN v.nbrhd_cd IS NOT NULL THEN v.neighbourhood_place END AS neighbourhood_percentile,
  u.median AS use_median, (v.jv - u.mean) / nullif(u.stddev, 0) AS use_z,
  CASE WHEN v.dor_uc IS NOT NULL THEN v.use_place END AS use_percentile,
  ns.median AS sqft_neighbourhood_median,
  (v.value_per_sqft - ns.mean) / nullif(ns.stddev, 0) AS sqft_neighbourhood_z,
  us.median AS sqft_use_median, (v.value_per_sqft - us.mean) / nullif(us.stddev, 0) AS sqft_use_z
FROM placed AS v
LEFT JOIN {gold.value_statistics} AS c ON c.co_no = v.co_no AND c.asmnt_yr = v.asmnt_yr
  AND c.peer_group = v.city AND c.peers = 'city' AND c.measure = 'just value'
LEFT JOIN {gold.value_statistics} AS n ON n.co_no = v.co_no AND n.asmnt_yr = v.asmnt_yr
  AND n.peer_group = v.nbrhd_cd AND n.peers = 'neighbourhood' AND n.measure = 'just value'
LEFT JOIN {gold.value_statistics} AS u ON u.co_no = v.co_no AND u.asmnt_yr = v.asmnt_yr
  AND u.peer_group = v.dor_uc AND u.peers = 'use' AND u.measure = 'just value'
LEFT JOIN {gold.value_statistics} AS ns ON ns.co_no = v.co_no AND ns.asmnt_yr = v.asmnt_yr
  AND ns.peer_group = v.nbrhd_cd AND ns.peers = 'neighbourhood'
  AND ns.measure = 'just value per square foot'
LEFT JOIN {gold.value_statistics} AS us ON us.co_no = v.co_no AND us.asmnt_yr = v.asmnt_yr
  AND us.peer_group = v.dor_uc AND us.peers = 'use' AND us.measure = 'just value per square foot'
