"""The store's tables, seals, migrations and backups, on SQLite or PostgreSQL."""
