"""What operators look at: figures for Prometheus at /metrics, and log lines about what is slow."""
