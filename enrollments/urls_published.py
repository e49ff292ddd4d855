"""The calls of one target; the published clients leave the prefix /v3 out."""

from django.urls import path

from enrollments.api.enrolling import TargetEnrollmentViewSet
from enrollments.api.reading import UserTargetGroupsView
from enrollments.api.tracking import TrackedTargetEventsView

TARGET = "targetGroups/<str:group_id>/targets/<str:target_id>"

urlpatterns = [
    path(f"{TARGET}/unEnroll", TargetEnrollmentViewSet.as_view({"post": "unenroll"})),
    path(f"{TARGET}/unEnroll/preview", TargetEnrollmentViewSet.as_view({"post": "preview"})),
    path(f"{TARGET}/unEnroll/cancel", TargetEnrollmentViewSet.as_view({"post": "cancel"})),
    path(f"{TARGET}/enroll", TargetEnrollmentViewSet.as_view({"post": "enroll"})),
    path("users/<str:customer_id>/targetGroups", UserTargetGroupsView.as_view()),
    path("users/<str:customer_id>/trackedTargetEvents/<str:target_id>", TrackedTargetEventsView.as_view()),
]
