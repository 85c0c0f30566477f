//! The options of a request, taken apart: which of them can change a row of an input.

use super::{Part, digest};
use crate::pack::{Pack, Settled};
use crate::run::prepare::Prepared;
use crate::run::request::{DateSetting, Request, Values};
use crate::run::{GeographyAsked, user_rules};
use crate::source::SourceOptions;
use crate::source::csv::CsvPolicy;
use crate::source::excel::range::SheetRange;
use encoding_rs::Encoding;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Settings = BTreeMap<String, Value>;

/// Settings that say how a file is read.
pub(super) const READING: [&str; 8] =
    ["headers", "header-row", "header-rows", "encoding", "delimiter", "quote", "escape", "csv"];

/// Adds a setting that is not at its default.
fn add<T: Serialize>(settings: &mut Settings, name: &str, value: Option<T>) {
    if let Some(value) = value {
        settings.insert(name.to_owned(), json!(value));
    }
}

/// What a setting is where it is not given, for messages.
pub(super) fn default_of(name: &str) -> &'static str {
    match name {
        "csv" => "strict",
        "limit" => "all rows",
        "provenance" => "full",
        "too-long" => "reject",
        "no-fix" | "keep-raw" => "off",
        "date-order" => "mdy",
        "header-rows" => "1",
        "county" | "year" | "release" | "submission" => "unknown",
        _ => "not given",
    }
}

/// Options that can change a row of the input, by the names of their flags.
pub(super) fn settings(request: &Request, pack: &Pack, input: &Prepared) -> Settings {
    let Request {
        // The content decides, not its name.
        inputs: _,
        // Schema and table are kept on their own; the ledger lies in the database itself.
        target: _,
        table: _,
        // Kept on its own: it says how rows meet those that are there.
        mode: _,
        // What was settled is taken from the input.
        told: _,
        source,
        // Taken apart in `pack`, and only what a roll takes from it.
        pack: _,
        agents: order,
        // Which rules refuse rows is taken from the rules themselves, in `pack` and below.
        rule_levels: _,
        rules: _,
        limits: _,
        errors: _,
        // What may be done to a table: without leave nothing is loaded.
        changes: _,
        minimal,
        geography,
        values,
        // Its text is taken from the input.
        mapping: _,
        cut,
        retry_attempts: _,
        failed: _,
        fresh: _,
        replaces_previous: _,
        // Which files are inputs, and what becomes of the run where one is bad.
        listing: _,
        require_rows: _,
        keep_going: _,
        // How much is checked.
        cells: _,
        limit,
        version: _,
    } = request;
    let mut settings = Settings::new();
    if !input.replay {
        reading(source, input, &mut settings);
    }
    facts(pack, input, &mut settings);
    // Of a plain table only cleaning and rules depend on them, and those are told by themselves.
    add(&mut settings, "agents", input.kind.is_some().then_some(order));
    changed(values, input, &mut settings);
    located(geography, input, &mut settings);
    let refusing = user_rules::refusing(request, pack, input);
    add(&mut settings, "rules", (!refusing.is_empty()).then(|| digest(&refusing)));
    let mapping = input.mapping.as_ref().map(|mapping| digest(&mapping.decides()));
    add(&mut settings, "mapping", mapping);
    add(&mut settings, "provenance", minimal.then_some("minimal"));
    // A file has columns for texts of any length.
    add(&mut settings, "too-long", (*cut && !request.target.is_embedded()).then_some("cut"));
    add(&mut settings, "limit", limit.as_ref().filter(|_| !input.replay));
    settings
}

/// What was settled about a roll: parameters of its rules and derived columns.
fn facts(pack: &Pack, input: &Prepared, settings: &mut Settings) {
    let Settled { kind: _, county, year, release, submission, origins: _, warnings: _ } =
        &input.settled;
    add(settings, "type", input.kind(pack).map(|kind| &kind.id));
    add(settings, "county", *county);
    add(settings, "year", *year);
    add(settings, "release", release.map(|release| release.to_string()));
    add(settings, "submission", *submission);
}

/// How the bytes are read: only what the format of the input looks at.
fn reading(options: &SourceOptions, input: &Prepared, settings: &mut Settings) {
    let SourceOptions {
        // The sheet, the range and the Excel table that are read are the part of the file.
        sheets: _,
        range: _,
        excel_table: _,
        header_row,
        header_rows,
        encoding,
        delimiter,
        quote,
        escape,
        csv,
        headers,
        temp_dir: _,
        reader: _,
        strings_in_memory: _,
    } = options;
    let is_text = match input.format {
        "csv" => true,
        // Names and types of its columns stand in the file.
        "parquet" => return,
        _ => false,
    };
    let named = headers.is_some();
    add(settings, "headers", headers.as_ref());
    add(settings, "header-row", header_row.filter(|_| !named));
    let several = header_rows.filter(|rows| *rows > 1 && !named && *header_row != Some(0));
    add(settings, "header-rows", several);
    if is_text {
        let label = |label: &String| match Encoding::for_label(label.trim().as_bytes()) {
            Some(encoding) => encoding.name().to_lowercase(),
            None => label.trim().to_lowercase(),
        };
        add(settings, "encoding", encoding.as_ref().map(label));
        add(settings, "delimiter", *delimiter);
        add(settings, "quote", *quote);
        add(settings, "escape", *escape);
        add(settings, "csv", (*csv != CsvPolicy::Strict).then_some(csv));
    }
}

/// What is done to values on their way.
fn changed(values: &Values, input: &Prepared, settings: &mut Settings) {
    let Values {
        clean: _,
        no_fix,
        keep_raw,
        dates,
        dates_asked: _,
        time_zone,
        formats,
        types,
        masks,
        mask_key,
    } = values;
    add(settings, "no-fix", no_fix.then_some(true));
    add(settings, "keep-raw", keep_raw.then_some(true));
    add(
        settings,
        "date-order",
        (input.reading.assumes_date_order && *dates != DateSetting::default()).then_some(dates),
    );
    let has_moments = || input.schema.columns.iter().any(|column| column.zone.is_some());
    add(settings, "time-zone", time_zone.filter(|_| has_moments()).map(|zone| zone.to_string()));
    add(settings, "date-format", (!formats.is_empty()).then_some(formats));
    let types: Vec<_> = types.iter().map(|(column, kind)| (column, kind.duckdb())).collect();
    add(settings, "type-of", (!types.is_empty() && input.kind.is_none()).then_some(types));
    add(settings, "clean", input.cleaning.own().map(|own| digest(&own)));
    let mut ways: Vec<_> = masks.iter().map(|(column, way)| format!("{column}:{way:?}")).collect();
    ways.iter_mut().for_each(|way| *way = way.to_lowercase());
    ways.sort();
    let key = mask_key.as_ref().filter(|_| !ways.is_empty());
    add(settings, "mask-key", key.map(|key| digest(&key.id())));
    add(settings, "mask", (!ways.is_empty()).then_some(ways));
}

/// What is added about places. Where the files lie does not matter.
fn located(asked: &GeographyAsked, input: &Prepared, settings: &mut Settings) {
    let GeographyAsked { locations, layers, distances, loaded } = asked;
    if input.locate.is_none() {
        return;
    }
    let column = |text: &String| text.split('=').next().unwrap_or_default().to_owned();
    let layer = |text: &String| match text.rsplit_once('#') {
        Some((_, property)) => format!("{}#{property}", column(text)),
        None => column(text),
    };
    let layers: Vec<_> = layers.iter().map(layer).collect();
    let distances: Vec<_> = distances.iter().map(column).collect();
    let content = digest(&(loaded.content(), locations.is_some()));
    add(settings, "locations", Some(content));
    add(settings, "layer", (!layers.is_empty()).then_some(layers));
    add(settings, "distance", (!distances.is_empty()).then_some(distances));
}

/// Which part of the file the input is.
pub(super) fn part(request: &Request, input: &Prepared) -> Part {
    let range = request.source.range.as_ref().map(|range| match range {
        SheetRange::Cells { sheet: _, area } => area.to_string(),
        SheetRange::Name(name) => name.clone(),
    });
    let excel_table = request.source.excel_table.as_ref().map(|table| table.to_lowercase());
    let sheet = input.origin.sheet().map(str::to_owned);
    let of_sheet = sheet.is_some() && !input.replay;
    Part { sheet, range: range.filter(|_| of_sheet), excel_table: excel_table.filter(|_| of_sheet) }
}
