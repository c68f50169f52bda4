//! Events to an HTTP endpoint, which may be slow, full, or away for a while.
//!
//! Invariant: an event counts as sent when it was answered with 2xx, and goes out again, the same, until then. What the endpoint
//! refuses for good (a 4xx) is told and not tried again by itself.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Response, StatusCode, header};

use super::event::id;
use super::state::State;
use crate::cli::complain;
use crate::clock::{self, Stopwatch};

/// The longest pause between two attempts, unless the endpoint asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// The longest pause that an endpoint may ask for.
const ASKED_MAX: Duration = Duration::from_hours(1);
/// So much of a refusal is told.
const REFUSAL_BYTES: u64 = 300;

/// An endpoint and how patient one is with it.
pub(super) struct Endpoint {
    agent: Agent,
    url: String,
    authorization: Option<String>,
    /// Events of a request; several go as a batch.
    batch: usize,
    pause: Duration,
    give_up_after: Duration,
}

/// How an attempt ended that may succeed later.
struct Again {
    why: String,
    asked: Option<Duration>,
}

impl Endpoint {
    pub(super) fn new(
        url: &str,
        authorization: Option<String>,
        batch: usize,
        [timeout, pause, give_up_after]: [Duration; 3],
    ) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("quotagate/", env!("CARGO_PKG_VERSION")));
        Self {
            agent: config.build().into(),
            url: url.to_owned(),
            authorization,
            batch,
            pause,
            give_up_after,
        }
    }

    /// Sends all that is queued; how many events there were.
    pub(super) fn send(&self, state: &mut State) -> anyhow::Result<usize> {
        let mut sent = 0;
        loop {
            let events = state.next(self.batch);
            if events.is_empty() {
                return Ok(sent);
            }
            self.deliver(&events)?;
            state.sent(events.len(), None)?;
            sent += events.len();
        }
    }

    /// Until they are taken.
    fn deliver(&self, events: &[Value]) -> anyhow::Result<()> {
        let stopwatch = Stopwatch::start();
        let mut pause = self.pause;
        loop {
            let Err(again) = self.attempt(events)? else {
                return Ok(());
            };
            let wait = again
                .asked
                .map_or_else(|| jittered(pause), |asked| asked.min(ASKED_MAX));
            anyhow::ensure!(
                stopwatch.elapsed() + wait < self.give_up_after,
                "{}: {}; given up after {} s. Nothing is lost: run it again",
                self.url,
                again.why,
                stopwatch.elapsed().as_secs()
            );
            complain(&format!(
                "{}: {}; again in {:.1} s",
                self.url,
                again.why,
                wait.as_secs_f32()
            ));
            thread::sleep(wait);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn attempt(&self, events: &[Value]) -> anyhow::Result<Result<(), Again>> {
        let (kind, body) = match events {
            [event] if self.batch == 1 => ("application/cloudevents+json", event.to_string()),
            _ => (
                "application/cloudevents-batch+json",
                serde_json::to_string(events)?,
            ),
        };
        let mut request = self
            .agent
            .post(&self.url)
            .header(header::CONTENT_TYPE, kind);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                return Err(error).with_context(|| self.url.clone());
            }
            Err(error) => {
                let (why, asked) = (error.to_string(), None);
                return Ok(Err(Again { why, asked }));
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(()));
        }
        let comes_back = [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if status.is_server_error() || comes_back.contains(&status) {
            return Ok(Err(Again {
                why: format!("answered {status}"),
                asked: retry_after(&response),
            }));
        }
        let said = response
            .body_mut()
            .with_config()
            .limit(REFUSAL_BYTES)
            .lossy_utf8(true);
        let said = said.read_to_string().unwrap_or_default();
        let first = events.first().map(id).unwrap_or_default();
        anyhow::bail!(
            "{}: answered {status} to event {first} and is not asked again: {}\nIt stays the next to go out; where the endpoint is \
             right about it, take its line out of the state",
            self.url,
            said.trim()
        );
    }
}

/// What the endpoint asks for: seconds, or a date.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let value = response
        .headers()
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value)
        .ok()?
        .timestamp()
        .as_millisecond();
    let ms = at.saturating_sub(clock::now().as_unix_ms());
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// A half to the whole of a pause, so that many who were cut off at once do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let share = u32::try_from(RandomState::new().hash_one(0) % 512).unwrap_or(0);
    pause * (512 + share) / 1_024
}
