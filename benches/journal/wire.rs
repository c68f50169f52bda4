//! On the wire: the program at level `process` beside the same at `memory`, and by itself at `power`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use quotagate::journal::Level;
use rustix::fs::FallocateFlags;

use crate::Bench;
use crate::load::latency_us;
use crate::procs::{Pinned, Server, Setup};
use crate::report::{Report, Samples, Target};
use crate::talk::Content;

/// So much journal that no snapshot is taken.
const NO_SNAPSHOT_MIB: u64 = 1 << 20;

/// The program on one processor.
fn at(level: Level) -> Setup {
    Setup {
        level,
        snapshot_mib: NO_SNAPSHOT_MIB,
        ..Setup::workers(1)
    }
}

impl Bench {
    /// Calls under load and one at a time.
    pub fn levels(&self, report: &mut Report) {
        let _pinned = Pinned::new();
        let servers = [Level::Process, Level::Memory].map(|level| self.load.loaded(at(level)));
        let cost = |server: &Server| self.load.call_cost(server, [4, 32]);
        let [process, memory] = self.rounds(&servers, cost);
        let name = "unary, 4 x 32, process against memory: us of CPU a call";
        report.compared(name, &process, &memory, Target::AtMost(1.03));
        let latencies = |server: &Server| {
            let mut outcome = self.load.calls(server.unix(), [1, 1]);
            [500, 990].map(|part| latency_us(&mut outcome, part))
        };
        let mut samples = [(); 4].map(|()| Samples::new());
        for round in 0..=self.rounds {
            for (place, server) in servers.iter().enumerate() {
                let [median, tail] = latencies(server);
                if round > 0 {
                    samples[place].push(median);
                    samples[place + 2].push(tail);
                }
            }
        }
        let [process, memory, process_tail, memory_tail] = samples;
        let name = "unary, one at a time, Unix socket, process against memory: us, p50";
        report.compared(name, &process, &memory, Target::AtMost(1.12));
        let name = "the same: us, p99";
        report.compared(name, &process_tail, &memory_tail, Target::None);
    }

    /// Batches in streams.
    pub fn streams(&self, report: &mut Report) {
        let _pinned = Pinned::new();
        let rate = |server: &Server| self.load.stream_rate(server, Content::Fresh);
        let servers = [Level::Process, Level::Memory].map(|level| self.load.loaded(at(level)));
        let [process, memory] = self.rounds(&servers, rate);
        let name =
            "stream, batches of 128, fresh joins, process against memory: decisions/s of CPU";
        report.compared(name, &process, &memory, Target::AtLeast(0.85));
        drop(servers);
        let servers = [Setup::workers(1), at(Level::Process)].map(|setup| self.load.loaded(setup));
        let [with, without] = self.rounds(&servers, rate);
        let name = "the same at process, with snapshots against without";
        report.compared(name, &with, &without, Target::None);
    }

    /// Calls that are answered once they survive a loss of power.
    pub fn power(&self, report: &mut Report) {
        let server = self.load.loaded(at(Level::Power));
        let mut disk = Samples::new();
        let mut samples = [(); 4].map(|()| Samples::new());
        for round in 0..=self.rounds {
            disk.push(fdatasync_ms(server.dir()));
            let mut one = self.load.calls(server.tcp(), [64, 1]);
            let many = self.load.calls(server.tcp(), [64, 8]);
            if round > 0 {
                samples[0].push(one.answers as f64 / one.seconds);
                samples[1].push(latency_us(&mut one, 500) / 1e3);
                samples[2].push(latency_us(&mut one, 990) / 1e3);
                samples[3].push(many.answers as f64 / many.seconds);
            }
        }
        let name = "fdatasync of 4 KiB in room made ahead, beside it: ms, p50";
        report.alone(name, &disk, Target::None);
        let [rate, median, tail, many] = samples;
        let name = "power, 64 clients, one call at a time each: calls/s";
        report.alone(name, &rate, Target::AtLeast(40_000.0));
        report.alone("the same: ms, p50", &median, Target::AtMost(1.2));
        report.alone("the same: ms, p99", &tail, Target::None);
        report.alone("power, 512 calls under way: calls/s", &many, Target::None);
    }

    /// The two servers' figures of neighbouring rounds; a first round warms up.
    fn rounds(&self, servers: &[Server; 2], figure: impl Fn(&Server) -> f64) -> [Samples; 2] {
        let mut samples = [Samples::new(), Samples::new()];
        for round in 0..=self.rounds {
            for (server, samples) in servers.iter().zip(&mut samples) {
                let measured = figure(server);
                if round > 0 {
                    samples.push(measured);
                }
            }
        }
        samples
    }
}

/// How long the disk takes to make 4 KiB durable in a file with room, as a journal's is: the median.
fn fdatasync_ms(dir: &Path) -> f64 {
    const TIMES: u64 = 200;
    let path = dir.join("fdatasync");
    let file = File::create(&path).expect("a file");
    let room = (TIMES + 1) * 4096;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, room).expect("room");
    file.sync_all().expect("a disk");
    let mut samples = Samples::new();
    for time in 0..TIMES {
        file.write_all_at(&[7; 4096], time * 4096).expect("a disk");
        let start = Instant::now();
        file.sync_data().expect("a disk");
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(path).expect("a file");
    samples.median()
}
