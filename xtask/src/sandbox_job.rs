//! `cargo xtask sandbox`: Forge on loopback until Ctrl-C, to try the binaries by hand.

use std::error::Error;

use sandbox::{APPS, ENVIRONMENTS, Forge};

use crate::demo;

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let binaries = demo::build()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let forge = Forge::start().await?;
        println!("# Forge runs until Ctrl-C. In another terminal:");
        println!("export PATH={}:$PATH", binaries.display());
        for (name, value) in forge.env() {
            println!("export {name}={value}");
        }
        for environment in ENVIRONMENTS {
            if let Some(registry) = forge.registry(environment) {
                println!("# {environment}: {}", registry.url());
            }
        }
        let releases = forge.releases().memory();
        let (id, by) = ("48213".parse()?, demo::ana()?);
        let app = APPS.first().ok_or("the sandbox has no app")?;
        releases.add_build(app.build(id, &by))?;
        println!("# CI is building {} {id}: copy-artifact {}={id} --from oci:DIRECTORY --to dev", app.name, app.name);
        let layout = forge.scratch().join("image");
        sandbox::image::write(&sandbox::image::ImageSpec::of_seed(1), &layout).await?;
        println!("# An image of it: oci:{}", layout.display());
        Ok(tokio::signal::ctrl_c().await?)
    })
}
