//! Many coding agents on one git repository: isolated, gated, landed.
