//! `usage report-bandwidth`: the bandwidth of an app's on-screen comments, told to a running gateway; and bandwidths in words.

use std::process::ExitCode;

use clap::Args;

use crate::cli::app::app_id;
use crate::cli::overrides::{instant, on_the_wire};
use crate::cli::print;
use crate::cli::remote::Server;
use crate::proto::BandwidthSample;
use crate::time::Timestamp;

/// The units that bandwidths are written in, with their bits a second.
const UNITS: [(&str, u64); 4] = [
    ("Gbps", 1_000_000_000),
    ("Mbps", 1_000_000),
    ("kbps", 1_000),
    ("bps", 1),
];

/// Reports the bandwidth of an app's on-screen comments
#[derive(Args)]
#[command(
    long_about = "Reports the bandwidth of on-screen comments, of all AVChatRooms of an app together, as media servers have measured \
                  it. The highest of a day is what is billed; reporting one again changes nothing.",
    after_long_help = "\
Examples:
  quotagate usage report-bandwidth 1400000001 12.5Mbps
  quotagate usage report-bandwidth 1400000001 12500000bps --at 2026-11-24T20:15:00+08:00

Exit status:
  0  reported, and kept
  2  trouble: there is no such app, an argument is wrong, or no gateway answers"
)]
pub(super) struct Arguments {
    /// The app (SDKAppID)
    #[arg(value_name = "APP", value_parser = app_id)]
    app: u32,
    /// How much, in bps, kbps, Mbps or Gbps
    #[arg(value_name = "BANDWIDTH", value_parser = bits_per_second)]
    bits_per_second: u64,
    /// When it was measured, at most 31 days ago, like 2026-11-24T20:15:00+08:00 [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let sample = BandwidthSample {
        sdk_app_id: arguments.app,
        bits_per_second: arguments.bits_per_second,
        at: arguments.at.map(on_the_wire),
    };
    let report = async |client: crate::client::Client| client.report_bandwidth(vec![sample]).await;
    arguments.server.must(report)?;
    let (app, told) = (arguments.app, shown(arguments.bits_per_second));
    print(&format!("reported {told} of app {app}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a bandwidth, to the bit.
fn bits_per_second(text: &str) -> Result<u64, String> {
    let fault =
        || format!("\"{text}\" is no bandwidth: write it like 12.5Mbps, in whole bits a second");
    let unit = UNITS.iter().find_map(|(name, bits)| {
        let number = text.strip_suffix(name)?.trim_end();
        Some((number, *bits))
    });
    let (number, unit) = unit.ok_or_else(fault)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return Err(fault());
    }
    let mut bits = whole
        .parse::<u64>()
        .ok()
        .and_then(|it| it.checked_mul(unit));
    let mut unit = unit;
    for digit in part.trim_end_matches('0').bytes() {
        if unit % 10 != 0 {
            return Err(fault());
        }
        unit /= 10;
        bits = bits.and_then(|bits| bits.checked_add(u64::from(digit - b'0') * unit));
    }
    bits.ok_or_else(fault)
}

/// A bandwidth in words, to the bit.
pub(super) fn shown(bits_per_second: u64) -> String {
    let fitting = |(_, unit): &&(&str, u64)| bits_per_second >= *unit;
    let Some((name, unit)) = UNITS.iter().find(fitting) else {
        return "0".to_owned();
    };
    let (whole, rest) = (bits_per_second / unit, bits_per_second % unit);
    let digits = unit.ilog10();
    let rest = if rest == 0 {
        String::new()
    } else {
        let width = usize::try_from(digits).unwrap_or(0);
        format!(".{rest:0width$}").trim_end_matches('0').to_owned()
    };
    format!("{whole}{rest} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidths_are_read_and_shown_to_the_bit() {
        for (text, bits) in [
            ("12.5 Mbps", 12_500_000),
            ("1 bps", 1),
            ("1.001 kbps", 1_001),
            ("3.000000001 Gbps", 3_000_000_001),
            ("999.999 kbps", 999_999),
        ] {
            assert_eq!(bits_per_second(text), Ok(bits));
            assert_eq!(shown(bits), text);
        }
        assert_eq!(bits_per_second("0bps"), Ok(0));
        assert_eq!(bits_per_second("1.50Mbps"), Ok(1_500_000));
        assert_eq!(shown(0), "0");
    }

    #[test]
    fn what_is_no_bandwidth_is_refused() {
        for text in [
            "",
            "12",
            "Mbps",
            ".5Mbps",
            "5.Mbps",
            "-1bps",
            "1.5bps",
            "1.0001kbps",
            "12 mbps",
            "99999999999Gbps",
            "1e3bps",
        ] {
            assert!(bits_per_second(text).is_err(), "{text}");
        }
    }
}
