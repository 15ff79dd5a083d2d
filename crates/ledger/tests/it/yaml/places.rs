//! Where tags live: one edit in a manifest of each kind, and the one line that it changes.

use ledger::{Document, Scalar, set_scalar};

use super::manifests::manifests;

#[test]
fn one_line_changes() {
    for (file, document, key, was, is) in [
        ("helm-values.yaml", None, "image.tag", "  tag: \"\"", "  tag: \"48213\""),
        ("empty-values.yaml", None, "image.tag", "  tag:", "  tag: \"48213\""),
        (
            "empty-values.yaml",
            None,
            "sidecar.digest",
            "  digest: null   # not pinned yet",
            "  digest: \"48213\"   # not pinned yet",
        ),
        ("values-per-app.yaml", None, "apps.web.image.tag", "      tag: '48177'", "      tag: '48213'"),
        (
            "values-per-app.yaml",
            None,
            "apps.billing-api.image.tag",
            "  billing-api:  {image: {tag: \"\"     }, replicas: 0}",
            "  billing-api:  {image: {tag: \"48213\"     }, replicas: 0}",
        ),
        // The digest beside it stays.
        (
            "kustomization-overlay.yaml",
            None,
            "images[name=registry.example/forge/payments-api].newTag",
            "    newTag: \"48200\"",
            "    newTag: \"48213\"",
        ),
        (
            "kustomization-overlay.yaml",
            None,
            "images[name=ledger-exporter].newTag",
            "  - newTag: v2.7.1",
            "  - newTag: \"48213\"",
        ),
        ("kustomization-component.yaml", None, "images[name=web].newTag", "    newTag:", "    newTag: \"48213\""),
        (
            "argocd-application.yaml",
            None,
            "spec.source.helm.parameters[name=image.tag].value",
            "          value: \"48200\"",
            "          value: \"48213\"",
        ),
        (
            "argocd-multi-source.yaml",
            None,
            "spec.sources[chart=orders].helm.parameters[name=image.tag].value",
            "          - { name: image.tag, value: \"48200\" }",
            "          - { name: image.tag, value: \"48213\" }",
        ),
        (
            "argocd-multi-source.yaml",
            None,
            "spec.sources[chart=common].helm.parameters[name=image.tag].value",
            "          value: '7'",
            "          value: '48213'",
        ),
        (
            "helm-release.yaml",
            None,
            "spec.values.image.tag",
            "      tag: 48200 # {\"$imagepolicy\": \"payments:api:tag\"}",
            "      tag: \"48213\" # {\"$imagepolicy\": \"payments:api:tag\"}",
        ),
        (
            "app-and-service.yaml",
            Some("kind=Deployment,metadata.name=orders"),
            "spec.template.spec.containers[name=orders].image",
            "          image: registry.example/forge/orders:48200",
            "          image: \"48213\"",
        ),
        (
            "app-and-service.yaml",
            Some("kind=Service"),
            "spec.ports[name=http].port",
            "  ports: [{name: http, port: 80, targetPort: 8080}, {name: metrics, port: 9090}]",
            "  ports: [{name: http, port: \"48213\", targetPort: 8080}, {name: metrics, port: 9090}]",
        ),
        (
            "crlf-several.yaml",
            Some("kind=Deployment,metadata.name=web"),
            "spec.tag",
            "  tag: \r",
            "  tag: \"48213\" \r",
        ),
        ("no-final-newline-comment.yaml", None, "image.tag", "  tag: ~ # not yet", "  tag: \"48213\" # not yet"),
    ] {
        let (_, source) = manifests().into_iter().find(|(name, _)| name == file).unwrap();
        let document: Option<Document> = document.map(|document| document.parse().unwrap());
        let edited = set_scalar(source.as_bytes(), document.as_ref(), &key.parse().unwrap(), &Scalar::new("48213"));
        let edited = String::from_utf8(edited.unwrap()).unwrap();
        let lines = source.split('\n').zip(edited.split('\n'));
        let changed: Vec<_> = lines.filter(|(was, is)| was != is).collect();
        assert_eq!(changed, [(was, is)], "{file} {key}");
        assert_eq!(source.split('\n').count(), edited.split('\n').count());
    }
}
