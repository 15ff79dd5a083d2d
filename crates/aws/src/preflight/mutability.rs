use aws_sdk_ecr::types::{ImageTagMutability, ImageTagMutabilityExclusionFilterType as FilterType, Repository};
use registry_copy::TagRule;
use release::Tag;

use super::wildcard;

/// Whether the repository lets `tag` be moved. A setting that is not known promises nothing.
pub(crate) fn tag_rule(repository: &Repository, tag: &Tag) -> TagRule {
    let filters = repository.image_tag_mutability_exclusion_filters.as_deref().unwrap_or_default();
    // None where a filter of a kind that is not known may or may not exclude the tag.
    let excluded = || {
        let known = filters.iter().all(|filter| filter.filter_type == FilterType::Wildcard);
        let matched =
            filters.iter().any(|f| f.filter_type == FilterType::Wildcard && wildcard::matches(&f.filter, tag.as_str()));
        (matched || known).then_some(matched)
    };
    let (rule, otherwise) = match repository.image_tag_mutability {
        Some(ImageTagMutability::Immutable) => return TagRule::Immutable,
        Some(ImageTagMutability::Mutable) => return TagRule::Mutable,
        Some(ImageTagMutability::ImmutableWithExclusion) => (TagRule::Immutable, TagRule::Mutable),
        Some(ImageTagMutability::MutableWithExclusion) => (TagRule::Mutable, TagRule::Immutable),
        _ => return TagRule::Unknown,
    };
    match excluded() {
        Some(true) => otherwise,
        Some(false) => rule,
        None => TagRule::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecr::types::ImageTagMutabilityExclusionFilter as Filter;

    use super::*;

    fn repository(mutability: Option<&str>, filters: &[(&str, &str)]) -> Repository {
        let filters = filters.iter().map(|(kind, filter)| {
            Filter::builder().filter_type(FilterType::from(*kind)).filter(*filter).build().unwrap()
        });
        Repository::builder()
            .set_image_tag_mutability(mutability.map(ImageTagMutability::from))
            .set_image_tag_mutability_exclusion_filters(Some(filters.collect()))
            .build()
    }

    #[test]
    fn every_setting_for_a_tag_that_is_excluded_and_one_that_is_not() {
        use TagRule::{Immutable, Mutable, Unknown};
        for (setting, filters, plain, excluded) in [
            (Some("IMMUTABLE"), &[][..], Immutable, Immutable),
            (Some("MUTABLE"), &[], Mutable, Mutable),
            (Some("IMMUTABLE_WITH_EXCLUSION"), &[("WILDCARD", "dev-*"), ("WILDCARD", "x")], Immutable, Mutable),
            (Some("MUTABLE_WITH_EXCLUSION"), &[("WILDCARD", "y"), ("WILDCARD", "dev-*")], Mutable, Immutable),
            (Some("IMMUTABLE_WITH_EXCLUSION"), &[], Immutable, Immutable),
            // Filters that the setting does not heed.
            (Some("IMMUTABLE"), &[("WILDCARD", "*")], Immutable, Immutable),
            // What is not known yet.
            (Some("IMMUTABLE_WITH_EXCLUSION"), &[("REGEX", "dev-.*")], Unknown, Unknown),
            (Some("IMMUTABLE_WITH_EXCLUSION"), &[("REGEX", "."), ("WILDCARD", "dev-*")], Unknown, Mutable),
            (Some("IMMUTABLE_ON_TUESDAYS"), &[], Unknown, Unknown),
            (None, &[], Unknown, Unknown),
        ] {
            let repository = repository(setting, filters);
            assert_eq!(tag_rule(&repository, &"48213".parse().unwrap()), plain, "{setting:?} {filters:?}");
            assert_eq!(tag_rule(&repository, &"dev-1".parse().unwrap()), excluded, "{setting:?} {filters:?}");
        }
    }
}
