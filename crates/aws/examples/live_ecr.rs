//! Runs the registry's conformance suite on a real repository of ECR: `cargo xtask live-ecr`, docs/live-ecr.md.

#![expect(clippy::print_stdout, reason = "it tells the person who started it what it found")]

use std::{error::Error, iter, process::ExitCode, sync::Arc, time::Duration};

use aws::{Access, AccountId, Ecr, EcrPlace, Endpoints, Identity, Region, RoleArn};
use clap::Parser;
use guarded_http::Limits;
use registry_copy::{Registry, TagRule, conformance};
use release::{Authority, Repository, Tag};
use tokio::{task::JoinHandle, time::Instant};

/// Run the conformance suite on a real repository of ECR, and print what differs
///
/// It pushes small images and deletes nothing: give it a repository of its own. Credentials are found where the AWS
/// SDKs find them, from environment variables to a machine's role. docs/live-ecr.md says what the role must allow.
#[derive(Parser)]
#[command(name = "cargo xtask live-ecr", bin_name = "cargo xtask live-ecr")]
struct Args {
    /// The account that owns the registry, which the role must be of
    #[arg(long)]
    account: AccountId,
    /// The registry's region
    #[arg(long)]
    region: Region,
    /// The role to assume; it is narrowed to the repository
    #[arg(long, value_name = "ARN")]
    role: RoleArn,
    /// A repository for nothing else
    #[arg(long)]
    repository: Repository,
    /// Another one of the same registry, to mount blobs from
    #[arg(long, value_name = "REPOSITORY")]
    mount_from: Option<Repository>,
    /// The registry's host, where it is not the usual one
    #[arg(long, value_name = "HOST")]
    registry: Option<Authority>,
    /// How long all of it may take
    #[arg(long, value_name = "MINUTES", default_value_t = 15)]
    minutes: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differences) => {
            println!("\n{differences} differ");
            ExitCode::FAILURE
        }
        Err(error) => {
            let causes = iter::successors(Some(&*error), |&error| error.source());
            println!("error: {}", causes.map(ToString::to_string).collect::<Vec<_>>().join(": "));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<usize, Box<dyn Error>> {
    let Args { account, region, role, repository, mount_from, registry, minutes } = args;
    let authority = registry.map_or_else(|| usual_host(&account, &region), Ok)?;
    println!("{authority}/{repository}, as {role}");
    let identity = Identity {
        role: Some(role),
        account: account.clone(),
        region: region.clone(),
        endpoints: Endpoints::default(),
    };
    let limits = Limits {
        connect: Duration::from_secs(10),
        stall: Duration::from_secs(60),
        deadline: Instant::now() + Duration::from_secs(60 * minutes),
    };
    let ecr = Arc::new(Ecr::new(identity, EcrPlace { account, region, authority }, Access::Write, limits)?);

    let tag: Tag = "48213".parse()?;
    let rule = ecr.tag_rule(&repository, &tag).await?;
    println!("tag {tag} would be {}", format!("{rule:?}").to_lowercase());
    for caution in ecr.cautions(&repository, &tag).await? {
        println!("caution: {caution}");
    }

    let mut differences = 0;
    let (on, to) = (ecr.clone(), repository.clone());
    differences += told("contract", tokio::spawn(async move { conformance::check(&*on, &to).await })).await;
    let (on, to) = (ecr.clone(), repository.clone());
    differences += told("referrers", tokio::spawn(async move { conformance::check_referrers(&*on, &to).await })).await;
    if rule == TagRule::Immutable {
        let (on, to) = (ecr.clone(), repository.clone());
        differences +=
            told("immutable", tokio::spawn(async move { conformance::check_immutable(&*on, &to).await })).await;
    }
    if let Some(from) = mount_from {
        let (on, to) = (ecr.clone(), repository);
        differences +=
            told("mount", tokio::spawn(async move { conformance::check_mount(&*on, &to, &from).await })).await;
    }
    println!("{} requests", ecr.requests());
    Ok(differences)
}

/// Waits for a check, which panics where something differs, and prints what came of it.
async fn told(check: &str, running: JoinHandle<()>) -> usize {
    let Err(ended) = running.await else {
        println!("{check}: as the contract says");
        return 0;
    };
    let text = ended.try_into_panic().ok().and_then(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
    });
    println!("{check}: DIFFERS: {}", text.as_deref().unwrap_or("it was cut short"));
    1
}

fn usual_host(account: &AccountId, region: &Region) -> Result<Authority, Box<dyn Error>> {
    let top = if region.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(format!("{account}.dkr.ecr.{region}.{top}").parse()?)
}
