//! The decimal digits of a double.

/// The fewest decimal digits that read back as `x`, without its sign, and the power of ten of the first one: 0.0125 gives
/// `("125", -2)`, and zero `("0", 0)`. Of two texts that are as short and as near the even one is taken, as Java and JavaScript
/// do; Rust's own formatting takes the other one.
///
/// `x` is finite.
pub fn shortest(x: f64) -> (String, i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(x.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = mantissa.find('.').unwrap_or(mantissa.len());
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = all.trim_start_matches('0');
    let leading = all.len() - digits.len();
    match digits.trim_end_matches('0') {
        "" => ("0".to_owned(), 0),
        digits => (digits.to_owned(), exponent + point as i32 - 1 - leading as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn the_digits_are_few_and_of_two_the_even_ones() {
        for (x, digits, exponent) in [
            (0.0, "0", 0),
            (-0.0, "0", 0),
            (1.0, "1", 0),
            (-120.0, "12", 2),
            (0.0125, "125", -2),
            (1e23, "1", 23),
            (5e-324, "5", -324),
            (f64::MAX, "17976931348623157", 308),
            (9_007_199_254_740_992.0, "9007199254740992", 15),
            // 900719925474099.25 lies just between .2 and .3.
            (9_007_199_254_740_992.0 / 10.0, "9007199254740992", 14),
        ] {
            assert_eq!(shortest(x), (digits.to_owned(), exponent), "{x:e}");
        }
    }

    proptest::proptest! {
        #[test]
        fn they_read_back(bits in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let (digits, exponent) = shortest(bits);
            let back: f64 = format!("{}.{}e{exponent}", &digits[..1], &digits[1..]).parse().unwrap();
            assert_eq!(back, bits.abs());
        }
    }
}
