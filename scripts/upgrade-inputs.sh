#!/bin/sh
# Writes the input files of the upgrade fixtures (fixtures/upgrade/inputs), the same bytes every time.
# All names and values are made up. `scripts/upgrade-fixtures.sh` loads them with an old build.
#
#   scripts/upgrade-inputs.sh
#
# Needs awk, gzip and zip. The larger files are kept gzipped; who loads them unpacks them first.
set -eu
cd "$(dirname -- "$0")/.."
to=$PWD/fixtures/upgrade/inputs
rm -rf "$to"
mkdir -p "$to/wards" "$to/parts/a" "$to/parts/b" "$to/replay"
cd "$to"

# Sales of a county: sales COUNTY FIRST COUNT PRICE DAMAGE. Prices begin at PRICE; every DAMAGE-th price is
# no number (0: none). One key stands twice, one month has lost its zero; with
# damage one code is not known.
sales() {
    awk -v county="$1" -v first="$2" -v count="$3" -v price="$4" -v damage="$5" 'BEGIN {
        printf "CO_NO,PARCEL_ID,ASMNT_YR,ATV_STRT,GRP_NO,DOR_UC,NBRHD_CD,MKT_AR,CENSUS_BK,SALE_ID_CD,"
        printf "SAL_CHG_CD,VI_CD,OR_BOOK,OR_PAGE,CLERK_NO,QUAL_CD,SALE_YR,SALE_MO,SALE_PRC,"
        printf "MULTI_PAR_SAL,RS_ID,MP_ID,STATE_PARCEL_ID\r\n"
        for (n = first; n < first + count; n++) {
            id = n == first + 9 && count > 20 ? n - 1 : n
            value = damage && n % damage == damage - 1 ? "much" : price + n * 100
            month = n == first + 3 ? "4" : sprintf("%02d", n % 12 + 1)
            code = damage && n == first + 5 ? "77" : "01"
            printf "%s,4741%08d,2025,1,3,001,1100.%02d,1,,99%07d,,I,,,%09d,%s,2024,%s,%s,,1B9C,%08d,\r\n",
                county, id / 3, n % 7, id, id, code, month, value, id
        }
    }'
}

# Parcels of a county: parcels COUNTY FIRST COUNT VALUE DAMAGE. Every DAMAGE-th value is no number.
parcels() {
    awk -v county="$1" -v first="$2" -v count="$3" -v value="$4" -v damage="$5" 'BEGIN {
        printf "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,DOR_UC,JV,AV_SD,LND_VAL,OWN_NAME,OWN_ADDR1,OWN_CITY,"
        printf "OWN_STATE,OWN_ZIPCD,PHY_ADDR1,PHY_CITY,PHY_ZIPCD,NOTE\r\n"
        for (n = first; n < first + count; n++) {
            jv = damage && n % damage == damage - 1 ? "N/K" : value + (n % 5 ? n : n * 3) * 1000
            id = county == 23 ? sprintf("4741%09d", n) : sprintf("4741%08d", n)
            owner = n % 4 ? sprintf("ROE RICHARD %d", n) : sprintf("DOE JANE %d & DOE JOHN", n)
            printf "%s,%s,R,2025,001,%s,%s,1000,%s,%d Northwest  5th Street,DAVIE,FL,33314-0123,", \
                county, id, jv, value, owner, n
            printf "%d NW 5 ST,DAVIE,33314,%s\r\n", n, n % 3 ? "" : "seen " n
        }
    }'
}

# Rows of an unknown table: readings FIRST COUNT SHIFT. One row has a field too many.
readings() {
    awk -v first="$1" -v count="$2" -v shift="$3" 'BEGIN {
        print "no,station,taken,value,checked,remark"
        for (n = first; n < first + count; n++) {
            printf "%d,S%02d,2024-%02d-%02d,%d.%02d,%s,%s%s\n", n, n % 13, n % 12 + 1, n % 28 + 1,
                n + shift, n * 7 % 100, n % 2 ? "true" : "false", n % 5 ? "" : "as read on site " n,
                n == first + 17 ? ",x" : ""
        }
    }'
}

# A sheet from CSV without quotes: numbers are numbers, other texts are texts.
sheet() {
    awk -F, 'BEGIN {
        printf "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
        printf "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>"
    } {
        printf "<row r=\"%d\">", NR
        for (n = 1; n <= NF; n++) {
            place = sprintf("%c%d", 64 + n, NR)
            if ($n == "") continue
            if ($n ~ /^-?[0-9]+(\.[0-9]+)?$/) printf "<c r=\"%s\"><v>%s</v></c>", place, $n
            else printf "<c r=\"%s\" t=\"inlineStr\"><is><t>%s</t></is></c>", place, $n
        }
        printf "</row>"
    } END { printf "</sheetData></worksheet>" }'
}

# A workbook of the CSV files of the current folder, one sheet each.
workbook() {
    name=$1
    shift
    base=http://schemas.openxmlformats.org
    mkdir -p book/_rels book/xl/_rels book/xl/worksheets
    head='<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    types="$head
<Types xmlns=\"$base/package/2006/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/><Override PartName=\"/xl/workbook.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>"
    sheets= rels= n=0
    for csv in "$@"; do
        n=$((n + 1))
        sheet <"$csv" >"book/xl/worksheets/sheet$n.xml"
        rm "$csv"
        types="$types<Override PartName=\"/xl/worksheets/sheet$n.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/>"
        sheets="$sheets<sheet name=\"${csv%.csv}\" sheetId=\"$n\" r:id=\"rId$n\"/>"
        rels="$rels<Relationship Id=\"rId$n\" Type=\"$base/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet$n.xml\"/>"
    done
    echo "$types</Types>" >'book/[Content_Types].xml'
    echo "$head
<Relationships xmlns=\"$base/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"$base/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>" >book/_rels/.rels
    echo "$head
<workbook xmlns=\"$base/spreadsheetml/2006/main\" xmlns:r=\"$base/officeDocument/2006/relationships\"><sheets>$sheets</sheets></workbook>" >book/xl/workbook.xml
    echo "$head
<Relationships xmlns=\"$base/package/2006/relationships\">$rels</Relationships>" >book/xl/_rels/workbook.xml.rels
    find book -exec touch -d '2024-01-01 00:00:00 UTC' {} +
    (cd book && TZ=UTC zip -X -q -D "../$name" '[Content_Types].xml' _rels/.rels xl/workbook.xml \
        xl/_rels/workbook.xml.rels xl/worksheets/*.xml)
    rm -r book
}

# Rolls: preliminary, final and second release; two counties; one county replaced.
sales 16 0 60 100000 20 >SDF16P202501.csv
sales 16 0 65 100000 0 | sed '/,4741000000[01][0-4],/!s/,1\([0-9]\{5\}\),,1B9C/,2\1,,1B9C/' >SDF16F202501.csv
sales 16 2 68 150000 0 >SDF16S202501.csv
sales 74 0 30 90000 10 >SDF74P202501.csv
sales 74 2 29 91000 10 >SDF74S202501.csv
sales 74 1 33 92000 10 >SDF74F202501.csv
parcels 16 1 30 50000 11 >NAL16P202501.csv
parcels 16 1 25 60000 0 >NAL16F202501.csv
parcels 23 1 20 70000 9 >NAL23P202501.csv
parcels 74 1 12 40000 0 >NAL74P202501.csv
# Later releases for the new build.
sales 16 0 70 100000 0 | sed 's/,1\([0-9]\{5\}\),,1B9C/,3\1,,1B9C/' >SDF16F202502.csv
parcels 23 1 22 75000 0 >NAL23F202501.csv
sales 16 0 30 120000 10 | sed 's/,2025,/,2024,/; s/,2024,\([0-9][0-9]\),/,2023,\1,/; s/,2024,4,/,2023,4,/' >told.csv

# Plain tables.
cat >permits.csv <<'CSV'
no,opened,last_seen,cost,share,open,note
1,2024-01-31,2024-01-31 12:30:15,1200.50,0.25,true,"roof, front"
2,2024-02-29,1999-12-31 23:59:59.125,-0.05,1e-7,false,"two
lines and a ""quote"""
3,,,,,,
4,1899-12-31,1970-01-01 00:00:00,99999999.99,-12.5,true,Señor Ñandú 🏠
5,2024-03-01,2024-03-01 08:00:00,7.00,0.5,true,one field too many,x
6,2024-03-02,2024-03-02 08:00:00,8.10,1.5,false,  padded  
CSV
cat >permits_2025.csv <<'CSV'
no,opened,last_seen,cost,share,open,note
7,2025-01-31,2025-01-31 12:30:15,10.25,2e-3,true,added
8,2025-02-28,2025-02-28 00:00:01,11.00,2.5,false,added
CSV
cat >permits_2026.csv <<'CSV'
no,opened,last_seen,cost,share,open,note
9,2026-01-31,2026-01-31 12:30:15,12.25,1e-9,true,added by the new build
CSV
printf 'id,grade\n1,A\n2,B\n3,C\n' >inspections.csv
printf 'id,grade\n1,B\n4,D\n' >inspections_2025.csv
printf 'id,grade\n5,E\n' >inspections_2026.csv
readings 1 40 0 | sed 's/,x$//; s/^12,\(.*\),[0-9.]*,\(true\|false\)/12,\1,5,\2,x/; s/^33,/33,33,/' >meters.csv
readings 1 40 7 | sed 's/,x$//; s/^12,/12,12,/; s/^33,/33,33,/' >gauges_over.csv
printf 'code,name\n1,one\n2,two\n1,again\n' >codes.csv
cat >unique.toml <<'TOML'
[[rule]]
id = "one_code"
level = "critical"
columns = ["code"]
unique = true
message = "code stands twice"
TOML
cat >warn.toml <<'TOML'
[rules]
"SDF-07" = "warning"

[[rule]]
id = "cheap"
level = "warning"
kinds = ["sdf"]
columns = ["sale_prc"]
ok = "sale_prc > 91000"
message = "sold for {sale_prc}"
TOML
cat >lenient.csv <<'CSV'
id,name,size
1,short
2,long,5,6
3,"whole",7
id,name,size
4,end,8,
CSV
printf '1|Ada|2001-02-03\n2|Bob|2002-03-04\n' >bars.txt
printf 'id,town\n1,Saint-\311loi\n2,M\374nchen\n' >latin.csv
printf 'id,size\n1,5\n2,6\n3,7\n4,8\n5,nine\n' >limited.csv
printf 'id,code,price\n1,X-7,"1.234,50"\n2,X-12,-\n3, X-5 ,n/a\n' >dirty.csv
cat >clean.toml <<'TOML'
keep_raw = true

[[clean]]
columns = ["price"]
null = ["n/a", "-"]
as = "number"
decimal = ","
group = "."

[[clean]]
columns = ["code"]
replace = [{ find = "^X-", with = "", regex = true }]
pad = { width = 4 }
TOML
printf 'id,text\n1,  blanks  \n2,NULL\n3,plain\n' >written.csv
printf 'id,name\n1,a\n2,b\n' >minimal.csv
printf 'id,first,city\n1,Ann,Davie\n2,Bo,Davie\n' >people.csv
printf 'Sale $,Ref\n10,a\n20,b\n' >money.csv
printf 'Sale $,Ref\n30,c\n' >money_2026.csv
printf 'name,name,Name \nx,y,z\n' >repeated.csv
printf 'id,size\n1,2\n3,4\n' >dotted.csv
printf 'id,size\n5,6\n' >dotted_2026.csv
printf 'id,part\n1,a\n2,b\n' >a_very_long_name_of_a_file_that_a_server_cuts_behind_its_63rd_byte_2024.csv
printf 'id;label\n1;semi\n2;colon\n' >semicolons.csv
printf 'Report of 2024\n\nid,total\n1,5\n2,6\n' >titled.csv
printf 'k,v\n1,piped\n2,in\n' >piped.csv
printf 'id,name\n1,north\n' >wards/north.csv
printf 'id,size\n2,5\n' >wards/south.csv
printf 'id,v\n1,a\n' >parts/a/pieces.csv
printf 'id,v\n2,b\n' >parts/b/pieces.csv
printf 'id,label\n1,longer than ten\n2,short\n' >labels.csv
printf 'id,name\n1,server\n2,schema\n' >staff_of_prod.csv
printf 'id,place\n1,here\n' >unpacked.csv
printf 'id,owner\n2,there\n' >unpacked_owners.csv
touch -d '2024-01-01 00:00:00 UTC' unpacked.csv unpacked_owners.csv
TZ=UTC zip -X -q packed.zip unpacked.csv unpacked_owners.csv
rm unpacked.csv unpacked_owners.csv
printf 'id,squeezed\n1,yes\n2,no\n' >squeezed.csv
touch -d '2024-01-01 00:00:00 UTC' squeezed.csv
TZ=UTC zip -X -q squeezed.zip squeezed.csv
rm squeezed.csv
cp ../../parquet/types.parquet types.parquet
cat >points.csv <<'CSV'
parcel_id,latitude,longitude
474100000001,29.05,-81.02
474100000002,29.06,-81.03
474100000099,29.07,-81.04
CSV
cat >zones.geojson <<'JSON'
{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"ZONE":"AE"},"geometry":{"type":"Polygon","coordinates":[[[-81.025,29.04],[-81.01,29.04],[-81.01,29.06],[-81.025,29.06],[-81.025,29.04]]]}}]}
JSON
printf 'id,name,born\n1,Ann,1980\n2,Bo,1990\n' >Staff.csv
printf 'id,name,born\n3,Cy,1985\n4,Di,1995\n' >Former.csv
printf 'room,seats\nA 1,4\nA 2,12.5\n,\n' >Rooms.csv
workbook offices.xlsx Staff.csv Former.csv Rooms.csv

# Larger files, for loads that are killed.
sales 18 0 1500 100000 50 | gzip -9n >SDF18P202501.csv.gz
sales 74 0 400 100000 2 | gzip -9n >replay/SDF74P202501.csv.gz
parcels 18 1 250 50000 25 | gzip -9n >NAL18P202501.csv.gz
parcels 18 1 400 50000 0 | sed 's/^\(18,4741[0-9]*[37],.*\),1000,ROE/\1,1100,ROE/' | gzip -9n >NAL18F202501.csv.gz
readings 1 1500 0 | gzip -9n >readings.csv.gz
readings 1 200 0 | sed 's/,x$//' | gzip -9n >gauges.csv.gz
readings 1 900 5 | gzip -9n >gauges_2025.csv.gz
readings 3 700 6 | gzip -9n >ticks.csv.gz
readings 2 800 7 | gzip -9n >dials_2025.csv.gz
readings 1 300 0 | cut -d, -f1-4 >First.csv
readings 1 400 1 | cut -d, -f1-3 >Second.csv
workbook stations.xlsx First.csv Second.csv
