"""Makes what Prometheus and Grafana load: rules, alerts and dashboards, from one place and fresh by a test."""
