-- Every known sale once: those of the sales files, and from the two sale slots of the rolls those that no sales file has
-- as: table
-- optional: sales(co_no, parcel_id, sale_date, sale_yr, sale_prc, qual_cd, qualified, multi_parcel, vi_cd, sale_document)
-- optional: parcels(co_no, parcel_id, asmnt_yr, sale_yr1, sale_date1, sale_prc1, qual_cd1, qualified1, multi_par_sal1, vi_cd1, sale_document1, sale_yr2, sale_date2, sale_prc2, qual_cd2, qualified2, multi_par_sal2, vi_cd2, sale_document2)
-- column co_no: County number
-- column parcel_id: Parcel sold
-- column sale_yr: Year of the sale
-- column sale_date: Month of the sale, written as its first day; empty where only the year is known
-- column price: Price in dollars; in a sale of several parcels the whole price stands on each
-- column qual_cd: Qualification code
-- column qualified: Judged at arm's length (codes 01-06)
-- column multi_parcel: One deed sold several parcels
-- column improved: There was a building
-- column document: Recording reference
-- column is_market: A market price of this parcel alone: at arm's length, not of several parcels, 1,000 dollars or more
-- column source: sales: from a sales file; roll: from a sale slot of the roll
WITH slots AS (
  SELECT co_no, parcel_id, asmnt_yr, sale_yr1 AS sale_yr, sale_date1 AS sale_date, sale_prc1 AS price,
    qual_cd1 AS qual_cd, qualified1 AS qualified,
    (multi_par_sal1 IS NOT NULL OR coalesce(qual_cd1 = '05', FALSE)) AS multi_parcel,
    vi_cd1 AS vi_cd, sale_document1 AS document
  FROM {parcels} AS p WHERE sale_yr1 IS NOT NULL AND sale_prc1 IS NOT NULL
  UNION ALL
  SELECT co_no, parcel_id, asmnt_yr, sale_yr2, sale_date2, sale_prc2, qual_cd2, qualified2,
    (multi_par_sal2 IS NOT NULL OR coalesce(qual_cd2 = '05', FALSE)), vi_cd2, sale_document2
  FROM {parcels} AS p WHERE sale_yr2 IS NOT NULL AND sale_prc2 IS NOT NULL
), numbered AS (
  -- The same sale stands in the rolls of two years; the newer roll counts.
  SELECT *, row_number() OVER (PARTITION BY co_no, parcel_id, sale_yr, sale_date, price
    ORDER BY asmnt_yr DESC, document COLLATE "C", qual_cd COLLATE "C", vi_cd COLLATE "C", multi_parcel) AS place
  FROM slots
), found AS (
  SELECT co_no, parcel_id, sale_yr, sale_date, sale_prc AS price, qual_cd, qualified, multi_parcel,
    vi_cd, sale_document AS document, 'sales' AS source
  FROM {sales} AS s WHERE sale_prc IS NOT NULL
  UNION ALL
  SELECT n.co_no, n.parcel_id, n.sale_yr, n.sale_date, n.price, n.qual_cd, n.qualified, n.multi_parcel,
    n.vi_cd, n.document, 'roll'
  FROM numbered AS n
  LEFT JOIN (SELECT DISTINCT co_no, parcel_id, sale_yr, sale_date, sale_prc FROM {sales} AS t) AS s
    ON s.co_no = n.co_no AND s.parcel_id = n.parcel_id AND s.sale_yr = n.sale_yr
      AND s.sale_prc = n.price AND coalesce(s.sale_date = n.sale_date, TRUE)
  WHERE n.place = 1 AND s.co_no IS NULL
)
SELECT co_no, parcel_id, sale_yr, sale_date, price, qual_cd, coalesce(qualified, FALSE) AS qualified,
  multi_parcel, vi_cd = 'I' AS improved, document,
  coalesce(qualified, FALSE) AND NOT multi_parcel AND price >= 1000 AS is_market, source
FROM found
