from django.urls import path

from enrollments.api.activities import ActivitiesView
from enrollments.api.bulk import EnrollBulkView, LeaveBulkView
from enrollments.api.clock import ClockView
from enrollments.api.enrolling import TargetEnrollmentViewSet
from enrollments.api.reading import ReceiptsView, ReceiptView
from enrollments.api.undoing import UndoBatchView, UndoView
from enrollments.urls_published import TARGET
from enrollments.urls_published import urlpatterns as published

urlpatterns = [
    *published,
    path(f"{TARGET}/enroll/bulk", EnrollBulkView.as_view()),
    path(f"{TARGET}/unEnroll/bulk", LeaveBulkView.as_view()),
    path(f"{TARGET}/enrollments/<str:customer_id>", TargetEnrollmentViewSet.as_view({"get": "standing"})),
    path("activities", ActivitiesView.as_view()),
    path("clock", ClockView.as_view()),
    path("receipts", ReceiptsView.as_view()),
    path("receipts/<str:receipt_id>", ReceiptView.as_view()),
    path("receipts/<str:receipt_id>/undo", UndoView.as_view()),
    path("batches/<str:batch_id>/undo", UndoBatchView.as_view()),
]
