from enrollments.admin import customers, history, participations, programmes, receipts

__all__ = ["customers", "history", "participations", "programmes", "receipts"]
