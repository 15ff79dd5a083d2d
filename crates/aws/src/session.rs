//! A role's session for one repository.

use aws_credential_types::provider::{
    self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use release::Repository;
use serde_json::json;

use crate::{Access, AwsError, EcrPlace, Identity, RoleArn, kept::Kept, settings::Settings, sts::Sts};

const READ: [&str; 6] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
];

const WRITE: [&str; 4] = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];

/// Whoever asks about `repository`, and reads `from` besides where blobs are mounted from it. The caller's account is
/// proven before this returns.
pub(crate) async fn open(
    settings: &Settings,
    identity: &Identity,
    chain: &SharedCredentialsProvider,
    narrowed: &Narrowed<'_>,
) -> Result<SharedCredentialsProvider, AwsError> {
    let caller = match &identity.role {
        None => chain.clone(),
        Some(role) => Kept::shared(Assumed {
            sts: Sts::new(settings, Some(chain.clone())),
            role: role.clone(),
            name: narrowed.name(),
            policy: narrowed.policy(),
        }),
    };
    Sts::new(settings, Some(caller.clone())).prove(&identity.account).await?;
    Ok(caller)
}

/// What a session is for.
pub(crate) struct Narrowed<'a> {
    pub(crate) place: &'a EcrPlace,
    pub(crate) access: Access,
    pub(crate) repository: &'a Repository,
    pub(crate) from: Option<&'a Repository>,
}

impl Narrowed<'_> {
    /// The session's name, as CloudTrail shows it: up to 64 of letters, digits and `_+=,.@-`.
    fn name(&self) -> String {
        let repository = self.repository.as_str().replace('/', ".");
        format!("conveyor-{repository}").chars().take(64).collect()
    }

    /// Allows what is needed here; the role must allow it too.
    fn policy(&self) -> String {
        let to = self.arn(self.repository);
        let read: Vec<String> = [to.clone()].into_iter().chain(self.from.map(|from| self.arn(from))).collect();
        let mut statements = vec![
            json!({ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" }),
            json!({ "Effect": "Allow", "Action": READ, "Resource": read }),
        ];
        if self.access == Access::Write {
            statements.push(json!({ "Effect": "Allow", "Action": WRITE, "Resource": to }));
        }
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    }

    fn arn(&self, repository: &Repository) -> String {
        let EcrPlace { account, region, .. } = self.place;
        format!("arn:{}:ecr:{region}:{account}:repository/{repository}", region.partition())
    }
}

/// Sessions of a role, each a new one.
#[derive(Debug)]
struct Assumed {
    sts: Sts,
    role: RoleArn,
    name: String,
    policy: String,
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let given: provider::Result =
                self.sts.assume(&self.role, &self.name, &self.policy).await.map_err(CredentialsError::provider_error);
            given
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> EcrPlace {
        EcrPlace {
            account: "222222222222".parse().unwrap(),
            region: "us-gov-west-1".parse().unwrap(),
            authority: "127.0.0.1:5000".parse().unwrap(),
        }
    }

    #[test]
    fn reading_allows_nothing_that_writes() {
        let (place, repository) = (place(), "forge/payments-api".parse().unwrap());
        let narrowed = Narrowed { place: &place, access: Access::Read, repository: &repository, from: None };
        let policy: serde_json::Value = serde_json::from_str(&narrowed.policy()).unwrap();
        let arn = "arn:aws-us-gov:ecr:us-gov-west-1:222222222222:repository/forge/payments-api";
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
                { "Effect": "Allow", "Action": READ, "Resource": [arn] },
            ],
        });
        assert_eq!(policy, expected);
    }

    #[test]
    fn writing_is_for_the_one_repository_and_a_mount_only_reads_the_other() {
        let (place, to, from) = (place(), "forge/web".parse().unwrap(), "forge/base".parse().unwrap());
        let narrowed = Narrowed { place: &place, access: Access::Write, repository: &to, from: Some(&from) };
        let policy: serde_json::Value = serde_json::from_str(&narrowed.policy()).unwrap();
        let arn = |name| format!("arn:aws-us-gov:ecr:us-gov-west-1:222222222222:repository/forge/{name}");
        assert_eq!(policy["Statement"][1]["Resource"], json!([arn("web"), arn("base")]));
        assert_eq!(policy["Statement"][2], json!({ "Effect": "Allow", "Action": WRITE, "Resource": arn("web") }));
    }

    #[test]
    fn the_longest_repository_fits_into_a_policy_and_a_name() {
        let place = place();
        let (to, from) = (format!("a/{}", "x".repeat(253)), format!("b/{}", "y".repeat(253)));
        let (to, from) = (to.parse().unwrap(), from.parse().unwrap());
        let narrowed = Narrowed { place: &place, access: Access::Write, repository: &to, from: Some(&from) };
        // AssumeRole takes 2,048 characters of policy.
        assert!(narrowed.policy().len() <= 2048, "{}", narrowed.policy().len());
        assert_eq!(narrowed.name().len(), 64);
        assert!(narrowed.name().starts_with("conveyor-a.xxx"));
    }
}
