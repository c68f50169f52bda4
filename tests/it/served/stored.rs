//! What a gateway keeps in its data directory, seen from outside.

use std::process::Command;

use assert_cmd::cargo::cargo_bin;

use super::{Served, output};

#[test]
fn a_second_gateway_on_the_same_data_is_refused() {
    let served = Served::start();
    let (status, stdout, stderr) = output(
        Command::new(cargo_bin!())
            .current_dir(served.dir.path())
            .args(["serve", "--listen", "127.0.0.1:0"]),
    );
    let id = served.process.id();
    let address = served.address.trim_start_matches("http://");
    let said = format!(
        "quotagate: data is in use by process {id} serving on {address}: stop it, or name another --data-dir\n"
    );
    assert_eq!((status, stdout.as_str(), stderr), (2, "", said));
    // The directory is free as soon as the process has ended.
    let dir = served.stop();
    Served::start_with(dir, &[]).done(&["usage", "1400000001"]);
}
