//! Threads, queues, order, budget and stop: how chunks get from a source to a consumer.
//!
//! One reader thread cuts blocks, a pool of workers decodes them and applies the agents, the
//! calling thread restores the order and hands chunks to the consumer. Queues are bounded. Only the
//! reader waits for memory (see `chunk::Budget`), and whoever holds a chunk can always finish it,
//! so nothing can deadlock: the chunk that order waits for is always already in flight.
//!
//! By default all agents of a chunk run on one core, one after the other (no queue between them);
//! with `fuse = false` each agent has its own threads and queue. The result is the same.

mod drive;
mod event;
mod order;
mod priority;
mod size;
mod stop;

pub use drive::{Consumer, FlowError, FlowInput, FlowPlan, drive};
pub use event::{Event, Meter, MeterReading, Meters, Observer};
pub use order::Reorder;
pub use size::Sizer;
pub use stop::{Stop, StopCause};
