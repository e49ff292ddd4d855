from targets.admin import brands, clients, customers, programmes

__all__ = ["brands", "clients", "customers", "programmes"]
