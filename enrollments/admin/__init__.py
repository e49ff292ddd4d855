from enrollments.admin import customers, history, participations, receipts

__all__ = ["customers", "history", "participations", "receipts"]
