//! Runs the reader's process, takes what it tells, and makes an error of whatever becomes of it.
//!
//! It is waited for only while it hands something over: one that says nothing for a while is killed.
//! Its stdin is held open and closed by us, or by the system when we are gone; it ends with that.

use super::spool::{self, Refused, Spool};
use super::{Kind, ReaderProgram};
use crate::source::{SourceError, SourceErrorKind};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of the process's stderr that are kept.
const STDERR: u64 = 8 << 10;
/// Time to end in, once everything is told.
const GRACE: Duration = Duration::from_secs(5);
/// What to do about a workbook that cannot be read in this form.
pub const SAVE: &str = "open it in Excel or LibreOffice, save it as .xlsx, and try again";

/// What the workbook at `path` holds, on disk.
pub fn convert(
    kind: Kind,
    path: &Path,
    label: &str,
    reader: &ReaderProgram,
    temp_dir: Option<&PathBuf>,
) -> Result<Spool, SourceError> {
    let mut process = Process::start(kind, path, reader).map_err(|error| {
        let program = reader.program.display();
        let message = format!("the program that reads such files cannot be started ({program})");
        let mut error = SourceError::io(label, error);
        (error.kind, error.message) = (SourceErrorKind::ReaderDied, message);
        error.with_hint(SAVE)
    })?;
    let progress = Arc::new(AtomicU64::new(0));
    let taken =
        process.take(temp_dir.cloned(), &progress).map_err(|e| SourceError::io(label, e))?;
    let patience = Duration::from_secs(reader.patience.max(1));
    let (answer, silent) = process.wait_for(&taken, &progress, patience);
    let end = process.end(answer.is_some());
    match answer {
        Some(Ok(spool)) => Ok(spool),
        Some(Err(Refused::Stream(error))) => {
            tracing::debug!(%error, "what the reader of old workbooks tells breaks off");
            Err(died(label, reader, silent, &end))
        }
        None => Err(died(label, reader, silent, &end)),
        Some(Err(Refused::Told(fault))) => Err(told(label, fault.kind, fault.message)),
        Some(Err(Refused::TooLarge)) => {
            let message = "its sheets unpack to more than 16 GiB".to_owned();
            Err(told(label, SourceErrorKind::Limit, message))
        }
        Some(Err(Refused::Disk(error))) => {
            let folder = temp_dir.map(|dir| format!(" in {}", dir.display())).unwrap_or_default();
            let message = format!("its temporary copy{folder} cannot be written");
            let mut error = SourceError::io(label, error);
            (error.kind, error.message) = (SourceErrorKind::Unreadable, message);
            Err(error.with_hint("make room there, or name another folder with --temp-dir"))
        }
    }
}

/// Trouble that the process itself has told.
pub fn told(label: &str, kind: SourceErrorKind, message: String) -> SourceError {
    let (message, hint) = match kind {
        SourceErrorKind::Password => (message, "remove the password and try again"),
        SourceErrorKind::NotTheFormat => (message, "give a workbook, CSV or Parquet"),
        SourceErrorKind::ReaderDied => {
            (format!("the reader stopped: {message}; nothing was loaded from this file"), SAVE)
        }
        _ => (message, SAVE),
    };
    SourceError::new(kind, label, message).with_hint(hint)
}

/// The process has not said why.
fn died(label: &str, reader: &ReaderProgram, silent: bool, end: &End) -> SourceError {
    let limit = reader.memory >> 20;
    let (why, hint) = if silent {
        (format!("it said nothing for {} s", reader.patience), SAVE.to_owned())
    } else if end.stderr.contains("memory allocation of") {
        (
            format!("it needs more than the {limit} MiB of memory left to it"),
            format!("{SAVE}, or give more with --memory-limit"),
        )
    } else {
        (end.how(), SAVE.to_owned())
    };
    let message = format!("the reader stopped: {why}; nothing was loaded from this file");
    SourceError::new(SourceErrorKind::ReaderDied, label, message).with_hint(hint)
}

/// The process; killed when it is let go of.
struct Process {
    child: Child,
    taker: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

/// How a process has ended.
struct End {
    status: Option<ExitStatus>,
    stderr: String,
}

impl End {
    fn how(&self) -> String {
        let Some(status) = self.status else { return "it cannot be waited for".into() };
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            match status.signal() {
                Some(9) => return "it was killed (the system may be out of memory)".into(),
                // SIGXCPU
                Some(24) => return "it took too much processor time".into(),
                Some(signal) => return format!("it crashed (signal {signal})"),
                None => {}
            }
        }
        match status.code() {
            Some(0) => "it told only a part".into(),
            Some(code) => format!("it ended with code {code}"),
            None => "it crashed".into(),
        }
    }
}

type Answer = Result<Spool, Refused>;

impl Process {
    fn start(kind: Kind, path: &Path, reader: &ReaderProgram) -> std::io::Result<Self> {
        let mut command = Command::new(&reader.program);
        command
            .args(&reader.arguments)
            .args(["--kind", kind.name()])
            .args(["--memory", &reader.memory.to_string()])
            .args(["--seconds", &reader.patience.to_string(), "--"])
            .arg(std::path::absolute(path)?)
            // Its allocator sets aside 1 GiB of addresses, which a limit of memory would count.
            .env("MIMALLOC_ARENA_RESERVE", "32MiB")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C is for us alone: we end the process ourselves.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = Self { child: command.spawn()?, taker: None, stderr: None };
        if let Some(stderr) = process.child.stderr.take() {
            process.stderr = Some(spawn("etl-reader-stderr", move || listen(stderr))?);
        }
        Ok(process)
    }

    /// Takes what the process tells, on a thread.
    fn take(
        &mut self,
        temp_dir: Option<PathBuf>,
        progress: &Arc<AtomicU64>,
    ) -> std::io::Result<Receiver<Answer>> {
        let (answer, taken) = bounded(1);
        let stdout: Option<ChildStdout> = self.child.stdout.take();
        let progress = Arc::clone(progress);
        self.taker = Some(spawn("etl-reader", move || {
            let Some(stdout) = stdout else { return };
            let mut stream = std::io::BufReader::with_capacity(1 << 18, stdout);
            let result = spool::take(&mut stream, temp_dir.as_ref(), &progress);
            // Nobody waits any more where the run has ended.
            let _ = answer.send(result);
        })?);
        Ok(taken)
    }

    /// The answer, and whether the process was killed because it said nothing.
    fn wait_for(
        &mut self,
        taken: &Receiver<Answer>,
        progress: &AtomicU64,
        patience: Duration,
    ) -> (Option<Answer>, bool) {
        let mut before = 0;
        loop {
            match taken.recv_timeout(patience) {
                Ok(answer) => return (Some(answer), false),
                Err(RecvTimeoutError::Disconnected) => return (None, false),
                Err(RecvTimeoutError::Timeout) => {
                    let now = progress.load(Ordering::Relaxed);
                    if now == before {
                        return (None, true);
                    }
                    before = now;
                }
            }
        }
    }

    /// Lets the process end where it has `answered`, or makes it.
    fn end(mut self, answered: bool) -> End {
        let until = Instant::now() + GRACE;
        let mut status = None;
        while answered && status.is_none() && Instant::now() < until {
            status = self.child.try_wait().ok().flatten();
            if status.is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let status = status.or_else(|| self.kill());
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if !stderr.is_empty() {
            tracing::debug!(stderr, "reader of old workbooks");
        }
        End { status, stderr }
    }

    fn kill(&mut self) -> Option<ExitStatus> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(taker) = self.taker.take() {
            // Its stream has ended with the process.
            let _ = taker.join();
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}

/// The first words on stderr; the rest is read and thrown away, so that the process never waits.
fn listen(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let read = stderr.by_ref().take(STDERR).read_to_end(&mut kept);
    if read.is_ok() {
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    }
    String::from_utf8_lossy(&kept).into_owned()
}
