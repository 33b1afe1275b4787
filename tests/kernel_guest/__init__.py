"""What runs inside the lab's kernel: scenarios of the real IPVS, each a function that fails by raising."""
