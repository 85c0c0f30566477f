//! A server that is reached while the files are still being looked at.
//!
//! Nothing is changed there: connections are made, and the server is asked what it is. So a load whose
//! files turn out to be unfit leaves no trace, and one that goes on does not wait for each connection in
//! turn.

use super::address::Address;
use super::target::PgTarget;
use crate::load::LoadError;
use crossbeam_channel::{Receiver, bounded};
use std::thread;

/// A server on its way.
pub struct Approach {
    address: Address,
    looked: Option<Receiver<Result<PgTarget, LoadError>>>,
}

impl Approach {
    /// Begins to make as many connections, on a thread that nobody has to wait for.
    pub fn begin(address: &Address, connections: usize) -> Self {
        let (tell, looked) = bounded(1);
        let of = address.clone();
        let work = move || {
            let target = PgTarget::look(&of);
            let server = target.as_ref().ok().map(PgTarget::server);
            // Nobody may want to know any more.
            if let (Ok(()), Some(server)) = (tell.send(target), server) {
                server.stock(connections.saturating_sub(1));
            }
        };
        let started = thread::Builder::new().name("connect".into()).spawn(work);
        Self { address: address.clone(), looked: started.is_ok().then_some(looked) }
    }

    /// The server; its ledger stays as it is.
    pub fn open(self) -> Result<PgTarget, LoadError> {
        let looked = self.looked.and_then(|looked| looked.recv().ok());
        // Without a thread there was nobody to look.
        looked.unwrap_or_else(|| PgTarget::look(&self.address))
    }
}
