from targets.admin import audit, brands, clients, customers, people, programmes, refused

__all__ = ["audit", "brands", "clients", "customers", "people", "programmes", "refused"]
