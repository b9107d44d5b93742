//! Cases with a name of their own.
