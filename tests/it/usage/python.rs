//! The library of Apache DataSketches for Python reads our sketches, merges them, and comes to the same.

use std::fs;

use quotagate::sketch::Sketch;
use serde_json::Value;
use tempfile::TempDir;

use super::sketch_of;
use crate::served::{output, python};

/// What the library makes of sketches, and of so many users.
fn read(users: u64, sketches: &[Sketch]) -> Value {
    let dir = TempDir::new().expect("a temporary directory");
    let mut command = python();
    command
        .arg("tests/it/usage/sketches.py")
        .arg(users.to_string());
    for (number, sketch) in sketches.iter().enumerate() {
        let file = dir.path().join(number.to_string());
        fs::write(&file, sketch.to_bytes()).expect("written");
        command.arg(file);
    }
    let (status, stdout, stderr) = output(&mut command);
    assert_eq!(status, 0, "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

/// Its estimate and bounds, rounded as ours are, must be ours.
fn assert_counted(theirs: &Value, sketch: &Sketch) {
    let float = |name: &str| theirs[name].as_f64().expect("a number");
    let ours = sketch.count();
    let shown = |count: u64| format!("{count}.0");
    assert_eq!(theirs["lg_k"], 14);
    assert_eq!(
        format!("{:.1}", float("estimate").round()),
        shown(ours.estimate)
    );
    // Of few users ours are the estimate itself; theirs are as close as the hash is good.
    let (lower, upper) = (float("lower"), float("upper"));
    let few = ours.lower == ours.upper;
    let (lower, upper) = if few {
        (lower.round(), upper.round())
    } else {
        (lower.floor(), upper.ceil())
    };
    assert_eq!(format!("{lower:.1}"), shown(ours.lower));
    assert_eq!(format!("{upper:.1}"), shown(ours.upper));
}

fn image(of: &Value) -> Vec<u8> {
    let hex = of["image"].as_str().expect("a text").as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    hex.chunks(2).map(|pair| byte(pair).expect("hex")).collect()
}

#[test]
fn python_reads_counts_and_merges_our_sketches() {
    let parts: Vec<_> = [0..0, 0..3, 0..100, 50..1_400, 1_000..30_000, 20_000..60_000]
        .map(sketch_of)
        .into();
    let read = read(60_000, &parts);
    for (theirs, ours) in read["each"].as_array().expect("a list").iter().zip(&parts) {
        assert_counted(theirs, ours);
        assert_eq!(Sketch::from_bytes(&image(theirs)).as_ref(), Ok(ours));
    }
    let whole = sketch_of(0..60_000);
    assert_eq!(Sketch::union(&parts), whole);
    assert_counted(&read["union"], &whole);
    assert_eq!(
        Sketch::from_bytes(&image(&read["union"])).as_ref(),
        Ok(&whole)
    );
    // It hashes as we do: what it has counted itself is the same sketch, but for the order, which we forget.
    assert_eq!(
        Sketch::from_bytes(&image(&read["own"])).as_ref(),
        Ok(&whole)
    );
}

#[test]
fn python_merges_few_users_exactly() {
    let parts: Vec<_> = [0..5, 3..40, 30..500].map(sketch_of).into();
    let read = read(500, &parts);
    let whole = sketch_of(0..500);
    assert_eq!(whole.count().estimate, 500);
    assert_counted(&read["union"], &whole);
    assert_eq!(
        Sketch::from_bytes(&image(&read["union"])).as_ref(),
        Ok(&whole)
    );
    assert_eq!(
        Sketch::from_bytes(&image(&read["own"])).as_ref(),
        Ok(&whole)
    );
}
