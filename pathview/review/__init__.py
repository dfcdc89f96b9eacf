"""Cases, results, decisions and the audit trail, and the store that keeps them."""
