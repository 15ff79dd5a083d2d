use sandbox::release::Actor;

/// Who asks for releases.
#[must_use]
pub fn ana() -> Actor {
    person("Ana", "3c1f2a4e-0001-4a01-8a01-000000000001")
}

/// Who approves them.
#[must_use]
pub fn bo() -> Actor {
    person("Bo", "0b7d5e21-0002-4a02-8a02-000000000002")
}

fn person(name: &str, guid: &str) -> Actor {
    Actor { id: format!("azure-devops:{guid}").parse().unwrap(), name: name.to_owned() }
}
