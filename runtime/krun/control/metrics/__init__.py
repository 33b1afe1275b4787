"""The state document as metrics, in Prometheus' text format: for ``krunctl metrics`` and for the endpoint (``krun --metrics``)."""
