//! One POST over HTTP/1.1: the least of a client that an alert needs, so that no library of its own
//! comes into the program for it.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are looked at.
const ANSWER: u64 = 64 << 10;

/// Sends `body` (JSON) to `url`. An error never names the address, which may be a secret.
pub fn post(url: &str, body: &str) -> Result<(), String> {
    let address = Address::parse(url)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: etl/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        address.path,
        address.authority,
        env!("CARGO_PKG_VERSION"),
        body.len()
    );
    let tcp = address.connect()?;
    let status = match address.encrypted {
        true => talk(encrypt(tcp, &address.host)?, &head, body),
        false => talk(tcp, &head, body),
    }
    .map_err(|error| error.to_string())?;
    match status {
        200..=299 => Ok(()),
        0 => Err("the server answers something that is not HTTP".into()),
        other => Err(format!("the server answers {other}")),
    }
}

struct Address<'u> {
    encrypted: bool,
    authority: &'u str,
    host: String,
    port: u16,
    path: String,
}

impl<'u> Address<'u> {
    fn parse(url: &'u str) -> Result<Self, String> {
        let (encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("a web address begins with https:// or http://".into()),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let unsound = |text: &str| text.is_empty() || text.contains(|c: char| c <= ' ' || c == '@');
        if unsound(authority) || path.contains(|c: char| c <= ' ') {
            return Err("the web address cannot be read".into());
        }
        let plain = if encrypted { 443 } else { 80 };
        // IPv6 stands in brackets.
        let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
        let (host, port) = match colon {
            Some(at) => {
                let port = authority[at + 1..].parse();
                (&authority[..at], port.map_err(|_| "the port of the web address is none")?)
            }
            None => (authority, plain),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { encrypted, authority, host, port, path })
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut why = "the host has no address".to_owned();
        for place in found.map_err(|error| error.to_string())? {
            match TcpStream::connect_timeout(&place, TIMEOUT) {
                Ok(tcp) => {
                    let limited = tcp
                        .set_read_timeout(Some(TIMEOUT))
                        .and_then(|()| tcp.set_write_timeout(Some(TIMEOUT)));
                    return limited.map(|()| tcp).map_err(|error| error.to_string());
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }
}

fn encrypt(tcp: TcpStream, host: &str) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let client = ClientConnection::new(Arc::new(config), name);
    Ok(StreamOwned::new(client.map_err(|error| error.to_string())?, tcp))
}

/// The status of the answer; 0 where there is none.
fn talk(mut stream: impl Read + Write, head: &str, body: &str) -> std::io::Result<u16> {
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER)).read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    Ok(status.and_then(|status| status.trim().parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_hosts_ports_and_paths() {
        let of = |url| Address::parse(url).map(|a| (a.encrypted, a.host, a.port, a.path));
        assert_eq!(of("https://h/x?y=1"), Ok((true, "h".into(), 443, "/x?y=1".into())));
        assert_eq!(of("http://h:81"), Ok((false, "h".into(), 81, "/".into())));
        assert_eq!(of("http://[::1]:8/p"), Ok((false, "::1".into(), 8, "/p".into())));
        for wrong in ["ftp://h", "https://", "http://a b/", "http://u:p@h/", "http://h/a\r\nX: 1"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
