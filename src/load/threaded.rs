//! A writer on a thread of its own, so that one group can be compressed and committed while the
//! next is filled.

use super::{LoadError, LoadErrorKind, Piece, Seal, Writer};
use crossbeam_channel::{Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Pieces and seals waiting for a writer: about a group, so that the gate can go on to the next writer's.
/// What waits here holds memory of the budget.
const QUEUE: usize = 8;

enum Order {
    Piece(Box<Piece>),
    Seal(Box<Seal>),
}

impl Order {
    /// How long it takes, in rows; to make rows durable is worth something, too.
    fn weight(&self) -> u64 {
        match self {
            Self::Piece(piece) => piece.rows(),
            Self::Seal(_) => 1,
        }
    }
}

/// Hands pieces to a writer thread. `Ok` means accepted; what is durable is known after
/// [`Writer::close`], or from the ledger.
pub struct Threaded<'scope> {
    orders: Option<Sender<Order>>,
    /// Accepted and not done.
    open: Arc<AtomicU64>,
    thread: Option<ScopedJoinHandle<'scope, Result<(), LoadError>>>,
}

impl<'scope> Threaded<'scope> {
    /// Starts the thread.
    pub fn start<'env, W: Writer + 'scope>(
        scope: &'scope Scope<'scope, 'env>,
        mut writer: W,
    ) -> Result<Self, LoadError> {
        let (orders, inbox) = bounded::<Order>(QUEUE);
        let open = Arc::new(AtomicU64::new(0));
        let left = Arc::clone(&open);
        let work = move || {
            for order in inbox {
                let weight = order.weight();
                match order {
                    Order::Piece(piece) => writer.write(*piece)?,
                    Order::Seal(seal) => writer.seal(*seal)?,
                }
                left.fetch_sub(weight, Ordering::Relaxed);
            }
            Ok(())
        };
        let thread =
            Builder::new().name("writer".into()).spawn_scoped(scope, work).map_err(|error| {
                let message = format!("cannot start a thread for a writer: {error}");
                LoadError::new(LoadErrorKind::Target, message)
            })?;
        Ok(Self { orders: Some(orders), open, thread: Some(thread) })
    }

    fn send(&mut self, order: Order) -> Result<(), LoadError> {
        self.open.fetch_add(order.weight(), Ordering::Relaxed);
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

    /// Who has failed has nothing to do: the next group goes there, so that the error is heard at once and not
    /// at the end of the input.
    fn open(&self) -> u64 {
        match &self.thread {
            Some(thread) if !thread.is_finished() => self.open.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    fn close(&mut self) -> Result<(), LoadError> {
        self.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with the first rows.
    struct Broken;

    impl Writer for Broken {
        fn write(&mut self, _: Piece) -> Result<(), LoadError> {
            Err(LoadError::new(LoadErrorKind::Target, "broken"))
        }

        fn seal(&mut self, _: Seal) -> Result<(), LoadError> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_has_failed_is_not_passed_by() {
        std::thread::scope(|scope| {
            let mut writer = Threaded::start(scope, Broken).expect("a thread");
            // As if rows were left that it will never write.
            writer.open.fetch_add(4_000, Ordering::Relaxed);
            assert_eq!(writer.open(), 4_000);
            writer.write(Piece::default()).expect("it is accepted");
            while writer.open() > 0 {
                std::thread::yield_now();
            }
            assert_eq!(writer.close().expect_err("it has failed").message, "broken");
        });
    }
}
