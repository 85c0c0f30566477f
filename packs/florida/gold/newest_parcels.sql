-- In which roll each parcel stands last
-- as: table
-- needs: parcels(co_no, parcel_id, asmnt_yr)
-- column co_no: County number
-- column parcel_id: Parcel
-- column asmnt_yr: Newest roll year that has the parcel
-- column in_newest_roll: That is the newest roll of the county; false: the parcel is gone since
SELECT co_no, parcel_id, max(asmnt_yr) AS asmnt_yr,
  max(asmnt_yr) = max(max(asmnt_yr)) OVER (PARTITION BY co_no) AS in_newest_roll
FROM {parcels} AS p GROUP BY co_no, parcel_id
