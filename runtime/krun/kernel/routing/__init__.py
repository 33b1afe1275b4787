"""Routes and routing rules: names, wire format, reading, writing, and the kernel's news of them.

============  ====================================================================================
``wire``      numbers and attribute tables (linux/rtnetlink.h, linux/fib_rules.h, linux/lwtunnel.h)
``names``     the names of iproute2's files, turned into numbers
``encap``     tunnels that a route makes
``routes``    a route as a message and back; ``rules`` the same of a rule
``refused``   the kernel's refusals in words
``writer``    operations carried out
``watch``     news of routes and rules that others changed
``part``      all of it as the part of the Linux backend
============  ====================================================================================
"""
