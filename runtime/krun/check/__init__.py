"""Health checks, pools of real servers, and the IPVS table that follows from them."""
