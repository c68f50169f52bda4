//! A file system that is full, and one that cannot be written to. Both need root; without it the tests say that they are left out.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{AdmitBatchRequest, Operation};
use tonic::Code;

use super::deed::{Deed, FILLED};
use super::load::{PATIENCE, fill};
use super::program::{Program, Start};
use super::rig::{Ending, Fault, Rig, tell};

/// A mounted directory; it is unmounted when this is dropped, whatever happens.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts at a directory; nothing, and a word about it, where that is not permitted.
    fn at(path: &Path, arguments: &[&str]) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(arguments).arg(path).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(path.to_owned()));
        }
        tell(
            "LEFT OUT: mount is not permitted here; run the tests as root to see what a full or read-only disk does",
        );
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What has it open may just be ending; lazily, it goes with that.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// How a removal or an addition outside what is judged is answered.
fn asked(rig: &Rig, program: &Program, deed: &Deed) -> Result<(), Code> {
    let operations: Vec<Operation> = vec![deed.ask(0)];
    let request = AdmitBatchRequest {
        sdk_app_id: FILLED,
        operations,
        ..AdmitBatchRequest::default()
    };
    rig.runtime.block_on(async {
        let channel = program.channel().await.ok_or(Code::Unknown)?;
        let answer = AdmissionServiceClient::new(channel)
            .admit_batch(request)
            .await;
        answer.map(drop).map_err(|status| status.code())
    })
}

fn ready(rig: &Rig) -> Result<Program, Fault> {
    match rig.start(None) {
        Start::Ready(program) => Ok(program),
        Start::Ended(status, said) => {
            Err(rig.fault(&format!("it does not start: {status}: {said}")))
        }
    }
}

/// Takes all room that there is, and more of the journal until additions are refused.
fn use_up(rig: &Rig, program: &Program) -> Result<(), Fault> {
    let mut ballast = File::create(rig.data().join("ballast")).expect("created");
    for piece in [1 << 20, 4096] {
        while ballast.write_all(&vec![1; piece]).is_ok() {}
    }
    let deadline = Instant::now() + 3 * PATIENCE;
    while Instant::now() < deadline {
        let filled = rig.runtime.block_on(async {
            let channel = program.channel().await?;
            Some(fill(channel, 10).await)
        });
        if filled == Some(false) {
            return Ok(());
        }
    }
    Err(rig.fault("nothing is refused though the disk is full"))
}

fn fill_up(level: &'static str, rig: &mut Rig) -> Result<Duration, Fault> {
    rig.run(None, Ending::Killed(Duration::from_millis(100)))?;
    let mut program = ready(rig)?;
    refuses_additions_alone(rig, &program)?;
    let resumed = resumes(rig, &program)?;
    // Killed while it is full, and started again.
    refuses_additions_alone(rig, &program)?;
    program.kill();
    let program = match rig.start(None) {
        Start::Ready(again) => again,
        // It may find too little room to begin with, but must say so and hurt nothing.
        Start::Ended(status, said) if said.contains("No space left") => {
            let said = said.trim();
            tell(&format!(
                "level {level}: on a full disk it does not start, {status}: {said}"
            ));
            make_room(rig);
            ready(rig)?
        }
        Start::Ended(status, said) => return Err(rig.fault(&format!("{status}: {said}"))),
    };
    resumes(rig, &program)?;
    drop(program);
    rig.run(None, Ending::Killed(Duration::from_millis(50)))?;
    drop(rig.judge_now()?);
    Ok(resumed)
}

fn refuses_additions_alone(rig: &mut Rig, program: &Program) -> Result<(), Fault> {
    use_up(rig, program)?;
    let refused = asked(rig, program, &Deed::Register(2));
    if refused != Err(Code::Unavailable) {
        return Err(rig.fault(&format!("an addition on a full disk: {refused:?}")));
    }
    for removal in [Deed::Unfriend(0, 1, false), Deed::DeleteUser(1)] {
        let removed = asked(rig, program, &removal);
        removed.map_err(|code| rig.fault(&format!("{removal:?} on a full disk: {code:?}")))?;
    }
    // All is there that was acknowledged while there was room.
    match rig.examine_dry(program)? {
        Some(early) => Err(rig.fault(&format!("it cannot be asked: {early}"))),
        None => Ok(()),
    }
}

/// How long it takes until additions are allowed, once there is room.
fn resumes(rig: &Rig, program: &Program) -> Result<Duration, Fault> {
    make_room(rig);
    let begun = Instant::now();
    while asked(rig, program, &Deed::Register(2)).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err(rig.fault("it does not resume though there is room"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(begun.elapsed())
}

fn make_room(rig: &Rig) {
    // It may be gone already.
    let _ = fs::remove_file(rig.data().join("ballast"));
}

#[test]
fn a_full_disk_refuses_additions_alone_and_it_goes_on_when_there_is_room() {
    for level in ["process", "power"] {
        let mut rig = Rig::new(level, "snapshot_mib = 1000", 1);
        fs::create_dir(rig.data()).expect("created");
        let arguments = ["-t", "tmpfs", "-o", "size=32m", "tmpfs"];
        let Some(_mounted) = Mounted::at(&rig.data(), &arguments) else {
            return;
        };
        let resumed = fill_up(level, &mut rig);
        let resumed = resumed.unwrap_or_else(|fault| panic!("level {level}: {fault}"));
        tell(&format!(
            "level {level}: additions allowed {resumed:?} after there was room"
        ));
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_refused() {
    let mut rig = Rig::new("process", "", 2);
    let killed = rig.run(None, Ending::Killed(Duration::from_millis(50)));
    killed.expect("it begins well");
    let data = rig.data().display().to_string();
    let Some(mounted) = Mounted::at(&rig.data(), &["--bind", &data]) else {
        return;
    };
    let mut remount = Command::new("mount");
    let remounted = remount.args(["-o", "remount,ro,bind", &data]).status();
    assert!(remounted.expect("it runs").success());
    let Start::Ended(status, said) = rig.start(None) else {
        panic!("it serves from a directory that it cannot write to");
    };
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(
        said.contains("data") && said.contains("Read-only"),
        "{said}"
    );
    drop(mounted);
    let judged = rig.judge_now();
    drop(judged.unwrap_or_else(|fault| panic!("{fault}")));
}

/// The holder is named, and goes on undisturbed.
#[test]
fn a_second_process_on_the_directory_is_refused() {
    let mut rig = Rig::new("process", "", 3);
    rig.run(None, Ending::Killed(Duration::from_millis(50)))
        .expect("it begins well");
    let holder = ready(&rig).unwrap_or_else(|fault| panic!("{fault}"));
    let Start::Ended(status, said) = rig.start(None) else {
        panic!("two serve from one directory");
    };
    assert_eq!(status.code(), Some(2), "{said}");
    let named = format!("process {} serving on {}", holder.id(), holder.address());
    assert!(said.contains(&named), "{said}");
    assert_eq!(rig.examine(&holder), Ok(None));
}
