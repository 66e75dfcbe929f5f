//! DynamoDB's numbers: up to 38 significant decimal digits, magnitude from 10^-130 to below 10^126, exact.

use std::cmp::Ordering;
use std::fmt;

/// The most significant digits a number can have.
const MAX_DIGITS: u32 = 38;
/// The range of the exponent of the first digit.
const MAGNITUDES: std::ops::RangeInclusive<i64> = -130..=125;

/// A number in canonical form: the coefficient has no trailing zeros, zero is `0 * 10^0` and not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    negative: bool,
    coefficient: u128,
    exponent: i16,
}

/// Why a text or a sum is not a number of DynamoDB.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("The parameter cannot be converted to a numeric value")]
    Empty,
    #[error("The parameter cannot be converted to a numeric value: {0}")]
    NotANumber(String),
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooPrecise,
}

impl Decimal {
    /// Reads `[+-] digits [. digits] [e [+-] digits]`, with at least one digit before the exponent.
    pub(crate) fn parse(text: &str) -> Result<Decimal, NumberError> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        let (negative, digits, exponent) = scan(text).ok_or_else(|| NumberError::NotANumber(text.to_owned()))?;
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Decimal { negative: false, coefficient: 0, exponent: 0 });
        }
        let magnitude = exponent.saturating_add(digits.len() as i64 - 1);
        check_magnitude(magnitude)?;
        if significant.len() > MAX_DIGITS as usize {
            return Err(NumberError::TooPrecise);
        }
        let coefficient = significant.parse().map_err(|_| NumberError::TooPrecise)?;
        let exponent = magnitude + 1 - significant.len() as i64;
        Ok(Decimal { negative, coefficient, exponent: exponent as i16 })
    }

    /// How many digits the coefficient has.
    fn digits(self) -> u32 {
        self.coefficient.checked_ilog10().unwrap_or(0) + 1
    }

    /// The exponent of the first digit.
    fn magnitude(self) -> i32 {
        i32::from(self.exponent) + self.digits() as i32 - 1
    }

    /// The exact sum; DynamoDB calls every result that does not fit an overflow.
    pub(crate) fn add(self, other: Decimal) -> Result<Decimal, NumberError> {
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        if high.coefficient == 0 || low.coefficient == 0 {
            return Ok(if high.coefficient == 0 { low } else { high });
        }
        // What leaves 128 bits here has more than 38 digits afterwards: the lower operand's last digit is not zero.
        let shift = (high.exponent - low.exponent) as u32;
        let scale = 10u128.checked_pow(shift).ok_or(NumberError::Overflow)?;
        let scaled = high.coefficient.checked_mul(scale).ok_or(NumberError::Overflow)?;
        let (negative, coefficient) = match (high.negative == low.negative, scaled >= low.coefficient) {
            (true, _) => (high.negative, scaled.checked_add(low.coefficient).ok_or(NumberError::Overflow)?),
            (false, true) => (high.negative, scaled - low.coefficient),
            (false, false) => (low.negative, low.coefficient - scaled),
        };
        Decimal::normal(negative, coefficient, low.exponent)
    }

    /// The exact difference.
    pub(crate) fn subtract(self, other: Decimal) -> Result<Decimal, NumberError> {
        self.add(Decimal { negative: !other.negative && other.coefficient != 0, ..other })
    }

    fn normal(negative: bool, mut coefficient: u128, mut exponent: i16) -> Result<Decimal, NumberError> {
        if coefficient == 0 {
            return Ok(Decimal { negative: false, coefficient: 0, exponent: 0 });
        }
        while coefficient.is_multiple_of(10) {
            coefficient /= 10;
            exponent += 1;
        }
        let sum = Decimal { negative, coefficient, exponent };
        check_magnitude(i64::from(sum.magnitude()))?;
        if sum.digits() > MAX_DIGITS { Err(NumberError::Overflow) } else { Ok(sum) }
    }

    /// Text whose byte order is the order of the numbers: a sign (0, 1 for zero, 2), the exponent in three digits and the
    /// digits; for negative numbers all of them complemented, with `~` at the end so that fewer digits come later.
    pub(crate) fn sortable(self) -> String {
        if self.coefficient == 0 {
            return "1".to_owned();
        }
        let exponent = self.magnitude() + 130;
        if !self.negative {
            return format!("2{exponent:03}{}", self.coefficient);
        }
        let digits = self.coefficient.to_string();
        let complement: String = digits.bytes().map(|d| char::from(b'0' + (b'9' - d))).collect();
        format!("0{:03}{complement}~", 255 - exponent)
    }

    /// The bytes the number counts for in the size of an item (about one for two digits, and one or two more).
    pub(crate) fn size(self) -> usize {
        if self.coefficient == 0 {
            return 1;
        }
        let digits = self.digits() as usize;
        let odd = digits % 2 == 1 || self.magnitude() % 2 != 0;
        1 + digits.div_ceil(2) + usize::from(!odd) + usize::from(self.negative)
    }
}

/// Sign, digits without the point, and the exponent of the last digit.
fn scan(text: &str) -> Option<(bool, String, i64)> {
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, scan_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((negative, digits, exponent.saturating_sub(fraction.len() as i64)))
}

fn scan_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // An exponent beyond this is out of range whatever the digits are.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000_000);
    Some(if text.starts_with('-') { -size } else { size })
}

fn check_magnitude(magnitude: i64) -> Result<(), NumberError> {
    match magnitude {
        m if m > *MAGNITUDES.end() => Err(NumberError::Overflow),
        m if m < *MAGNITUDES.start() => Err(NumberError::Underflow),
        _ => Ok(()),
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |d: &Decimal| match d {
            Decimal { coefficient: 0, .. } => 0,
            Decimal { negative: true, .. } => -1,
            _ => 1,
        };
        let aligned = |d: &Decimal| d.coefficient * 10u128.pow(MAX_DIGITS - d.digits());
        let size = self.magnitude().cmp(&other.magnitude()).then_with(|| aligned(self).cmp(&aligned(other)));
        let size = if self.negative { size.reverse() } else { size };
        sign(self).cmp(&sign(other)).then(size)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    /// All digits, without an exponent, as DynamoDB returns them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.coefficient.to_string();
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            return write!(f, "{sign}{digits}{}", "0".repeat(self.exponent as usize));
        }
        let fraction = usize::from(self.exponent.unsigned_abs());
        if digits.len() > fraction {
            let (whole, fraction) = digits.split_at(digits.len() - fraction);
            return write!(f, "{sign}{whole}.{fraction}");
        }
        write!(f, "{sign}0.{}{digits}", "0".repeat(fraction - digits.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = Decimal> {
        ("-?[0-9]{1,20}(\\.[0-9]{1,18})?", -90i32..80).prop_map(|(d, e)| Decimal::parse(&format!("{d}e{e}")).unwrap())
    }

    #[test]
    fn canonical_texts() {
        let table = [
            ("3", "3"),
            ("-7.1234", "-7.1234"),
            ("-17e5", "-1700000"),
            ("+3", "3"),
            (".123", "0.123"),
            ("0001.2300", "1.23"),
            ("1e+5", "100000"),
            ("0e1000", "0"),
            ("-0", "0"),
            ("100", "100"),
            ("1E-3", "0.001"),
            ("3.1415926535897932384626433832795028841", "3.1415926535897932384626433832795028841"),
        ];
        for (text, canonical) in table {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), canonical, "{text}");
        }
        assert_eq!(Decimal::parse("9.9e125").unwrap().to_string().len(), 126);
    }

    #[test]
    fn what_is_no_number() {
        for text in ["NaN", "Infinity", "-NaN", "dog", " 1", "1 ", "1e", "e1", ".", "-", "1.2.3", "1e5.0", "٣"] {
            assert!(matches!(Decimal::parse(text), Err(NumberError::NotANumber(_))), "{text}");
        }
        assert_eq!(Decimal::parse(""), Err(NumberError::Empty));
        for text in ["1e126", "11e125", "-1e126", "1e999999999999999999999"] {
            assert_eq!(Decimal::parse(text), Err(NumberError::Overflow), "{text}");
        }
        for text in ["1e-131", "0.9e-130", "1e-99999999999999999999"] {
            assert_eq!(Decimal::parse(text), Err(NumberError::Underflow), "{text}");
        }
        for text in ["3.14159265358979323846264338327950288419", "314159265358979323846264338327950288419e30"] {
            assert_eq!(Decimal::parse(text), Err(NumberError::TooPrecise), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_or_refused() {
        let n = |text| Decimal::parse(text).unwrap();
        assert_eq!(n("1e22").add(n("1")).unwrap().to_string(), "10000000000000000000001");
        assert_eq!(n("1e22").subtract(n("1")).unwrap().to_string(), "9999999999999999999999");
        assert_eq!(n("1e38").subtract(n("1")).unwrap().to_string(), "9".repeat(38));
        assert_eq!(n("0.1").add(n("0.2")).unwrap(), n("0.3"));
        assert_eq!(n("9e125").add(n("9e125")), Err(NumberError::Overflow));
        assert_eq!(n("1e50").add(n("1")), Err(NumberError::Overflow));
        assert_eq!(n("1e125").subtract(n("1e-130")), Err(NumberError::Overflow));
    }

    proptest! {
        #[test]
        fn the_canonical_form_reads_back(a in number()) {
            prop_assert_eq!(Decimal::parse(&a.to_string()), Ok(a));
        }

        #[test]
        fn order_is_that_of_the_sortable_text(a in number(), b in number()) {
            prop_assert_eq!(a.cmp(&b), a.sortable().cmp(&b.sortable()), "{} {}", a, b);
        }

        #[test]
        fn adding_and_taking_away_is_nothing(a in number(), b in number()) {
            if let Ok(sum) = a.add(b) {
                prop_assert_eq!(b.add(a), Ok(sum));
                prop_assert_eq!(sum.subtract(b), Ok(a));
            }
            prop_assert_eq!(a.subtract(a).unwrap().to_string(), "0");
        }

        #[test]
        fn any_text_is_answered(text in ".{0,60}") {
            let _ = Decimal::parse(&text);
        }
    }
}
