-- Owners with their parcels in the newest rolls; an owner is a name at a mailing address
-- as: table
-- needs: parcels(co_no, parcel_id, asmnt_yr, own_name, own_addr1, own_zipcd, owner_kind, jv, homestead, phy_city)
-- uses: latest_parcels
-- column owner: Name, upper case, without needless blanks
-- column mailing_address: First line of the mailing address
-- column mailing_zip: First five characters of its ZIP code
-- column owner_kind: person, company, trust or government, as far as the name says
-- column parcels: How many parcels
-- column counties: In how many counties
-- column cities: In how many cities
-- column homesteads: How many of them are homesteads
-- column total_value: Sum of just values in dollars
-- column largest_value: Largest just value
SELECT upper(trim(own_name)) AS owner, coalesce(upper(trim(own_addr1)), '') AS mailing_address,
  coalesce(substr(own_zipcd, 1, 5), '') AS mailing_zip, max(owner_kind) AS owner_kind,
  count(*) AS parcels, count(DISTINCT co_no) AS counties,
  count(DISTINCT CAST(co_no AS VARCHAR) || ' ' || upper(trim(phy_city))) AS cities,
  sum(CASE WHEN homestead THEN 1 ELSE 0 END) AS homesteads,
  CAST(sum(jv) AS BIGINT) AS total_value, max(jv) AS largest_value
FROM {gold.latest_parcels} AS p
WHERE in_newest_roll AND own_name IS NOT NULL
GROUP BY upper(trim(own_name)), coalesce(upper(trim(own_addr1)), ''), coalesce(substr(own_zipcd, 1, 5), '')
