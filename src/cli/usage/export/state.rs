//! What an export must not forget: how far it has read, what is to be told yet, and what has been told as which event.
//!
//! A log of JSON lines, written anew when most of it is out of date. Invariant: an event is in the log, on the disk, before it
//! is sent, and its statement counted: after a crash it goes out again as it was, under its id. A torn last line was never
//! relied on, and is cut off. One process at a time has it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{Key, Usage};
use crate::time::{DAY_MS, Timestamp, Zone};

/// Lines beyond which the log is written anew, if they are four times what it holds.
const LINES_MIN: usize = 10_000;
/// Days after which nothing can change any more, with a margin.
const DAYS_KEPT: i64 = 45;

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// So far a stream has been read.
    Token(String),
    /// To be told when its day is over.
    Held(Usage),
    /// Goes out next: a statement about a day, told with it. One line: neither is there without the other.
    Queued {
        usage: Usage,
        statement: u32,
        event: Value,
    },
    /// So many of those queued have gone out; into a file that is as long now.
    Sent {
        count: usize,
        file_bytes: Option<u64>,
    },
    /// Has been told so often, last with this; in a log that was written anew.
    Told { usage: Usage, statement: u32 },
    /// Goes out next, and its statement is in a line before; in a log that was written anew.
    Pending(Value),
}

/// The state of an export, in memory and on the disk.
pub(super) struct State {
    path: PathBuf,
    log: File,
    lines: usize,
    token: String,
    held: BTreeMap<Key, Usage>,
    told: BTreeMap<Key, (Usage, u32)>,
    queue: VecDeque<Value>,
    file_bytes: Option<u64>,
}

impl State {
    /// Opens the state, or begins one.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let options = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .clone();
        let mut log = options
            .open(path)
            .with_context(|| format!("cannot open {name}"))?;
        lock(&log, path)?;
        let mut bytes = Vec::new();
        let read = log.read_to_end(&mut bytes);
        read.with_context(|| format!("cannot read {name}"))?;
        let torn = bytes
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count();
        bytes.truncate(bytes.len() - torn);
        log.set_len(bytes.len().try_into()?)?;
        let mut state = Self {
            path: path.to_owned(),
            log,
            lines: 0,
            token: String::new(),
            held: BTreeMap::new(),
            told: BTreeMap::new(),
            queue: VecDeque::new(),
            file_bytes: None,
        };
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for (line, number) in lines.zip(1..) {
            let read = serde_json::from_slice(line).map_err(anyhow::Error::from);
            let taken = read.and_then(|line| state.recall(line));
            taken.with_context(|| {
                format!(
                    "{name}:{number}: no line of an export's state; name another file by --state"
                )
            })?;
        }
        state.sync()?;
        Ok(state)
    }

    fn recall(&mut self, line: Line) -> anyhow::Result<()> {
        self.lines += 1;
        match line {
            Line::Token(token) => self.token = token,
            Line::Held(usage) => drop(self.held.insert(usage.key()?, usage)),
            Line::Queued {
                usage,
                statement,
                event,
            } => {
                self.queue.push_back(event);
                self.tell(usage, statement)?;
            }
            Line::Sent { count, file_bytes } => {
                self.queue.drain(..count.min(self.queue.len()));
                self.file_bytes = file_bytes.or(self.file_bytes);
            }
            Line::Told { usage, statement } => self.tell(usage, statement)?,
            Line::Pending(event) => self.queue.push_back(event),
        }
        Ok(())
    }

    fn tell(&mut self, usage: Usage, statement: u32) -> anyhow::Result<()> {
        let key = usage.key()?;
        self.held.remove(&key);
        self.told.insert(key, (usage, statement));
        Ok(())
    }

    /// Where to go on reading; empty at the beginning.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The next events to go out, at most so many.
    pub(super) fn next(&self, most: usize) -> Vec<Value> {
        self.queue.iter().take(most).cloned().collect()
    }

    /// The length of the file that events go to, as far as they are known to have.
    pub(super) const fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
    }

    /// Days that are not told yet because they are not over.
    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }

    /// Takes in what a day has come to. What is known already changes nothing.
    pub(super) fn take(&mut self, usage: &Usage) -> anyhow::Result<()> {
        let key = usage.key()?;
        let told = self.told.get(&key).map(|(usage, _)| usage);
        let Some(mut known) = self.held.get(&key).or(told).cloned() else {
            return self.note(Line::Held(usage.clone()));
        };
        if known.raise(usage) {
            self.note(Line::Held(known))?;
        }
        Ok(())
    }

    /// All up to a token has been taken in.
    pub(super) fn read_up_to(&mut self, token: &str) -> anyhow::Result<()> {
        if token != self.token {
            self.note(Line::Token(token.to_owned()))?;
        }
        self.sync()
    }

    /// Makes events of the days that are over and have settled.
    pub(super) fn queue_settled(
        &mut self,
        settled: impl Fn(&Usage) -> anyhow::Result<bool>,
        event: impl Fn(&Usage, u32) -> anyhow::Result<Value>,
    ) -> anyhow::Result<()> {
        let held: Vec<_> = self
            .held
            .iter()
            .map(|(key, usage)| (key.clone(), usage.clone()))
            .collect();
        for (key, usage) in held {
            if !settled(&usage)? {
                continue;
            }
            let statement = self
                .told
                .get(&key)
                .map_or(1, |(_, last)| last.saturating_add(1));
            let event = event(&usage, statement)?;
            self.note(Line::Queued {
                usage,
                statement,
                event,
            })?;
        }
        self.sync()
    }

    /// The first `count` of those queued have gone out; into a file that is so long now, if it is one.
    pub(super) fn sent(&mut self, count: usize, file_bytes: Option<u64>) -> anyhow::Result<()> {
        if count > 0 || file_bytes.is_some_and(|bytes| self.file_bytes != Some(bytes)) {
            self.note(Line::Sent { count, file_bytes })?;
        }
        self.sync()
    }

    /// Writes the log anew if most of it is out of date.
    pub(super) fn tidy(&mut self, now: Timestamp, zone: Zone) -> anyhow::Result<()> {
        let live = self.held.len() + self.told.len() + self.queue.len();
        if self.lines < LINES_MIN || self.lines < live * 4 {
            return Ok(());
        }
        let oldest = zone.day(now.plus_ms(-DAYS_KEPT * DAY_MS)).number();
        self.told.retain(|(_, _, day), _| *day >= oldest);
        let told = self.told.values().map(|(usage, statement)| Line::Told {
            usage: usage.clone(),
            statement: *statement,
        });
        let held = self.held.values().cloned().map(Line::Held);
        let queued = self.queue.iter().cloned().map(Line::Pending);
        let others = [
            Line::Token(self.token.clone()),
            Line::Sent {
                count: 0,
                file_bytes: self.file_bytes,
            },
        ];
        // Nothing is queued yet where the length of the file stands.
        let lines = others.into_iter().chain(told).chain(held).chain(queued);
        let lines: Vec<_> = lines.collect();
        let new = self.path.with_added_extension("new");
        let name = new.display().to_string();
        let options = OpenOptions::new().append(true).create(true).clone();
        let mut log = options
            .open(&new)
            .with_context(|| format!("cannot write {name}"))?;
        log.set_len(0)?;
        lock(&log, &new)?;
        log.write_all(text_of(&lines)?.as_bytes())?;
        log.sync_all()?;
        fs::rename(&new, &self.path)?;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
        (self.log, self.lines) = (log, lines.len());
        Ok(())
    }

    fn note(&mut self, line: Line) -> anyhow::Result<()> {
        let text = text_of(std::slice::from_ref(&line))?;
        let written = self.log.write_all(text.as_bytes());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.recall(line)
    }

    fn sync(&self) -> anyhow::Result<()> {
        let synced = self.log.sync_data();
        synced.with_context(|| format!("cannot sync {}", self.path.display()))
    }
}

fn lock(file: &File, path: &Path) -> anyhow::Result<()> {
    let locked = file.try_lock();
    locked.with_context(|| format!("{}: another export has it", path.display()))
}

fn text_of(lines: &[Line]) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line)?;
        text.push('\n');
    }
    Ok(text)
}
