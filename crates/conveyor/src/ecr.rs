//! Which account's registry an ECR host is, and where.

use aws::{AccountId, AwsError, EcrPlace, Endpoints, Identity, Region};
use release::Authority;

/// What stands between the account and the region, in all forms of the host: plain and dual-stack, each also for FIPS.
const FORMS: [&str; 4] = [".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."];

/// The account and the region whose registry this is, if it is one of ECR, whatever the partition. All hosts of one
/// account and region are one registry. The name of a VPC endpoint stands in the account's place where a host is one's.
///
/// Source: the endpoints of Amazon ECR in the AWS General Reference.
pub(crate) fn place_of(registry: &Authority) -> Option<(&str, &str)> {
    let (account, rest) = FORMS.iter().find_map(|form| registry.host().split_once(form))?;
    Some((account, rest.split('.').next().unwrap_or_default()))
}

/// An ECR that no environment names, as whoever this process is in AWS.
///
/// That must be somebody of the very account, as everywhere. Who may push into another's has a credential helper for
/// it, as under crane, and a docker configuration comes first.
pub(crate) fn by_name(registry: &Authority) -> Option<(Identity, EcrPlace)> {
    let (account, region) = place_of(registry)?;
    let (account, region): (AccountId, Region) = (account.parse().ok()?, region.parse().ok()?);
    let place = EcrPlace { account: account.clone(), region: region.clone(), authority: registry.clone() };
    Some((Identity { role: None, account, region, endpoints: Endpoints::default() }, place))
}

/// Whether the credentials turned out to be of another account than conveyor.yaml says, anywhere below this error.
pub(crate) fn is_wrong_account(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| matches!(error.downcast_ref(), Some(AwsError::WrongAccount { .. })))
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn every_form_of_the_host_tells_its_account_and_region() {
        for (host, region) in [
            ("111111111111.dkr.ecr.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
            ("111111111111.dkr.ecr.ap-southeast-2.amazonaws.com:443", "ap-southeast-2"),
            ("111111111111.DKR.ECR.ap-southeast-2.amazonaws.com", "ap-southeast-2"),
            ("111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("111111111111.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("111111111111.dkr-ecr.ap-southeast-2.on.aws", "ap-southeast-2"),
            ("111111111111.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ] {
            assert_eq!(place_of(&host.parse().unwrap()), Some(("111111111111", region)), "{host}");
        }
        for host in ["registry.example", "127.0.0.1:5000", "public.ecr.aws", "ecr.ap-southeast-2.amazonaws.com"] {
            assert_eq!(place_of(&host.parse().unwrap()), None, "{host}");
        }
    }
}
