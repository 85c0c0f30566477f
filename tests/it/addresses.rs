//! Addresses of servers: both forms of libpq, several hosts, and what becomes of those that cannot be
//! read.

use super::pg_server::{Server, ask, load, loads};
use super::support::Place;

const SENTINEL: &str = "s3ntinel-Pa55";

fn place() -> Place {
    Place::new().file("f.csv", "k,v\na,x\n").env("PGCONNECT_TIMEOUT", "3")
}

/// Exit code and everything that was printed.
fn told(place: &Place, arguments: &[&str]) -> (i32, String) {
    let output = place.output(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn key_and_value_name_a_server() {
    let server = Server::start();
    let password = r"it's a \ p@ss?word#=/%41";
    server.psql(&format!("ALTER ROLE etl PASSWORD '{}'", password.replace('\'', "''")));
    let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
    let port = server.port();
    let pairs = format!("host=127.0.0.1 port = {port} user=etl password='{quoted}' dbname=etl");
    let place = place();
    loads(&place, &pairs, &["f.csv"], &[]);
    assert_eq!(ask(&place, &pairs, "SELECT k, v FROM f"), "k,v\na,x\n");
    // The same in a URI, with percent signs, capitals and blanks around.
    let encoded = "it%27s%20a%20%5C%20p%40ss%3Fword%23%3D%2F%2541";
    let uri = format!(" Postgres://etl:{encoded}@127.0.0.1:{port}/etl ");
    assert_eq!(ask(&place, &uri, "SELECT k, v FROM f"), "k,v\na,x\n");
    let by_address = format!("host=nowhere.example hostaddr=127.0.0.1 {}", &pairs[15..]);
    assert_eq!(ask(&place, &by_address, "SELECT k, v FROM f"), "k,v\na,x\n");
    let raw = "p?a#s:s@w";
    server.psql_as(password, &format!("ALTER ROLE etl PASSWORD '{raw}'"));
    let uri = format!("postgres://etl:{raw}@127.0.0.1:{port}/etl");
    assert_eq!(ask(&place, &uri, "SELECT k, v FROM f"), "k,v\na,x\n");
}

#[test]
fn the_first_host_that_is_wanted_is_taken() {
    let (first, second) = (Server::start(), Server::start());
    first.psql("ALTER SYSTEM SET default_transaction_read_only = on");
    first.psql("SELECT pg_reload_conf()");
    let place = place();
    let to = |wanted: &str| {
        let (a, b) = (first.port(), second.port());
        format!("postgres://etl:etl@127.0.0.1:{a},127.0.0.1:{b}/etl?target_session_attrs={wanted}")
    };
    loads(&place, &to("read-write"), &["f.csv"], &[]);
    assert_eq!(second.psql("SELECT k, v FROM f"), "a|x");
    let answers = |wanted: &str, server: &Server| {
        let port = ask(&place, &to(wanted), "SELECT current_setting('port') AS port");
        assert_eq!(port, format!("port\n{}\n", server.port()), "{wanted}");
    };
    answers("any", &first);
    answers("primary", &first);
    answers("read-only", &first);
    answers("read-write", &second);
    // Neither is a standby: where one is only preferred, any will do.
    answers("prefer-standby", &first);
    let (code, _, said) = load(&place, &to("standby"), &["f.csv"], &["--retry-attempts", "0"]);
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("standby") && said.contains(&second.port().to_string()), "{said}");
    // A host that does not answer is passed over.
    let dead = format!("postgres://etl:etl@127.0.0.1:1,127.0.0.1:{}/etl", second.port());
    assert_eq!(ask(&place, &dead, "SELECT count(*) AS n FROM f"), "n\n1\n");
}

#[test]
fn one_host_is_asked_what_it_is_too() {
    let server = Server::start();
    let place = place();
    let to = format!("{}?target_session_attrs=standby", server.url());
    let (code, _, said) = load(&place, &to, &["f.csv"], &["--retry-attempts", "0"]);
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("target_session_attrs asks for standby"), "{said}");
    assert_eq!(server.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'etl'"), "0");
}

#[test]
fn an_address_that_cannot_be_read_makes_no_file_and_is_not_repeated() {
    let bad = [
        format!("postgres://ann:{SENTINEL}?9@127.0.0.1:1/db"),
        format!("postgres://ann:a/{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann:5/{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann:5/x?{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann:%{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann:x#{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann:x@{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://ann@127.0.0.1:{SENTINEL}/db"),
        format!("postgres://ann@127.0.0.1:1/db?sslpassword={SENTINEL}"),
        format!("postgres://ann@127.0.0.1:1/db?password=a&{SENTINEL}=x"),
        format!("host=127.0.0.1 port=1 user=ann password={SENTINEL} dbname=db"),
        format!("host=127.0.0.1 port=1 user=ann password=my {SENTINEL}=x dbname=db"),
        format!("host=127.0.0.1 port=1 user=ann password='it {SENTINEL}"),
        format!(r"host=127.0.0.1 port=1 user=ann password='it\' {SENTINEL}'"),
        format!("hots=127.0.0.1 user=ann password={SENTINEL}"),
        format!("host=127.0.0.1 sslpassword={SENTINEL}"),
        format!("mysql://ann:{SENTINEL}@127.0.0.1/db"),
        format!("ann:{SENTINEL}@127.0.0.1/db"),
    ];
    let place = place().file("wrong/etl.toml", "").env("ETL_LOG", "trace");
    for to in &bad {
        let config = format!("to = '''{to}'''\nthreads = 'x");
        std::fs::write(place.path("wrong/etl.toml"), config).expect("writable");
        for arguments in [
            vec!["ingest", "f.csv", "--retry-attempts", "0", "--to", to],
            vec!["plan", "f.csv", "--to", to],
            vec!["doctor", "--to", to],
            vec!["runs", "list", "--format", "json", "--to", to],
            vec!["config", "show", "--to", to],
            vec!["sql", "SELECT 1", "--to", to],
            // Where it does not belong.
            vec!["ingest", to],
            vec!["runs", "list", to],
            vec!["--config", "wrong/etl.toml", "config", "show"],
        ] {
            let (code, text) = told(&place, &arguments);
            assert!(!text.contains(SENTINEL), "{arguments:?}: {text}");
            assert!(code != 0 || arguments.contains(&"show") || arguments[0] == "plan", "{text}");
        }
    }
    let mut names = std::fs::read_dir(place.path("")).expect("readable");
    let made = names.find(|entry| {
        let name = entry.as_ref().expect("readable").file_name();
        name.to_string_lossy().contains(SENTINEL)
    });
    assert!(made.is_none(), "{made:?}");
}

#[test]
fn the_place_of_a_bad_address_is_told() {
    let bad = "postgres://ann:x@127.0.0.1:none/db";
    let place = place().file("etl.toml", &format!("to = '{bad}'\n"));
    let (code, text) = told(&place, &["ingest", "f.csv", "--to", bad]);
    assert!(code == 2 && text.contains("--to") && !text.contains("ETL_TO"), "{text}");
    let (code, text) = told(&place, &["ingest", "f.csv"]);
    assert!(code == 2 && text.contains("etl.toml"), "{text}");
    let place = place.env("ETL_TO", bad);
    let (code, text) = told(&place, &["ingest", "f.csv"]);
    assert!(code == 2 && text.contains("ETL_TO"), "{text}");
    let (_, text) = told(&place, &["config", "show", "--to", "postgres://ann:x@h/db"]);
    let line = text.lines().find(|line| line.starts_with("to ")).expect("the setting");
    assert!(line.contains("postgres://ann:***@h/db") && line.ends_with("--to"), "{line}");
}

#[test]
fn a_path_stays_a_path() {
    let place = place();
    for (to, file) in [
        ("a=b.duckdb", "a=b.duckdb"),
        (" DuckDB:c.duckdb ", "c.duckdb"),
        ("duckdb:host=1.duckdb", "host=1.duckdb"),
    ] {
        let (code, text) = told(&place, &["ingest", "f.csv", "--to", to]);
        assert!(code == 0 && place.path(file).is_file(), "{to}: {text}");
    }
}
