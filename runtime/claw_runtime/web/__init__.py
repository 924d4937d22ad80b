"""The web, entered with care: public addresses only, a bounded number of bytes, and what is read is no order."""
