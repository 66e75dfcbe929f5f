//! A timestamp's text, and one from eight bytes of milliseconds.
#![no_main]

use asl_expr::Timestamp;
use libfuzzer_sys::fuzz_target;

/// 0000-01-01 to 9999-12-31: the years of four digits, which can be read back.
const FOUR_DIGITS_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(at) = Timestamp::parse(text)
    {
        check(at);
    }
    let Some((ms, rest)) = data.split_first_chunk() else { return };
    let ms = i64::from_le_bytes(*ms);
    let at = Timestamp::from_millis(ms);
    assert_eq!(at.millis(), ms);
    check(at);
    let by_ms = rest.first_chunk().map_or(1, |by| i64::from_le_bytes(*by));
    let later = at.plus_ms(by_ms);
    check(later);
    if let Some(sum) = ms.checked_add(by_ms) {
        assert_eq!(later.millis(), sum);
        assert_eq!(later.cmp(&at), by_ms.cmp(&0));
    }
});

fn check(at: Timestamp) {
    assert!(at.whole_seconds() <= at);
    assert_eq!(at.checked_add_ms(0), Some(at));
    let (text, cli) = (at.to_string(), at.to_cli_string());
    assert!(text.ends_with('Z') && cli.ends_with("+00:00"));
    if FOUR_DIGITS_MS.contains(&at.millis()) {
        assert_eq!(Timestamp::parse(&text), Ok(at), "{text}");
        let cli = Timestamp::parse(&cli).unwrap_or_else(|e| panic!("{e}: {cli}"));
        assert_eq!(cli.millis(), at.millis());
    }
}
