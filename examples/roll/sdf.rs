//! Rows of a sales roll.

use crate::roll::World;
use crate::row::Row;
use crate::sales;

/// Fills the row of a sale.
pub fn fill(world: &World, index: u64, row: &mut Row<'_>) {
    let (sale, parcel) = sales::at_row(world, index);
    row.clear();
    row.int("CO_NO", i64::from(world.county.number));
    row.text("PARCEL_ID", &parcel.id);
    row.int("ASMNT_YR", world.year);
    row.int_if("ATV_STRT", parcel.active_stratum.map(i64::from));
    row.int_if("GRP_NO", parcel.group.map(i64::from));
    row.format("DOR_UC", format_args!("{:03}", parcel.code));
    row.format("NBRHD_CD", format_args!("{}", parcel.neighbourhood_code()));
    row.format("MKT_AR", format_args!("{}", parcel.market_area()));
    row.format("SALE_ID_CD", format_args!("99000{}", sale.document));
    row.int_if("SAL_CHG_CD", sale.change);
    row.text("VI_CD", if parcel.improved { "I" } else { "V" });
    row.format("CLERK_NO", format_args!("{}", sale.document));
    row.text("QUAL_CD", sale.qualification);
    row.int("SALE_YR", sale.year);
    row.format("SALE_MO", format_args!("{:02}", sale.month));
    row.int("SALE_PRC", sale.price);
    if sale.several {
        row.bare("MULTI_PAR_SAL", "C");
    }
    row.text("RS_ID", &world.submission_id(false));
    row.text("MP_ID", &parcel.master_id());
    row.text("STATE_PARCEL_ID", &parcel.state_id(world));
}
