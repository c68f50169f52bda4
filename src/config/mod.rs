//! The configuration files: the catalog, the operators' rules on top of it, and how the gateway runs. Read and checked,
//! whole or not at all.
//!
//! Invariant: what is handed out has no fault, and what has one is refused with every fault, each with its place.
//! Absent on purpose: watching for changes, and comparing one configuration with the next.

mod add_ons;
mod catalog_file;
mod document;
mod gateway_file;
mod group_types;
mod limits_file;
mod report;
mod spelling;
mod syntax;
mod values;

pub use gateway_file::{Connections, Settings, Storage};

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::catalog::Catalog;
use crate::entitlement::Policy;

/// Most bytes of a file. The bundled catalog has some 10,000.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The catalog and limits files, read and checked.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// From `catalog.toml`.
    pub catalog: Catalog,
    /// From `limits.toml`.
    pub policy: Policy,
}

/// Something wrong in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// The file, as it was named.
    pub file: Box<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong and what to do.
    pub message: Box<str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// Reads and checks `catalog.toml` and `limits.toml` of a directory; every fault of both files, in order.
pub fn load_dir(dir: &Path) -> Result<Loaded, Vec<Fault>> {
    let catalog = with_text(&dir.join("catalog.toml"), read_catalog);
    // Without a catalog the rules are checked all the same, apart from the editions they name.
    let known = catalog.as_ref().ok();
    let policy = with_text(&dir.join("limits.toml"), |file, text| {
        check_policy(file, text, known)
    });
    match (catalog, policy) {
        (Ok(catalog), Ok(policy)) => Ok(Loaded { catalog, policy }),
        (catalog, policy) => {
            let mut faults = catalog.err().unwrap_or_default();
            faults.extend(policy.err().unwrap_or_default());
            Err(faults)
        }
    }
}

/// Reads and checks a gateway file; every fault, in order. The editions of its apps are checked by whoever creates them.
pub fn load_settings(path: &Path) -> Result<Settings, Vec<Fault>> {
    with_text(path, read_settings)
}

/// Reads and checks the text of a gateway file. `file` is how faults name it.
pub fn read_settings(file: &str, text: &str) -> Result<Settings, Vec<Fault>> {
    document::read(file, text, "the gateway file", gateway_file::settings)
}

/// The gateway file that the program carries with it.
pub fn builtin_settings() -> Settings {
    read_settings(
        "config/gateway.toml",
        include_str!("../../config/gateway.toml"),
    )
    .expect("tests read the bundled gateway file")
}

/// The configuration that the program carries with it: the repository's `config` directory at the time it was built.
pub fn builtin() -> Loaded {
    let catalog = read_catalog(
        "config/catalog.toml",
        include_str!("../../config/catalog.toml"),
    )
    .expect("tests read the bundled catalog");
    let policy = read_policy(
        "config/limits.toml",
        include_str!("../../config/limits.toml"),
        &catalog,
    )
    .expect("tests read the bundled limits");
    Loaded { catalog, policy }
}

/// Reads and checks a catalog. `file` is how faults name it.
pub fn read_catalog(file: &str, text: &str) -> Result<Catalog, Vec<Fault>> {
    document::read(file, text, "the catalog", catalog_file::catalog)
}

/// Reads and checks a limits file against a catalog.
pub fn read_policy(file: &str, text: &str, catalog: &Catalog) -> Result<Policy, Vec<Fault>> {
    check_policy(file, text, Some(catalog))
}

fn check_policy(file: &str, text: &str, catalog: Option<&Catalog>) -> Result<Policy, Vec<Fault>> {
    document::read(file, text, "the limits file", |root| {
        limits_file::policy(root, catalog)
    })
}

/// Hands a file's text to `read`. A file that cannot be had is one fault, at its start.
fn with_text<T>(
    path: &Path,
    read: impl FnOnce(&str, &str) -> Result<T, Vec<Fault>>,
) -> Result<T, Vec<Fault>> {
    let file = path.display().to_string();
    let fault = |message: String| vec![Fault::at_start(&file, message)];
    let bytes =
        bytes_of(path).map_err(|error| fault(format!("the file cannot be read: {error}")))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| fault(format!("save the file as UTF-8: {error}")))?;
    read(&file, text)
}

/// At most one byte over the cap is read, so that even a device that never ends is refused.
fn bytes_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let cap = u64::try_from(FILE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(cap).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Fault {
    fn at_start(file: &str, message: String) -> Self {
        Self {
            file: file.into(),
            line: 1,
            column: 1,
            message: message.into(),
        }
    }
}
