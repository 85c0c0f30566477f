-- Counties by roll year: parcels, values, homesteads, new buildings
-- as: table
-- needs: parcels(co_no, asmnt_yr, county_name, jv, av_sd, tv_sd, lnd_val, homestead, absentee_owner, nconst_val, act_yr_blt, sale_yr1)
-- uses: value_statistics
-- column parcels: Parcels of the roll
-- column just_value: Sum of just values in dollars
-- column assessed_value: Sum of assessed values for school levies
-- column taxable_value: Sum of taxable values for school levies
-- column median_value: Median just value of parcels that have one
-- column mean_value: Their mean
-- column homestead_share: Share of parcels with a homestead
-- column absentee_share: Share of parcels whose owner does not seem to live there, of those that say
-- column new_construction: Sum of new construction values
-- column built_lately: Parcels built in the three years before the roll year
-- column sold: Parcels with a sale in the roll
SELECT p.co_no, p.asmnt_yr, max(p.county_name) AS county_name, count(*) AS parcels,
  CAST(sum(p.jv) AS BIGINT) AS just_value, CAST(sum(p.av_sd) AS BIGINT) AS assessed_value,
  CAST(sum(p.tv_sd) AS BIGINT) AS taxable_value,
  max(v.median) AS median_value, max(v.mean) AS mean_value,
  CAST(sum(CASE WHEN p.homestead THEN 1 ELSE 0 END) AS DOUBLE PRECISION) / count(*) AS homestead_share,
  CAST(sum(CASE WHEN p.absentee_owner THEN 1 ELSE 0 END) AS DOUBLE PRECISION)
    / nullif(count(p.absentee_owner), 0) AS absentee_share,
  CAST(sum(p.nconst_val) AS BIGINT) AS new_construction,
  sum(CASE WHEN p.act_yr_blt BETWEEN p.asmnt_yr - 3 AND p.asmnt_yr THEN 1 ELSE 0 END) AS built_lately,
  count(p.sale_yr1) AS sold
FROM {parcels} AS p
LEFT JOIN {gold.value_statistics} AS v ON v.co_no = p.co_no AND v.asmnt_yr = p.asmnt_yr
  AND v.peers = 'county' AND v.measure = 'just value'
GROUP BY p.co_no, p.asmnt_yr
