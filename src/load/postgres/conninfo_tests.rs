//! What libpq makes of addresses in both forms, and that nothing of an unreadable one is told.

use super::*;

/// `name=value` of each parameter, in order of the names.
fn told(text: &str) -> Option<String> {
    let given = read(text).ok()?;
    let pairs: Vec<_> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(pairs.join(" "))
}

/// URIs as libpq's own tests have them, and what each says.
const URIS: [(&str, &str); 45] = [
    (
        "postgresql://u-1:secret@host:12345/db",
        "dbname=db host=host password=secret port=12345 user=u-1",
    ),
    ("postgresql://u-1@host:12345/db", "dbname=db host=host port=12345 user=u-1"),
    ("postgresql://u-1@host/db", "dbname=db host=host user=u-1"),
    ("postgresql://host:12345/db", "dbname=db host=host port=12345"),
    ("postgresql://host/db", "dbname=db host=host"),
    ("postgresql://u-1@host:12345/", "host=host port=12345 user=u-1"),
    ("postgresql://u-1@host/", "host=host user=u-1"),
    ("postgresql://u-1@", "user=u-1"),
    ("postgresql://host:12345/", "host=host port=12345"),
    ("postgresql://host:12345", "host=host port=12345"),
    ("postgresql://host/", "host=host"),
    ("postgresql://host", "host=host"),
    ("postgresql://", ""),
    ("postgresql://?hostaddr=127.0.0.1", "hostaddr=127.0.0.1"),
    ("postgresql://example.com?hostaddr=63.1.2.4", "host=example.com hostaddr=63.1.2.4"),
    ("postgresql://%68ost/", "host=host"),
    ("postgresql://host/db?user=u-1", "dbname=db host=host user=u-1"),
    ("postgresql://host/db?user=u-1&port=12345", "dbname=db host=host port=12345 user=u-1"),
    ("postgresql://host/db?u%73er=other&port=12345", "dbname=db host=host port=12345 user=other"),
    ("postgresql://host:12345?user=u-1", "host=host port=12345 user=u-1"),
    ("postgresql://host?user=u-1", "host=host user=u-1"),
    ("postgresql://host?", "host=host"),
    ("postgresql://[::1]:12345/db", "dbname=db host=::1 port=12345"),
    ("postgresql://[::1]/db", "dbname=db host=::1"),
    ("postgresql://[2001:db8::1234]/", "host=2001:db8::1234"),
    ("postgresql://[200z:db8::1234]/", "host=200z:db8::1234"),
    ("postgresql://[::1]", "host=::1"),
    ("postgres://", ""),
    ("postgres:///", ""),
    ("postgres:///db", "dbname=db"),
    ("postgres://u-1@/db", "dbname=db user=u-1"),
    ("postgres://?host=/path/to/socket/dir", "host=/path/to/socket/dir"),
    ("postgres://@host", "host=host"),
    ("postgres://host:/", "host=host"),
    ("postgres://:12345/", "port=12345"),
    ("postgres://other@?host=/no/such/directory", "host=/no/such/directory user=other"),
    ("postgres://other@/?host=/no/such/directory", "host=/no/such/directory user=other"),
    ("postgres://other@:12345?host=/no/socket", "host=/no/socket port=12345 user=other"),
    (
        "postgres://other@:12345/db?host=/to/socket",
        "dbname=db host=/to/socket port=12345 user=other",
    ),
    ("postgres://:12345/db?host=/path/to/socket", "dbname=db host=/path/to/socket port=12345"),
    ("postgres://:12345?host=/path/to/socket", "host=/path/to/socket port=12345"),
    ("postgres://%2Fvar%2Flib%2Fpostgresql/dbname", "dbname=dbname host=/var/lib/postgresql"),
    ("postgresql://host?sslmode=disable", "host=host sslmode=disable"),
    ("postgresql://host?sslmode=prefer", "host=host sslmode=prefer"),
    ("postgresql://host?sslmode=verify-full", "host=host sslmode=verify-full"),
];

/// URIs that libpq refuses.
const REFUSED: [&str; 14] = [
    "postgresql://host/db?u%7aer=someotheruser&port=12345",
    "postgresql://host?uzer=",
    "postgre://",
    "postgres://[::1",
    "postgres://[]",
    "postgres://[::1]z",
    "postgresql://host?zzz",
    "postgresql://host?value1&value2",
    "postgresql://host?key=key=value",
    "postgres://host?dbname=%XXfoo",
    "postgresql://a%00b",
    "postgresql://%zz",
    "postgresql://%1",
    "postgresql://%",
];

#[test]
fn uris_are_what_they_are_for_libpq() {
    for (uri, says) in URIS {
        assert_eq!(told(uri).as_deref(), Some(says), "{uri}");
    }
    for uri in REFUSED {
        assert!(read(uri).is_err(), "{uri}");
    }
}

#[test]
fn more_than_one_host_capitals_and_blanks() {
    let says = "dbname=d host=a,b,::1 port=1,,3 user=u";
    assert_eq!(told("postgres://u@a:1,b,[::1]:3/d").as_deref(), Some(says));
    assert_eq!(told(" PostgreSQL://u@h/d \n").as_deref(), Some("dbname=d host=h user=u"));
    assert_eq!(told("postgres:"), Some(String::new()));
    assert_eq!(told("postgres://a,,b").as_deref(), Some("host=a,,b"));
}

#[test]
fn raw_signs_stay_in_the_password_where_only_one_reading_fits() {
    for (login, password) in [
        ("S?99", "S?99"),
        ("h2:S#99", "h2:S#99"),
        ("99?S&x=1", "99?S&x=1"),
        ("p@s@s", "p@s@s"),
        ("p%40s", "p@s"),
        ("%25", "%"),
    ] {
        let given = read(&format!("postgres://ann:{login}@h:1/d")).expect(login);
        assert_eq!(given["password"], password);
        assert_eq!((given["user"].as_str(), given["host"].as_str()), ("ann", "h"));
    }
    // Host, port and database, or a user with a password? Neither is guessed.
    for unclear in ["ann:a/b@h/d", "ann:5/b@h/d", "ann:a/b@c:d@h/d", "ann:p@s/w@h/d", "h/a@b"] {
        assert!(read(&format!("postgres://{unclear}")).is_err(), "{unclear}");
    }
}

#[test]
fn pairs_are_what_they_are_for_libpq() {
    for (text, says) in [
        ("host=h port=5 dbname=d", "dbname=d host=h port=5"),
        ("  host = h\tport= 5\nuser =u ", "host=h port=5 user=u"),
        (r"password='it\'s a \\ b' host=h", r"host=h password=it's a \ b"),
        (r"password=a\ b\'c\\ host=h", r"host=h password=a b'c\"),
        ("password='' host=h", "host=h"),
        ("host=h password=a=b", "host=h password=a=b"),
        ("options='-c geqo=off' host=h", "host=h options=-c geqo=off"),
        ("host=a host=b", "host=b"),
        ("host=h user=''", "host=h"),
    ] {
        assert_eq!(told(text).as_deref(), Some(says), "{text}");
    }
    for wrong in ["host", "host=h user", "host='h", "host=h uzer=u", "=h host=h", "host=h 'x'=y"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_name_of_a_file_is_no_address() {
    for path in ["a=b.duckdb", "in/host=1.duckdb", "x y=z", "c:/a", "", "\u{a0}é=1", "year=2024/a"]
    {
        assert!(!is_meant(path), "{path}");
    }
    for address in ["host=h", " host = h", "x\u{a0}password=s", "POSTGRES:", "a b password='x"] {
        assert!(is_meant(address), "{address}");
    }
}

#[test]
fn an_unknown_parameter_is_named_where_it_cannot_be_a_secret() {
    let message = |text: &str| read(text).expect_err(text).message;
    assert!(message("postgres://h/d?sslmod=require").contains("sslmod "));
    assert!(message("host=h uzer=S3CR3T").contains("uzer "));
    assert!(message("postgres://h/d?sslcert=S3CR3T").contains("sslcert "));
    for doubtful in [
        "postgres://h/d?password=a&S3CR3T=b",
        "postgres://u/d?S3CR3T=b@h/d",
        "postgres://h/d?S3CR3T%20x=1",
        "host=h password=a S3CR3T=b",
        "host=h password=a S3CR3T",
        "host=h sslpassword=S3CR3T",
        "postgres://u:%S3CR3T@h",
        "postgres://u:1/S3CR3T@h",
        "postgres://u:[S3CR3T@[h",
    ] {
        let error = read(doubtful).expect_err(doubtful);
        assert!(!format!("{error:?}").contains("S3CR3T"), "{error:?}");
        assert!(!shown(doubtful).contains("S3CR3T") && !is_open(doubtful), "{doubtful}");
    }
}

#[test]
fn parameters_of_other_clients_that_change_nothing_are_taken() {
    let text = "postgres://u@h/d?pgbouncer=true&connection_limit=1&ssl=true&supa=base-pooler.x";
    let given = read(text).expect("known");
    assert_eq!(given["sslmode"], "require");
    assert!(read("postgres://h/d?sslcert=").is_ok(), "an empty value is none");
}
