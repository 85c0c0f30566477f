//! TLS against a real server, with an authority made for the test: what each `sslmode` lets through.

use super::pg_server::{Server, load, loads};
use super::roll;
use super::support::Place;
use std::path::Path;
use std::process::Command;

const SALES: &str = "SDF16P202501.csv";

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl comes with PostgreSQL of the distribution");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {told}");
}

/// Authorities `ca` and `other`, and a certificate of the first for `localhost` alone.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for ca in ["ca", "other"] {
        openssl(
            folder,
            &format!("req -x509 {key} -keyout {ca}.key -out {ca}.crt -days 2 -subj /CN={ca}"),
        );
    }
    openssl(folder, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").expect("ours");
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names \
         -out server.crt",
    );
}

/// The server writes the files itself: they must belong to its user alone.
fn encrypted(place: &Place) -> Server {
    let server = Server::start();
    for name in ["server.key", "server.crt"] {
        let pem = std::fs::read_to_string(place.path(name)).expect("it was made");
        server.psql(&format!(
            "COPY (SELECT unnest(string_to_array($pem${}$pem$, chr(10)))) \
             TO PROGRAM 'umask 077; cat > {name}'",
            pem.trim_end()
        ));
    }
    server.psql("ALTER SYSTEM SET ssl = on");
    server.psql("SELECT pg_reload_conf()");
    server
}

#[test]
fn each_mode_lets_through_what_libpq_would() {
    let place = Place::new().file(SALES, &roll::sales(300));
    certificates(&place.path(""));
    let server = encrypted(&place);
    let url = |host: &str, mode: &str| {
        format!("postgres://etl:etl@{host}:{}/etl?sslmode={mode}", server.port())
    };
    let good = [
        ("127.0.0.1", "require"),
        ("127.0.0.1", "require&sslrootcert=ca.crt"),
        ("127.0.0.1", "verify-ca&sslrootcert=ca.crt"),
        ("localhost", "verify-full&sslrootcert=ca.crt"),
    ];
    for (host, mode) in good {
        let to = url(host, mode);
        let summary = loads(&place, &to, &[SALES], &["--fresh"]);
        assert_ne!(summary["tally"]["read"], 0, "{mode}");
        let doctor = place.output(&["doctor", "--to", &to]);
        let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(told.contains("encryption  TLS"), "{mode}: {told}");
    }
    let bad = [
        // Another name, another authority, and none that anybody knows.
        ("127.0.0.1", "verify-full&sslrootcert=ca.crt", "not valid for"),
        ("localhost", "verify-full&sslrootcert=other.crt", "certificate"),
        ("localhost", "verify-ca&sslrootcert=other.crt", "certificate"),
        ("localhost", "verify-full&sslrootcert=missing.crt", "missing.crt"),
        ("localhost", "verify-full", ""),
    ];
    for (host, mode, word) in bad {
        let (code, _, told) = load(&place, &url(host, mode), &[SALES], &["--fresh"]);
        assert_eq!(code, 7, "{mode}: {told}");
        assert!(told.contains("E403") && told.contains(word), "{mode}: {told}");
    }
    // The proof of the password holds for the channel: where there is none, nobody gets in.
    let bound = url("127.0.0.1", "require&channel_binding=require");
    loads(&place, &bound, &[SALES], &["--fresh"]);
    let bound = url("127.0.0.1", "disable&channel_binding=require");
    let (code, _, told) = load(&place, &bound, &[SALES], &["--fresh"]);
    assert_eq!(code, 7, "{told}");
    assert!(
        told.contains("channel_binding=require cannot be met: the connection is not"),
        "{told}"
    );
    // What is asked for is what is done.
    let (code, _, told) = load(&place, &url("127.0.0.1", "disable"), &[SALES], &["--fresh"]);
    assert!(matches!(code, 0 | 3), "{told}");
}
