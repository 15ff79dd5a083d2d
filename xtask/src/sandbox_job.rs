//! `cargo xtask sandbox`: Forge on loopback, to try the binaries by hand. What Azure DevOps would do is typed.

use std::{error::Error, io, thread};

use sandbox::{
    APPROVERS, APPS, ENVIRONMENTS, Forge, ForgeApp,
    azure_devops::{memory::Answer, memory::End, model::BuildStatus},
    image::{self, ImageSpec},
    release::BuildId,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{demo, people};

const HELP: &str = "\
# Type here what CI and the release server would do, or Ctrl-C to end:
#   build BUILD [APP]      CI begins a build and makes its image
#   succeed BUILD          the build ends well
#   release ID BUILD [APP] Ana creates a release of it; its QA stage succeeds
#   deploy ID              Ana deploys its production stage; the group is asked to approve
#   approve APPROVAL WHO   ana or bo approves";

type Done = Result<(), Box<dyn Error>>;

pub(crate) fn run() -> Done {
    let binaries = demo::build()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let forge = Forge::start().await?;
        println!("# In another terminal:\nexport PATH={}:$PATH", binaries.display());
        for (name, value) in forge.env() {
            println!("export {name}={value}");
        }
        for environment in ENVIRONMENTS {
            if let Some(registry) = forge.registry(environment) {
                println!("# {environment}: {}", registry.url());
            }
        }
        println!("{HELP}");
        tokio::select! {
            ended = listen(&forge) => ended,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    })
}

async fn listen(forge: &Forge) -> Done {
    let (typed, mut lines) = mpsc::unbounded_channel();
    // A thread of its own, which ends with the process: a read of a terminal cannot be given up.
    thread::spawn(move || io::stdin().lines().map_while(Result::ok).try_for_each(|line| typed.send(line)));
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        match obey(forge, &words).await {
            Ok(said) => println!("# {said}"),
            Err(error) => println!("# error: {error}\n{HELP}"),
        }
    }
    // Without a terminal there is nothing to type: the servers run until the signal.
    std::future::pending().await
}

async fn obey(forge: &Forge, words: &[&str]) -> Result<String, Box<dyn Error>> {
    const PRODUCTION: &str = "Prod-Wealth";
    let releases = forge.releases().memory();
    let ana = people::ana()?;
    match words {
        ["build", build, app @ ..] => {
            let app = named(app)?;
            let id: BuildId = build.parse()?;
            let layout = forge.scratch().join(format!("image-{id}"));
            image::write(&ImageSpec::of_seed(id.get()), &layout).await?;
            releases.add_build(app.build(id, &ana))?;
            Ok(format!("copy-artifact {}={id} --from oci:{} --to dev", app.name, layout.display()))
        }
        ["succeed", build] => {
            releases.set_build_status(build.parse()?, BuildStatus::Succeeded)?;
            Ok(format!("conveyor promote APP={build} --to dev"))
        }
        ["release", id, build, app @ ..] => {
            let id = id.parse()?;
            releases.add_release(named(app)?.release(id, build.parse()?, &ana))?;
            releases.begin(id, "QA", &ana)?;
            releases.end(id, "QA", End::Succeeded)?;
            Ok(format!("export RELEASE_RELEASEID={id}"))
        }
        ["deploy", id] => {
            let id = id.parse()?;
            // An attempt that still runs is ended: the stage is deployed anew.
            let _none_ran = releases.end(id, PRODUCTION, End::Failed);
            releases.begin(id, PRODUCTION, &ana)?;
            Ok(format!("approval {} waits", releases.ask(id, PRODUCTION, APPROVERS)?))
        }
        ["approve", approval, who] => {
            let person = match *who {
                "ana" => ana,
                "bo" => people::bo()?,
                _ => return Err("ana or bo".into()),
            };
            releases.answer(approval.parse()?, &person, Answer::Approve)?;
            Ok(format!("approved by {}", person.name))
        }
        _ => Err("that is none of the words".into()),
    }
}

/// The app that a command names: the first of the sandbox where it names none.
fn named(words: &[&str]) -> Result<&'static ForgeApp, Box<dyn Error>> {
    let known = |name: &str| APPS.iter().find(|app| app.name == name);
    let app = match words {
        [] => APPS.first(),
        [name] => known(name),
        _ => None,
    };
    app.ok_or_else(|| format!("name one of {}", APPS.map(|app| app.name).join(", ")).into())
}
