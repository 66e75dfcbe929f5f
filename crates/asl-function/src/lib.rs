//! asl-function
