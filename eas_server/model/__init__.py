"""The domain's values: immutable, without behaviour beyond their own invariants, free of any wire or storage format."""
