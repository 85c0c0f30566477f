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

/// Writes a synthetic roll with the example `roll`, built where it is not yet.
pub fn roll(place: &Place, arguments: &[&str]) {
    let program = Path::new(env!("CARGO_BIN_EXE_etl"));
    let folder = program.parent().expect("the program lies in a folder");
    let name = format!("roll{}", std::env::consts::EXE_SUFFIX);
    let example = folder.join("examples").join(name);
    if !example.exists() {
        build_roll();
    }
    let made = Command::new(example)
        .args(arguments)
        .current_dir(place.folder.path())
        .output()
        .expect("the example starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// `cargo test` builds all examples; `cargo test --test it` does not.
fn build_roll() {
    let cargo = std::env::var_os("CARGO").expect("tests run under cargo");
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let built = Command::new(cargo)
        .args(["build", "--profile", profile, "--example", "roll"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(built.success(), "the example roll cannot be built");
}
