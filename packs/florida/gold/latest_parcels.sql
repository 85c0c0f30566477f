-- Each parcel as the newest roll that has it tells it
-- as: view
-- needs: parcels(co_no, parcel_id, asmnt_yr)
-- uses: newest_parcels
-- column in_newest_roll: The parcel stands in the newest roll of its county; false: it is gone since
-- column co_no: County number; all columns of parcels follow
SELECT n.in_newest_roll, p.*
FROM {parcels} AS p
JOIN {gold.newest_parcels} AS n
  ON n.co_no = p.co_no AND n.parcel_id = p.parcel_id AND n.asmnt_yr = p.asmnt_yr
