//! Which account's registry an ECR host is.

use release::Authority;

/// What stands between the account and the region, in all forms of the host: plain and dual-stack, each also for FIPS.
const FORMS: [&str; 4] = [".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."];

/// The account whose registry this is, if it is one of ECR, whatever the region and the partition. All hosts of one
/// account and region are one registry. The name of a VPC endpoint stands in the account's place where a host is one's.
///
/// Source: the endpoints of Amazon ECR in the AWS General Reference.
pub(crate) fn account_of(registry: &Authority) -> Option<&str> {
    FORMS.iter().find_map(|form| registry.host().split_once(form)).map(|(account, _)| account)
}

#[cfg(test)]
mod tests {
    use super::account_of;

    #[test]
    fn every_form_of_the_host_tells_its_account() {
        for host in [
            "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com",
            "111111111111.dkr.ecr.ap-southeast-2.amazonaws.com:443",
            "111111111111.DKR.ECR.ap-southeast-2.amazonaws.com",
            "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "111111111111.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "111111111111.dkr-ecr.ap-southeast-2.on.aws",
            "111111111111.dkr-ecr-fips.us-east-1.on.aws",
        ] {
            assert_eq!(account_of(&host.parse().unwrap()), Some("111111111111"), "{host}");
        }
        for host in ["registry.example", "127.0.0.1:5000", "public.ecr.aws", "ecr.ap-southeast-2.amazonaws.com"] {
            assert_eq!(account_of(&host.parse().unwrap()), None, "{host}");
        }
    }
}
