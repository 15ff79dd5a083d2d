use std::{net::TcpStream, path::Path};

use sandbox::{APPS, ENVIRONMENTS, Forge};

use crate::{forge, status};

#[tokio::test]
async fn who_says_nothing_is_not_let_in() {
    let forge = forge().await;
    let credentials = forge.credentials().clone();
    for environment in ENVIRONMENTS {
        let registry = forge.registry(environment).unwrap();
        let url = format!("{}/v2/", registry.url());
        assert_eq!(status(&url, None).await, 401);
        assert_eq!(status(&url, Some((&credentials.user, "wrong"))).await, 401);
        assert_eq!(status(&url, Some(("other", &credentials.password))).await, 401);
        assert_eq!(status(&url, Some((&credentials.user, &credentials.password))).await, 200);
        let logged = registry.log().requests();
        assert_eq!(logged.iter().map(|request| request.status).collect::<Vec<_>>(), [401, 401, 401, 200]);
        assert_eq!((logged[0].method.as_str(), logged[0].path.as_str()), ("GET", "/v2/"));
    }
    let url = format!("{}/acme/forge/_apis/build/builds/1?api-version=7.1", forge.releases().url());
    assert_eq!(status(&url, None).await, 401);
    assert_eq!(status(&url, Some(("", "wrong"))).await, 401);
    assert_eq!(status(&url, Some(("", &credentials.token))).await, 404);
    assert_eq!(forge.registry("staging").map(sandbox::RegistryServer::url), None);
}

#[tokio::test]
async fn the_registries_have_the_apps_repositories() {
    let forge = forge().await;
    for environment in ENVIRONMENTS {
        let repositories = forge.registry(environment).unwrap().memory().repositories();
        let expected: std::collections::BTreeSet<_> = APPS.iter().map(|app| app.repository.parse().unwrap()).collect();
        assert_eq!(repositories, expected.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_binaries_find_everything() {
    let forge = forge().await;
    let env: std::collections::BTreeMap<_, _> = forge.env().into_iter().collect();
    assert_eq!(env["CONVEYOR_LEDGER"], forge.ledger_url());
    assert_eq!(env["SYSTEM_ACCESSTOKEN"], forge.credentials().token);
    let config = std::fs::read(Path::new(&env["DOCKER_CONFIG"]).join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    for environment in ENVIRONMENTS {
        assert!(config["auths"][forge.registry(environment).unwrap().authority()]["auth"].is_string());
    }
}

#[tokio::test]
async fn nothing_stays_behind() {
    let forge = forge().await;
    let scratch = forge.scratch().to_owned();
    let addresses: Vec<String> =
        ENVIRONMENTS.iter().map(|environment| forge.registry(environment).unwrap().authority()).collect();
    assert!(scratch.exists() && TcpStream::connect(&addresses[0]).is_ok());
    drop(forge);
    assert!(!scratch.exists());
    for address in addresses {
        while TcpStream::connect(&address).is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn two_of_them_live_side_by_side() {
    let (one, other): (Forge, Forge) = (forge().await, forge().await);
    assert_ne!(one.ledger_url(), other.ledger_url());
    assert!(one.credentials() != other.credentials());
}
