from targets.admin import brands, customers, programmes

__all__ = ["brands", "customers", "programmes"]
