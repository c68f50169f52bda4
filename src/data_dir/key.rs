//! The key of a data directory: drawn and kept in it, or that of gateway.toml, of which it keeps a fingerprint.
//!
//! Invariant: what was hashed with one key is never asked for with another. Absent on purpose: the key in any message.

use std::path::Path;

use rustix::io::retry_on_intr;
use rustix::rand::{GetRandomFlags, getrandom};

use super::{DataDirError, read_text, write_durably};
use crate::id::IdKey;

/// Holds the key where gateway.toml has none.
pub(super) const KEY_FILE: &str = "id_key";
/// Tells whether a key of gateway.toml is still the same.
pub(super) const FINGERPRINT_FILE: &str = "id_key.fingerprint";

/// The key of a directory that is being founded: what an earlier attempt has left, or a new one.
pub(super) fn found(dir: &Path, configured: Option<IdKey>) -> Result<IdKey, DataDirError> {
    match of(dir, configured) {
        Err(DataDirError::KeyMissing(_)) => {}
        found => return found,
    }
    if let Some(key) = configured {
        let text = format!("{:032x}\n", key.fingerprint());
        write_durably(dir, FINGERPRINT_FILE, text.as_bytes(), 0o600)?;
        return Ok(key);
    }
    let mut bytes = [0; 16];
    let filled = retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()));
    if filled != Ok(bytes.len()) {
        return Err(DataDirError::NoRandom);
    }
    let text = format!("{:032x}\n", u128::from_be_bytes(bytes));
    write_durably(dir, KEY_FILE, text.as_bytes(), 0o600)?;
    Ok(IdKey::new(bytes))
}

/// The key of a directory that has been founded, if what is configured agrees with it.
pub(super) fn of(dir: &Path, configured: Option<IdKey>) -> Result<IdKey, DataDirError> {
    let file = dir.join(KEY_FILE);
    if let Some(text) = read_text(&file)? {
        let kept = text.strip_suffix('\n').and_then(IdKey::parse);
        let kept = kept.ok_or(DataDirError::Unreadable(file))?;
        return match configured {
            Some(key) if key != kept => Err(DataDirError::KeyDiffers(dir.to_owned())),
            _ => Ok(kept),
        };
    }
    let file = dir.join(FINGERPRINT_FILE);
    let Some(text) = read_text(&file)? else {
        return Err(DataDirError::KeyMissing(dir.to_owned()));
    };
    let Some(key) = configured else {
        return Err(DataDirError::KeyTakenOut(dir.to_owned()));
    };
    let known = text
        .strip_suffix('\n')
        .and_then(|digits| u128::from_str_radix(digits, 16).ok());
    match known {
        None => Err(DataDirError::Unreadable(file)),
        Some(known) if known != key.fingerprint() => Err(DataDirError::KeyDiffers(dir.to_owned())),
        Some(_) => Ok(key),
    }
}
