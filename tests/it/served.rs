//! A gateway served as its users serve it, and the commands and examples that ask it.

mod billing;
mod client;
mod commands;
mod examples;
mod replays;
mod stored;
mod unix;
mod usage;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// `quotagate serve` on a free port and a socket in a directory of its own; it ends when this is dropped.
pub struct Served {
    process: Child,
    address: String,
    dir: TempDir,
}

impl Served {
    /// With what is built in.
    pub fn start() -> Self {
        Self::start_with(TempDir::new().expect("a temporary directory"), &[])
    }

    /// In a directory, with arguments besides the addresses.
    pub fn start_with(dir: TempDir, arguments: &[&str]) -> Self {
        let mut process = Command::new(cargo_bin!())
            .current_dir(dir.path())
            .args(["serve", "--listen", "127.0.0.1:0", "--uds", "gate.sock"])
            .args(arguments)
            .env("QUOTAGATE_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let stdout = process.stdout.take().expect("piped");
        let mut lines = BufReader::new(stdout).lines();
        let address = lines.find_map(|line| {
            let line = line.expect("UTF-8");
            line.strip_prefix("listening on http://")
                .map(|address| format!("http://{address}"))
        });
        let address = address.expect("it says where it listens");
        // It may go on to print, and must not find nobody who reads.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            address,
            dir,
        }
    }

    /// Tells it to stop, waits until it has, and gives its directory back.
    pub fn stop(mut self) -> TempDir {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(id.expect("a process"), Signal::TERM).expect("it runs");
        let status = self.process.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
        std::mem::replace(
            &mut self.dir,
            TempDir::new().expect("a temporary directory"),
        )
    }

    /// Where it serves.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of its Unix socket.
    fn socket(&self) -> String {
        format!("unix://{}", self.dir.path().join("gate.sock").display())
    }

    /// Runs a command at its address; exit status, stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run_at(&self.address, arguments)
    }

    /// Runs a command that must be done or allowed; its stdout.
    pub fn done(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.run(arguments);
        assert_eq!((status, stderr.as_str()), (0, ""), "{arguments:?}");
        stdout
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, which its test will have seen.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run_at(address: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(cargo_bin!());
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments);
    output(command.env("QUOTAGATE_SERVER", address))
}

/// The Python that tests/run has set up with what the examples need.
pub fn python() -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/python/bin/python");
    assert!(
        python.exists(),
        "{} is not there; tests/run sets it up",
        python.display()
    );
    let mut command = Command::new(python);
    command
        .current_dir(root)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

pub fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let status = output.status.code().expect("it ends by itself");
    (status, text(output.stdout), text(output.stderr))
}

pub fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
