//! What `etl doctor` tells of a server: what it is, and what would stand in the way of a load.

use super::address::Address;
use super::indexes;
use super::link::PgLink;
use super::target::Server;
use crate::duck::Value;
use crate::load::target::Finding;
use crate::load::{Link, LoadError};
use std::sync::Arc;

/// Free connections below this are worth a word: a load takes one for its lock, one for the ledger,
/// and one for each writer and worker.
const FEW: u64 = 6;

const QUESTION: &str = "SELECT current_setting('server_version'), pg_is_in_recovery() OR \
     current_setting('default_transaction_read_only') = 'on', \
     has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT 1 FROM pg_namespace \
       WHERE nspname = 'etl' AND has_schema_privilege(oid, 'CREATE')), \
     EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ? AND has_schema_privilege(oid, 'CREATE')), \
     current_setting('max_connections')::bigint - (SELECT count(*) FROM pg_stat_activity \
       WHERE backend_type = 'client backend'), \
     current_setting('statement_timeout'), \
     (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)";

/// Looks at a server that could be reached.
pub fn examine(server: &Arc<Server>) -> Result<Vec<Finding>, LoadError> {
    let link = PgLink::new(Arc::clone(server));
    let rows = (&link as &dyn Link).query(QUESTION, &[Value::from(server.schema.as_str())])?;
    let Some(row) = rows.rows.first() else { return Ok(Vec::new()) };
    let is = |at: usize| row[at].as_bool().unwrap_or(false);
    let mut found = vec![Finding::good("server", format!("PostgreSQL {}", row[0]))];
    found.push(encryption(&server.address, link.is_encrypted()?));
    if is(1) {
        found.push(
            Finding::bad("server", "it only reads (a standby, or set to read only)")
                .with_hint("name the primary"),
        );
    }
    if !is(2) {
        found.push(Finding::bad("rights", "the ledger's schema `etl` cannot be made").with_hint(
            "GRANT CREATE ON DATABASE, or make the schema `etl` and give it to this user",
        ));
    }
    if !is(3) {
        let told = format!("no tables can be made in schema {}", server.schema);
        found.push(Finding::odd("rights", told).with_hint(
            "that is enough for tables that are there; for --create: GRANT CREATE ON SCHEMA",
        ));
    }
    found.extend(connections(row[4].as_int(), row[6].as_int()));
    if !matches!(row[5].as_text(), Some("0" | "")) {
        let told = format!("statements are ended after {}", row[5]);
        found.push(Finding::odd("time limit", told).with_hint(
            "a load sends its rows in statements of 100,000 rows at most; lower --commit-rows where \
             that takes longer, or ALTER ROLE … SET statement_timeout = 0",
        ));
    }
    found.extend(indexes::finding(&link)?);
    found.push(disk(&link)?);
    if server.address.pooled {
        found.push(Finding::good(
            "pooler",
            "in transaction mode, as it seems: nothing of a load depends on a session",
        ));
    }
    Ok(found)
}

/// SQL tells no server's free space. What can be known: how much is taken, and where.
fn disk(link: &PgLink) -> Result<Finding, LoadError> {
    let rows = (link as &dyn Link).query(
        "SELECT pg_size_pretty(pg_database_size(current_database())), spcname, \
           pg_size_pretty(pg_tablespace_size(t.oid)) FROM pg_tablespace t \
         JOIN pg_database d ON d.dattablespace = t.oid WHERE d.datname = current_database()",
        &[],
    );
    // The size of a tablespace is not everybody's to know.
    let taken = match &rows {
        Ok(rows) => rows.rows.first().map(|row| {
            format!("the database takes {}, its tablespace {} {}", row[0], row[1], row[2])
        }),
        Err(_) => None,
    };
    let taken = taken.map_or_else(String::new, |taken| format!("{taken}; "));
    let told = format!("{taken}what is free is not visible from here");
    Ok(Finding::good("disk", told).with_hint(
        "look at the server: a roll takes about 1.4 times its text, and as much again in write-ahead log",
    ))
}

fn encryption(address: &Address, encrypted: bool) -> Finding {
    let local = address.hosts.iter().all(super::address::Host::is_local);
    match (encrypted, local) {
        (true, _) => Finding::good("encryption", format!("TLS ({:?})", address.ssl)),
        (false, true) => Finding::good("encryption", "none, on this machine"),
        (false, false) => Finding::odd("encryption", "none: everything goes as plain text")
            .with_hint("leave out sslmode=disable where the network is not yours"),
    }
}

fn connections(free: Option<i64>, limit: Option<i64>) -> Option<Finding> {
    let limit = limit.filter(|limit| *limit >= 0);
    let free = free.unwrap_or(i64::MAX).min(limit.unwrap_or(i64::MAX));
    let few = u64::try_from(free).is_ok_and(|free| free < FEW) || free < 0;
    few.then(|| {
        Finding::odd("connections", format!("{} are free", free.max(0)))
            .with_hint("close other programs, or lower --writers and --threads")
    })
}
