"""Django's PostgreSQL backend with a bound on connections."""
