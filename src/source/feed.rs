//! A reader that must live on a thread of its own, asked for one page at a time.
//!
//! Some libraries hand over rows from the inside of a call, or borrow what they read. Their loop runs
//! on a thread here, and only while a page is asked for: nothing is read ahead, so memory follows
//! the permits of whoever asks.

use super::{SourceError, SourceErrorKind};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::JoinHandle;

/// Size of the page asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Records, about.
    pub rows: usize,
    /// Bytes, about.
    pub bytes: usize,
}

impl Wanted {
    /// A page of at least one record.
    pub fn new(rows: usize, bytes: usize) -> Self {
        Self { rows: rows.max(1), bytes: bytes.clamp(1 << 10, 1 << 30) }
    }

    /// Whether a page has what was asked for.
    pub fn is_met(self, rows: usize, bytes: usize) -> bool {
        rows >= self.rows || (rows > 0 && bytes >= self.bytes)
    }
}

type Reply<P> = Result<Option<P>, SourceError>;

/// The side that asks.
pub struct Feed<P> {
    name: &'static str,
    label: String,
    requests: Option<Sender<Wanted>>,
    replies: Option<Receiver<Reply<P>>>,
    thread: Option<JoinHandle<()>>,
}

/// The reader's side.
pub struct Taker<P> {
    asked: Receiver<Wanted>,
    answer: Sender<Reply<P>>,
    gone: bool,
}

impl<P> Taker<P> {
    /// Hands a page over and waits for the next request; `None` when nobody asks any more.
    pub fn give(&mut self, page: P) -> Option<Wanted> {
        let next = self.answer.send(Ok(Some(page))).ok().and_then(|()| self.asked.recv().ok());
        self.gone |= next.is_none();
        next
    }
}

impl<P: Send + 'static> Feed<P> {
    /// Starts the thread. `work` gets the first request, gives all pages but the last to the taker,
    /// and returns the last one (`None`: there is nothing more).
    pub fn start(
        name: &'static str,
        label: &str,
        work: impl FnOnce(&mut Taker<P>, Wanted) -> Reply<P> + Send + 'static,
    ) -> Result<Self, SourceError> {
        let (requests, asked) = bounded(1);
        let (answer, replies) = bounded(1);
        let mut taker = Taker { asked, answer, gone: false };
        let thread = std::thread::Builder::new()
            .name(format!("etl-{name}"))
            .spawn(move || {
                let Ok(wanted) = taker.asked.recv() else { return };
                let last = work(&mut taker, wanted);
                let more = matches!(last, Ok(Some(_)));
                // Whoever asked may have gone: then nobody needs the answer.
                let told = !taker.gone && taker.answer.send(last).is_ok();
                if told && more && taker.asked.recv().is_ok() {
                    let _ = taker.answer.send(Ok(None));
                }
            })
            .map_err(|error| SourceError::io(label, error))?;
        Ok(Self {
            name,
            label: label.to_owned(),
            requests: Some(requests),
            replies: Some(replies),
            thread: Some(thread),
        })
    }

    /// The next page; after the last one, or an error, always `None`.
    pub fn ask(&mut self, wanted: Wanted) -> Reply<P> {
        let (Some(requests), Some(replies)) = (&self.requests, &self.replies) else {
            return Ok(None);
        };
        let sent = requests.send(wanted).ok();
        let reply = sent
            .and_then(|()| replies.recv().ok())
            .unwrap_or_else(|| Err(died(self.name, &self.label)));
        if !matches!(reply, Ok(Some(_))) {
            self.close();
        }
        reply
    }
}

impl<P> Feed<P> {
    fn close(&mut self) {
        self.requests = None;
        self.replies = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told as an error when its answer did not come.
            let _ = thread.join();
        }
    }
}

impl<P> Drop for Feed<P> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The reader failed where it should have said why.
pub fn died(name: &str, label: &str) -> SourceError {
    let message = format!("the {name} reader stopped; nothing more can be read from this file");
    SourceError::new(SourceErrorKind::ReaderDied, label, message)
        .with_hint("open it in the program that wrote it and save it again, or save it as .csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Wanted = Wanted { rows: 1, bytes: 1 << 10 };

    #[test]
    fn pages_come_in_order_and_then_none() {
        let mut feed = Feed::start("test", "x", |taker, _| {
            for page in 0..3 {
                if taker.give(page).is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(3))
        })
        .expect("a thread");
        for page in 0..4 {
            assert_eq!(feed.ask(ANY).expect("no error"), Some(page));
        }
        assert_eq!(feed.ask(ANY).expect("no error"), None);
        assert_eq!(feed.ask(ANY).expect("no error"), None);
    }

    #[test]
    fn a_panic_of_the_reader_is_an_error() {
        let mut feed = Feed::<u8>::start("test", "x", |_, _| {
            std::panic::resume_unwind(Box::new("as a library might"))
        })
        .expect("a thread");
        assert_eq!(feed.ask(ANY).expect_err("it died").kind, SourceErrorKind::ReaderDied);
        assert_eq!(feed.ask(ANY).expect("over"), None);
    }

    #[test]
    fn dropping_in_the_middle_ends_the_thread() {
        let (done, ended) = bounded(1);
        let mut feed = Feed::start("test", "x", move |taker, _| {
            while taker.give(0).is_some() {}
            done.send(()).expect("the test waits");
            Ok(None)
        })
        .expect("a thread");
        assert_eq!(feed.ask(ANY).expect("no error"), Some(0));
        drop(feed);
        ended.try_recv().expect("the thread has ended when the feed is gone");
    }
}
