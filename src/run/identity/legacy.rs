//! The configuration hash of builds before there was an [`Identity`](super::Identity), for what they
//! have loaded. It forgot how files are read, held all of the pack, and is never changed.

use crate::chunk::{ColumnKind, ReadColumn, ReadSchema, Role};
use crate::pack::Pack;
use crate::run::prepare::Prepared;
use crate::run::request::Request;
use crate::source::excel::range::SheetRange;
use serde::Serialize;

/// Name of the pack that comes with the program, and its hash in the last build of that time.
const PACK: (&str, &str) =
    ("florida", "b00c306f38fadbbe7e65f35bbb1de7813f84f8aaf5b52f0968923f4bf6e208d2");

/// Hashes under which an older build may have loaded the input: with the pack as it is, and with the
/// one that came with that build.
pub(in crate::run) fn configs(request: &Request, pack: &Pack, input: &Prepared) -> Vec<String> {
    config_as(request, pack, input, &input.release().unwrap_or_default())
}

/// The same for an input of another release.
pub(in crate::run) fn config_as(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    release: &str,
) -> Vec<String> {
    let mut hashes = vec![pack.hash.as_str()];
    let (name, before) = PACK;
    if request.pack == name && pack.hash != before {
        hashes.push(before);
    }
    hashes.into_iter().map(|hash| config(request, hash, pack, input, release)).collect()
}

fn config(request: &Request, hash: &str, pack: &Pack, input: &Prepared, release: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    };
    add(hash);
    add(&input.kind_id(pack));
    add(release);
    add(&format!("{:?} {:?}", input.settled.county, input.mode));
    add(&serde_json::to_string(&schema(&input.schema)).unwrap_or_default());
    add(&request.agents.join(","));
    add(&serde_json::to_string(&request.rule_levels).unwrap_or_default());
    if !request.rules.is_empty() {
        add(&serde_json::to_string(&request.rules).unwrap_or_default());
    }
    add(&format!("{:?}", request.limit));
    if let Some(SheetRange::Cells { area, .. }) = &request.source.range {
        add(&area.to_string());
    } else if let Some(range) = &request.source.range {
        add(&range.to_string());
    }
    if let Some(mapping) = &input.mapping {
        add(&mapping.text);
    }
    if request.values.no_fix || request.values.keep_raw || !input.cleaning.text.is_empty() {
        add(&format!(
            "{} {} {}",
            request.values.no_fix, request.values.keep_raw, input.cleaning.text
        ));
    }
    if input.locate.is_some() {
        let asked = &request.geography;
        add(&format!("{} {:?} {:?}", asked.loaded.id(), asked.layers, asked.distances));
    }
    if request.cut {
        add("cut");
    }
    if !request.values.masks.is_empty() {
        let key = request.values.mask_key.as_ref().map(|key| key.id());
        add(&format!("{:?} {key:?}", request.values.masks));
    }
    if let Some(table) = &request.source.excel_table {
        add(&table.to_lowercase());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// A column as it was written then.
#[derive(Serialize)]
struct Column<'s> {
    name: &'s str,
    header: &'s str,
    field: usize,
    kind: ColumnKind,
    role: Role,
    width: Option<usize>,
    max_len: Option<usize>,
    nulls: &'s [String],
    key: bool,
    clean: bool,
}

/// A schema as it was written then.
#[derive(Serialize)]
struct Schema<'s> {
    columns: Vec<Column<'s>>,
    extra: &'s [(usize, String)],
    headers: &'s [String],
}

fn schema(schema: &ReadSchema) -> Schema<'_> {
    Schema {
        columns: schema.columns.iter().map(column).collect(),
        extra: &schema.extra,
        headers: &schema.headers,
    }
}

fn column(column: &ReadColumn) -> Column<'_> {
    // A field that comes later is left out here.
    let ReadColumn {
        name,
        header,
        field,
        kind,
        role,
        width,
        max_len,
        nulls,
        key,
        clean,
        order: _,
        float: _,
        zone: _,
        exact: _,
    } = column;
    let (field, kind, role, width) = (*field, *kind, *role, *width);
    let (max_len, key, clean) = (*max_len, *key, *clean);
    Column { name, header, field, kind, role, width, max_len, nulls, key, clean }
}
