from targets.admin import audit, brands, clients, customers, programmes

__all__ = ["audit", "brands", "clients", "customers", "programmes"]
