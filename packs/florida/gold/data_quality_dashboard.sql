-- Rolls by county and year: what was read and refused, how complete the rows are, a score from 0 to 100
-- as: table
-- needs: parcels(co_no, asmnt_yr, county_name, jv, own_name, own_addr1, phy_addr1, dor_uc, act_yr_blt, tot_lvg_area, lnd_sqfoot)
-- column parcels: Rows of the table
-- column read_rows: Rows that finished loads of this county and year have read
-- column refused_rows: Rows they have refused
-- column refused_share: Share of refused rows
-- column last_load: End of the last finished load
-- column with_value: Share of rows with a just value above 0
-- column with_owner: Share of rows with an owner
-- column with_mailing_address: Share of rows with a mailing address
-- column with_address: Share of rows with a street address
-- column with_use: Share of rows with a use code
-- column with_year_built: Share of rows with a year built; vacant land has none
-- column with_living_area: Share of rows with a living area; vacant land has none
-- column with_land_area: Share of rows with a land area; condominium units have none
-- column score: 100 times the mean of the shares with value, owner, mailing address, address and use, less the share refused
WITH held AS (
  SELECT co_no, asmnt_yr, max(county_name) AS county_name, count(*) AS n,
    sum(CASE WHEN jv > 0 THEN 1 ELSE 0 END) AS valued, count(own_name) AS owners,
    count(own_addr1) AS mailed, count(phy_addr1) AS addressed, count(dor_uc) AS used,
    count(act_yr_blt) AS built, count(tot_lvg_area) AS living, count(lnd_sqfoot) AS land
  FROM {parcels} AS p GROUP BY co_no, asmnt_yr
), loads AS (
  SELECT scope, CAST(sum(read) AS BIGINT) AS read_rows, CAST(sum(rejected) AS BIGINT) AS refused_rows,
    max(finished) AS last_load
  FROM etl.inputs WHERE status = 'done' AND "table" = {name:parcels} GROUP BY scope
), shared AS (
  SELECT h.*, l.read_rows, l.refused_rows, l.last_load,
    CAST(l.refused_rows AS DOUBLE PRECISION) / nullif(l.read_rows, 0) AS refused_share,
    CAST(valued AS DOUBLE PRECISION) / n AS with_value, CAST(owners AS DOUBLE PRECISION) / n AS with_owner,
    CAST(mailed AS DOUBLE PRECISION) / n AS with_mailing_address,
    CAST(addressed AS DOUBLE PRECISION) / n AS with_address, CAST(used AS DOUBLE PRECISION) / n AS with_use,
    CAST(built AS DOUBLE PRECISION) / n AS with_year_built,
    CAST(living AS DOUBLE PRECISION) / n AS with_living_area, CAST(land AS DOUBLE PRECISION) / n AS with_land_area
  FROM held AS h LEFT JOIN loads AS l
    ON l.scope = '{"asmnt_yr":"' || CAST(h.asmnt_yr AS VARCHAR) || '","co_no":"' || CAST(h.co_no AS VARCHAR) || '"}'
)
SELECT co_no, asmnt_yr, county_name, n AS parcels, read_rows, refused_rows, refused_share, last_load, with_value,
  with_owner, with_mailing_address, with_address, with_use, with_year_built, with_living_area, with_land_area,
  100 * greatest(0, (with_value + with_owner + with_mailing_address + with_address + with_use) / 5
    - coalesce(refused_share, 0)) AS score
FROM shared
