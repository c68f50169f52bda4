//! How long does it take to play the bills of 10,000 apps over 24 months?
//!
//! `cargo bench --bench bills`. A scenario is made line by line while it is played, and its report is made: first with a line of
//! usage for each app and month, then for each app and day. Apps change their configuration every other month; a tenth of the
//! accounts pays late. The lines are made in the time that is measured; how long that takes alone stands beside it.

mod common;

use std::fmt::Write as _;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use quotagate::config;
use quotagate::presentation::Detail;
use quotagate::simulate::play;
use quotagate::trace::Reader;

const APPS: u32 = 10_000;
const APPS_OF_AN_ACCOUNT: u32 = 10;
/// Day numbers of 2026-01-01 and 2028-01-01.
const DAYS: std::ops::Range<u16> = 20_454..21_184;

/// The lines of a scenario, a day at a time.
struct Scenario {
    day: u16,
    usage_every: u16,
    text: String,
    read: usize,
    lines: u64,
}

impl Scenario {
    fn new(usage_every: u16) -> Self {
        let (day, text, read, lines) = (DAYS.start, String::new(), 0, 0);
        Self {
            day,
            usage_every,
            text,
            read,
            lines,
        }
    }

    fn line(&mut self, at: &str, rest: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{{\"at\":\"{at}+08:00\",\"op\":{rest}}}");
        self.lines += 1;
    }

    /// Writes the lines of the next day.
    fn next_day(&mut self) {
        let day = quotagate::time::Day::from_number(self.day);
        let since = self.day - DAYS.start;
        self.text.clear();
        self.read = 0;
        let at = format!("{day}T09:00:00");
        for app in 1..=APPS {
            let account = app / APPS_OF_AN_ACCOUNT;
            if since == 0 {
                self.line(
                    &at,
                    format_args!("\"create_app\",\"app\":{app},\"account\":\"a{account}\""),
                );
                let edition = if app % 3 == 0 { "flagship" } else { "pro" };
                self.line(
                    &at,
                    format_args!("\"upgrade\",\"app\":{app},\"edition\":\"{edition}\""),
                );
            }
            if since % 61 == 40 {
                let days = [90, 180, 360]
                    .get(usize::from(since / 61) % 3)
                    .copied()
                    .unwrap_or(90);
                self.line(&at, format_args!(
                    "\"change\",\"app\":{app},\"settings\":{{\"history_days\":{days},\"content_filtering\":true}}"
                ));
            }
            let pays = if account.is_multiple_of(10) { 12 } else { 2 };
            if since % 30 == pays && app % APPS_OF_AN_ACCOUNT == 0 {
                self.line(
                    &at,
                    format_args!("\"top_up\",\"account\":\"a{account}\",\"amount\":\"20000\""),
                );
            }
        }
        if since.is_multiple_of(self.usage_every) {
            let at = format!("{day}T23:30:00");
            for app in 1..=APPS {
                let dau = u64::from(app) * u64::from(since % 90 + 1) % 50_000;
                self.line(
                    &at,
                    format_args!(
                        "\"usage\",\"app\":{app},\"day\":\"{day}\",\"dau\":{dau},\"groups\":{}",
                        dau * 5
                    ),
                );
            }
        }
        self.day += 1;
        if self.day == DAYS.end {
            self.line(&format!("{day}T23:59:59"), format_args!("\"end\""));
        }
    }
}

impl Read for Scenario {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.text.len() {
            if self.day == DAYS.end {
                return Ok(0);
            }
            self.next_day();
        }
        let read = self
            .text
            .as_bytes()
            .get(self.read..)
            .unwrap_or_default()
            .read(buffer)?;
        self.read += read;
        Ok(read)
    }
}

fn main() {
    common::settle_allocator();
    let catalog = Arc::new(config::builtin().catalog);
    for (name, usage_every) in [("a month", 30), ("a day", 1)] {
        let start = Instant::now();
        let mut alone = Scenario::new(usage_every);
        while alone.day < DAYS.end {
            alone.next_day();
        }
        let made = start.elapsed();
        let start = Instant::now();
        let mut reader = Reader::new("scenario", Scenario::new(usage_every)).expect("readable");
        let played = play(&mut reader, Arc::clone(&catalog)).expect("a valid scenario");
        let took = start.elapsed();
        let report = played.json(Detail::Plain).expect("JSON");
        println!(
            "usage once {name}: {} lines, {} bills, {} changes of state, {} bytes of report in {:.2} s (played {:.2} s, of which \
             {:.2} s make the lines)",
            alone.lines,
            played.books.bills().len(),
            played.states().len(),
            report.len(),
            start.elapsed().as_secs_f64(),
            took.as_secs_f64(),
            made.as_secs_f64(),
        );
    }
}
