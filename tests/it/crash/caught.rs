//! The judge is judged: it finds nothing where nothing was lost, and whatever is lost, brought back or admitted too much.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::{Program, Start};
use super::rig::Rig;

fn plain(seed: u64) -> Rig {
    let dir = TempDir::new().expect("a temporary directory");
    Rig::with(dir, "", &[], "process", seed)
}

fn started(rig: &Rig) -> Program {
    match rig.start(None) {
        Start::Ready(program) => program,
        Start::Ended(status, said) => panic!("it does not start: {status}: {said}"),
    }
}

#[test]
fn nothing_is_found_where_nothing_was_lost() {
    let mut rig = plain(1);
    let program = started(&rig);
    for _ in 0..20 {
        let found = rig.examine(&program).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(found, None);
        let loading = rig.begin(&program, 200).unwrap_or_else(|fault| panic!("{fault}"));
        let loading = loading.expect("it lives");
        std::thread::sleep(Duration::from_millis(50));
        loading.stop();
        rig.finish(loading, Instant::now()).unwrap_or_else(|fault| panic!("{fault}"));
    }
    eprintln!("{:?}", rig.ledger.counted);
}
