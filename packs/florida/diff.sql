-- What changed between two rolls of the same counties: parcels, splits, owners, values
-- as: table
-- needs: parcels(co_no, parcel_id, asmnt_yr, own_name, jv, lnd_sqfoot, phy_addr1, par_splt, twn, rng, sec)
-- param listed_percent: 5
-- param alert_percent: 20
-- param alert_dollars: 1000000
-- column co_no: County number
-- column parcel_id: Parcel
-- column change: new, retired, split, combined, owner or value
-- column level: listed, or alert for a change of value that is large in percent and in dollars
-- column was: Owner or just value before; empty for new parcels
-- column is_now: Owner or just value after; empty for retired parcels
-- column amount: Just value after less just value before; of a new or retired parcel its whole just value; empty where one is unknown
-- column share: The change of value as a share of the value before
-- column note: Address; for splits and combinations how it is known
-- note: A split is told by the roll's own flag (1 and the month, 2 for combined), where it is newer than the
-- note: roll before; or by area: one parcel of a section lost what new parcels of the same stem of ids have.
WITH before AS (SELECT * FROM {before} AS p), after AS (SELECT * FROM {after} AS p),
both_counties AS (
  SELECT DISTINCT co_no FROM before WHERE co_no IN (SELECT co_no FROM after)
), joined AS (
  SELECT coalesce(b.co_no, a.co_no) AS co_no, coalesce(b.parcel_id, a.parcel_id) AS parcel_id,
    b.parcel_id IS NOT NULL AS was_there, a.parcel_id IS NOT NULL AS is_there,
    b.jv AS old_jv, a.jv AS new_jv, b.own_name AS old_owner, a.own_name AS new_owner,
    b.lnd_sqfoot AS old_area, a.lnd_sqfoot AS new_area, coalesce(a.phy_addr1, b.phy_addr1) AS address,
    a.par_splt AS flag, b.par_splt AS old_flag, b.asmnt_yr AS old_year,
    coalesce(a.twn, b.twn) AS twn, coalesce(a.rng, b.rng) AS rng, coalesce(a.sec, b.sec) AS sec,
    substr(coalesce(b.parcel_id, a.parcel_id), 1,
      CAST(greatest(length(coalesce(b.parcel_id, a.parcel_id)) - 4, 1) AS INTEGER)) AS stem
  FROM before AS b FULL JOIN after AS a ON a.co_no = b.co_no AND a.parcel_id = b.parcel_id
), compared AS (
  SELECT j.* FROM joined AS j JOIN both_counties AS c ON c.co_no = j.co_no
), lost AS (
  -- Parcels that lost area or are gone, where only one of their stem did.
  SELECT co_no, stem, twn, rng, sec, max(parcel_id) AS parcel_id, max(address) AS address,
    sum(old_area - CASE WHEN is_there THEN coalesce(new_area, old_area) ELSE 0 END) AS area,
    max(CASE WHEN is_there THEN 1 ELSE 0 END) AS stays
  FROM compared
  WHERE was_there AND old_area > 0 AND twn IS NOT NULL
    AND (NOT is_there OR coalesce(new_area, old_area) < old_area)
  GROUP BY co_no, stem, twn, rng, sec HAVING count(*) = 1
), born AS (
  SELECT co_no, stem, twn, rng, sec, count(*) AS n, sum(new_area) AS area
  FROM compared WHERE is_there AND NOT was_there AND new_area > 0 AND twn IS NOT NULL
  GROUP BY co_no, stem, twn, rng, sec
), split AS (
  SELECT l.co_no, l.stem, l.twn, l.rng, l.sec, l.parcel_id, l.address, b.n
  FROM lost AS l JOIN born AS b ON b.co_no = l.co_no AND b.stem = l.stem AND b.twn = l.twn
    AND b.rng = l.rng AND b.sec = l.sec
  WHERE b.n + l.stays >= 2 AND abs(b.area - l.area) * 50 <= l.area
), flagged AS (
  SELECT c.*, CASE substr(flag, 1, 1) WHEN '1' THEN 'split' ELSE 'combined' END AS what
  FROM compared AS c
  WHERE is_there AND length(flag) = 5 AND substr(flag, 1, 1) IN ('1', '2')
    AND coalesce(flag <> old_flag, TRUE)
    AND substr(flag, 4, 2) >= substr(CAST(coalesce(old_year, 0) AS VARCHAR), 3, 2)
)
SELECT co_no, parcel_id, 'new' AS change, 'listed' AS level, CAST(NULL AS VARCHAR) AS was,
  new_owner AS is_now, new_jv AS amount, CAST(NULL AS DOUBLE PRECISION) AS share, address AS note
FROM compared WHERE NOT was_there
UNION ALL
SELECT co_no, parcel_id, 'retired', 'listed', old_owner, NULL, -old_jv, NULL, address
FROM compared WHERE NOT is_there
UNION ALL
SELECT co_no, parcel_id, what, 'listed', NULL, NULL, NULL, NULL,
  'flag ' || flag || coalesce(', ' || address, '')
FROM flagged
UNION ALL
SELECT s.co_no, s.parcel_id, 'split', 'listed', NULL, NULL, NULL, NULL,
  'by area, into ' || CAST(s.n AS VARCHAR) || ' new parcels of ' || s.stem || coalesce(', ' || s.address, '')
FROM split AS s
LEFT JOIN flagged AS f ON f.co_no = s.co_no AND f.parcel_id = s.parcel_id AND f.what = 'split'
WHERE f.parcel_id IS NULL
UNION ALL
SELECT co_no, parcel_id, 'owner', 'listed', old_owner, new_owner, new_jv - old_jv, NULL, address
FROM compared WHERE was_there AND is_there
  AND coalesce(upper(trim(old_owner)), '') <> coalesce(upper(trim(new_owner)), '')
UNION ALL
SELECT co_no, parcel_id, 'value',
  CASE WHEN abs(new_jv - old_jv) * 100 > old_jv * $alert_percent AND abs(new_jv - old_jv) > $alert_dollars
    THEN 'alert' ELSE 'listed' END,
  CAST(old_jv AS VARCHAR), CAST(new_jv AS VARCHAR), new_jv - old_jv,
  CASE WHEN old_jv > 0 THEN CAST(new_jv - old_jv AS DOUBLE PRECISION) / old_jv END, address
FROM compared WHERE was_there AND is_there AND (abs(new_jv - old_jv) * 100 > old_jv * $listed_percent
  -- A value that is gone, or was not there, is a change without a size.
  OR (old_jv IS NULL) <> (new_jv IS NULL))
