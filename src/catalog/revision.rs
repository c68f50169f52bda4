//! The catalog's revision: a short name for what it sells at which price, printed on every bill.
//!
//! Invariant: equal prices have equal revisions, on every machine and in every build. It names, it does not protect: whoever
//! wants to forge one can. Absent on purpose: codes and types of groups, which no bill depends on.

use std::fmt;

use super::{AddOn, Catalog};

/// FNV-1a with 64 bits: short, stable and published.
struct Fingerprint(u64);

impl fmt::Write for Fingerprint {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Catalog {
    /// The revision: 16 hexadecimal digits.
    pub fn revision(&self) -> String {
        let mut hash = Fingerprint(0xcbf2_9ce4_8422_2325);
        // Writing into the fingerprint never fails.
        let _ = self.write_prices(&mut hash);
        format!("{:016x}", hash.0)
    }

    /// Everything that a bill depends on, one piece a line.
    fn write_prices(&self, to: &mut impl fmt::Write) -> fmt::Result {
        writeln!(
            to,
            "{} {}",
            self.currency,
            self.free_activation_month.name()
        )?;
        for (id, edition) in self.editions() {
            let (name, price) = (&edition.name, edition.monthly_price);
            writeln!(to, "{name} {price} {}", edition.history_days)?;
            let overage = edition.overage.iter();
            for blocks in overage.flat_map(|overage| [&overage.daily_users, &overage.groups]) {
                writeln!(to, " {} {} {}", blocks.free, blocks.block, blocks.price)?;
            }
            for add_on in AddOn::ALL {
                if let Some(limit) = add_on.raises() {
                    writeln!(to, " {limit} {}", edition.limits.get(limit))?;
                }
                for tier in self.tiers(add_on, id) {
                    write!(to, " {add_on} {}", tier.price)?;
                    tier.up_to.map_or(Ok(()), |top| write!(to, " to {top}"))?;
                    writeln!(to)?;
                }
            }
        }
        Ok(())
    }
}
