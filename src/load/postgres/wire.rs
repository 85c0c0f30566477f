//! Bytes to and from a server: a blocking stream with the messages of the protocol on it.
//!
//! Blocking, because the program is made of threads: each connection belongs to one, and COPY hands
//! its buffers to the socket without another copy. A server that is gone is noticed by TCP's own
//! probes (`KEEPALIVE`), so that reading may wait as long as a statement takes.

use super::address::{Address, Host};
use super::error::{self, ServerError};
use super::tls;
use crate::load::LoadError;
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use rustls::{ClientConnection, StreamOwned};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A silent peer is asked after so long, again in such steps, and given up after a minute.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));

/// Most bytes of one read.
const READ: usize = 64 << 10;

/// A stream to a server.
enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixStream),
}

impl Stream {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.set_read_timeout(timeout),
            Self::Tls(tls) => tls.sock.set_read_timeout(timeout),
            #[cfg(unix)]
            Self::Socket(socket) => socket.set_read_timeout(timeout),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
            #[cfg(unix)]
            Self::Socket(socket) => socket.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
            #[cfg(unix)]
            Self::Socket(socket) => socket.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
            #[cfg(unix)]
            Self::Socket(socket) => socket.flush(),
        }
    }
}

/// Messages over a stream.
pub struct Wire {
    stream: Stream,
    read: BytesMut,
    encrypted: bool,
}

impl Wire {
    /// Reaches a host, with TLS where it is wanted.
    pub fn open(address: &Address, host: &Host) -> Result<Self, LoadError> {
        if host.is_socket() {
            return Self::open_socket(address, host);
        }
        let tcp = connect(address, host)?;
        let stream = match address.ssl {
            super::address::SslMode::Disable => Stream::Tcp(tcp),
            _ => with_tls(address, host, tcp)?,
        };
        let encrypted = matches!(stream, Stream::Tls(_));
        Ok(Self { stream, read: BytesMut::with_capacity(READ), encrypted })
    }

    #[cfg(unix)]
    fn open_socket(address: &Address, host: &Host) -> Result<Self, LoadError> {
        let path = Address::place(host);
        match std::os::unix::net::UnixStream::connect(&path) {
            Ok(socket) => Ok(Self {
                stream: Stream::Socket(socket),
                read: BytesMut::with_capacity(READ),
                encrypted: false,
            }),
            Err(error) => Err(error::unreachable(address, &[(path, error)])),
        }
    }

    #[cfg(not(unix))]
    fn open_socket(address: &Address, host: &Host) -> Result<Self, LoadError> {
        let error = io::Error::from(io::ErrorKind::Unsupported);
        Err(error::unreachable(address, &[(Address::place(host), error)]))
    }

    /// The certificate that the server has shown, in DER.
    pub fn certificate(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Tls(tls) => tls.conn.peer_certificates()?.first().map(|first| first.as_ref()),
            _ => None,
        }
    }

    /// Whether what is sent is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Longest wait for a message; none: as long as it takes.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<(), LoadError> {
        self.stream.set_timeout(timeout).map_err(|error| error::lost(&error))
    }

    /// Sends bytes that are whole messages.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        sent.map_err(|error| self.last_words(&error))
    }

    /// Why the server has hung up, where it has said so before: else how the connection ended.
    fn last_words(&mut self, error: &io::Error) -> LoadError {
        let _ = self.stream.set_timeout(Some(Duration::from_millis(200)));
        while let Ok(message) = self.receive() {
            if let Message::ErrorResponse(body) = message {
                return ServerError::read(&body).into();
            }
        }
        error::lost(error)
    }

    /// The next message; those that only tell (notices, parameters) are left out.
    pub fn receive(&mut self) -> Result<Message, LoadError> {
        loop {
            let parsed = Message::parse(&mut self.read);
            match parsed.map_err(|error| error::unexpected(&error.to_string()))? {
                Some(Message::NoticeResponse(_) | Message::ParameterStatus(_))
                | Some(Message::NotificationResponse(_)) => {}
                Some(message) => return Ok(message),
                None => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> Result<(), LoadError> {
        let held = self.read.len();
        self.read.resize(held + READ, 0);
        let got = loop {
            match self.stream.read(&mut self.read[held..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.read.truncate(held + got.as_ref().copied().unwrap_or(0));
        match got {
            Ok(0) => Err(error::lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(error::lost(&error)),
        }
    }
}

/// Tries each address of a host; an error names all of them, with their family.
fn connect(address: &Address, host: &Host) -> Result<TcpStream, LoadError> {
    let found: Vec<SocketAddr> = match host.address {
        Some(address) => vec![(address, host.port).into()],
        None => (host.name.as_str(), host.port)
            .to_socket_addrs()
            .map_err(|error| error::no_such_host(host, &error))?
            .collect(),
    };
    let mut tried = Vec::new();
    for place in found {
        match TcpStream::connect_timeout(&place, address.timeout) {
            Ok(tcp) => {
                let socket = SockRef::from(&tcp);
                // What the system does not offer is no reason not to load.
                let _ = tcp.set_nodelay(true);
                let _ = socket.set_tcp_keepalive(&KEEPALIVE);
                #[cfg(target_os = "linux")]
                let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(60)));
                return Ok(tcp);
            }
            Err(error) => {
                let family = if place.is_ipv6() { "IPv6" } else { "IPv4" };
                tried.push((format!("{place} ({family})"), error));
            }
        }
    }
    Err(error::unreachable(address, &tried))
}

/// Asks for TLS. Without it the server is spoken to only where that was said, or on this machine.
fn with_tls(address: &Address, host: &Host, mut tcp: TcpStream) -> Result<Stream, LoadError> {
    let lost = |error: io::Error| error::lost(&error);
    tcp.set_read_timeout(Some(address.timeout)).map_err(lost)?;
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    tcp.write_all(&request).map_err(lost)?;
    let mut answer = [0];
    tcp.read_exact(&mut answer).map_err(lost)?;
    match answer[0] {
        b'S' => {
            let client = tls::client(address, &host.name)?;
            let mut stream = StreamOwned::new(client, tcp);
            while stream.conn.is_handshaking() {
                let done = stream.conn.complete_io(&mut stream.sock);
                done.map_err(|error| tls::failed(error.to_string()))?;
            }
            Ok(Stream::Tls(Box::new(stream)))
        }
        b'N' if address.ssl == super::address::SslMode::Prefer && host.is_local() => {
            Ok(Stream::Tcp(tcp))
        }
        b'N' => Err(tls::failed("the server offers none".into()).with_hint(
            "sslmode=disable sends everything, the password too, as plain text; do that only in a \
             network that you trust",
        )),
        _ => Err(error::unexpected("no answer to the request for TLS")),
    }
}
