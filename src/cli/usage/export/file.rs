//! Events into a file, one a line.
//!
//! Invariant: after a crash each line is there once and whole: what the state does not know to be written is compared with what
//! was to be written, and a torn line is cut off.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::state::State;

/// Writes all that is queued; how many there were.
pub(super) fn write(path: &Path, state: &mut State) -> anyhow::Result<usize> {
    let name = path.display();
    let options = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .clone();
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot open {name}"))?;
    let there = go_on(&mut file, path, state)?;
    let events = state.next(usize::MAX);
    let text: String = events.iter().map(line).collect();
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {name}"))?;
    state.sent(events.len(), Some(file.metadata()?.len()))?;
    Ok(there + events.len())
}

/// Finds out how many of the events queued are there already.
fn go_on(file: &mut File, path: &Path, state: &mut State) -> anyhow::Result<usize> {
    let bytes = file.metadata()?.len();
    // A file that has become shorter is another one: the last was moved away.
    let known = state.file_bytes().filter(|known| *known <= bytes);
    let Some(known) = known else {
        state.sent(0, Some(bytes))?;
        return Ok(0);
    };
    let mut surplus = Vec::new();
    file.seek(SeekFrom::Start(known))?;
    file.read_to_end(&mut surplus)?;
    let (mut rest, mut there) = (surplus.as_slice(), 0);
    let mut is_torn = false;
    for event in state.next(usize::MAX) {
        let line = line(&event);
        if let Some(after) = rest.strip_prefix(line.as_bytes()) {
            rest = after;
            there += 1;
        } else {
            is_torn = line.as_bytes().starts_with(rest);
            break;
        }
    }
    anyhow::ensure!(
        rest.is_empty() || is_torn,
        "{}: something else has been written to it since byte {known}; move it away",
        path.display()
    );
    let whole = bytes - u64::try_from(rest.len())?;
    file.set_len(whole)?;
    state.sent(there, Some(whole))?;
    Ok(there)
}

fn line(event: &Value) -> String {
    format!("{event}\n")
}
