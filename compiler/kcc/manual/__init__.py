"""The reference manual, read out of the tables: codes with their pages, keywords with their declarations."""
