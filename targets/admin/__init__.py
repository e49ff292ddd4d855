from targets.admin import audit, brands, customers, programmes

__all__ = ["audit", "brands", "customers", "programmes"]
