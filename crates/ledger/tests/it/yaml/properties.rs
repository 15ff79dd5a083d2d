//! Properties of editing, on generated manifests and on noise.

use ledger::{Document, KeyPath, Scalar, get_scalar, set_scalar};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_yaml::Value;

use super::{
    documents,
    generated::{Manifest, Place, manifest},
    scalars::at,
};

proptest! {
    #[test]
    fn an_edit_changes_its_scalar_and_nothing_else(manifest in manifest(), index: Index, value in value()) {
        prop_assert_eq!(documents(manifest.text.as_bytes()), Some(manifest.documents.clone()), "{}", manifest.text);
        let place = index.get(&manifest.places);
        match place.key.parse() {
            Ok(key) => edited_alone(&manifest, place, &key, &value),
            // What chooses a list's entry cannot be changed through it.
            Err(_) => prop_assert!(place.key.ends_with(".\"name\"")),
        }
    }

    #[test]
    fn noise_is_edited_or_refused(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..64),
            "[ab:\\-\\[\\]{},&*!|>'\"#%@?~<= \n\r\t\u{85}\u{feff}]{0,24}".prop_map(String::into_bytes),
            "(a: |b: |- |  |\\{|\\}|\\[|\\]|, |&a |\\*a|!!str |'|\"|a|x|\\||\n|\r\n|#|---\n|\\? |: |<<: ){0,16}".prop_map(String::into_bytes),
        ],
        document in prop_oneof![Just(None), (0..3_usize).prop_map(|number| Some(Document::Nth(number)))],
        value in value(),
    ) {
        for key in ["a", "a.b", "b", "a[b=x].a"] {
            let key: KeyPath = key.parse().unwrap();
            let Ok(edited) = set_scalar(&bytes, document.as_ref(), &key, &Scalar::new(&value)) else { continue };
            prop_assert!(get_scalar(&bytes, document.as_ref(), &key).is_ok());
            prop_assert_eq!(get_scalar(&edited, document.as_ref(), &key), Ok(Scalar::new(&value)));
            prop_assert!(documents(&edited).is_some());
        }
    }

    #[test]
    fn one_wrong_byte_is_no_panic(manifest in manifest(), index: Index, byte: u8, place: Index) {
        let key: Result<KeyPath, _> = place.get(&manifest.places).key.parse();
        let mut bytes = manifest.text.into_bytes();
        let position = index.index(bytes.len());
        bytes[position] = byte;
        if let Ok(key) = key && let Ok(edited) = set_scalar(&bytes, None, &key, &Scalar::new("48213")) {
            prop_assert_eq!(get_scalar(&edited, None, &key), Ok(Scalar::new("48213")));
        }
    }

    #[test]
    fn a_key_path_is_what_it_prints(
        text in prop_oneof![
            "\\PC{0,12}",
            "[a.\\[\\]=\" \\\\]{0,16}",
            "(a|\"[^\"\\\\\\pC]{1,4}\"|\\.|\\[b=c\\]|\\[\"[.= ]\"=[.=]\\]){0,7}",
        ],
    ) {
        if let Ok(path) = text.parse::<KeyPath>() {
            let printed = path.to_string();
            prop_assert_eq!(printed.parse::<KeyPath>(), Ok(path));
        }
    }

    #[test]
    fn a_document_selector_is_what_it_prints(text in "(a|\"[^\"\\\\\\pC]{1,4}\"|[,=.0]|\\[b=c\\]|=[a,.=]){0,9}") {
        if let Ok(document) = text.parse::<Document>() {
            let printed = document.to_string();
            prop_assert_eq!(printed.parse::<Document>(), Ok(document));
        }
    }
}

fn edited_alone(manifest: &Manifest, place: &Place, key: &KeyPath, value: &str) {
    let source = manifest.text.as_bytes();
    let document = Document::Nth(place.document);
    let document = Some(&document);
    let value = Scalar::new(value);
    assert_eq!(get_scalar(source, document, key), Ok(place.scalar.clone()));
    let edited = set_scalar(source, document, key, &value).unwrap();

    let (before, after) = (&source[..place.span.start], &source[place.span.end..]);
    assert!(edited.starts_with(before) && edited.ends_with(after));
    let written = &edited[before.len()..edited.len() - after.len()];
    assert_eq!(serde_yaml::from_slice::<Value>(written).unwrap(), Value::from(value.as_str()));

    let mut expected = manifest.documents.clone();
    *at(&mut expected[place.document], &place.route) = value.as_str().into();
    assert_eq!(documents(&edited), Some(expected));
    assert_eq!(get_scalar(&edited, document, key), Ok(value.clone()));
    assert_eq!(set_scalar(&edited, document, key, &value), Ok(edited));
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,8}",
        "[0-9a-f_.:xoeT+-]{1,8}",
        "[A-Za-z0-9_.-]{1,16}",
        "[ -~\u{e9}\u{1f680}\n\u{85}\u{2028}\u{feff}]{0,12}",
        any::<String>(),
        proptest::sample::select(vec![
            "yes", "no", "on", "off", "y", "n", "null", "true", "~", "", ".nan", "---", "..."
        ])
        .prop_map(str::to_owned),
    ]
}
