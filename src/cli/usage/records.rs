//! Usage records from files: lines as `usage watch --json` prints them, plain or gzip.
//!
//! Invariant: a line that is no record is told with its file and number, never skipped: it would be missing on a bill.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::json;
use crate::id::SdkAppId;
use crate::metering::UsageRecord;
use crate::proto;
use crate::sketch::Sketch;
use crate::time::Day;
use crate::trace::Reader;

/// Longest name of a gateway.
const GATEWAY_CHARS_MAX: usize = 128;

/// Gives the records of a file to `take`, whose trouble with one is told with the line as well. `-` is the standard input.
pub(super) fn each(
    path: &Path,
    mut take: impl FnMut(UsageRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = open(path)?;
    let name = reader.file().to_owned();
    while let Some((number, bytes)) = reader.next_bytes()? {
        let taken = record(bytes).and_then(&mut take);
        taken.map_err(|error| anyhow::anyhow!("{name}:{number}: {error:#}"))?;
    }
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<Reader> {
    if path == Path::new("-") {
        return Ok(Reader::new("standard input", io::stdin())?);
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    anyhow::ensure!(
        !path.is_dir(),
        "{name} is a directory; name a file of usage records"
    );
    Ok(Reader::new(&name, file)?)
}

fn record(line: &[u8]) -> anyhow::Result<UsageRecord> {
    let read = json::read("UsageRecord", line);
    let read: proto::UsageRecord =
        read.context("no usage record; write one a line, as `quotagate usage watch --json` does")?;
    of_proto(&read)
}

/// A record that has come from outside.
pub(super) fn of_proto(record: &proto::UsageRecord) -> anyhow::Result<UsageRecord> {
    let gateway = record.gateway.as_str();
    anyhow::ensure!(
        (1..=GATEWAY_CHARS_MAX).contains(&gateway.chars().count()),
        "gateway: a name has 1 to {GATEWAY_CHARS_MAX} characters"
    );
    let app = SdkAppId::new(record.sdk_app_id);
    let sketch = (!record.sketch.is_empty()).then(|| Sketch::from_bytes(&record.sketch));
    let record = UsageRecord {
        gateway: gateway.into(),
        app: app.map_err(|error| anyhow::anyhow!("sdk_app_id: an id that {error}"))?,
        day: Day::parse(&record.day).map_err(|error| anyhow::anyhow!("day: {error}"))?,
        sequence: record.sequence,
        users: record.users,
        sketch: sketch
            .transpose()
            .map_err(|error| anyhow::anyhow!("sketch: it {error}"))?,
        peak_groups: record.peak_groups,
        peak_av_chat_rooms: record.peak_av_chat_rooms,
        bandwidth_bps: record.bandwidth_bps,
        is_final: record.is_final,
    };
    record.check()?;
    Ok(record)
}
