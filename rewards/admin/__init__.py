from rewards.admin import ledger

__all__ = ["ledger"]
