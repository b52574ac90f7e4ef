"""Files for other programs, from the same policy: Prometheus, Grafana, Alertmanager."""
