//! What is settled from an address and what surrounds it.

use super::*;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Address, Unreadable> {
    let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Address::parse(text, &Sources::of(pairs.collect()))
}

fn password(address: &Address) -> Option<&str> {
    address.password.as_ref().map(Password::reveal)
}

fn host(name: &str, port: u16) -> Host {
    Host { name: name.into(), address: None, port, password: None }
}

/// The message and the advice of an address that is refused.
fn refused(text: &str) -> String {
    let error = parse(text, &[("USER", "me")]).expect_err(text);
    format!("{}; {}", error.message, error.hint)
}

#[test]
fn a_url_says_it_all() {
    let text = "postgres://ann:p%40ss@h.example:6543/rolls?pgbouncer=true&sslmode=require";
    let address = parse(text, &[]).expect("valid");
    assert_eq!(address.hosts, [host("h.example", 6543)]);
    assert_eq!((address.user.as_str(), address.database.as_str()), ("ann", "rolls"));
    assert_eq!(password(&address), Some("p@ss"));
    assert_eq!(address.ssl, SslMode::Require);
    assert!(address.pooled);
    let shown = format!("{address} {address:?} {}", serde_json::json!(address));
    assert!(!shown.contains("p@ss"), "{shown}");
    assert_eq!(address.to_string(), "postgres://ann@h.example:6543/rolls");
}

#[test]
fn pairs_say_the_same() {
    let text = "host=h.example port=6543 dbname=rolls user=ann password='p @ss' sslmode=require";
    let address = parse(text, &[]).expect("valid");
    assert_eq!(address.to_string(), "postgres://ann@h.example:6543/rolls");
    assert_eq!((password(&address), address.ssl), (Some("p @ss"), SslMode::Require));
}

#[test]
fn several_hosts_and_ipv6() {
    let address = parse("postgres://u@[::1]:5433,b/db", &[]).expect("valid");
    assert_eq!(address.hosts, [host("::1", 5433), host("b", 5432)]);
    assert!(address.hosts[0].is_local() && !address.hosts[1].is_local());
    let one_port = parse("host=a,b port=7 user=u", &[]).expect("valid");
    assert_eq!(one_port.hosts, [host("a", 7), host("b", 7)]);
    let socket = parse("host=/run/x,b user=u", &[]).expect("valid");
    assert!(socket.hosts[0].is_socket() && !socket.hosts[1].is_socket());
    for text in ["host=a,b port=1,2,3 user=u", "host=a,b hostaddr=127.0.0.1 user=u"] {
        assert!(refused(text).contains("as many hosts"));
    }
    let balanced = parse("host=a,b,c user=u load_balance_hosts=random", &[]).expect("valid");
    let mut names: Vec<_> = balanced.hosts.iter().map(|host| host.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn an_address_of_a_host_is_connected_to_and_its_name_is_kept() {
    let address = parse("host=db.example hostaddr=127.0.0.1 user=u", &[]).expect("valid");
    let host = &address.hosts[0];
    assert_eq!((host.name.as_str(), host.address), ("db.example", "127.0.0.1".parse().ok()));
    assert!(host.is_local() && !host.is_socket());
    let alone = parse("hostaddr=::1 user=u", &[]).expect("valid");
    assert_eq!(alone.hosts[0].name, "::1");
    assert!(refused("hostaddr=localhost user=u").contains("hostaddr"));
}

#[test]
fn the_service_comes_before_the_environment_and_behind_the_address() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("services");
    std::fs::write(&path, "[s]\nhost=far\nuser=bob\ndbname=d\n[odd]\nuzer=x\n").expect("writable");
    let file = path.to_str().expect("plain");
    let env = [("PGSERVICEFILE", file), ("PGHOST", "near"), ("PGPORT", "7")];
    let address = parse("service=s user=ann", &env).expect("valid");
    assert_eq!(address.to_string(), "postgres://ann@far:7/d");
    let named = format!("postgres://?service=s&servicefile={file}");
    assert_eq!(parse(&named, &[]).expect("valid").to_string(), "postgres://bob@far:5432/d");
    assert!(parse("service=none", &env).expect_err("none").message.contains("services"));
    assert!(parse("service=odd", &env).expect_err("odd").message.contains("uzer"));
}

#[test]
fn the_environment_fills_what_the_url_leaves_out() {
    let env = [("PGHOST", "far"), ("PGUSER", "bob"), ("PGDATABASE", "d"), ("PGPORT", "1")];
    let address = parse("postgres:", &env).expect("valid");
    assert_eq!(address.to_string(), "postgres://bob@far:1/d");
    let address = parse("postgres://ann@near", &env).expect("valid");
    assert_eq!(address.to_string(), "postgres://ann@near:1/d");
    let env = [("DATABASE_URL", "postgres://x:y@z/w"), ("PGUSER", "bob")];
    assert_eq!(parse("postgres:", &env).expect("valid").to_string(), "postgres://x@z:5432/w");
    let env = [("PGTARGETSESSIONATTRS", "read-write")];
    assert_eq!(parse("host=h user=u", &env).expect("valid").wanted, WantedSession::ReadWrite);
    let env = [("DATABASE_URL", "postgres://x:S3CR3T/@z/w?y=1")];
    let error = parse("postgres:", &env).expect_err("unreadable");
    assert!(error.message.contains("DATABASE_URL") && !format!("{error:?}").contains("S3CR3T"));
}

#[cfg(unix)]
#[test]
fn each_host_has_its_line_of_the_password_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pass");
    std::fs::write(&path, "a:*:*:*:one\nb:5433:*:*:two\n").expect("writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let text = format!("host=a,b,c port=5432,5433,1 user=u passfile={}", path.display());
    let address = parse(&text, &[]).expect("valid");
    let found: Vec<_> =
        address.hosts.iter().map(|host| host.password.as_ref().map(Password::reveal)).collect();
    assert_eq!(found, [Some("one"), Some("two"), None]);
    assert!(!format!("{address:?} {}", serde_json::json!(address)).contains("two"));
}

#[test]
fn what_is_wanted_of_a_server_is_read_and_judged() {
    // (word, primary that writes, primary that only reads by default, standby)
    for (word, expected) in [
        ("any", [true, true, true]),
        ("read-write", [true, false, false]),
        ("read-only", [false, true, true]),
        ("primary", [true, true, false]),
        ("standby", [false, false, true]),
        ("prefer-standby", [false, false, true]),
    ] {
        let text = format!("postgres://u@h/d?target_session_attrs={word}");
        let wanted = parse(&text, &[]).expect(word).wanted;
        assert_eq!(wanted.name(), word);
        let servers = [(false, false), (false, true), (true, true)];
        assert_eq!(
            servers.map(|(standby, reads)| wanted.accepts(standby, reads)),
            expected,
            "{word}"
        );
    }
    let told = refused("postgres://u@h/d?target_session_attrs=S3CR3T");
    assert!(told.contains("target_session_attrs") && told.contains("prefer-standby"), "{told}");
    assert!(!told.contains("S3CR3T"));
}

#[test]
fn mistakes_are_told_without_what_was_written() {
    for (text, words) in [
        ("postgres://u@h/d?sslmode=S3CR3T", "sslmode"),
        ("postgres://u@h:S3CR3T/d", "port"),
        ("postgres://u@h:0/d", "port"),
        ("postgres://u@h:70000/d", "port"),
        ("postgres://u@h/d?connect_timeout=S3CR3T", "connect_timeout"),
        ("postgres://u@h/d?channel_binding=S3CR3T", "channel_binding"),
        ("postgres://u@h/d?gssencmode=require", "gssencmode"),
        ("postgres://u@h/d?require_auth=scram-sha-256", "require_auth"),
        ("postgres://u@h/d?sslrootcert=system&sslmode=require", "verify-full"),
        ("postgres://u@h/d?schema=etl", "ledger"),
    ] {
        let told = refused(text);
        assert!(told.contains(words) && !told.contains("S3CR3T"), "{told}");
    }
    let bound = parse("postgres://u@h/d?sslmode=require&channel_binding=require", &[]).expect("ok");
    assert_eq!(bound.binding, Binding::Require);
    let long = refused(&format!("postgres://u@h/d?schema={}", "s".repeat(64)));
    assert!(long.contains("64 bytes"), "{long}");
    let error = parse("postgres://h/d", &[]).expect_err("nobody");
    assert!(error.message.contains("no user"), "{}", error.message);
    assert_eq!(
        parse("postgres://u@h/d?sslrootcert=system", &[]).expect("ok").ssl,
        SslMode::VerifyFull
    );
}
