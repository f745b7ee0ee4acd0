"""Every test here runs on both databases."""

from tests.databases import database, database_url, postgres, spare_databases

__all__ = ["database", "database_url", "postgres", "spare_databases"]
