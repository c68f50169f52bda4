//! The command line: arguments in, text and an exit status out.
//!
//! Invariant: results go to stdout, everything else to stderr; a reader that has seen enough (`| head`) is no trouble.
//! Absent on purpose: rules. A command reads files, asks the layers below and prints.

mod account;
mod admit;
mod app;
mod audit;
mod backup;
mod bill;
mod config_check;
mod demo;
mod journal;
mod json;
mod load;
mod overrides;
mod preview;
mod reload;
mod remote;
mod remote_replay;
mod replay;
mod serve;
mod simulate;
mod subscription;
mod table;
mod usage;
mod verdict;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::config::{self, Fault, Loaded};

/// What was asked for may not happen.
const DENIED: u8 = 1;
/// A fault in a file or an argument, or of the machine.
const TROUBLE: u8 = 2;

#[derive(Parser)]
#[command(
    version,
    about = "Real-time quota enforcement gateway for instant-messaging servers",
    long_about = "Decides, before it happens, whether an app of an instant-messaging service may have another user, \
                  friend, group, member, room or login: by its edition, its add-ons and the operators' overrides.",
    after_long_help = "\
Examples:
  quotagate demo
  quotagate serve
  quotagate app create 1400000001 --edition pro
  quotagate app preview 1400000001 --edition flagship
  quotagate bill preview acme
  quotagate account top-up acme 299.98 --reference 'wire 2026-117'
  quotagate audit --app 1400000001
  quotagate admit register_user --app 1400000001 --user alice
  quotagate usage 1400000001
  quotagate usage watch
  quotagate config check
  quotagate backup data /backups/monday
  quotagate replay tests/data/nashville.ndjson.gz --edition pro
  quotagate simulate tests/data/scenario-2.ndjson

Exit status:
  0  done, or allowed
  1  denied
  2  trouble: a fault in a file or an argument, or no gateway that answers",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Looks after the configuration files
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    Demo(demo::Arguments),
    Serve(serve::Arguments),
    /// Looks after the apps of a running gateway
    #[command(subcommand, arg_required_else_help = true)]
    App(app::Command),
    /// Looks after the bills of a running gateway
    #[command(subcommand, arg_required_else_help = true)]
    Bill(bill::Command),
    /// Looks after the accounts of a running gateway, and their money
    #[command(subcommand, arg_required_else_help = true)]
    Account(account::Command),
    Audit(audit::Arguments),
    Admit(admit::Arguments),
    Usage(usage::Arguments),
    Reload(reload::Arguments),
    /// Looks after a data directory
    #[command(subcommand, arg_required_else_help = true)]
    Journal(journal::Command),
    Backup(backup::Arguments),
    Replay(replay::Arguments),
    Simulate(simulate::Arguments),
    Load(load::Arguments),
}

#[derive(Subcommand)]
enum ConfigCommand {
    Check(config_check::Arguments),
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help is no error; if it cannot be printed, nobody reads it.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { TROUBLE } else { 0 });
        }
    };
    let done = match arguments.command {
        Command::Config(ConfigCommand::Check(arguments)) => config_check::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::App(command) => app::run(&command),
        Command::Bill(command) => bill::run(&command),
        Command::Account(command) => account::run(&command),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Admit(arguments) => admit::run(&arguments),
        Command::Usage(arguments) => usage::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Journal(command) => journal::run(&command),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(TROUBLE)
    })
}

/// The runtime of a command: one thread, which the command has to itself.
fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

/// The catalog and limits of a directory, or those built in.
fn configuration(dir: Option<&Path>) -> anyhow::Result<Loaded> {
    let Some(dir) = dir else {
        return Ok(config::builtin());
    };
    config::load_dir(dir).map_err(|faults| anyhow::anyhow!(faults_in(dir.display(), &faults)))
}

/// Every fault of configuration files, for people.
fn faults_in(what: impl Display, faults: &[Fault]) -> String {
    let count = counted(faults.len(), "fault", "faults");
    let listed: Vec<_> = faults.iter().map(ToString::to_string).collect();
    format!("{what}: {count}\n{}", listed.join("\n"))
}

/// Prints a result.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}

/// Says on stderr what is the matter. Where nobody can be told, the exit status has to do.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "quotagate: {text}");
}

/// A count with its noun.
fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
