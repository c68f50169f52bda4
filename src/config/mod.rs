//! Configuration files (skeleton: signatures are final).

use std::fmt;
use std::path::Path;

use crate::catalog::Catalog;
use crate::entitlement::Policy;

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
    unimplemented!("{dir:?}")
}

/// The configuration that the program carries with it: the repository's `config` directory at the time it was built.
pub fn builtin() -> Loaded {
    unimplemented!()
}

/// Reads and checks a catalog. `file` is how faults name it.
pub fn read_catalog(file: &str, text: &str) -> Result<Catalog, Vec<Fault>> {
    unimplemented!("{file} {text}")
}

/// Reads and checks a limits file against a catalog.
pub fn read_policy(file: &str, text: &str, catalog: &Catalog) -> Result<Policy, Vec<Fault>> {
    unimplemented!("{file} {text} {catalog:?}")
}
