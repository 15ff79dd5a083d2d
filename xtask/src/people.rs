//! The people of the demo.

use std::error::Error;

use sandbox::release::{Actor, ActorId};

/// Who asks for builds and releases.
pub(crate) fn ana() -> Result<Actor, Box<dyn Error>> {
    person("Ana", "3c1f2a4e-0001-4a01-8a01-000000000001")
}

/// Who may approve what Ana asked for.
pub(crate) fn bo() -> Result<Actor, Box<dyn Error>> {
    person("Bo", "0b7d5e21-0002-4a02-8a02-000000000002")
}

fn person(name: &str, guid: &str) -> Result<Actor, Box<dyn Error>> {
    let id: ActorId = format!("azure-devops:{guid}").parse()?;
    Ok(Actor { id, name: name.to_owned() })
}
