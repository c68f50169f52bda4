//! `usage`: what apps have and use: shown, streamed, merged, exported, reported.
//!
//! Absent on purpose: counting; a gateway does.

mod bandwidth;
mod export;
mod merge;
mod records;
mod show;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Shows what an app, a user or a group has, beside its limits; and looks after what billing takes in
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "quotagate usage [OPTIONS] <APP> [OF ID]\n       quotagate usage <COMMAND>",
    after_long_help = show::AFTER_HELP
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: show::Show,
}

#[derive(Subcommand)]
enum Command {
    Show(show::Show),
    Watch(watch::Arguments),
    Merge(merge::Arguments),
    Export(export::Arguments),
    ReportBandwidth(bandwidth::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        None => show::run(&arguments.show),
        Some(Command::Show(arguments)) => show::run(arguments),
        Some(Command::Watch(arguments)) => watch::run(arguments),
        Some(Command::Merge(arguments)) => merge::run(arguments),
        Some(Command::Export(arguments)) => export::run(arguments),
        Some(Command::ReportBandwidth(arguments)) => bandwidth::run(arguments),
    }
}
