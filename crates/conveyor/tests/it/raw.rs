//! The copy between two references.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use azure_devops::AzureDevOps;
use conveyor::{
    Account, Connect, Error,
    aws::Access::{self, Read, Write},
    config::{self, EnvironmentConfig},
    raw::{Copy, copy},
};
use registry_copy::{InMemory, Options, Registry, TagRule};
use release::{Authority, Repository};
use tokio::time::Instant;

use crate::world::word;

/// Empty registries under any name.
#[derive(Default)]
struct Registries {
    registry: Arc<InMemory>,
    opened: Mutex<Vec<(String, Access)>>,
}

#[async_trait]
impl Connect for Registries {
    async fn registry(&self, environment: &EnvironmentConfig, _: Access) -> Result<Arc<dyn Registry>, Error> {
        panic!("{environment:?}")
    }

    async fn source(&self, source: &EnvironmentConfig, _: &EnvironmentConfig) -> Result<Arc<dyn Registry>, Error> {
        panic!("{source:?}")
    }

    async fn other_registry(&self, at: &Authority, _: &Repository, to: Access) -> Result<Arc<dyn Registry>, Error> {
        self.opened.lock().unwrap().push((at.to_string(), to));
        Ok(Arc::<InMemory>::clone(&self.registry))
    }

    fn azure_devops(&self, project: &config::AzureDevOps) -> Result<Arc<dyn AzureDevOps>, Error> {
        panic!("{project:?}")
    }
}

#[tokio::test]
async fn a_source_is_only_read_unless_it_is_the_registry_that_is_written() {
    for (from, dry_run, expected) in [
        ("a.example", false, [Read, Write]),
        ("b.example", false, [Write, Write]),
        ("a.example", true, [Read, Read]),
        ("b.example", true, [Read, Read]),
    ] {
        let registries = Registries::default();
        for repository in ["from", "to"] {
            registries.registry.create(&word(repository), TagRule::Immutable);
        }
        let copy_of = Copy {
            source: &word(&format!("{from}/from:1")),
            destination: &word("b.example/to:1"),
            ledger: None,
            connect: &registries,
            observer: &(),
            options: &Options::until(Instant::now()),
            dry_run,
        };
        let failed = copy(&copy_of, &mut Account::default()).await.unwrap_err();
        assert!(matches!(failed, Error::NoSource { .. }), "{failed:?}");
        let opened = registries.opened.into_inner().unwrap();
        assert_eq!(opened, [(from.to_owned(), expected[0]), ("b.example".to_owned(), expected[1])], "{from} {dry_run}");
    }
}
