from django.urls import include, path

from rewards.api.views import GrantsView

urlpatterns = [
    path("", include("rewards.urls_published")),
    path("rewardGrants", GrantsView.as_view()),
]
