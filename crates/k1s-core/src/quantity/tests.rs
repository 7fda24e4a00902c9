// SPDX-License-Identifier: Apache-2.0
//! Quantities: one line per text.
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn check(text: &str, canonical: &str) {
    assert_eq!(
        Quantity::parse(text).map(|q| q.to_string()),
        Ok(canonical.to_owned()),
        "{text}"
    );
}
fn refuse(text: &str, error: QuantityError) {
    assert_eq!(
        Quantity::parse(text).map(|q| q.to_string()),
        Err(error),
        "{text}"
    );
}
fn number(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

#[test]
fn canonical_text() {
    for same in [
        "0", "1", "100m", "1k", "512Mi", "1Gi", "1e3", "1E3", "12e-6", "1n", "5.", "1.500", "+5",
        "1025Ki", "1023Mi",
    ] {
        check(same, same);
    }
    for zero in ["00", "0.0", "-0", "0m", "0Ki", "0e5", ".", "+", "-", "m"] {
        check(zero, "0");
    }
    check("1000", "1k");
    check("1000m", "1");
    check("0.5", "500m");
    check(".5", "500m");
    check("-1.5", "-1500m");
    check("1.0", "1");
    check("10e20", "1e21");
    check("1e100", "10e99");
    check("1024Mi", "1Gi");
    check("1000Mi", "1000Mi");
    check("1.5Gi", "1536Mi");
    check("1.5Ki", "1536");
    check("0.5Ki", "512");
    check("0.0001Ki", "102400u");
    check("-1Ki", "-1Ki");
    check("16Ei", "9223372036854775807");
    check("-16Ei", "-9223372036854775807");
    check("7.9Ei", "9108079886394091110400m");
    check("0.1n", "1n");
    check("-0.1n", "-1n");
    check("1e-300", "1e-9");
    check("0.123456789123", "123456790n");
    check("0.10240005m", "102401n");
    check("1000E", "1000E");
    check("1000000000000000000000000", "1000000E");
}

#[test]
fn refused_text() {
    for text in [
        "", " ", "1 ", "a", "1e1.5", "1.2.3", "1e3m", "0x10", "1,5", "ä", "1Mib", "lots", "2e-3Ki",
    ] {
        refuse(text, QuantityError::Format);
    }
    for text in [
        "1e",
        "1ki",
        "1i",
        "1m1",
        "1Ki1",
        "1e9223372036854775808",
        "+-5",
    ] {
        refuse(text, QuantityError::Suffix);
    }
    refuse(
        "123456789012345678901234567890123456789",
        QuantityError::Numeric,
    );
}

#[test]
fn numbers() {
    let check = |text: &str, value: i64, milli: i64| {
        assert_eq!(
            (number(text).value(), number(text).milli_value()),
            (value, milli),
            "{text}"
        );
    };
    check("1.5", 2, 1500);
    check("-1.5", -2, -1500);
    check("1n", 1, 1);
    check("100e-3", 1, 100);
    check("1Gi", 1 << 30, (1 << 30) * 1000);
    check("1e30", i64::MAX, i64::MAX);
    check("-1e30", i64::MIN, i64::MIN);
    assert_eq!(number("2k").to_i64(), Some(2000));
    assert_eq!(number("1m").to_i64(), None);
    assert!((number("1500m").to_f64() - 1.5).abs() < f64::EPSILON);
}

#[test]
fn order_and_sums() {
    assert_eq!(number("1000m"), number("1"));
    assert_eq!(number("1Ki"), number("1024"));
    for (less, more) in [
        ("1n", "1u"),
        ("-1", "0"),
        ("-2", "-1"),
        ("999m", "1"),
        ("1e30", "1e31"),
        ("1Gi", "1.1G"),
        ("1", "1.000000001"),
    ] {
        assert!(number(less) < number(more), "{less} {more}");
        assert!(number(more) > number(less), "{less} {more}");
    }
    let sum = |a: &str, b: &str| number(a).add(&number(b)).unwrap().to_string();
    assert_eq!(sum("500m", "500m"), "1");
    assert_eq!(sum("0", "1Gi"), "1Gi");
    assert_eq!(sum("1Gi", "1Ki"), "1048577Ki");
    assert_eq!(sum("1", "1Gi"), "1073741825");
    assert_eq!(number("1").sub(&number("1m")).unwrap().to_string(), "999m");
    assert_eq!(
        number("1e60").add(&number("1")),
        Err(QuantityError::TooManyDigits)
    );
}

#[test]
fn from_json() {
    assert_eq!(Quantity::from_json(&json!(" 1 ")).unwrap().to_string(), "1");
    assert_eq!(
        Quantity::from_json(&json!(1.5)).unwrap().to_string(),
        "1500m"
    );
    assert_eq!(Quantity::from_json(&json!(1000)).unwrap().to_string(), "1k");
    assert_eq!(Quantity::from_json(&json!(null)).unwrap().to_string(), "0");
    assert_eq!(
        Quantity::from_json(&json!(true)),
        Err(QuantityError::Format)
    );
}

proptest! {
    #[test]
    fn print_parse(text in "[+-]?[0-9]{0,12}(\\.[0-9]{0,12})?([numkMGTPE]|[KMGTPE]i|e-?[0-9]{1,2})?") {
        if let Ok(quantity) = Quantity::parse(&text) {
            let again = Quantity::parse(&quantity.to_string()).unwrap();
            prop_assert_eq!(&again, &quantity);
            prop_assert_eq!(again.to_string(), quantity.to_string());
        }
    }
    #[test]
    fn any_text(text in "[0-9.eEinumkKMGTP+-]{0,60}|.{0,10}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            let _ = (quantity.to_f64(), quantity.value(), quantity.add(&quantity).map(|q| q.to_string()));
        }
    }
}
