//! The names that parameters and results have in Step Functions: those of the Java SDK 2, with a capital.

/// What the Java SDK 2 appends to a name that Java keeps for itself.
const SUFFIX: &str = "Value";

/// Java's words, and the methods that every class of the SDK has.
const RESERVED: [&str; 64] = [
    "abstract",
    "assert",
    "boolean",
    "break",
    "builder",
    "byte",
    "case",
    "catch",
    "char",
    "class",
    "clone",
    "const",
    "continue",
    "copy",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "equals",
    "extends",
    "false",
    "final",
    "finalize",
    "finally",
    "float",
    "for",
    "getClass",
    "goto",
    "hashCode",
    "if",
    "implements",
    "import",
    "instanceof",
    "int",
    "interface",
    "long",
    "native",
    "new",
    "notify",
    "notifyAll",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "sdkFields",
    "short",
    "static",
    "strictfp",
    "super",
    "switch",
    "synchronized",
    "this",
    "throw",
    "throws",
    "toBuilder",
    "toString",
    "transient",
    "true",
    "try",
    "void",
    "wait",
];

/// The name of a model's member in parameters and results: `KMSKeyArn` is `KmsKeyArn`, `tableName` is `TableName`, and
/// `equals`, a word of Java, is `EqualsValue`.
///
/// The SDK lowers a leading acronym but for the capital that begins the next word; Step Functions writes the first letter
/// large. Of a name that is all acronym nothing but that letter stays large: `ACL` is `Acl`, `NULL` is `Nul`.
pub fn member_name(model: &str) -> String {
    // DynamoDB's attribute value: the SDK's own exception, because null is a word of Java.
    if model == "NULL" {
        return "Nul".to_owned();
    }
    let bytes = model.as_bytes();
    let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let mut end = 1;
    while upper(end) && !lower(end + 1) {
        end += 1;
    }
    let mut name = model.to_owned();
    if let Some(head) = name.get_mut(..end) {
        head.make_ascii_lowercase();
    }
    if RESERVED.contains(&name.as_str()) {
        name.push_str(SUFFIX);
    }
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_java_sdk() {
        let cases = [
            ("KMSKeyArn", "KmsKeyArn"),
            ("DBClusterIdentifier", "DbClusterIdentifier"),
            ("tableName", "TableName"),
            ("ETag", "ETag"),
            ("ACL", "Acl"),
            ("SSEKMSKeyId", "SsekmsKeyId"),
            ("CIDRIP", "Cidrip"),
            ("equals", "EqualsValue"),
            ("VpcId", "VpcId"),
            ("S", "S"),
            ("SS", "Ss"),
            ("BOOL", "Bool"),
            ("NULL", "Nul"),
            ("s3Bucket", "S3Bucket"),
            ("ContentMD5", "ContentMD5"),
            ("", ""),
        ];
        for (model, name) in cases {
            assert_eq!(member_name(model), name);
        }
    }
}
