//! asl-task
