//! `cargo xtask demo`: one build from Dev to production, for real, through the real binaries, on the sandbox.

use std::{
    error::Error,
    path::PathBuf,
    process::{Command, Stdio},
};

use sandbox::{
    APPROVERS, APPS, Forge, ForgeApp,
    azure_devops::{memory::Answer, memory::End, model::BuildStatus},
    image::{self, ImageSpec},
    release::BuildId,
};

use crate::{
    command::{cargo, program, run as run_command, target_directory},
    people::{ana, bo},
    table,
};

const BUILD: &str = "48213";
const OLDER: &str = "48200";
const RELEASE: u64 = 880;

type Done = Result<(), Box<dyn Error>>;

pub(crate) fn run() -> Done {
    let binaries = build()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let forge = Forge::start().await?;
        let story = Story { forge: &forge, binaries, app: APPS.first().ok_or("the sandbox has no app")? };
        story.tell().await
    })
}

/// Builds the binaries and says where they are.
pub(crate) fn build() -> Result<PathBuf, Box<dyn Error>> {
    run_command(cargo().args(["build", "--quiet", "--package", "bins"]))?;
    Ok(target_directory()?.join("debug"))
}

/// The company, its binaries and the service whose build travels.
struct Story<'f> {
    forge: &'f Forge,
    binaries: PathBuf,
    app: &'static ForgeApp,
}

impl Story<'_> {
    async fn tell(&self) -> Done {
        println!("Forge runs on this machine: three registries, a Git server and a release server.");
        println!("  Ledger    {}", self.forge.ledger_url());
        for environment in sandbox::ENVIRONMENTS {
            let registry = self.forge.registry(environment).ok_or("an environment has no registry")?;
            println!("  {environment:<9} {}", registry.url());
        }
        self.publish_and_promote().await?;
        self.production().await?;
        self.refusals().await?;
        chapter("Where everything stands, read from the Ledger's own records");
        table::print(&self.forge.ledger_dir(), self.app.name)
    }

    async fn publish_and_promote(&self) -> Done {
        chapter("An older build went out before");
        self.ci_builds(OLDER, 1).await?;
        chapter(&format!("CI builds {BUILD} once; from here on it is the same bytes"));
        self.ci_builds(BUILD, 2).await?;
        chapter("Dev and QA");
        self.promote(BUILD, "dev", 0).await?;
        self.promote(BUILD, "qa", 0).await
    }

    /// One build: its image is made and published while CI's run is in progress.
    async fn ci_builds(&self, build: &str, seed: u64) -> Done {
        let id: BuildId = build.parse()?;
        let layout = self.layout(seed).await?;
        let builds = self.forge.releases().memory();
        builds.add_build(self.app.build(id, &ana()?))?;
        self.copy(build, &layout, 0).await?;
        Ok(builds.set_build_status(id, BuildStatus::Succeeded)?)
    }

    async fn production(&self) -> Done {
        let releases = self.forge.releases().memory();
        let (ana, bo) = (ana()?, bo()?);
        releases.add_release(self.app.release(RELEASE, BUILD.parse()?, &ana))?;
        releases.begin(RELEASE, "QA", &ana)?;
        releases.end(RELEASE, "QA", End::Succeeded)?;

        chapter("Production: nobody has approved");
        releases.begin(RELEASE, "Prod-Wealth", &ana)?;
        let asked = releases.ask(RELEASE, "Prod-Wealth", APPROVERS)?;
        self.promote(BUILD, "prod-wealth", 10).await?;

        chapter("Production: Ana, who asked for the release, approves it herself");
        releases.answer(asked, &ana, Answer::Approve)?;
        self.promote(BUILD, "prod-wealth", 10).await?;

        chapter("Production: the stage is deployed again, and Bo approves");
        releases.end(RELEASE, "Prod-Wealth", End::Failed)?;
        releases.begin(RELEASE, "Prod-Wealth", &ana)?;
        let asked = releases.ask(RELEASE, "Prod-Wealth", APPROVERS)?;
        releases.answer(asked, &bo, Answer::Approve)?;
        self.promote(BUILD, "prod-wealth", 0).await?;
        Ok(releases.end(RELEASE, "Prod-Wealth", End::Succeeded)?)
    }

    async fn refusals(&self) -> Done {
        chapter("The same tag with other bytes is refused");
        let other = self.layout(3).await?;
        self.copy(BUILD, &other, 12).await?;
        chapter("A late job with an older build is refused");
        self.promote(OLDER, "dev", 14).await?;
        chapter("Running a step again changes nothing");
        self.promote(BUILD, "prod-wealth", 0).await
    }

    async fn layout(&self, seed: u64) -> Result<PathBuf, Box<dyn Error>> {
        let directory = self.forge.scratch().join(format!("image-{seed}"));
        image::write(&ImageSpec::of_seed(seed), &directory).await?;
        Ok(directory)
    }

    async fn copy(&self, build: &str, layout: &std::path::Path, expected: i32) -> Done {
        let (what, from) = (format!("{}={build}", self.app.name), format!("oci:{}", layout.display()));
        self.give("copy-artifact", &[&what, "--from", &from, "--to", "dev"], expected).await
    }

    async fn promote(&self, build: &str, to: &str, expected: i32) -> Done {
        let what = format!("{}={build}", self.app.name);
        self.give("conveyor", &["promote", &what, "--to", to], expected).await
    }

    /// Gives a command as a person would, shows what it says, and checks its exit code.
    async fn give(&self, binary: &str, arguments: &[&str], expected: i32) -> Done {
        println!("$ {binary} {}", arguments.join(" "));
        let mut command = program(self.binaries.join(binary));
        command.args(arguments).stderr(Stdio::piped()).stdout(Stdio::piped());
        self.environment(&mut command);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        for line in String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).lines() {
            println!("    {line}");
        }
        let code = output.status.code();
        println!("  exit {}", code.unwrap_or(-1));
        if code == Some(expected) { Ok(()) } else { Err(format!("the story wants exit {expected} here").into()) }
    }

    /// The sandbox's variables and no others of a pipeline.
    fn environment(&self, command: &mut Command) {
        for variable in ["TF_BUILD", "REGISTRY_AUTH_FILE", "AZURE_DEVOPS_EXT_PAT"] {
            command.env_remove(variable);
        }
        command.envs(self.forge.env()).env("RELEASE_RELEASEID", RELEASE.to_string());
    }
}

fn chapter(title: &str) {
    println!("\n== {title}");
}
