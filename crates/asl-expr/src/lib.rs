//! asl-expr
