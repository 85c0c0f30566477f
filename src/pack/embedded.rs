//! The packs that come with the program, as text inside it.

/// Path inside the pack and content.
pub(super) type Embedded = &'static [(&'static str, &'static str)];

macro_rules! florida {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../packs/florida/", $path)))),*]
    };
}

const FLORIDA: Embedded = florida![
    "pack.toml",
    "rules.toml",
    "nal.toml",
    "sdf.toml",
    "nap.toml",
    "navn.toml",
    "navd.toml",
    "columns/nal.csv",
    "columns/sdf.csv",
    "columns/nap.csv",
    "columns/navn.csv",
    "columns/navd.csv",
    "codes/counties.csv",
    "codes/county_parcel_formats.csv",
    "codes/use_codes.csv",
    "codes/qualification_codes.csv",
    "codes/sale_change_codes.csv",
    "codes/vacant_improved_codes.csv",
    "codes/multi_parcel_codes.csv",
    "codes/exemption_codes.csv",
    "codes/value_change_codes.csv",
    "codes/disaster_codes.csv",
    "codes/land_unit_codes.csv",
    "codes/quality_codes.csv",
    "codes/construction_codes.csv",
    "codes/public_land_codes.csv",
    "codes/special_assessment_codes.csv",
    "codes/fiduciary_codes.csv",
    "codes/us_states.csv",
    "codes/address_words.csv",
    "codes/owner_words.csv",
    "codes/zip_centroids.csv",
    "geo/counties.geojson",
    "insight.toml",
    "map.csv",
    "diff.sql",
    "gold/newest_parcels.sql",
    "gold/latest_parcels.sql",
    "gold/all_sales.sql",
    "gold/last_sales.sql",
    "gold/value_statistics.sql",
    "gold/property_valuations.sql",
    "gold/owner_portfolios.sql",
    "gold/recent_sales.sql",
    "gold/high_value_properties.sql",
    "gold/county_statistics.sql",
    "gold/property_type_counts.sql",
    "gold/monthly_sales.sql",
    "gold/repeat_sales.sql",
    "gold/sales_windows.sql",
    "gold/parcels_with_sales.sql",
    "gold/property_master.sql",
    "gold/data_quality_dashboard.sql",
];

const PACKS: &[(&str, Embedded)] = &[("florida", FLORIDA)];

/// The names that [`Pack::embedded`](super::Pack::embedded) knows.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(name, _)| *name)
}

pub(super) fn find(name: &str) -> Option<Embedded> {
    PACKS.iter().find(|(n, _)| *n == name).map(|(_, files)| *files)
}
