//! A gateway's directory, the clients' ledger, and what happens to the two: start, judge, load, end, and again.
//!
//! Invariant: each run judges what the runs before it acknowledged, and a broken promise is told with the seed, the cycle and what
//! had happened last.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;

use super::deed::{APPS, CLIENTS, FILLED, LIMITS};
use super::judge::{Finding, Repeat, judge};
use super::ledger::Ledger;
use super::load::{Dice, Much, fill, load, prepare};
use super::program::{self, Program, Start};
use super::told::Exchange;

/// What a level `memory` may lose at most, with room for a busy machine.
const MEMORY_LOSES: Duration = Duration::from_millis(100);

/// How a run ends, once the gateway is ready and judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Killed after so long under load.
    Killed(Duration),
    /// Told to stop when every client has asked so many questions.
    Stopped(u32),
}

/// What became of a run.
#[derive(PartialEq, Eq, Debug)]
pub enum Ended {
    /// As it was meant to.
    AsMeant,
    /// By itself, or by what was injected, or before it was ready.
    Early(String),
}

/// The promise that was broken, with everything needed to find out why.
pub type Fault = String;

/// A directory with a gateway's files and data, and what its clients know.
pub struct Rig {
    dir: TempDir,
    /// Where the data is, and how the program is told.
    arguments: Vec<String>,
    pub ledger: Ledger,
    pub dice: Dice,
    /// How many times the journal is made longer in a run, beside the clients.
    pub filled: u32,
    seed: u64,
    cycle: u32,
    level: &'static str,
    last: String,
    noon: i64,
    pub runtime: Runtime,
    /// Of the last run, what each client noted.
    pub noted: Vec<Vec<Exchange>>,
}

impl Rig {
    /// With a level, and more lines for `[storage]`.
    pub fn new(level: &'static str, storage: &str, seed: u64) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let data = dir.path().join("data");
        let storage = format!("[storage]\nlevel = \"{level}\"\n{storage}\n");
        let arguments = ["--data-dir", data.to_str().expect("UTF-8")];
        Self::with(dir, &storage, &arguments, level, seed)
    }

    /// With everything named.
    pub fn with(
        dir: TempDir,
        storage: &str,
        arguments: &[&str],
        level: &'static str,
        seed: u64,
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.expect("after 1970").as_secs()).expect("in range");
        // A zone where it is noon, for the day must not end meanwhile.
        let hours = 12 - now / 3600 % 24;
        let (sign, hours) = if hours < 0 {
            ('-', -hours)
        } else {
            ('+', hours)
        };
        let apps = [APPS[0], APPS[1], FILLED].map(|app| format!("[[apps]]\nsdk_app_id = {app}\n"));
        let gateway = format!(
            "time_zone = \"{sign}{hours:02}:00\"\nworkers = 2\ndrain_seconds = 5\n{storage}{}",
            apps.concat()
        );
        let limits = LIMITS.map(|(limit, value)| {
            format!("[[override]]\nlimit = \"{limit}\"\nvalue = {value}\nreason = \"a test\"\n")
        });
        fs::write(dir.path().join("gateway.toml"), gateway).expect("written");
        fs::write(dir.path().join("limits.toml"), limits.concat()).expect("written");
        let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/catalog.toml");
        fs::copy(catalog, dir.path().join("catalog.toml")).expect("copied");
        Self {
            dir,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            ledger: Ledger::new(),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            filled: 0,
            seed,
            cycle: 0,
            level,
            last: "the start".to_owned(),
            noon: now,
            runtime: runtime(),
            noted: Vec::new(),
        }
    }

    /// The same files and knowledge in another directory. No gateway may have this one meanwhile.
    pub fn copied(&self) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        for name in ["gateway.toml", "limits.toml", "catalog.toml"] {
            fs::copy(self.dir.path().join(name), dir.path().join(name)).expect("copied");
        }
        let data = dir.path().join("data");
        copy(&self.data(), &data);
        let data = data.to_str().expect("UTF-8").to_owned();
        Self {
            dir,
            arguments: vec!["--data-dir".to_owned(), data],
            ledger: self.ledger.clone(),
            dice: self.dice.clone(),
            last: self.last.clone(),
            runtime: runtime(),
            noted: Vec::new(),
            ..*self
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The names of the snapshots that there are.
    pub fn snapshots(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.data()) else {
            return Vec::new();
        };
        let names = files.map(|entry| entry.expect("readable").file_name());
        let names = names.map(|name| name.into_string().expect("UTF-8"));
        names
            .filter(|name| name.starts_with("snapshot-0"))
            .collect()
    }

    /// Starts the gateway, beneath strace if it has options.
    pub fn start(&self, strace: Option<&[String]>) -> Start {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        program::serve(self.dir.path(), &arguments, strace)
    }

    /// One run: start, judge, prepare, load, end. What is acknowledged in it is judged by the next.
    pub fn run(&mut self, strace: Option<&[String]>, ending: Ending) -> Result<Ended, Fault> {
        self.cycle += 1;
        let ended = match self.start(strace) {
            Start::Ready(program) => self.go_on(program, ending)?,
            Start::Ended(status, said) => self.ended_at_start(status, &said, strace.is_some())?,
        };
        let strace = strace.map_or(String::new(), |options| {
            format!(" with {}", options.join(" "))
        });
        self.last = format!("{ending:?}{strace} ({ended:?})");
        Ok(ended)
    }

    /// Starts the gateway and kills it before it can do much.
    pub fn kill_at_start(&mut self, after: Duration) {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        program::kill_at_start(self.dir.path(), &arguments, after);
        self.last = format!("a kill {after:?} after the start");
    }

    /// Starts a gateway that must be able to, and judges it.
    pub fn judge_now(&mut self) -> Result<Program, Fault> {
        self.cycle += 1;
        match self.start(None) {
            Start::Ready(program) => self.examine(&program)?.map_or_else(
                || Ok(program),
                |early| Err(self.fault(&format!("it cannot be asked: {early}"))),
            ),
            Start::Ended(status, said) => Err(self.no_start(status, &said)),
        }
    }

    fn go_on(&mut self, mut program: Program, ending: Ending) -> Result<Ended, Fault> {
        if let Some(early) = self.examine(&program)? {
            return self.early(&mut program, early);
        }
        let questions = match ending {
            Ending::Killed(_) => u32::MAX,
            Ending::Stopped(questions) => questions,
        };
        let begun = self.begin(&program, questions);
        let Some(loading) = begun? else {
            return self.early(&mut program, "while it was prepared".to_owned());
        };
        if let Ending::Killed(after) = ending {
            std::thread::sleep(after);
            program.kill();
        }
        let killed = Instant::now();
        self.finish(loading, killed)?;
        if let Ending::Stopped(_) = ending {
            program.signal(Signal::TERM);
            return match program.end() {
                Some(status) if status.success() => Ok(Ended::AsMeant),
                Some(status) => Ok(Ended::Early(format!("while it was used: {status}"))),
                None => Err(self.fault("it does not stop when told to")),
            };
        }
        Ok(Ended::AsMeant)
    }

    /// Sets the clients to work on a gateway; nothing if it is gone.
    pub fn begin(&mut self, program: &Program, questions: u32) -> Result<Option<Loading>, Fault> {
        let stop = Arc::new(AtomicBool::new(false));
        let much = Much {
            questions,
            stop: Arc::clone(&stop),
            noon: self.noon,
        };
        let prepared = self.runtime.block_on(async {
            let channel = program.channel().await?;
            Some(prepare(channel, &much).await)
        });
        let Some(prepared) = prepared else {
            return Ok(None);
        };
        self.note(&prepared, None)?;
        let clients = APPS.len() * usize::from(CLIENTS) + 1;
        let channels = self.runtime.block_on(async {
            let mut channels = Vec::new();
            for _ in 0..clients {
                channels.push(program.channel().await?);
            }
            Some(channels)
        });
        let Some(mut channels) = channels else {
            return Ok(None);
        };
        let filling = channels.pop().map(|channel| fill(channel, self.filled));
        let filling = self.runtime.spawn(filling.expect("one for each"));
        let mut dice = self.dice.another();
        let clients = self
            .runtime
            .spawn(async move { load(channels, &mut dice, &much).await });
        Ok(Some(Loading {
            clients,
            filling,
            stop,
        }))
    }

    /// Waits for the clients, and notes what they asked and heard.
    pub fn finish(&mut self, loading: Loading, killed: Instant) -> Result<(), Fault> {
        let noted = self.runtime.block_on(loading.clients).expect("no panic");
        self.runtime.block_on(loading.filling).expect("no panic");
        let until = (self.level == "memory")
            .then(|| killed.checked_sub(MEMORY_LOSES).expect("not at boot"));
        for client in &noted {
            self.note(client, until)?;
        }
        self.noted = noted;
        Ok(())
    }

    fn note(&mut self, exchanges: &[Exchange], until: Option<Instant>) -> Result<(), Fault> {
        for exchange in exchanges {
            let noted = self.ledger.note(exchange, until);
            noted.map_err(|broken| self.fault(&broken.to_string()))?;
        }
        Ok(())
    }

    /// Has the judge look at a gateway; why it could not be asked, if so.
    pub fn examine(&mut self, program: &Program) -> Result<Option<String>, Fault> {
        self.look(program, Repeat::Everything)
    }

    /// The same where additions are refused, even of what is there.
    pub fn examine_dry(&mut self, program: &Program) -> Result<Option<String>, Fault> {
        self.look(program, Repeat::Nothing)
    }

    fn look(&mut self, program: &Program, repeat: Repeat) -> Result<Option<String>, Fault> {
        let (ledger, noon) = (&mut self.ledger, self.noon);
        let judged = self.runtime.block_on(async {
            let channel = program.channel().await?;
            Some(judge(&channel, ledger, noon, repeat).await)
        });
        match judged {
            Some(Ok(())) => Ok(None),
            Some(Err(Finding::Broken(broken))) => Err(self.fault(&broken.to_string())),
            Some(Err(Finding::Unasked(status))) => Ok(Some(status.to_string())),
            None => Ok(Some("it does not listen".to_owned())),
        }
    }

    fn early(&self, program: &mut Program, when: String) -> Result<Ended, Fault> {
        match program.end() {
            Some(_) => Ok(Ended::Early(when)),
            None => Err(self.fault(&format!("it lives and does not answer: {when}"))),
        }
    }

    /// It ended before it was ready: right only where something was injected.
    fn ended_at_start(&self, status: ExitStatus, said: &str, hurt: bool) -> Result<Ended, Fault> {
        if hurt {
            return Ok(Ended::Early(format!("before it was ready: {status}")));
        }
        Err(self.no_start(status, said))
    }

    fn no_start(&self, status: ExitStatus, said: &str) -> Fault {
        self.fault(&format!("it does not start: {status}: {said}"))
    }

    pub fn fault(&self, what: &str) -> Fault {
        let Self {
            seed, cycle, last, ..
        } = self;
        format!("seed {seed}, cycle {cycle}, after {last}: {what}")
    }
}

/// Says something past what the test runner keeps to itself.
pub fn tell(what: &str) {
    let line = format!("{what}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("stderr");
}

/// Copies the files of a directory into another, which is created.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

fn runtime() -> Runtime {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// Clients at work.
pub struct Loading {
    clients: JoinHandle<Vec<Vec<Exchange>>>,
    filling: JoinHandle<bool>,
    stop: Arc<AtomicBool>,
}

impl Loading {
    /// Has the clients ask no more.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
