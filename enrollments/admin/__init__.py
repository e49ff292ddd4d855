from enrollments.admin import customers, history, leave_plans, participations, programmes, receipts

__all__ = ["customers", "history", "leave_plans", "participations", "programmes", "receipts"]
