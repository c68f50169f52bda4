//! A gateway's address, from text to what connects to it.
//!
//! Invariant: an address that exists can be dialled; whether anybody answers shows at the first call. Absent on purpose: TLS, and
//! names without a port, which would be guesses.

use std::time::Duration;

use http::Uri;
use tonic::transport::Endpoint;

/// Longest path of a Unix socket, as the kernel has it (108 bytes with a closing zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// A connect that takes longer is given up and begun anew; the calls that wait for it have ended by their own deadlines.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an open connection is asked whether it still lives, and how long it may take to say so: a machine that vanished
/// without a word would otherwise be waited for as long as the kernel retransmits, some 15 minutes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a text is no address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{address}\" is no address of a gateway: {problem}; write http://HOST:PORT or unix:///PATH"
)]
pub struct AddressError {
    /// The text.
    pub address: Box<str>,
    /// What is wrong with it.
    pub problem: Box<str>,
}

/// What connects to an address; nothing is dialled yet.
pub(super) fn endpoint(address: &str) -> Result<Endpoint, AddressError> {
    let fault = |problem: &str| AddressError {
        address: address.into(),
        problem: problem.into(),
    };
    match address.split_once("://") {
        Some(("unix", path)) => check_path(path).map_err(|problem| fault(&problem))?,
        Some(("http", "")) => return Err(fault("it names no host")),
        Some(("http", _)) => check_http(address).map_err(|problem| fault(&problem))?,
        Some(("https", _)) => return Err(fault("a gateway speaks no TLS")),
        Some((scheme, _)) => return Err(fault(&format!("\"{scheme}\" is an unknown scheme"))),
        None => return Err(fault("it has no scheme")),
    }
    let endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(|error| fault(&error.to_string()))?
        .tcp_nodelay(true)
        .http2_adaptive_window(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    Ok(endpoint)
}

fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("the socket's path is not a whole one, from / to a file's name".into());
    }
    let bytes = path.len();
    if bytes > SOCKET_PATH_BYTES_MAX {
        return Err(format!(
            "the socket's path has {bytes} bytes, and the system takes {SOCKET_PATH_BYTES_MAX}"
        ));
    }
    Ok(())
}

fn check_http(address: &str) -> Result<(), String> {
    let uri: Uri = address.parse().map_err(|error| format!("{error}"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("it names a user, and a gateway knows none".into());
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("it names no host".into());
    }
    if uri.port_u16().is_none_or(|port| port == 0) {
        return Err("it names no port from 1 to 65535".into());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("something follows the port".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds_are_taken() {
        for address in [
            "http://127.0.0.1:7600",
            "http://localhost:7600/",
            "http://[::1]:7600",
            "http://quota.example:80",
            "unix:///run/quotagate.sock",
        ] {
            assert!(endpoint(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn anything_else_is_a_fault_that_says_what_to_write() {
        let long = format!("unix:///{}", "x".repeat(107));
        for (address, problem) in [
            ("", "it has no scheme"),
            ("127.0.0.1:7600", "it has no scheme"),
            ("https://h:1", "a gateway speaks no TLS"),
            ("ftp://h:1", "\"ftp\" is an unknown scheme"),
            ("http://h", "it names no port"),
            ("http://h:0", "it names no port"),
            ("http://h:99999", "it names no port"),
            ("http://:7600", "it names no host"),
            ("http://", "it names no host"),
            ("http://a b:1", "invalid "),
            ("http://me@h:1", "it names a user"),
            ("http://h:1/path", "something follows"),
            ("http://h:1/?q", "something follows"),
            ("unix://run/x", "the socket's path is not a whole one"),
            ("unix:///", "the socket's path is not a whole one"),
            (&long, "the socket's path has 108 bytes"),
        ] {
            let said = endpoint(address).expect_err(address).to_string();
            let expected = format!("\"{address}\" is no address of a gateway: {problem}");
            assert!(said.starts_with(&expected), "{said}");
            assert!(said.ends_with("; write http://HOST:PORT or unix:///PATH"));
        }
    }
}
