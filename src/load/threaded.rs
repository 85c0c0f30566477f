//! A writer on a thread of its own, so that one group can be compressed and committed while the
//! next is filled.

use super::{LoadError, LoadErrorKind, Piece, Seal, Writer};
use crossbeam_channel::{Sender, bounded};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Pieces and seals waiting for a writer: about a group, so that the gate can go on to the next writer's.
/// What waits here holds memory of the budget.
const QUEUE: usize = 8;

enum Order {
    Piece(Box<Piece>),
    Seal(Box<Seal>),
}

/// Hands pieces to a writer thread. `Ok` means accepted; what is durable is known after
/// [`Writer::close`], or from the ledger.
pub struct Threaded<'scope> {
    orders: Option<Sender<Order>>,
    thread: Option<ScopedJoinHandle<'scope, Result<(), LoadError>>>,
}

impl<'scope> Threaded<'scope> {
    /// Starts the thread.
    pub fn start<'env, W: Writer + 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        mut writer: W,
    ) -> Result<Self, LoadError> {
        let (orders, inbox) = bounded::<Order>(QUEUE);
        let work = move || {
            for order in inbox {
                match order {
                    Order::Piece(piece) => writer.write(*piece)?,
                    Order::Seal(seal) => writer.seal(*seal)?,
                }
            }
            Ok(())
        };
        let thread =
            Builder::new().name("writer".into()).spawn_scoped(scope, work).map_err(|error| {
                let message = format!("cannot start a thread for a writer: {error}");
                LoadError::new(LoadErrorKind::Target, message)
            })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    fn send(&mut self, order: Order) -> Result<(), LoadError> {
        match &self.orders {
            Some(orders) if orders.send(order).is_ok() => Ok(()),
            _ => self.end().and(Err(gone())),
        }
    }

    /// Ends the thread and gives its verdict.
    fn end(&mut self) -> Result<(), LoadError> {
        self.orders = None;
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(gone())),
            None => Ok(()),
        }
    }
}

fn gone() -> LoadError {
    LoadError::new(LoadErrorKind::Target, "internal error: a writer has ended early")
}

impl Writer for Threaded<'_> {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        self.send(Order::Piece(Box::new(piece)))
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        self.send(Order::Seal(Box::new(seal)))
    }

    fn close(&mut self) -> Result<(), LoadError> {
        self.end()
    }
}
