//! A registry over HTTP (OCI distribution-spec).
