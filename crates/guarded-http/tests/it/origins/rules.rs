use guarded_http::Origin;
use url::Url;

/// From where, to where, whether that is followed.
const RULES: [(&str, &str, bool); 40] = [
    ("https://registry.example", "https://storage.example", true),
    ("https://registry.example", "https://registry.example:8443", true),
    ("https://registry.example", "https://registry.example.", true),
    ("https://registry.example", "https://10.0.0.7", true),
    ("https://registry.example", "https://127.0.0.1.evil.example", true),
    ("https://registry.example", "https://xlocalhost", true),
    ("https://registry.example", "http://registry.example", false),
    ("https://registry.example", "http://registry.example:443", false),
    ("https://registry.example", "http://storage.example", false),
    ("https://registry.example", "http://10.0.0.7", false),
    ("https://registry.example", "http://127.0.0.1", false),
    ("https://registry.example", "http://localhost", false),
    ("https://registry.example", "https://127.0.0.1", false),
    ("https://registry.example", "https://127.255.255.254:8443", false),
    ("https://registry.example", "https://127.1", false),
    ("https://registry.example", "https://0x7f.1", false),
    ("https://registry.example", "https://2130706433", false),
    ("https://registry.example", "https://localhost", false),
    ("https://registry.example", "https://LOCALHOST", false),
    ("https://registry.example", "https://localhost.", false),
    ("https://registry.example", "https://metadata.localhost", false),
    ("https://registry.example", "https://[::1]", false),
    ("https://registry.example", "https://[::]", false),
    ("https://registry.example", "https://[::ffff:127.0.0.1]", false),
    ("https://registry.example", "https://[::127.0.0.1]", false),
    ("https://registry.example", "https://0.0.0.0", false),
    ("https://registry.example", "https://169.254.169.254", false),
    ("https://registry.example", "https://[::ffff:169.254.169.254]", false),
    ("https://registry.example", "https://[fe80::1]", false),
    ("http://127.0.0.1:5000", "https://storage.example", true),
    ("http://127.0.0.1:5000", "http://[::1]:5000", true),
    ("http://localhost:5000", "https://127.0.0.1", true),
    ("http://127.0.0.1:5000", "http://storage.example", false),
    ("http://127.0.0.1:5000", "http://10.0.0.7", false),
    ("http://127.0.0.1:5000", "http://0.0.0.0:5000", false),
    ("http://127.0.0.1:5000", "https://0.0.0.0", false),
    ("http://127.0.0.1:5000", "http://169.254.169.254", false),
    ("http://127.0.0.1:5000", "https://169.254.169.254", false),
    ("https://127.0.0.1:5000", "http://127.0.0.1:5000", false),
    ("http://storage.example", "http://127.0.0.1:5000", false),
];

pub(super) fn table() -> String {
    let mut table = String::from(
        "### Where a redirect may lead\n\nEach step is judged from where it begins. Names that a resolver turns into an \
         address of this machine have to prove themselves by a certificate, as all others.\n\n\
         | from | to | |\n| --- | --- | --- |\n",
    );
    for (from, to, followed) in RULES {
        let [source, target] = [from, to].map(|text| Origin::of(&Url::parse(text).unwrap()).unwrap());
        assert_eq!(source.may_redirect_to(&target), followed, "{from} to {to}");
        let verdict = if followed { "followed, without credentials" } else { "not followed" };
        table.push_str(&format!("| `{from}` | `{to}` | {verdict} |\n"));
    }
    table
}
