//! A place of its own for each test: empty environment, empty home, fixed width.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary folder in which the program runs.
pub struct Place {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Place {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("the folder is writable");
        Self { folder, env: Vec::new() }
    }

    /// With one more variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With one more file.
    pub fn file(self, name: &str, content: &str) -> Self {
        let path = self.path(name);
        let parent = path.parent().expect("inside the folder");
        std::fs::create_dir_all(parent).expect("the folder is writable");
        std::fs::write(path, content).expect("the folder is writable");
        self
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with arguments, not yet started. Only what a program cannot start without is
    /// taken over from the outside.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("COLUMNS", "80")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        for name in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SystemRoot", "PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs the program.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Runs the program and returns all that can be seen of it, for a snapshot.
    #[must_use = "what a program prints must be asserted"]
    pub fn run(&self, arguments: &[&str]) -> String {
        seen(&self.output(arguments), self.folder.path())
    }
}

/// Exit code, stdout and stderr together, without what differs from place to place.
fn seen(output: &Output, folder: &Path) -> String {
    let mut text = String::new();
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    writeln!(text, "exit: {code}").expect("memory takes all");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let told = String::from_utf8_lossy(bytes);
        if !told.is_empty() {
            writeln!(text, "--- {name}\n{}", told.trim_end()).expect("memory takes all");
        }
    }
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    text.replace(&real.display().to_string(), "[FOLDER]")
        .replace(&folder.display().to_string(), "[FOLDER]")
        .replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}
