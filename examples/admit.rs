//! Asks a gateway as an IM server in Rust would, before a user joins a group.
//!
//! `cargo run --example admit [http://HOST:PORT | unix:///PATH] [APP]`

use std::time::Duration;

use quotagate::client::{Client, OnUnreachable, OperationKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.unwrap_or_else(|| "http://127.0.0.1:7600".to_owned());
    let app: u32 = arguments
        .next()
        .map_or(Ok(1_400_000_001), |app| app.parse())?;

    // Made once, and shared by every task of the IM server. A second is for a stranger's laptop: near its gateway, an IM server
    // leaves the deadline at 100 ms, which is the default.
    let gate = Client::builder(address)
        .deadline(Duration::from_secs(1))
        .on_unreachable(OnUnreachable::Allow)
        .on_unreachable_for(OperationKind::CreateGroup, OnUnreachable::Deny)
        .batched()
        .connect()?;

    for user in ["alice", "bob"] {
        gate.register_user(app, user).await?;
    }
    gate.create_group(app, "lobby", "Public", "alice", &[])
        .await?;
    for user in ["bob", "carol"] {
        let answer = gate.join_group(app, "lobby", user).await?;
        if answer.is_allowed() {
            println!("{user} may join, says {:?}", answer.decided_by());
        } else {
            // The code is for the IM server's own clients.
            let (reason, code) = (answer.reason().as_str_name(), answer.im_error_code());
            println!(
                "{user} may not join: {reason} ({code}): {}",
                answer.message()
            );
        }
    }
    Ok(())
}
