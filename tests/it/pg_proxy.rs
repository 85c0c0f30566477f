//! A line to a server that breaks at the worst moments.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// COMMIT as the simple protocol sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Where a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server gets the COMMIT, its answer is lost.
    AfterCommit,
    /// The COMMIT is lost.
    BeforeCommit,
}

/// Forwards connections to a port, and cuts them at some COMMITs.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    cuts: Arc<AtomicUsize>,
}

struct Plan {
    to: u16,
    cut: Cut,
    /// Every so many COMMITs.
    every: usize,
    seen: AtomicUsize,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// Forwards to `to`, and cuts at every `every`-th COMMIT of all connections.
    pub fn start(to: u16, cut: Cut, every: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let cuts = Arc::new(AtomicUsize::new(0));
        let seen = AtomicUsize::new(0);
        let plan = Arc::new(Plan { to, cut, every, seen, cuts: Arc::clone(&cuts) });
        // It ends with the process: the listener belongs to nobody else.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let plan = Arc::clone(&plan);
                thread::spawn(move || forward(&plan, client));
            }
        });
        Self { port, cuts }
    }

    /// Cuts so far.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

fn forward(plan: &Plan, mut client: TcpStream) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", plan.to)) else { return };
    let open = Arc::new(Mutex::new(true));
    let (mut back, mut answers) =
        (server.try_clone().expect("a stream"), client.try_clone().expect("a stream"));
    let still = Arc::clone(&open);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = back.read(&mut buffer) {
            let open = still.lock().expect("nobody panics");
            if !*open || answers.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = answers.shutdown(Shutdown::Both);
    });
    let mut server = server;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let sent = &buffer[..count];
        let is_commit = sent.ends_with(COMMIT);
        let cut =
            is_commit && plan.seen.fetch_add(1, Ordering::SeqCst) % plan.every == plan.every - 1;
        if cut {
            // From here on no answer gets through.
            *open.lock().expect("nobody panics") = false;
            plan.cuts.fetch_add(1, Ordering::SeqCst);
        }
        if !(cut && plan.cut == Cut::BeforeCommit) && server.write_all(sent).is_err() {
            break;
        }
        if cut {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
}
