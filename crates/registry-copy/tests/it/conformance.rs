use registry_copy::{InMemory, TagRule, conformance, faults::Faulty};
use release::Repository;

#[tokio::test]
async fn memory() {
    let (one, two): (Repository, Repository) = ("a/one".parse().unwrap(), "a/two".parse().unwrap());
    let registry = InMemory::new();
    registry.create(&one, TagRule::Immutable);
    registry.create(&two, TagRule::Mutable);
    for _ in 0..2 {
        for repository in [&one, &two] {
            conformance::check(&registry, repository).await;
            conformance::check_immutable(&registry, repository).await;
            conformance::check_referrers(&registry, repository).await;
        }
        conformance::check_mount(&registry, &one, &two).await;
    }
}

#[tokio::test]
async fn faulty_without_faults() {
    let repository = crate::corpus::repository();
    let registry = Faulty::new(crate::corpus::registry(), |_| None);
    conformance::check(&registry, &repository).await;
    conformance::check_immutable(&registry, &repository).await;
    conformance::check_referrers(&registry, &repository).await;
}
