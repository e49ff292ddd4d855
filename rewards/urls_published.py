"""The published calls for target groups; published clients leave the prefix /v3 out."""

from django.urls import path

from rewards.api.views import TargetGroupsView, TargetGroupView, TargetPeriodsView, TargetsView

urlpatterns = [
    path("targetGroups", TargetGroupsView.as_view()),
    path("targetGroups/<str:group_id>", TargetGroupView.as_view()),
    path("targetGroups/<str:group_id>/targetPeriods", TargetPeriodsView.as_view()),
    path("targetGroups/<str:group_id>/targets", TargetsView.as_view()),
]
