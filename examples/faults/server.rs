//! A PostgreSQL server of the harness, and a pooler before it.

use super::{Args, Outcome};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server, thrown away at the end.
pub struct Server {
    script: PathBuf,
    programs: PathBuf,
    folder: PathBuf,
    /// Its port.
    pub port: u16,
}

/// A port that nobody has.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Server {
    /// A server in `folder`.
    pub fn start(args: &Args, folder: &Path) -> Outcome<Self> {
        let port = free_port()?;
        let script = args.postgres.clone();
        let bin = Command::new("sh").arg(&script).arg("bin").stderr(Stdio::inherit()).output()?;
        let programs = PathBuf::from(String::from_utf8(bin.stdout)?.trim());
        let server = Self { script, programs, folder: folder.to_owned(), port };
        server.script(&["start", &folder.display().to_string(), &port.to_string()])?;
        Ok(server)
    }

    /// What it prints.
    fn script(&self, arguments: &[&str]) -> Outcome<String> {
        let done = Command::new("sh").arg(&self.script).args(arguments).output()?;
        match done.status.success() {
            true => Ok(String::from_utf8(done.stdout)?.trim().to_owned()),
            false => {
                Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&done.stderr)).into())
            }
        }
    }

    /// As after a crash; also where it has crashed by itself.
    pub fn restart(&self) -> Outcome {
        self.script(&["restart", &self.folder.display().to_string()]).map(drop)
    }

    /// A target on one of its ports.
    pub fn url(port: u16) -> String {
        format!("postgres://etl:etl@127.0.0.1:{port}/etl")
    }

    /// An answer of the server.
    pub fn ask(&self, sql: &str) -> Outcome<String> {
        let done = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"])
            .args(["-U", "etl", "-d", "etl", "-p", &self.port.to_string(), "-c", sql])
            .env("PGPASSWORD", "etl")
            .output()?;
        match done.status.success() {
            true => Ok(String::from_utf8(done.stdout)?.trim().to_owned()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned().into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its folder goes in any case.
        let _ = self.script(&["stop", &self.folder.display().to_string()]);
    }
}

/// pgbouncer in transaction mode, where the system has it.
pub struct Pooler {
    child: Child,
    /// Its port.
    pub port: u16,
}

impl Pooler {
    /// Before `server`; none where there is no pgbouncer.
    pub fn start(server: &Server, folder: &Path) -> Outcome<Option<Self>> {
        let program = server.script(&["pooler"])?;
        if program.is_empty() {
            return Ok(None);
        }
        let port = free_port()?;
        let (users, config) = (folder.join("users.txt"), folder.join("pgbouncer.ini"));
        std::fs::write(&users, "\"etl\" \"etl\"\n")?;
        let text = format!(
            "[databases]\netl = host=127.0.0.1 port={} dbname=etl\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n\
             auth_file = {}\npool_mode = transaction\nmax_client_conn = 50\ndefault_pool_size = 12\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.port,
            users.display()
        );
        std::fs::write(&config, text)?;
        readable(folder)?;
        let mut command = Command::new(program);
        command.arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        if is_root()? {
            command.args(["-u", "postgres"]);
        }
        let mut pooler = Self { child: command.spawn()?, port };
        for _ in 0..50 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(Some(pooler));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        pooler.child.kill()?;
        Err("pgbouncer does not answer".into())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> Outcome<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(String::from_utf8(id.stdout)?.trim() == "0")
}

/// pgbouncer runs as another user than root.
fn readable(folder: &Path) -> Outcome {
    let done = Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status()?;
    if done.success() { Ok(()) } else { Err("chmod failed".into()) }
}
