from targets.admin import brands, customers, people, programmes

__all__ = ["brands", "customers", "people", "programmes"]
