//! Registries that are known by their names.

use guarded_http::Origin;
use release::Authority;

/// The server that is spoken to for a registry: for Docker Hub one of another name than its images have.
#[must_use]
pub fn origin(registry: &Authority) -> Origin {
    let hub = is_hub(registry).then(|| "https://registry-1.docker.io".parse().ok()).flatten();
    hub.unwrap_or_else(|| Origin::for_registry(registry))
}

/// The servers that may give tokens for a registry besides itself.
pub(super) fn token_hosts(registry: &Authority) -> Vec<Origin> {
    is_hub(registry).then(|| "https://auth.docker.io".parse().ok()).flatten().into_iter().collect()
}

/// Whether this is a registry of Amazon ECR, in any of its hosts' forms (AWS General Reference, endpoints of Amazon
/// ECR): there is no token authentication there.
pub(super) fn is_ecr(registry: &Authority) -> bool {
    const FORMS: [&str; 4] = [".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."];
    FORMS.iter().any(|form| registry.host().contains(form))
}

fn is_hub(registry: &Authority) -> bool {
    const NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    registry.port().is_none_or(|port| port == 443) && NAMES.contains(&registry.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_and_ecr_are_known_by_their_names() {
        for name in ["docker.io", "index.docker.io", "registry-1.docker.io", "docker.io:443"] {
            let registry = name.parse().unwrap();
            assert_eq!(origin(&registry).to_string(), "https://registry-1.docker.io", "{name}");
            assert_eq!(token_hosts(&registry), ["https://auth.docker.io".parse().unwrap()], "{name}");
        }
        for name in ["docker.io.evil.example", "evil-docker.io", "auth.docker.io", "docker.io:5000", "127.0.0.1:5000"] {
            let registry = name.parse().unwrap();
            assert_eq!(origin(&registry), Origin::for_registry(&registry), "{name}");
            assert_eq!(token_hosts(&registry), [], "{name}");
        }
        for (name, expected) in [
            ("111111111111.dkr.ecr.ap-southeast-2.amazonaws.com", true),
            ("111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn", true),
            ("111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true),
            ("111111111111.dkr-ecr.ap-southeast-2.on.aws", true),
            ("public.ecr.aws", false),
            ("ecr.example", false),
        ] {
            assert_eq!(is_ecr(&name.parse().unwrap()), expected, "{name}");
        }
    }
}
