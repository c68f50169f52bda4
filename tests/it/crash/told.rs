//! What was asked and what was answered, as clients saw it.

use std::fmt;
use std::time::{Duration, Instant};

use quotagate::proto::{AdmitResponse, Outcome, Reason};

use super::deed::Deed;

/// A question of one client, and its answer if one came.
#[derive(Debug)]
pub struct Exchange {
    pub app: u32,
    pub client: u8,
    pub deeds: Vec<Deed>,
    /// Whether all of it was to be remembered, or nothing.
    pub whole: bool,
    pub heard: Heard,
    /// When the answer came, or when there was none to come any more.
    pub at: Instant,
    /// How long that took.
    pub took: Duration,
}

/// What came of a question.
#[derive(Debug)]
pub enum Heard {
    /// An answer for each deed.
    Answers(Vec<Answer>),
    /// Decided, and nothing remembered, for it was all or nothing.
    Nothing,
    /// UNAVAILABLE: it may have been remembered or not.
    Unavailable(String),
    /// Nothing any more: the gateway had gone. It may have been remembered or not.
    Silence,
    /// Something that no client should ever hear.
    Wrong(String),
}

/// The answer to one deed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub allowed: bool,
    pub changed: bool,
    pub reason: Reason,
    /// Of a group's creation: whether each initial member is one now.
    pub members: Vec<bool>,
}

impl From<AdmitResponse> for Answer {
    fn from(answer: AdmitResponse) -> Self {
        let is_allowed = |answer: &AdmitResponse| answer.outcome() == Outcome::Allowed;
        Self {
            allowed: is_allowed(&answer),
            changed: answer.changed,
            reason: answer.reason(),
            members: answer.members.iter().map(is_allowed).collect(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.allowed, self.changed) {
            (true, true) => f.write_str("ALLOWED, changed"),
            (true, false) => f.write_str("ALLOWED, unchanged"),
            (false, _) => f.write_str(self.reason.as_str_name()),
        }
    }
}

/// A promise that was not kept.
#[derive(Debug)]
pub struct Broken {
    pub app: u32,
    /// What was asked, by whom.
    pub asked: String,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            asked,
            expected,
            found,
        } = self;
        write!(f, "app {app}: {asked}: expected {expected}, found {found}")
    }
}
