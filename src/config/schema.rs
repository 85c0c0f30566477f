//! JSON schema of the configuration file, for editors.

use super::settings::{KEYS, Origin, Settings};
use super::value::{RuleLevel, Value as _};
use serde_json::{Map, Value, json};

/// The schema as committed in `schema.json`.
pub fn schema() -> Value {
    let keys = properties();
    let mut top = keys.clone();
    let agent = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "enabled": { "type": "boolean", "description": "Whether it takes part." } },
    });
    let tables = [
        ("agent", "Settings of single agents.", agent),
        ("rules", "Levels of rules that differ from the pack's.", RuleLevel::schema()),
    ];
    let mut inner = keys;
    for (name, help, schema) in tables {
        let table =
            json!({ "type": "object", "description": help, "additionalProperties": schema });
        top.insert(name.to_owned(), table.clone());
        inner.insert(name.to_owned(), table);
    }
    let profile = json!({
        "type": "object", "description": "Named sets of settings, chosen by --profile.",
        "additionalProperties": {
            "type": "object", "additionalProperties": false, "properties": inner,
        },
    });
    top.insert("profile".to_owned(), profile);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of etl (etl.toml)",
        "type": "object",
        "additionalProperties": false,
        "properties": top,
    })
}

fn properties() -> Map<String, Value> {
    let mut defaults = Settings::default();
    defaults.overlay(&super::defaults(), &|_| Origin::Default);
    let defaults = defaults.entries();
    KEYS.iter()
        .map(|key| {
            let mut schema = (key.schema)();
            schema["description"] = json!(key.help);
            let default = defaults.iter().find(|entry| entry.key == key.name);
            if let Some(entry) = default.filter(|entry| !entry.value.is_null()) {
                schema["default"] = entry.value.clone();
            }
            (key.name.to_owned(), schema)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `etl config schema > src/config/schema.json` makes it current.
    #[test]
    fn the_committed_schema_is_current() {
        let committed: Value =
            serde_json::from_str(include_str!("schema.json")).expect("schema.json is JSON");
        assert_eq!(committed, schema());
    }
}
