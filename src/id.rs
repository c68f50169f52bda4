//! Identifiers of accounts, apps, users and groups, and the keyed hash of users' and groups'.
//!
//! Invariant: an id that exists is valid; it is checked once, where it enters.
//! Absent on purpose: storage. Facts hold an id's [`Key`], never its text.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use siphasher::sip128::SipHasher13;

/// Longest user or group id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 128;

/// An application of the IM service; every limit belongs to one (RULES 6.1, rule 4). Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SdkAppId(NonZeroU32);

/// An account, which pays for its apps: UTF-8 of 1 to [`ID_BYTES_MAX`] bytes, compared byte by byte.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

/// A user's id: UTF-8 of 1 to [`ID_BYTES_MAX`] bytes, compared byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId<'a>(&'a str);

/// A group's id: UTF-8 of 1 to [`ID_BYTES_MAX`] bytes, compared byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId<'a>(&'a str);

/// Why a text or number is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has no byte.
    #[error("is empty: an id has 1 to {ID_BYTES_MAX} bytes")]
    Empty,
    /// The text has more than [`ID_BYTES_MAX`] bytes.
    #[error("has {bytes} bytes: an id has 1 to {ID_BYTES_MAX}")]
    TooLong {
        /// Bytes it has.
        bytes: usize,
    },
    /// An `SDKAppID` of 0.
    #[error("is 0: an SDKAppID is a number from 1 to 4294967295")]
    ZeroApp,
}

impl SdkAppId {
    /// An id from its number, which is not 0.
    pub fn new(number: u32) -> Result<Self, IdError> {
        NonZeroU32::new(number).map(Self).ok_or(IdError::ZeroApp)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

fn checked(text: &str) -> Result<&str, IdError> {
    match text.len() {
        0 => Err(IdError::Empty),
        1..=ID_BYTES_MAX => Ok(text),
        bytes => Err(IdError::TooLong { bytes }),
    }
}

impl AccountId {
    /// An id from its text.
    pub fn new(text: &str) -> Result<Self, IdError> {
        checked(text).map(|text| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> UserId<'a> {
    /// An id from its text.
    pub fn new(text: &'a str) -> Result<Self, IdError> {
        checked(text).map(Self)
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'a> GroupId<'a> {
    /// An id from its text.
    pub fn new(text: &'a str) -> Result<Self, IdError> {
        checked(text).map(Self)
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// A user's or group's id as the facts hold it: 128 bits, the id's hash under the deployment's [`IdKey`].
///
/// Two ids of a billion share a key with a chance below 1 in 10^20; nobody without the `IdKey` can aim for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Key {
    /// The first half picks the place in a directory.
    pub high: u64,
    /// The second half picks the place in a table.
    pub low: u64,
}

/// A user's or group's id with its key: what facts are found by, and what they are called by outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named<'a> {
    /// The key of the text.
    pub key: Key,
    /// The id as it came.
    pub text: &'a str,
}

/// The deployment's secret for hashing ids: stable for the life of its data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdKey([u8; 16]);

impl IdKey {
    /// A key from its 16 bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A key from its 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok());
        number.flatten().map(|it| Self(it.to_be_bytes()))
    }

    /// Tells keys apart, and tells nothing else of them.
    pub fn fingerprint(self) -> u128 {
        SipHasher13::new_with_key(&self.0)
            .hash(b"quotagate: the fingerprint of an id_key")
            .as_u128()
    }

    /// A fresh key from the process's random source, for a deployment that keeps no data.
    pub fn random() -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        let half = |n: u8| RandomState::new().hash_one(n).to_le_bytes();
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(half(0).into_iter().chain(half(1)))
            .for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    /// The hasher of this key.
    pub fn hasher(self) -> IdHasher {
        IdHasher(SipHasher13::new_with_key(&self.0))
    }
}

/// Hashes ids to [`Key`]s: SipHash-1-3 with 128 bits of output, a keyed function whose output is frozen.
#[derive(Clone, Copy)]
pub struct IdHasher(SipHasher13);

impl IdHasher {
    /// The key of a user.
    #[inline]
    pub fn user(&self, id: UserId<'_>) -> Key {
        self.key(id.0)
    }

    /// The key of a group.
    #[inline]
    pub fn group(&self, id: GroupId<'_>) -> Key {
        self.key(id.0)
    }

    /// A user's id with its key.
    #[inline]
    pub fn named_user<'a>(&self, id: UserId<'a>) -> Named<'a> {
        Named {
            key: self.user(id),
            text: id.0,
        }
    }

    /// A group's id with its key.
    #[inline]
    pub fn named_group<'a>(&self, id: GroupId<'a>) -> Named<'a> {
        Named {
            key: self.group(id),
            text: id.0,
        }
    }

    #[inline]
    fn key(&self, text: &str) -> Key {
        let hash = self.0.hash(text.as_bytes());
        Key {
            high: hash.h1,
            low: hash.h2,
        }
    }
}

macro_rules! shown {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}
shown!(AccountId, SdkAppId, UserId<'_>, GroupId<'_>);

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(secret)")
    }
}

impl fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdHasher(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_1_to_128_bytes() {
        assert_eq!(UserId::new(""), Err(IdError::Empty));
        assert!(UserId::new(&"é".repeat(64)).is_ok());
        assert_eq!(
            GroupId::new(&"x".repeat(129)),
            Err(IdError::TooLong { bytes: 129 })
        );
        assert_eq!(SdkAppId::new(0), Err(IdError::ZeroApp));
    }

    /// The hash is part of the data's format: it never changes.
    #[test]
    fn hash_is_siphash_1_3_with_128_bits() {
        let key = IdKey::new(std::array::from_fn(|i| u8::try_from(i).unwrap_or(0)));
        let hashed = key.hasher().user(UserId::new("u1").expect("valid"));
        let reference = SipHasher13::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let hash = reference.hash(b"u1");
        assert_eq!((hashed.high, hashed.low), (hash.h1, hash.h2));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", IdKey::new([7; 16])), "IdKey(secret)");
    }
}
