//! Reported bandwidth, checked before any of it is taken.

use tonic::Status;

use crate::admission::{EARLY_LOGIN_MS_MAX, LATE_LOGIN_MS_MAX};
use crate::gateway::Gateway;
use crate::grpc::fault::Fault;
use crate::grpc::operator::instant;
use crate::grpc::request::id_fault;
use crate::id::SdkAppId;
use crate::proto::{BandwidthSample, ReportBandwidthRequest};
use crate::time::{Day, Timestamp};

/// Most samples of a call.
const SAMPLES_MAX: usize = 1_000;
/// Most bits a second: a petabit, beyond any network, and far below what sums of months can hold.
const BITS_PER_SECOND_MAX: u64 = 1_000_000_000_000_000;

/// A sample that is fit to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sample {
    pub(super) app: SdkAppId,
    pub(super) day: Day,
    pub(super) bits_per_second: u64,
}

/// What was measured, if all of it can be taken.
pub(super) fn samples(
    request: &ReportBandwidthRequest,
    gateway: &Gateway,
    now: Timestamp,
) -> Result<Vec<Sample>, Status> {
    if request.samples.is_empty() || request.samples.len() > SAMPLES_MAX {
        return Err(Fault::of("samples", "must be 1 to 1,000").status());
    }
    let zone = gateway.terms().zone;
    let each = request.samples.iter().enumerate().map(|(place, sample)| {
        let within = |fault: Fault| fault.within(format_args!("samples[{place}]")).status();
        let (app, at) = checked(sample, now).map_err(within)?;
        if gateway.control(app).is_none() {
            let message = format!("samples[{place}].sdk_app_id: there is no app {app}");
            return Err(Status::not_found(message));
        }
        Ok(Sample {
            app,
            day: zone.day(at),
            bits_per_second: sample.bits_per_second,
        })
    });
    each.collect()
}

/// Which app, and when. Bandwidth is as late or early as a login may be: a day is final for both at once.
fn checked(sample: &BandwidthSample, now: Timestamp) -> Result<(SdkAppId, Timestamp), Fault> {
    let app = SdkAppId::new(sample.sdk_app_id).map_err(|error| id_fault("sdk_app_id", error))?;
    if sample.bits_per_second > BITS_PER_SECOND_MAX {
        return Err(Fault::of(
            "bits_per_second",
            "must be at most 1000000000000000",
        ));
    }
    let within = now.plus_ms(-LATE_LOGIN_MS_MAX)..=now.plus_ms(EARLY_LOGIN_MS_MAX);
    let at = sample.at.as_ref().map_or(Some(now), instant);
    match at {
        Some(at) if within.contains(&at) => Ok((app, at)),
        _ => Err(Fault::of(
            "at",
            "must be at most 31 days ago and 5 minutes ahead",
        )),
    }
}
