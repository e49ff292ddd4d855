from targets.admin import audit, brands, clients, customers, people, programmes

__all__ = ["audit", "brands", "clients", "customers", "people", "programmes"]
