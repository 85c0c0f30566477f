-- Just values by county, city, neighbourhood and use code, over all rows of a roll
-- as: table
-- needs: parcels(co_no, asmnt_yr, phy_city, nbrhd_cd, dor_uc, jv, tot_lvg_area)
-- column co_no: County number
-- column asmnt_yr: Roll year
-- column peers: What the group is: county, city, neighbourhood or use
-- column peer_group: Name or code of the group; empty for the county
-- column measure: just value, or just value per square foot (of living area)
-- column parcels: Parcels with such a value above 0
-- column total: Sum of the values in dollars; empty for values per square foot
-- column mean: Mean
-- column stddev: Standard deviation of all parcels of the group
-- column minimum: Smallest
-- column p10: A tenth of the parcels have this value or less (a value that occurs)
-- column p25: A quarter
-- column median: Half; of an even number of parcels the mean of the middle two
-- column p75: Three quarters
-- column p90: Nine tenths
-- column maximum: Largest
-- note: All sums are of whole numbers (dollars, cents), so no order of rows can change a digit.
WITH amounts AS (
  SELECT co_no, asmnt_yr, phy_city, nbrhd_cd, dor_uc, 'just value' AS measure, jv AS amount, 1 AS unit
  FROM {parcels} AS p WHERE jv > 0
  UNION ALL
  SELECT co_no, asmnt_yr, phy_city, nbrhd_cd, dor_uc, 'just value per square foot',
    CAST(floor(CAST(jv AS DOUBLE PRECISION) / tot_lvg_area * 100 + 0.5) AS BIGINT), 100
  FROM {parcels} AS p WHERE jv > 0 AND tot_lvg_area > 0
), members AS (
  SELECT co_no, asmnt_yr, 'county' AS peers, '' AS peer_group, measure, amount, unit FROM amounts
  UNION ALL
  SELECT co_no, asmnt_yr, 'city', upper(trim(phy_city)), measure, amount, unit
  FROM amounts WHERE phy_city IS NOT NULL
  UNION ALL
  SELECT co_no, asmnt_yr, 'neighbourhood', nbrhd_cd, measure, amount, unit
  FROM amounts WHERE nbrhd_cd IS NOT NULL
  UNION ALL
  SELECT co_no, asmnt_yr, 'use', dor_uc, measure, amount, unit FROM amounts WHERE dor_uc IS NOT NULL
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY co_no, asmnt_yr, peers, peer_group, measure ORDER BY amount) AS place,
    count(*) OVER (PARTITION BY co_no, asmnt_yr, peers, peer_group, measure) AS n
  FROM members
), summed AS (
  SELECT co_no, asmnt_yr, peers, peer_group, measure, unit, n,
    sum(amount) AS total,
    sum(CAST(amount AS DECIMAL(19, 0)) * CAST(amount AS DECIMAL(19, 0))) AS squares,
    min(amount) AS minimum, max(amount) AS maximum,
    max(CASE WHEN 10 * (place - 1) < n AND n <= 10 * place THEN amount END) AS p10,
    max(CASE WHEN 4 * (place - 1) < n AND n <= 4 * place THEN amount END) AS p25,
    sum(CASE WHEN 2 * place IN (n, n + 1, n + 2) THEN amount END) AS middle,
    sum(CASE WHEN 2 * place IN (n, n + 1, n + 2) THEN 1 END) AS middles,
    max(CASE WHEN 4 * (place - 1) < 3 * n AND 3 * n <= 4 * place THEN amount END) AS p75,
    max(CASE WHEN 10 * (place - 1) < 9 * n AND 9 * n <= 10 * place THEN amount END) AS p90
  FROM ranked GROUP BY co_no, asmnt_yr, peers, peer_group, measure, unit, n
)
SELECT co_no, asmnt_yr, peers, peer_group, measure, CAST(n AS BIGINT) AS parcels,
  CASE WHEN unit = 1 THEN CAST(total AS BIGINT) END AS total,
  CAST(total AS DOUBLE PRECISION) / n / unit AS mean,
  sqrt(CAST(n * squares - total * total AS DOUBLE PRECISION)) / n / unit AS stddev,
  CAST(minimum AS DOUBLE PRECISION) / unit AS minimum,
  CAST(p10 AS DOUBLE PRECISION) / unit AS p10,
  CAST(p25 AS DOUBLE PRECISION) / unit AS p25,
  CAST(middle AS DOUBLE PRECISION) / middles / unit AS median,
  CAST(p75 AS DOUBLE PRECISION) / unit AS p75,
  CAST(p90 AS DOUBLE PRECISION) / unit AS p90,
  CAST(maximum AS DOUBLE PRECISION) / unit AS maximum
FROM summed
