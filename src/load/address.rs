//! Where a gateway listens: `http://HOST:PORT` or `unix:///PATH`.
//!
//! Absent on purpose: TLS. What is measured is a gateway beside its IM server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a gateway listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A host and its port, like `127.0.0.1:7600`.
    Tcp(String),
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no address of a gateway; write http://HOST:PORT, like http://127.0.0.1:7600, or unix:///PATH"
)]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.into());
        if let Some(path) = text.strip_prefix("unix://") {
            let is_absolute = path.starts_with('/') && path.len() > 1;
            return is_absolute
                .then(|| Self::Unix(path.into()))
                .ok_or_else(wrong);
        }
        let place = text.strip_prefix("http://").ok_or_else(wrong)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        let is_good = !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok();
        is_good.then(|| Self::Tcp(place.into())).ok_or_else(wrong)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "http://{place}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in [
            "http://127.0.0.1:7600",
            "http://[::1]:7600",
            "http://gateway:80",
            "unix:///run/quotagate.sock",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("http://a:1/".parse(), Ok(Address::Tcp("a:1".into())));
    }

    #[test]
    fn what_is_no_address_is_told_how_to_write_one() {
        for text in [
            "",
            "127.0.0.1:7600",
            "https://a:1",
            "http://a",
            "http://:1",
            "http://a:65536",
            "http://a:1/b",
            "unix://run/q",
            "unix:///",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("write http://HOST:PORT"), "{text}: {error}");
        }
    }
}
