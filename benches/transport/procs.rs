//! The servers as processes: started, found, charged for the processor's time that they take, and ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use quotagate::journal::Level;
use quotagate::proto::CreateAppRequest;
use quotagate::proto::control_service_client::ControlServiceClient;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::blast::Place;
use crate::talk::APP;

/// A server in a process of its own, which ends with this value.
pub struct Server {
    child: Child,
    address: String,
    unix: PathBuf,
    _stdout: BufReader<ChildStdout>,
    dir: TempDir,
}

/// How the program is set up.
#[derive(Clone, Copy)]
pub struct Setup {
    pub workers: usize,
    pub level: Level,
    pub snapshot_mib: u64,
}

impl Setup {
    /// As the program comes, but for the number of workers.
    pub fn workers(workers: usize) -> Self {
        Self {
            workers,
            level: Level::Process,
            snapshot_mib: 32,
        }
    }
}

/// The program, without limits that random joins would meet. Its data lies where temporary files do.
pub fn product(setup: Setup) -> Server {
    let dir = tempfile::tempdir().expect("a directory");
    let unix = dir.path().join("socket");
    let config = configure(dir.path(), &unix, setup);
    let mut command = Command::new(env!("CARGO_BIN_EXE_quotagate"));
    command.arg("serve").arg("--config").arg(config);
    command.arg("--data-dir").arg(dir.path().join("data"));
    Server::start(command, unix, dir)
}

fn configure(dir: &Path, unix: &Path, setup: Setup) -> PathBuf {
    let catalog = include_str!("../../config/catalog.toml");
    let catalog = catalog.replace("member_cap = 2000\n", "member_cap = \"unlimited\"\n");
    let open = |limit| {
        format!("[[override]]\nlimit = \"{limit}\"\nvalue = \"unlimited\"\nreason = \"bench\"\n")
    };
    let limits = ["group_members", "daily_groups", "joined_groups"].map(open);
    let gateway = format!(
        "listen = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\nuds = \"{}\"\nworkers = {}\n\
         [storage]\nlevel = \"{}\"\nsnapshot_mib = {}\n",
        unix.display(),
        setup.workers,
        setup.level.name(),
        setup.snapshot_mib
    );
    let files = [
        ("catalog.toml", catalog),
        ("limits.toml", limits.concat()),
        ("gateway.toml", gateway),
    ];
    for (name, text) in files {
        fs::write(dir.join(name), text).expect("a written file");
    }
    dir.join("gateway.toml")
}

impl Server {
    /// Starts a server that prints where it listens, as the program does.
    pub fn start(mut command: Command, unix: PathBuf, dir: TempDir) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = child.spawn().expect("a child");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let address = loop {
            let mut line = String::new();
            let count = stdout.read_line(&mut line).expect("text");
            assert!(count > 0, "{command:?} has ended before it listened");
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        Self {
            child,
            address,
            unix,
            _stdout: stdout,
            dir,
        }
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn tcp(&self) -> Place {
        Place::Tcp(self.address.parse().expect("an address"))
    }

    pub fn unix(&self) -> Place {
        Place::Unix(self.unix.clone())
    }

    /// Creates the app by the control service.
    pub fn create_app(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let request = CreateAppRequest {
            sdk_app_id: APP,
            edition: "pro".into(),
            account: String::new(),
        };
        let created = runtime.block_on(async {
            let place = format!("http://{}", self.address);
            let endpoint = tonic::transport::Endpoint::from_shared(place).expect("an address");
            let channel = endpoint.connect().await.expect("a connection");
            ControlServiceClient::new(channel).create_app(request).await
        });
        created.expect("a new app");
    }

    /// Nanoseconds that its threads have been on a processor.
    pub fn cpu_ns(&self) -> u64 {
        let threads = format!("/proc/{}/task", self.child.id());
        let threads = fs::read_dir(threads).expect("Linux");
        let of_thread = |thread: fs::DirEntry| -> Option<u64> {
            // A thread that has just ended has no file any more.
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        threads.flatten().filter_map(of_thread).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is done by this thread and by what it starts happens on the first processor alone, as long as this value lives.
pub struct Pinned(CpuSet);

impl Pinned {
    pub fn new() -> Self {
        let before = sched_getaffinity(None).expect("Linux");
        let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu));
        let mut one = CpuSet::new();
        one.set(first.expect("a processor"));
        sched_setaffinity(None, &one).expect("allowed");
        Self(before)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.0);
    }
}
