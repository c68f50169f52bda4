//! The program as a process that can be killed, alone or beneath strace.
//!
//! Invariant: no process outlives what started it, and none is ended but by its own id.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::{Channel, Endpoint};

use super::load::PATIENCE;

/// What it prints when it is ready.
const READY: &str = "listening on http://";

/// A process that serves; it is killed when this is dropped.
pub struct Program {
    process: Child,
    /// Where gRPC is served.
    grpc: String,
}

/// What comes of starting it.
pub enum Start {
    Ready(Program),
    /// It ended before it was ready; how, and what it said.
    Ended(ExitStatus, String),
}

/// The program: the one that was built with the tests, or the one named by `QUOTAGATE_PROGRAM`.
pub fn path() -> PathBuf {
    std::env::var_os("QUOTAGATE_PROGRAM").map_or_else(|| cargo_bin!().to_owned(), PathBuf::from)
}

/// `serve` with the files of a directory. `strace` has the options of strace, if there is to be one.
fn command(dir: &Path, arguments: &[&str], strace: Option<&[String]>) -> Command {
    let program = path();
    let mut command = match strace {
        Some(options) => {
            let mut command = Command::new("strace");
            // The tracer is the grandchild: the process that is started is the program itself.
            let trace = dir.join("trace");
            command.args(["-D", "-f", "-qq", "-o"]).arg(trace);
            command.args(options).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .current_dir(dir)
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(dir.join("gateway.toml"))
        .args(arguments)
        .env("QUOTAGATE_LOG", "warn")
        .stdin(Stdio::null());
    command
}

/// Starts it and kills it after so long, whatever it does.
pub fn kill_at_start(dir: &Path, arguments: &[&str], after: Duration) {
    let mut command = command(dir, arguments, None);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().expect("it runs");
    std::thread::sleep(after);
    process.kill().expect("a process");
    process.wait().expect("a process");
}

/// Starts it, and waits until it is ready.
pub fn serve(dir: &Path, arguments: &[&str], strace: Option<&[String]>) -> Start {
    let log = dir.join("log");
    let mut command = command(dir, arguments, strace);
    command
        .stdout(Stdio::piped())
        .stderr(File::create(&log).expect("a writable directory"));
    let process = command.spawn();
    let mut process = process.expect("it runs; strace is installed by tests/run");
    let mut stdout = BufReader::new(process.stdout.take().expect("piped"));
    let mut lines = stdout.by_ref().lines().map_while(Result::ok);
    let grpc = lines.find_map(|line| line.strip_prefix(READY).map(str::to_owned));
    let Some(grpc) = grpc else {
        let status = process.wait().expect("a process");
        let said = fs::read_to_string(&log).expect("a log");
        return Start::Ended(status, said);
    };
    // It may go on to print, and must not find nobody who reads.
    std::thread::spawn(move || stdout.lines().for_each(drop));
    Start::Ready(Program { process, grpc })
}

impl Program {
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where gRPC is served, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.grpc
    }

    /// A connection of its own; nothing if it is gone.
    pub async fn channel(&self) -> Option<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).expect("an address");
        endpoint.connect_timeout(PATIENCE).connect().await.ok()
    }

    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.process.wait().expect("a process");
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        // It may just have ended by itself; it was not waited for, so that its id is its own.
        let _ = kill_process(id.expect("a process"), signal);
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("a process").is_some()
    }

    /// Waits for its end; nothing if it does not come.
    pub fn end(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Memory that it holds, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("a size").trim().trim_end_matches("kB").trim();
        kib.parse().expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which its test will have seen.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
