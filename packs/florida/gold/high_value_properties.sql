-- Parcels of the newest rolls above a just value, the highest first by their place in the county
-- as: view
-- needs: parcels(co_no, parcel_id, asmnt_yr, jv, own_name, phy_addr1, phy_city, phy_zipcd, use_label, use_category, tot_lvg_area, lnd_sqfoot)
-- uses: latest_parcels
-- param dollars: 1000000
-- column place_in_county: 1 is the highest just value of the county
SELECT co_no, parcel_id, asmnt_yr, jv,
  rank() OVER (PARTITION BY co_no ORDER BY jv DESC) AS place_in_county,
  own_name, phy_addr1, phy_city, phy_zipcd, use_label, use_category, tot_lvg_area, lnd_sqfoot
FROM {gold.latest_parcels} AS p
WHERE in_newest_roll AND jv > $dollars
