"""Mail alerts: what happened, as a letter to people (keepalived.conf(5): ``smtp_server``, ``notification_email``, ``smtp_alert``).

`about_vrrp` and `about_checks` say what to tell; `post` takes it and keeps it until it is delivered (`waiting`); `letter`
writes it as RFC 5322 has it; `smtp` is the client side of RFC 5321 without a socket, `transfer` the socket.
"""
